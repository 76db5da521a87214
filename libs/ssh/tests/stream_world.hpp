// Connections with keys, as QUIC has them, and clients on them whose channels have streams.
#pragma once

#include "channel_stream.hpp"
#include "client_world.hpp"
#include "stream_binding.hpp"

namespace alknet::ssh {

/// Its keys differ from those of connections with another `number`.
[[nodiscard]] inline MemoryConnectionOptions keyed_connection(
    int number = 1, alknet::Transport transport = alknet::Transport::quic) {
    MemoryConnectionOptions options;
    options.alpn = kSshAlpn;
    options.transport = transport;
    options.exporter = [number](std::string_view label, BytesView context, MutableBytes out) {
        EXPECT_EQ(label, kStreamsLabel);
        for (std::size_t i = 0; i < out.size(); ++i) {
            out[i] = context[i % context.size()] ^ static_cast<std::byte>(number);
        }
        return result<void>();
    };
    return options;
}

[[nodiscard]] inline task<result<std::string>> read_some(BiStream& stream) {
    Bytes buffer(64 << 10);
    ALKNET_CO_TRY(const std::size_t size, co_await stream.read(buffer));
    co_return std::string(as_text(BytesView(buffer).first(size)));
}

/// Whether the other end has reset it.
[[nodiscard]] inline task<bool> is_reset(BiStream& stream) {
    const auto got = co_await read_some(stream);
    co_return !got && got.error().is(causes::kReset);
}

/// What a client by hand does.
struct StreamClient {
    explicit StreamClient(SshWorld& on, MemoryConnectionOptions options = keyed_connection())
        : world(on), by_hand(world.client_on(std::move(options), {"ssh:connect", "ssh:listen"})) {}

    [[nodiscard]] TestClient& hand() const noexcept { return *by_hand; }
    task<bool> ask(std::string_view type, Bytes body) {
        WireWriter out = begin_message(Message::global_request);
        put_text(out, type);
        put_bool(out, true);
        out.append(body);
        EXPECT_TRUE(by_hand->transport.send(out.view()));
        const auto answer = co_await by_hand->message();
        co_return answer&& message_of(*answer) == Message::request_success;
    }
    task<bool> agree() {
        const auto binding = stream_binding(by_hand->connection(), by_hand->transport.session_id());
        co_return co_await ask(kChannelStreams, encode_binding(binding.value()));
    }
    task<result<void>> start() {
        ALKNET_CO_CHECK(co_await by_hand->start());
        EXPECT_TRUE(co_await agree());
        co_return result<void>();
    }
    /// The next event that is no news about a window.
    task<Happened> event() {
        for (;;) {
            auto next = co_await by_hand->event();
            if (!next || next->kind != ChannelEvent::Kind::window) {
                co_return next ? *std::move(next) : Happened();
            }
        }
    }
    /// Opens a channel to the next target.
    task<result<StreamToken>> open() {
        ALKNET_CO_TRY(id, by_hand->open("db", 5432));
        const Happened opened = co_await event();
        if (opened.kind != ChannelEvent::Kind::opened) {
            co_return fail(causes::kForbidden);
        }
        target = std::move(world.network->targets.back());
        world.network->targets.pop_back();
        ALKNET_CO_TRY(const StreamHeader header, parse_stream_header(opened.body));
        EXPECT_TRUE(header.rest.empty());
        co_return header.token;
    }
    task<result<std::unique_ptr<BiStream>>> stream_with(Bytes octets) {
        ALKNET_CO_TRY(auto stream, co_await by_hand->connection().open_bi());
        ALKNET_CO_CHECK(co_await stream->write(octets));
        co_return stream;
    }
    /// With a stream of its own, which is given.
    task<result<std::unique_ptr<BiStream>>> carry() {
        ALKNET_CO_TRY(const StreamToken token, co_await open());
        EXPECT_TRUE(token);
        co_return co_await stream_with(encode_stream_header(token));
    }

    SshWorld& world;
    std::unique_ptr<TestClient> by_hand;
    ChannelId id = 0;
    std::unique_ptr<ByteStream> target;  // of the channel that was opened last
};

}  // namespace alknet::ssh
