// One HTTP/2 connection over memory: a router at one end, frames by hand at the other.
#pragma once

#include <alknet/base/wire.hpp>
#include <alknet/http/router.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/co_test.hpp>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "h1_world.hpp"
#include "h2_connection.hpp"

namespace alknet::http::test {

inline constexpr std::uint8_t kData = 0;
inline constexpr std::uint8_t kHeaders = 1;
inline constexpr std::uint8_t kReset = 3;
inline constexpr std::uint8_t kSettings = 4;
inline constexpr std::uint8_t kPing = 6;
inline constexpr std::uint8_t kGoAway = 7;
inline constexpr std::uint8_t kWindowUpdate = 8;
inline constexpr std::uint8_t kContinuation = 9;
inline constexpr std::uint8_t kEndStream = 1;
inline constexpr std::uint8_t kEndHeaders = 4;

inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                         std::string_view payload) {
    WireWriter out;
    out.number(static_cast<std::uint8_t>(payload.size() >> 16));
    out.number(static_cast<std::uint16_t>(payload.size()));
    out.number(type);
    out.number(flags);
    out.number(stream);
    out.append(as_bytes(payload));
    return std::string(as_text(out.view()));
}

// Of the static table alone: GET, https, and "/" or a path; "a" is the authority.
inline std::string fields(std::string_view method = "\x82", std::string_view path = "/") {
    std::string block(method);
    block += "\x87";
    block.append("\x04").append(1, static_cast<char>(path.size())).append(path);
    return block.append(
        "\x01\x01"
        "a");
}

inline std::string get(std::uint32_t stream, std::string_view path = "/") {
    return frame(kHeaders, kEndHeaders | kEndStream, stream, fields("\x82", path));
}

inline std::string preface() {
    return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(kSettings, 0, 0, "");
}

struct Frame {
    std::uint8_t type = 0;
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;
    std::string payload;
};

struct H2World {
    explicit H2World(Loop& its_loop, const Limits& limits = {},
                     const net::MemoryStreamOptions& its_stream = {})
        : scope(its_loop) {
        auto pair = net::make_memory_streams({}, its_stream);
        client = std::move(pair.first);
        server = std::move(pair.second);
        connection = std::make_unique<H2Connection>(
            its_loop, *server,
            DriverOptions{.limits = limits,
                          .auth = auth,
                          .trace_id = "trace",
                          .answer = [this](Request& request) { return router.answer(request); },
                          .served =
                              [this](const Served& one) {
                                  served.push_back(one.head.path + " " +
                                                   std::to_string(one.status));
                              }});
        scope.spawn(run(*this), "http");
    }
    static task<void> run(H2World& world) { world.outcome = co_await world.connection->run(); }

    void route(std::string_view method, std::string_view pattern, Handler handler) {
        EXPECT_TRUE(router.add(method, pattern, std::move(handler)));
    }
    task<void> send(std::string octets) { (void)co_await client->write(as_bytes(octets)); }
    /// The next frame that is of this type; a frame of type 255 at the end.
    task<Frame> next(std::uint8_t type) {
        for (;;) {
            const std::string head = co_await take(9);
            if (head.size() < 9) {
                co_return Frame{.type = 255, .flags = 0, .stream = 0, .payload = {}};
            }
            WireReader in(as_bytes(head));
            const auto high = in.number<std::uint8_t>();
            const auto low = in.number<std::uint16_t>();
            Frame got;
            got.type = in.number<std::uint8_t>();
            got.flags = in.number<std::uint8_t>();
            got.stream = in.number<std::uint32_t>();
            got.payload = co_await take((std::size_t{high} << 16) + low);
            if (got.type == type) {
                co_return got;
            }
        }
    }
    /// The code of the good-bye; 0 if the connection ends without one.
    task<std::uint32_t> goodbye() {
        const Frame last = co_await next(kGoAway);
        WireReader in(as_bytes(last.payload));
        (void)in.number<std::uint32_t>();
        co_return in.number<std::uint32_t>();
    }
    task<std::string> take(std::size_t size) {
        std::array<std::byte, 4096> piece{};
        while (received.size() < size) {
            const auto count = co_await client->read(piece);
            if (!count || *count == 0) {
                break;
            }
            received += as_text(BytesView(piece).first(*count));
        }
        std::string taken = received.substr(0, size);
        received.erase(0, taken.size());
        co_return taken;
    }

    AuthContext auth;
    Router router;
    std::vector<std::string> served;
    std::unique_ptr<ByteStream> client;
    std::unique_ptr<ByteStream> server;
    std::unique_ptr<H2Connection> connection;
    result<void> outcome;
    std::string received;
    TaskScope scope;
};

}  // namespace alknet::http::test
