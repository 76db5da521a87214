// Handlers that misbehave, each in its own way, and what an endpoint over memory is made of.
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/base/metrics.hpp>
#include <alknet/core/endpoint.hpp>
#include <alknet/core/memory_connection.hpp>
#include <alknet/core/static_identities.hpp>
#include <alknet/rt/wait.hpp>
#include <alknet/testing/memory_log_sink.hpp>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "support.hpp"

namespace alknet::test {

/// Does what the test says, and tells when it runs and when it has been let go.
class TestHandler final : public ProtocolHandler {
public:
    using Body =
        std::function<task<result<void>>(TestHandler&, std::shared_ptr<Connection>, AuthContext)>;
    TestHandler(std::string alpn, Body body) : alpn_(std::move(alpn)), body_(std::move(body)) {}

    [[nodiscard]] std::vector<std::string> alpns() const override { return {alpn_}; }
    task<result<void>> handle(std::shared_ptr<Connection> connection, AuthContext auth) override {
        struct Running {
            explicit Running(TestHandler& h) : handler(h) {
                ++handler.running;
                handler.changed.wake_all();
            }
            Running(const Running&) = delete;
            Running& operator=(const Running&) = delete;
            ~Running() {
                --handler.running;
                handler.changed.wake_all();
            }
            TestHandler& handler;
        };
        const Running mark(*this);
        ++started;
        co_return co_await body_(*this, std::move(connection), std::move(auth));
    }
    task<void> shutdown() override {
        ++told;
        changed.wake_all();
        if (on_shutdown) {
            co_await on_shutdown();
        }
    }
    [[nodiscard]] std::uint64_t close_code(const error& failure) const noexcept override {
        return code_of_errors.value_or(ProtocolHandler::close_code(failure));
    }

    std::optional<std::uint64_t> code_of_errors;
    std::function<task<void>()> on_shutdown;
    int started = 0;
    int running = 0;
    int told = 0;
    WaitList changed;

private:
    std::string alpn_;
    Body body_;
};

inline task<result<void>> returns_at_once(TestHandler&, std::shared_ptr<Connection>, AuthContext) {
    co_return result<void>{};
}
inline task<result<void>> waits_for_the_end(TestHandler&, std::shared_ptr<Connection> connection,
                                            AuthContext) {
    co_return co_await connection->wait_closed();
}
inline task<result<void>> fails(TestHandler&, std::shared_ptr<Connection>, AuthContext) {
    co_return fail(causes::kProtocol, "it said something odd");
}
inline task<result<void>> throws(TestHandler&, std::shared_ptr<Connection>, AuthContext) {
    throw std::runtime_error("deliberate");
    co_return result<void>{};
}
inline task<result<void>> throws_an_int(TestHandler&, std::shared_ptr<Connection>, AuthContext) {
    throw 42;  // NOLINT(hicpp-exception-baseclass): this is what is tested
    co_return result<void>{};
}
/// Waits for something that never comes, and cannot be cancelled.
inline task<result<void>> never_returns(TestHandler&, std::shared_ptr<Connection>, AuthContext) {
    Event never;
    co_await never.wait_uncancellable();
    co_return result<void>{};
}
/// Goes on whatever its waits say.
inline task<result<void>> ignores_cancellation(TestHandler&, std::shared_ptr<Connection> connection,
                                               AuthContext) {
    for (;;) {
        (void)co_await connection->accept_bi();
    }
}

struct TestNode {
    explicit TestNode(Loop& l) : loop(l) {
        options.registry = registry;
        options.log = Log(sink);
        options.metrics = metrics;
        options.identities = identities;
    }

    std::shared_ptr<TestHandler> add(std::string alpn, TestHandler::Body body,
                                     AlpnPolicy policy = {}) {
        auto handler = std::make_shared<TestHandler>(std::move(alpn), std::move(body));
        EXPECT_TRUE(registry->add(handler, policy));
        return handler;
    }
    Endpoint& endpoint() {
        if (endpoint_ == nullptr) {
            endpoint_ = Endpoint::create(loop, options);
        }
        return *endpoint_;
    }

    Loop& loop;
    std::shared_ptr<HandlerRegistry> registry = std::make_shared<HandlerRegistry>();
    std::shared_ptr<sim::MemoryLogSink> sink = std::make_shared<sim::MemoryLogSink>();
    std::shared_ptr<Metrics> metrics = std::make_shared<Metrics>();
    std::shared_ptr<StaticIdentityProvider> identities = StaticIdentityProvider::create({}).value();
    EndpointOptions options;

private:
    std::unique_ptr<Endpoint> endpoint_;
};

/// A connection in memory whose server side the node serves.
struct Served {
    Served(TestNode& node, std::string alpn, PeerIdentity client = {}, SocketAddress from = {},
           Transport transport = Transport::memory)
        : Served(node, [&] {
              MemoryConnectionOptions o;
              o.alpn = std::move(alpn);
              o.client = client;
              o.client_address = from;
              o.transport = transport;
              o.trace_id = "00000000000000aa";
              return o;
          }()) {}

    std::shared_ptr<Connection> client;

    [[nodiscard]] bool done() const noexcept { return serving_.done(); }
    void cancel() noexcept { serving_.cancel(); }
    /// Waits until the node has let go of it; gives the code with which it ended.
    task<std::uint64_t> ended() {
        (void)co_await serving_.join();
        co_return client->close_reason().value().code();
    }

private:
    Served(TestNode& node, MemoryConnectionOptions o)
        : Served(node, make_memory_connection_pair(std::move(o))) {}
    Served(TestNode& node, MemoryConnectionPair pair)
        : client(pair.client), serving_(node.loop, run(node.endpoint(), pair.server)) {}
    static task<bool> run(Endpoint& endpoint, std::shared_ptr<Connection> connection) {
        co_await endpoint.serve(std::move(connection));
        co_return true;
    }

    Started<bool> serving_;
};

[[nodiscard]] inline PeerIdentity raw_key(const NodeId& id) {
    PeerIdentity peer;
    peer.kind = PeerIdentity::Kind::raw_key;
    peer.key = id;
    return peer;
}

[[nodiscard]] inline StaticPeer make_peer(std::string id, const NodeId& key,
                                          std::vector<std::string> scopes = {}) {
    StaticPeer peer;
    peer.identity.id = std::move(id);
    peer.identity.scopes = std::move(scopes);
    peer.fingerprints = {key.fingerprint()};
    return peer;
}

}  // namespace alknet::test
