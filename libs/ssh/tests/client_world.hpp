// A server by hand, for what the node's own does not do, and clients of both in memory.
#pragma once

#include <alknet/ssh/client.hpp>
#include <alknet/ssh/user_auth.hpp>

#include "session_world.hpp"

namespace alknet::ssh {

/// Takes the keys in `known`; what a client then wants goes to `on_event`, which answers by hand.
class HandServer {
public:
    HandServer(std::unique_ptr<BiStream> stream, std::uint64_t rekey_bytes = kRekeyBytes)
        : stream_(std::move(stream)),
          transport({.role = Role::server, .host_key = key, .rekey_bytes = rekey_bytes}) {}

    task<void> run() {
        while (!failure) {
            read_messages();
            co_await flush();
            if (failure) {
                break;
            }
            const MutableBytes room = transport.room();
            const auto size = co_await stream_->read(room);
            if (!size || *size == 0) {
                failure = size ? error(causes::kClosed) : size.error();
                break;
            }
            if (deaf) {
                continue;
            }
            transport.filled(*size);
        }
        co_await flush();
        (void)co_await stream_->finish();
    }
    task<void> flush() {
        while (transport.out_bytes() > 0) {
            auto sealed = transport.take_out();
            (void)co_await stream_->write(sealed.view());
            transport.give_back(std::move(sealed));
        }
    }
    void write(ChannelId id, std::string_view text) {
        std::ranges::copy(as_bytes(text), channels.begin(id, text.size()).begin());
        channels.commit(id, text.size());
    }
    /// As standard error has it.
    void write_error(std::uint32_t client_id, std::string_view text) {
        WireWriter out = begin_message(Message::channel_extended_data);
        out.number(client_id);
        out.number<std::uint32_t>(1);
        put_text(out, text);
        EXPECT_TRUE(transport.send(out.view()));
    }

private:
    void read_messages() {
        for (;;) {
            const auto message = transport.next();
            if (!message) {
                failure = message.error();
                return;
            }
            if (!*message) {
                return;
            }
            if (const auto taken = take(**message); !taken) {
                failure = taken.error();
                transport.disconnect(Disconnect::protocol_error, "by hand");
                return;
            }
        }
    }
    result<void> take(BytesView message) {
        if (message_of(message) >= Message::global_request) {
            ALKNET_TRY(const ChannelEvent event, channels.take(message));
            if (event.kind != ChannelEvent::Kind::none) {
                on_event(event);
            }
            return {};
        }
        if (!auth) {
            auth.emplace(transport.session_id(), key->id());
        }
        ALKNET_TRY(const UserAuth::Step step, auth->take(message));
        Bytes reply = step.reply;
        if (step.question) {
            asked.push_back(step.question->fingerprint);
            const bool found = std::ranges::find(known, asked.back()) != known.end();
            ALKNET_TRY(reply, auth->answer(found));
        }
        return reply.empty() ? result<void>() : transport.send(reply);
    }

    std::unique_ptr<BiStream> stream_;

public:
    std::shared_ptr<const NodeKey> key = NodeKey::generate();
    Transport transport;
    Channels channels{transport};
    std::optional<UserAuth> auth;
    std::vector<std::string> known;
    std::vector<std::string> asked;
    std::function<void(const ChannelEvent&)> on_event = [](const ChannelEvent&) {};
    std::optional<error> failure;
    bool deaf = false;
};

[[nodiscard]] inline SshClientOptions options_for(const NodeId& host,
                                                  std::shared_ptr<const NodeKey> key) {
    SshClientOptions options;
    options.trust = [host](const NodeId& shown) -> result<void> {
        return shown == host ? result<void>() : fail(causes::kPeerKeyMismatch, shown.fingerprint());
    };
    options.keys = {make_signer(std::move(key))};
    return options;
}

/// A client of a server by hand.
struct HandWorld {
    explicit HandWorld(Loop& on, std::uint64_t rekey_bytes = kRekeyBytes) : loop(on), serving(on) {
        auto [near, far] = net::make_memory_streams();
        stream = std::move(near);
        server = std::make_unique<HandServer>(std::move(far), rekey_bytes);
        server->known = {key->id().fingerprint()};
        serving.spawn(server->run(), "server");
    }
    [[nodiscard]] SshClientOptions options() const { return options_for(server->key->id(), key); }
    task<result<std::unique_ptr<SshClient>>> connect() {
        return SshClient::connect(loop, std::move(stream), options());
    }
    task<void> end(SshClient& client) {
        co_await client.close();
        (void)co_await serving.join();
    }

    Loop& loop;
    std::shared_ptr<const NodeKey> key = NodeKey::generate();
    std::unique_ptr<ByteStream> stream;
    std::unique_ptr<HandServer> server;
    TaskScope serving;
};

}  // namespace alknet::ssh
