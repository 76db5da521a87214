// What one node costs over real loopback sockets, client and server in one process: bytes echoed
// and handshakes, over QUIC and over TLS on TCP, beside the peer that everybody has: the kernel's
// TCP without any cryptography. Read the CPU column; wall time on a loaded machine says little.

#include <benchmark/benchmark.h>
#include <alknet/base/metrics.hpp>
#include <alknet/core/dial.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/core/endpoint.hpp>
#include <alknet/core/static_identities.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <array>
#include <stdexcept>

namespace {

using namespace alknet;

constexpr std::size_t kPieceBytes = 64 << 10;

template <class T>
T must(result<T> outcome) {
    if (!outcome) {
        throw std::runtime_error(outcome.error().message());
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(*outcome);
    }
}

/// A node with the echo service and a client, on one loop.
class Pair {
public:
    Pair() {
        const auto key = NodeKey::generate();
        EndpointOptions options;
        options.network = network_;
        tls::ContextOptions tls;
        tls.key = key;
        options.tls = must(tls::TlsContext::create(std::move(tls)));
        options.registry = std::make_shared<HandlerRegistry>();
        must(options.registry->add(std::make_shared<EchoHandler>()));
        options.identities = must(StaticIdentityProvider::create({}));
        options.secrets = quic::make_secrets();
        options.metrics = std::make_shared<Metrics>();
        endpoint_ = Endpoint::create(*loop_, std::move(options));
        ListenerOptions listener;
        listener.name = "bench";
        listener.address = must(SocketAddress::parse("127.0.0.1:0"));
        bound_ = must(endpoint_->listen(std::move(listener)));
        address_.id = key->id();
        address_.host = "127.0.0.1";
        address_.port = bound_.port();

        tls::ContextOptions client;
        client.key = NodeKey::generate();
        dialer_ = Dialer::create(*loop_, network_, must(tls::TlsContext::create(std::move(client))),
                                 Log());
    }

    ~Pair() { (void)block_on(*loop_, shutdown()); }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;

    [[nodiscard]] Loop& loop() noexcept { return *loop_; }
    [[nodiscard]] net::Network& network() noexcept { return *network_; }

    task<result<std::shared_ptr<Connection>>> dial(bool quic) {
        DialOptions options;
        options.alpns = {std::string(kEchoAlpn)};
        options.quic = quic;
        options.tcp = !quic;
        co_return co_await dialer_->dial(address_, std::move(options));
    }

private:
    task<result<void>> shutdown() {
        co_await dialer_->shutdown();
        co_await endpoint_->shutdown();
        co_return result<void>{};
    }

    SystemClock clock_;
    std::unique_ptr<Loop> loop_ = must(Loop::create(clock_));
    std::shared_ptr<net::Network> network_ = net::make_system_network();
    std::unique_ptr<Endpoint> endpoint_;
    std::unique_ptr<Dialer> dialer_;
    SocketAddress bound_;
    NodeAddress address_;
};

task<result<void>> send(BiStream& stream, std::size_t bytes) {
    const Bytes piece(kPieceBytes, std::byte{0x5a});
    for (std::size_t sent = 0; sent < bytes; sent += piece.size()) {
        ALKNET_CO_CHECK(co_await stream.write(piece));
    }
    co_return co_await stream.finish();
}

task<result<void>> receive(BiStream& stream, std::size_t bytes) {
    Bytes buffer(kPieceBytes);
    std::size_t received = 0;
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(buffer));
        if (count == 0) {
            break;
        }
        received += count;
    }
    if (received != bytes) {
        co_return fail(causes::kInternal, "bytes are missing");
    }
    co_return result<void>{};
}

task<result<void>> there_and_back(Loop& loop, BiStream& stream, std::size_t bytes) {
    TaskScope scope(loop);
    scope.spawn(send(stream, bytes), "send");
    scope.spawn(receive(stream, bytes), "receive");
    co_return co_await scope.join();
}

task<result<void>> echo_once(Pair& pair, bool quic, std::size_t bytes) {
    ALKNET_CO_TRY(const auto connection, co_await pair.dial(quic));
    ALKNET_CO_TRY(const auto stream, co_await connection->open_bi());
    ALKNET_CO_CHECK(co_await there_and_back(pair.loop(), *stream, bytes));
    connection->close(close_code::kOk, "");
    co_return result<void>{};
}

task<result<void>> handshake_once(Pair& pair, bool quic) {
    ALKNET_CO_TRY(const auto connection, co_await pair.dial(quic));
    connection->close(close_code::kOk, "");
    co_return result<void>{};
}

/// The peer: an echo over the same streams, without TLS.
task<result<void>> plain_server(net::TcpListener& listener) {
    ALKNET_CO_TRY(const net::TcpStream accepted, co_await listener.accept());
    Bytes buffer(kPieceBytes);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await accepted.stream->read(buffer));
        if (count == 0) {
            co_return co_await accepted.stream->finish();
        }
        ALKNET_CO_CHECK(co_await accepted.stream->write(BytesView(buffer).first(count)));
    }
}

task<result<void>> plain_client(Pair& pair, SocketAddress to, std::size_t bytes) {
    ALKNET_CO_TRY(const net::TcpStream dialled,
                  co_await pair.network().connect_tcp(pair.loop(), to));
    co_return co_await there_and_back(pair.loop(), *dialled.stream, bytes);
}

task<result<void>> plain_echo(Pair& pair, std::size_t bytes) {
    ALKNET_CO_TRY(const SocketAddress local, SocketAddress::parse("127.0.0.1:0"));
    ALKNET_CO_TRY(const auto listener, pair.network().listen_tcp(pair.loop(), local));
    TaskScope scope(pair.loop());
    scope.spawn(plain_server(*listener), "plain server");
    scope.spawn(plain_client(pair, listener->local_address(), bytes), "plain client");
    co_return co_await scope.join();
}

void count_bytes(benchmark::State& state) {
    state.SetBytesProcessed(state.iterations() * state.range(0) * 2);
}

void echo_quic(benchmark::State& state) {
    Pair pair;
    while (state.KeepRunning()) {
        must(
            block_on(pair.loop(), echo_once(pair, true, static_cast<std::size_t>(state.range(0)))));
    }
    count_bytes(state);
}

void echo_tls_tcp(benchmark::State& state) {
    Pair pair;
    while (state.KeepRunning()) {
        must(block_on(pair.loop(),
                      echo_once(pair, false, static_cast<std::size_t>(state.range(0)))));
    }
    count_bytes(state);
}

void echo_plain_tcp(benchmark::State& state) {
    Pair pair;
    while (state.KeepRunning()) {
        must(block_on(pair.loop(), plain_echo(pair, static_cast<std::size_t>(state.range(0)))));
    }
    count_bytes(state);
}

void handshake_quic(benchmark::State& state) {
    Pair pair;
    while (state.KeepRunning()) {
        must(block_on(pair.loop(), handshake_once(pair, true)));
    }
}

void handshake_tls_tcp(benchmark::State& state) {
    Pair pair;
    while (state.KeepRunning()) {
        must(block_on(pair.loop(), handshake_once(pair, false)));
    }
}

BENCHMARK(echo_quic)->Arg(64 << 20)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK(echo_tls_tcp)->Arg(64 << 20)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK(echo_plain_tcp)->Arg(64 << 20)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK(handshake_quic)->MeasureProcessCPUTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(handshake_tls_tcp)->MeasureProcessCPUTime()->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
