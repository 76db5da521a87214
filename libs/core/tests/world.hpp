// A node and a client in a simulated world: the real endpoint, QUIC and TLS, on virtual time.
#pragma once

#include <gtest/gtest.h>
#include <alknet/core/dial.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/sim_world.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "handlers.hpp"

namespace alknet::test {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

inline constexpr std::uint16_t kPort = 4433;

inline std::shared_ptr<const tls::TlsContext> make_context() {
    tls::ContextOptions options;
    options.key = NodeKey::generate();
    return tls::TlsContext::create(std::move(options)).value();
}

[[nodiscard]] inline bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

class WorldTest : public testing::Test {
protected:
    WorldTest() {
        node->options.network = server_process->network();
        node->options.tls = server_tls;
        node->options.secrets = quic::make_secrets();
        dialer = make_dialer(*client_process, client_tls);
    }
    ~WorldTest() override {
        run_on(*server_process, done_after(node->endpoint().shutdown()));
        EXPECT_EQ(node->endpoint().connections(), 0U);
        EXPECT_EQ(node->endpoint().half_open(), 0U);
        if (dialer != nullptr) {
            run(done_after(dialer->shutdown()));
        }
        dialer.reset();
        node.reset();
        EXPECT_EQ(world.stats().sends_invalid, 0U);
    }

    /// Serves what the node's registry has, on UDP and TCP.
    void listen(std::vector<std::string> alpns = {}) {
        ListenerOptions options;
        options.name = "main";
        options.address = server_host.v4(kPort);
        options.alpns = std::move(alpns);
        const auto bound = node->endpoint().listen(std::move(options));
        ASSERT_TRUE(bound) << bound.error().message();
        EXPECT_EQ(*bound, server_host.v4(kPort));
    }
    void serve_echo(EchoOptions options = {}) {
        EXPECT_TRUE(node->registry->add(std::make_shared<EchoHandler>(options)));
    }

    static std::unique_ptr<Dialer> make_dialer(sim::SimProcess& process,
                                               std::shared_ptr<const tls::TlsContext> context) {
        return Dialer::create(process.loop(), process.network(), std::move(context), Log());
    }
    [[nodiscard]] NodeAddress address() const {
        NodeAddress target;
        target.id = server_tls->key().id();
        target.host = server_host.v4(0).ip_text();
        target.port = kPort;
        return target;
    }
    static DialOptions only(Transport transport, std::string alpn = std::string(kEchoAlpn)) {
        DialOptions options;
        options.alpns = {std::move(alpn)};
        options.quic = transport == Transport::quic;
        options.tcp = transport == Transport::tcp;
        return options;
    }
    result<std::shared_ptr<Connection>> dial(DialOptions options) {
        return run(dialer->dial(address(), std::move(options)));
    }
    result<std::shared_ptr<Connection>> dial(Transport transport,
                                             std::string alpn = std::string(kEchoAlpn)) {
        return dial(only(transport, std::move(alpn)));
    }

    static task<result<Bytes>> ask(Loop& loop, std::shared_ptr<Connection> connection, Bytes data) {
        ALKNET_CO_TRY(auto stream, co_await connection->open_bi());
        co_return co_await exchange(loop, *stream, std::move(data));
    }
    /// Whether the connection carries `bytes` there and back, unchanged.
    bool echoes(const std::shared_ptr<Connection>& connection, std::size_t bytes = 1000) {
        const auto answer = run(ask(client_process->loop(), connection, noise(bytes)));
        EXPECT_TRUE(answer) << (answer ? "" : answer.error().message());
        return answer && *answer == noise(bytes);
    }

    /// Runs one task to its end on the client; the world runs meanwhile.
    template <class T>
    T run(task<T> work, Duration limit = minutes(10)) {
        return run_on(*client_process, std::move(work), limit);
    }
    template <class T>
    T run_on(sim::SimProcess& process, task<T> work, Duration limit = minutes(10)) {
        Started<T> started(process.loop(), std::move(work));
        if (!world.run_until([&] { return started.done(); }, limit)) {
            throw std::runtime_error("the test is stuck");
        }
        return started.take();
    }
    bool until(const std::function<bool()>& done, Duration limit = minutes(10)) {
        return world.run_until(done, limit);
    }
    static task<bool> done_after(task<void> work) {
        co_await std::move(work);
        co_return true;
    }

    /// Datagrams between two hosts vanish; TCP goes on.
    void block_udp(const sim::SimHost& a, const sim::SimHost& b) {
        for (const auto& [from, to] : {std::pair(&a, &b), std::pair(&b, &a)}) {
            sim::LinkOptions link = world.link(*from, *to);
            link.udp_payload_bytes_max = 0;
            world.set_link(*from, *to, link);
        }
    }

    sim::SimWorld world{11};
    sim::SimHost& server_host = world.add_host("server");
    sim::SimHost& client_host = world.add_host("client");
    std::unique_ptr<sim::SimProcess> server_process = server_host.start();
    std::unique_ptr<sim::SimProcess> client_process = client_host.start();
    std::shared_ptr<const tls::TlsContext> server_tls = make_context();
    std::shared_ptr<const tls::TlsContext> client_tls = make_context();
    std::unique_ptr<TestNode> node = std::make_unique<TestNode>(server_process->loop());
    std::unique_ptr<Dialer> dialer;
};

/// The same test over QUIC and over TLS on TCP.
class EachTransport : public WorldTest, public testing::WithParamInterface<Transport> {
protected:
    [[nodiscard]] static Transport transport() { return GetParam(); }
    [[nodiscard]] static bool is_quic() { return GetParam() == Transport::quic; }
};

inline std::string name_of(const testing::TestParamInfo<Transport>& info) {
    return std::string(to_string(info.param));
}

#define ALKNET_EACH_TRANSPORT(suite) \
    INSTANTIATE_TEST_SUITE_P(, suite, testing::Values(Transport::quic, Transport::tcp), name_of)

}  // namespace alknet::test
