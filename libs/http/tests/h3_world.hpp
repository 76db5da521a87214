// One HTTP/3 connection over memory: a router at one end, streams of frames by hand at the other.
#pragma once

#include <alknet/core/memory_connection.hpp>
#include <alknet/http/router.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/co_test.hpp>
#include <array>
#include <string>
#include <vector>

#include "h1_world.hpp"
#include "h3_connection.hpp"
#include "h3_varint.hpp"

namespace alknet::http::test {

constexpr std::uint64_t kDataFrame = 0;
constexpr std::uint64_t kHeadersFrame = 1;
constexpr std::uint64_t kSettingsFrame = 4;
constexpr std::uint64_t kGoAwayFrame = 7;

inline std::string h3_frame(std::uint64_t type, std::string_view payload) {
    Bytes head;
    append_varint(head, type);
    append_varint(head, payload.size());
    return std::string(as_text(head)).append(payload);
}

/// A name and a value as they are (RFC 9204 section 4.5.6), both shorter than 127 octets.
inline std::string h3_field(std::string_view name, std::string_view value) {
    std::string out;
    out += static_cast<char>(0x20 | std::min<std::size_t>(name.size(), 7));
    if (name.size() >= 7) {
        out += static_cast<char>(name.size() - 7);
    }
    out.append(name).append(1, static_cast<char>(value.size()));
    return out.append(value);
}

/// A field section without the dynamic table: https and the authority "a" besides.
inline std::string h3_head(std::string_view method, std::string_view path,
                           std::string_view more = {}) {
    std::string section("\0\0", 2);
    section += h3_field(":method", method) + "\xd7" + h3_field(":authority", "a");
    section += h3_field(":path", path);
    return h3_frame(kHeadersFrame, section.append(more));
}

struct H3Frame {
    std::uint64_t type = 0;
    std::string payload;
};

/// The whole frames at the front of `octets`.
inline std::vector<H3Frame> h3_frames(BytesView octets) {
    std::vector<H3Frame> frames;
    for (;;) {
        const auto type = take_varint(octets);
        const auto size = take_varint(octets);
        if (!type || !size || octets.size() < *size) {
            return frames;
        }
        frames.push_back({.type = *type, .payload = std::string(as_text(octets.first(*size)))});
        octets = octets.subspan(*size);
    }
}

/// What a response consists of: the status of its head, and its content.
struct H3Answer {
    std::string head;  // octets of the field section
    std::string content;
    bool ended = false;
    std::uint64_t reset_code = 0;
    bool operator==(const H3Answer&) const = default;
};

struct H3World {
    explicit H3World(Loop& its_loop, const Limits& limits = {},
                     MemoryConnectionOptions options = {}, Http3Extension* extension = nullptr)
        : loop(its_loop), scope(its_loop) {
        pair = make_memory_connection_pair(std::move(options));
        connection = std::make_unique<H3Connection>(
            its_loop, *pair.server,
            DriverOptions{.limits = limits,
                          .auth = auth,
                          .trace_id = "trace",
                          .answer = [this](Request& request) { return router.answer(request); },
                          .served =
                              [this](const Served& one) {
                                  served.push_back(one.head.path + " " +
                                                   std::to_string(one.status));
                              }},
            extension);
        scope.spawn(run(*this), "http");
    }
    static task<void> run(H3World& world) { world.outcome = co_await world.connection->run(); }

    void route(std::string_view method, std::string_view pattern, Handler handler) {
        EXPECT_TRUE(router.add(method, pattern, std::move(handler)));
    }
    /// The client's control stream, with SETTINGS; it is kept open.
    task<void> greet(std::string settings = {}) {
        co_await send_other(std::string(1, '\0') + h3_frame(kSettingsFrame, settings));
    }
    task<void> send_other(std::string octets) {
        auto stream = co_await pair.client->open_uni();
        ALKNET_ASSERT(stream);
        others.push_back(std::move(*stream));
        (void)co_await others.back()->write(as_bytes(octets));
    }
    task<std::unique_ptr<BiStream>> open(std::string octets) {
        auto stream = co_await pair.client->open_bi();
        ALKNET_ASSERT(stream);
        (void)co_await (*stream)->write(as_bytes(octets));
        co_return std::move(*stream);
    }
    /// To its end.
    static task<H3Answer> answer(BiStream& stream) {
        H3Answer answer;
        Bytes received;
        std::array<std::byte, 4096> piece{};
        for (;;) {
            const auto count = co_await stream.read(piece);
            if (!count) {
                answer.reset_code = count.error().code();
                break;
            }
            if (*count == 0) {
                answer.ended = true;
                break;
            }
            received.insert(received.end(), piece.begin(),
                            piece.begin() + static_cast<std::ptrdiff_t>(*count));
        }
        for (const H3Frame& frame : h3_frames(received)) {
            (frame.type == kHeadersFrame ? answer.head : answer.content) += frame.payload;
        }
        co_return answer;
    }
    task<H3Answer> ask(std::string octets) {
        const auto stream = co_await open(std::move(octets));
        EXPECT_TRUE(co_await stream->finish());
        co_return co_await answer(*stream);
    }
    /// The frames of the server's control stream that are there now.
    task<std::vector<H3Frame>> control() {
        if (server_control == nullptr) {
            auto stream = co_await pair.client->accept_uni();
            ALKNET_ASSERT(stream);
            server_control = std::move(*stream);
        }
        std::array<std::byte, 4096> piece{};
        const auto count = co_await server_control->read(piece);
        if (count) {
            told.insert(told.end(), piece.begin(),
                        piece.begin() + static_cast<std::ptrdiff_t>(*count));
        }
        co_return h3_frames(BytesView(told).subspan(1));
    }
    /// With which code the server closes.
    task<std::uint64_t> goodbye() {
        (void)co_await pair.client->wait_closed();
        co_return pair.client->close_reason()->code();
    }
    task<void> finish() {
        pair.client->close(0, "");
        (void)co_await scope.join();
    }

    Loop& loop;
    AuthContext auth;
    Router router;
    std::vector<std::string> served;
    MemoryConnectionPair pair;
    std::vector<std::unique_ptr<SendStream>> others;
    std::unique_ptr<RecvStream> server_control;
    Bytes told;
    std::unique_ptr<H3Connection> connection;
    result<void> outcome;
    TaskScope scope;
};

}  // namespace alknet::http::test
