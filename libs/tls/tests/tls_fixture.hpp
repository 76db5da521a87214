// Two TLS ends over a pipe in memory, on one loop.
#pragma once

#include <gtest/gtest.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <alknet/testing/virtual_loop.hpp>
#include <alknet/tls/session.hpp>
#include <alknet/tls/stream.hpp>
#include <string>
#include <vector>

namespace alknet::tls {

/// A registry of services that counts how often it was asked.
class Services final : public AlpnSelector {
public:
    explicit Services(std::vector<std::string> names = {"alknet/echo"}) : names(std::move(names)) {}

    std::string select_alpn(const ClientHello& hello) override {
        ++asked;
        if (!hello.has_alpn) {
            return without_alpn;
        }
        for (const std::string_view offered : hello.alpns) {
            if (std::ranges::find(names, offered) != names.end()) {
                return std::string(offered);
            }
        }
        return otherwise;
    }

    std::vector<std::string> names;
    std::string without_alpn;
    std::string otherwise;  // who offers none of the names
    int asked = 0;
};

using Tls = std::unique_ptr<TlsStream>;

struct Handshake {
    result<Tls> server = fail(causes::kInternal, "did not end");
    result<Tls> client = fail(causes::kInternal, "did not end");

    [[nodiscard]] bool both() const { return server && client; }
    /// What went wrong, for a failing test.
    [[nodiscard]] std::string why() const {
        return "server: " + (server ? "ok" : server.error().message()) +
               "; client: " + (client ? "ok" : client.error().message());
    }
};

inline task<void> accept_into(Loop& loop, std::unique_ptr<ByteStream> lower,
                              std::shared_ptr<const TlsContext> context, AlpnSelector& selector,
                              result<Tls>& into) {
    into = co_await accept_tls(loop, std::move(lower), std::move(context), selector);
}

inline task<void> connect_into(Loop& loop, std::unique_ptr<ByteStream> lower, ClientOptions options,
                               result<Tls>& into) {
    into = co_await connect_tls(loop, std::move(lower), std::move(options));
}

class TlsTest : public testing::Test {
public:
    /// The common fields, in the order of ContextOptions.
    static std::shared_ptr<const TlsContext> context(
        std::shared_ptr<const NodeKey> key, std::vector<CertificateFiles> certificates = {},
        std::vector<std::filesystem::path> authorities = {},
        std::shared_ptr<TicketKeys> tickets = {}) {
        return TlsContext::create({.key = std::move(key),
                                   .certificates = std::move(certificates),
                                   .authorities = std::move(authorities),
                                   .ticket_keys = std::move(tickets)})
            .value();
    }

    [[nodiscard]] ClientOptions dial(Verify verify,
                                     std::vector<std::string> alpns = {"alknet/echo"},
                                     std::string server_name = {}) const {
        return ClientOptions{.context = client_context,
                             .alpns = std::move(alpns),
                             .verify = std::move(verify),
                             .server_name = std::move(server_name),
                             .resumption = {}};
    }
    /// Pinned to the server's key.
    [[nodiscard]] ClientOptions dial(std::vector<std::string> alpns = {"alknet/echo"}) const {
        return dial(VerifyPin{server_key->id()}, std::move(alpns));
    }

    void run(task<void> work) {
        ASSERT_TRUE(time.run(std::move(work))) << "nothing is ready and no timer is armed";
    }

    task<void> shake(ClientOptions options, net::MemoryStreamOptions pipe, Handshake& outcome) {
        auto [a, b] = net::make_memory_streams(pipe, pipe);
        TaskScope scope(loop);
        scope.spawn(accept_into(loop, std::move(a), server_context, services, outcome.server),
                    "server");
        scope.spawn(connect_into(loop, std::move(b), std::move(options), outcome.client), "client");
        (void)co_await scope.join();
    }

    Handshake handshake(ClientOptions options, net::MemoryStreamOptions pipe = {}) {
        Handshake outcome;
        run(shake(std::move(options), pipe, outcome));
        return outcome;
    }

    sim::VirtualLoop time;
    Loop& loop = time.loop();
    std::shared_ptr<const NodeKey> server_key = NodeKey::generate();
    std::shared_ptr<const NodeKey> client_key = NodeKey::generate();
    std::shared_ptr<const TlsContext> server_context = context(server_key);
    std::shared_ptr<const TlsContext> client_context = context(client_key);
    Services services;
};

}  // namespace alknet::tls
