// A client and a server that talk in memory, their octets cut in any way.
#pragma once

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_ssh.hpp>
#include <alknet/ssh/transport.hpp>
#include <alknet/testing/random.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages.hpp"

namespace alknet::ssh {

struct End {
    explicit End(TransportOptions options) : transport(std::move(options)) {}
    Transport transport;
    std::vector<Bytes> messages;
    std::optional<error> failure;

    /// What it has to say, once.
    Bytes out() {
        auto sealed = transport.take_out();
        Bytes octets = to_bytes(sealed.view());
        transport.give_back(std::move(sealed));
        return octets;
    }
    /// Takes octets, a few at a time, and the messages that they make.
    void in(BytesView octets, std::size_t step) {
        while (!octets.empty() && !failure) {
            const MutableBytes room = transport.room();
            const std::size_t size = std::min({step, room.size(), octets.size()});
            std::copy_n(octets.begin(), size, room.begin());
            transport.filled(size);
            octets = octets.subspan(size);
            read();
        }
    }
    void read() {
        for (;;) {
            auto message = transport.next();
            if (!message) {
                failure = std::move(message).error();
                return;
            }
            if (!*message) {
                return;
            }
            messages.push_back(to_bytes(**message));
        }
    }
    [[nodiscard]] bool failed(const Cause& cause) const { return failure && failure->is(cause); }
};

struct TransportPair {
    static TransportOptions server_options() {
        return {.role = Role::server, .host_key = NodeKey::generate()};
    }
    static TransportOptions client_options() { return {.role = Role::client}; }

    explicit TransportPair(TransportOptions of_client = client_options(),
                           TransportOptions of_server = server_options())
        : client(std::move(of_client)), server(std::move(of_server)) {}

    /// Until neither has anything to say.
    void run(std::size_t step = 1 << 20) {
        for (;;) {
            const Bytes up = client.out();
            const Bytes down = server.out();
            if (up.empty() && down.empty()) {
                return;
            }
            server.in(up, step);
            client.in(down, step);
        }
    }

    End client;
    End server;
};

/// A message of the layers above.
[[nodiscard]] inline Bytes message_text(std::string_view text) {
    Bytes message = {static_cast<std::byte>(Message::global_request)};
    message.insert(message.end(), as_bytes(text).begin(), as_bytes(text).end());
    return message;
}

}  // namespace alknet::ssh
