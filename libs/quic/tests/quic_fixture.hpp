// A server and a client in a simulated world, each a process with its own loop, with real
// handshakes. Nothing here waits for real time.
#pragma once

#include <gtest/gtest.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/quic/endpoint.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/sim_world.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace alknet::quic {

using std::chrono::milliseconds;
using std::chrono::minutes;

inline constexpr std::uint16_t kPort = 4433;

/// What a test makes of the server side.
class TestPolicy final : public ServerPolicy {
public:
    std::string select_alpn(const tls::ClientHello& hello) override {
        for (const std::string_view offered : hello.alpns) {
            if (std::ranges::find(alpns, offered) != alpns.end()) {
                return std::string(offered);
            }
        }
        return {};
    }
    Admission admit(const Incoming& incoming) override {
        asked.push_back(incoming);
        return admission ? admission(incoming) : Admission::accept;
    }
    void handshake_ended(const Incoming&, const result<void>& outcome) override {
        ended.push_back(outcome);
    }
    std::shared_ptr<const tls::TlsContext> tls_context() override { return context; }
    TransportOptions transport_options() override { return transport; }

    std::vector<std::string> alpns = {"alknet/echo"};
    std::function<Admission(const Incoming&)> admission;
    std::shared_ptr<const tls::TlsContext> context;
    TransportOptions transport;
    std::vector<Incoming> asked;
    std::vector<result<void>> ended;
};

inline std::shared_ptr<const tls::TlsContext> make_context() {
    tls::ContextOptions options;
    options.key = NodeKey::generate();
    return tls::TlsContext::create(std::move(options)).value();
}

/// Contexts cost a key pair and a credentials object each, and tests do not change them.
inline const std::shared_ptr<const tls::TlsContext>& shared_server_context() {
    static const auto context = make_context();
    return context;
}
inline const std::shared_ptr<const tls::TlsContext>& shared_client_context() {
    static const auto context = make_context();
    return context;
}

/// Both sides of one connection, as the tests mostly want them.
struct Pair {
    std::shared_ptr<Connection> client;
    std::shared_ptr<Connection> server;
};

inline std::string pattern(std::size_t size, unsigned seed = 1) {
    std::string text(size, '\0');
    std::uint32_t state = seed * 2654435761U + 1;
    for (char& c : text) {
        state = state * 1664525U + 1013904223U;
        c = static_cast<char>(state >> 24);
    }
    return text;
}

/// Reads to the end of the stream.
inline task<result<std::string>> read_all(RecvStream& stream) {
    std::string text;
    Bytes buffer(16 << 10);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(buffer));
        if (count == 0) {
            co_return text;
        }
        text += as_text(BytesView(buffer).first(count));
    }
}

inline task<result<void>> write_all(SendStream& stream, std::string text, bool finish = true) {
    ALKNET_CO_CHECK(co_await stream.write(as_bytes(text)));
    if (finish) {
        ALKNET_CO_CHECK(co_await stream.finish());
    }
    co_return result<void>{};
}

inline task<void> echo_stream(std::unique_ptr<BiStream> stream) {
    Bytes buffer(16 << 10);
    for (;;) {
        const auto count = co_await stream->read(buffer);
        if (!count) {
            co_return;
        }
        if (*count == 0) {
            (void)co_await stream->finish();
            co_return;
        }
        const auto written = co_await stream->write(BytesView(buffer).first(*count));
        if (!written) {
            co_return;
        }
    }
}

inline task<void> echo_streams(std::shared_ptr<Connection> connection, Loop& loop) {
    TaskScope streams(loop);
    for (;;) {
        auto stream = co_await connection->accept_bi();
        if (!stream) {
            break;
        }
        streams.spawn(echo_stream(std::move(*stream)), "echo");
    }
    (void)co_await streams.join();
}

class QuicTest : public testing::Test {
protected:
    QuicTest() {
        policy.context = shared_server_context();
        server_process = server_host.start();
        client_process = client_host.start();
        server_tasks = std::make_unique<TaskScope>(server_process->loop());
        client_tasks = std::make_unique<TaskScope>(client_process->loop());
    }
    ~QuicTest() override {
        pair = {};
        server_tasks.reset();
        client_tasks.reset();
        server.reset();
        client.reset();
        EXPECT_EQ(world.stats().sends_invalid, 0U);
    }

    EndpointOptions server_options() {
        EndpointOptions options;
        options.secrets = secrets;
        options.server = &policy;
        return options;
    }
    static std::unique_ptr<Endpoint> make_endpoint(sim::SimProcess& process,
                                                   const SocketAddress& address,
                                                   EndpointOptions options) {
        auto socket = process.network()->bind_udp(process.loop(), address, {});
        EXPECT_TRUE(socket) << (socket ? "" : socket.error().message());
        return Endpoint::create(process.loop(), std::move(*socket), std::move(options)).value();
    }
    void start_server() {
        server = make_endpoint(*server_process, server_host.v4(kPort), server_options());
    }
    void start_client(TransportOptions transport = {}) {
        EndpointOptions options;
        options.secrets = make_secrets();
        options.transport = std::move(transport);
        client = make_endpoint(*client_process, client_host.v4(0), std::move(options));
    }
    void start(TransportOptions transport = {}) {
        start_server();
        start_client(std::move(transport));
    }

    [[nodiscard]] ConnectOptions target() {
        ConnectOptions options;
        options.remote = server_host.v4(kPort);
        options.tls.context = shared_client_context();
        options.tls.alpns = {"alknet/echo"};
        options.tls.verify = tls::VerifyPin{policy.context->key().id()};
        options.tls.resumption = resumption;
        return options;
    }

    /// Runs one task to its end, on the client's loop; the world runs meanwhile.
    template <class T>
    T run(task<T> work, Duration limit = minutes(10)) {
        return run_on(*client_process, std::move(work), limit);
    }
    template <class T>
    T run_on(sim::SimProcess& process, task<T> work, Duration limit = minutes(10)) {
        std::optional<T> outcome;
        TaskScope scope(process.loop());
        scope.spawn(keep(std::move(work), outcome), "test");
        world.run_until([&] { return outcome.has_value(); }, limit);
        if (!outcome) {
            throw std::runtime_error("the test is stuck");
        }
        return std::move(*outcome);
    }
    bool until(const std::function<bool()>& done, Duration limit = minutes(10)) {
        return world.run_until(done, limit);
    }

    result<std::shared_ptr<Connection>> dial() { return run(client->connect(target())); }
    result<std::shared_ptr<Connection>> dial(ConnectOptions options) {
        return run(client->connect(std::move(options)));
    }
    /// Starts both if need be, and connects.
    Pair connect() {
        if (server == nullptr) {
            start_server();
        }
        if (client == nullptr) {
            start_client();
        }
        auto dialled = dial();
        EXPECT_TRUE(dialled) << (dialled ? "" : dialled.error().message());
        auto accepted = run_on(*server_process, server->accept());
        EXPECT_TRUE(accepted) << (accepted ? "" : accepted.error().message());
        pair = {std::move(*dialled), std::move(*accepted)};
        return pair;
    }
    /// What the server sends does not arrive.
    void cut_answers() {
        sim::LinkOptions link = world.link(server_host, client_host);
        link.cut = true;
        world.set_link(server_host, client_host, link);
    }
    void serve_echo() {
        if (server == nullptr) {
            start_server();
        }
        server_tasks->spawn(accept_echo(*server, server_process->loop(), *server_tasks), "accept");
    }

    static task<void> accept_echo(Endpoint& endpoint, Loop& loop, TaskScope& tasks) {
        for (;;) {
            auto connection = co_await endpoint.accept();
            if (!connection) {
                co_return;
            }
            tasks.spawn(echo_streams(std::move(*connection), loop), "echo");
        }
    }
    template <class T>
    static task<void> keep(task<T> work, std::optional<T>& into) {
        into.emplace(co_await std::move(work));
    }

    sim::SimWorld world{7};
    sim::SimHost& server_host = world.add_host("server");
    sim::SimHost& client_host = world.add_host("client");
    TestPolicy policy;
    EndpointSecrets secrets = make_secrets();
    std::shared_ptr<tls::ResumptionStore> resumption;
    std::unique_ptr<sim::SimProcess> server_process;
    std::unique_ptr<sim::SimProcess> client_process;
    std::unique_ptr<Endpoint> server;
    std::unique_ptr<Endpoint> client;
    std::unique_ptr<TaskScope> server_tasks;
    std::unique_ptr<TaskScope> client_tasks;
    Pair pair;
};

}  // namespace alknet::quic
