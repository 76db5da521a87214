// alknet_bench_peer: our side of bench/compare.py, which reads the CPU seconds of its processes,
// and of bench/lossy.py.
//
//     serve DIRECTORY FILE [IP:PORT bbr|cubic [QLOG]]
//                                       FILE as `bench/file`, and echo; prints one JSON line; QLOG
//                                       is a directory
//     get ID PORT OUT [IP]              one `bench/file` over QUIC, into OUT; says when it dials
//     handshakes ID PORT KIND ALPN N    full QUIC handshakes, one after the other; KIND is raw, or
//                                       x509, as a stranger
//     requests ID PORT ALPN DEPTH N     64 octets there and back, a stream each, DEPTH at a time
#include <fcntl.h>
#include <unistd.h>
#include <alknet/base/os_error.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/core/dial.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/core/endpoint.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <array>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <span>

namespace alknet::bench {

namespace {

constexpr std::size_t kPieceBytes = 64 << 10;
constexpr std::string_view kFileAlpn = "bench/file";
constexpr std::size_t kRequestBytes = 64;

result<UniqueFd> open_file(const std::string& path, int flags) {
    UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
    if (!fd) {
        return os_fail("open", errno, path);
    }
    return fd;
}

/// Sends the file on the first stream, and waits until the client has closed.
class FileHandler final : public ProtocolHandler {
public:
    explicit FileHandler(std::string path) : path_(std::move(path)) {}

    [[nodiscard]] std::vector<std::string> alpns() const override {
        return {std::string(kFileAlpn)};
    }

    task<result<void>> handle(std::shared_ptr<Connection> connection, AuthContext) override {
        ALKNET_CO_TRY(const auto stream, co_await connection->accept_bi());
        ALKNET_CO_TRY(const UniqueFd file, open_file(path_, O_RDONLY));
        Bytes piece(kPieceBytes);
        for (;;) {
            const ssize_t count = ::read(file.get(), piece.data(), piece.size());
            if (count < 0) {
                co_return os_fail("read", errno, path_);
            }
            if (count == 0) {
                break;
            }
            const BytesView filled = BytesView(piece).first(static_cast<std::size_t>(count));
            ALKNET_CO_CHECK(co_await stream->write(filled));
        }
        ALKNET_CO_CHECK(co_await stream->finish());
        co_return co_await connection->wait_closed();
    }

private:
    std::string path_;
};

/// `words` are those of the command line.
result<void> serve(const std::vector<std::string>& words) {
    const std::filesystem::path directory = words[1];
    const std::string& file = words[2];
    const bool elsewhere = words.size() >= 5;
    const SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    const auto key = NodeKey::generate();
    const tls::CertificateFiles files{directory / "cert.pem", directory / "cert-key.pem"};
    ALKNET_CHECK(tls::make_self_signed(files, {"localhost"}));
    tls::ContextOptions tls;
    tls.key = key;
    tls.certificates = {files};

    EndpointOptions options;
    options.network = net::make_system_network();
    ALKNET_TRY(options.tls, tls::TlsContext::create(std::move(tls)));
    options.registry = std::make_shared<HandlerRegistry>();
    ALKNET_CHECK(options.registry->add(std::make_shared<EchoHandler>()));
    ALKNET_CHECK(options.registry->add(std::make_shared<FileHandler>(file)));
    options.secrets = quic::make_secrets();
    options.metrics = std::make_shared<Metrics>();
    if (words.size() == 6) {
        options.qlog_directory = words[5];
    }
    options.limits.connections_per_ip_max = options.limits.connections_max;
    options.limits.half_open_retry = options.limits.half_open_max;
    // The client is a stranger to it, and yet it is to be measured as a peer.
    options.limits.streams_unauthenticated_max = options.limits.streams_max;
    options.limits.connection_bytes_unauthenticated_max = options.limits.connection_bytes_max;
    const auto endpoint = Endpoint::create(*loop, std::move(options));

    ListenerOptions listener;
    listener.name = "bench";
    ALKNET_TRY(listener.address, SocketAddress::parse(elsewhere ? words[3] : "127.0.0.1:0"));
    if (elsewhere && words[4] == "cubic") {
        listener.congestion = quic::Congestion::cubic;
    }
    ALKNET_TRY(const SocketAddress bound, endpoint->listen(std::move(listener)));
    std::printf("{\"port\":%u,\"id\":\"%s\"}\n", unsigned{bound.port()}, key->id().hex().c_str());
    std::fflush(stdout);
    loop->run();
    return {};
}

struct Client {
    Loop& loop;
    std::shared_ptr<net::Network> network = net::make_system_network();
    std::shared_ptr<const tls::TlsContext> tls;
    NodeAddress address;
    DialOptions options;

    [[nodiscard]] std::unique_ptr<Dialer> make_dialer() const {
        return Dialer::create(loop, network, tls, Log());
    }
};

task<result<void>> receive_file(BiStream& stream, const std::string& path) {
    ALKNET_CO_TRY(const UniqueFd out, open_file(path, O_WRONLY | O_CREAT | O_TRUNC));
    Bytes piece(kPieceBytes);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(piece));
        if (count == 0) {
            co_return result<void>{};
        }
        if (::write(out.get(), piece.data(), count) != static_cast<ssize_t>(count)) {
            co_return os_fail("write", errno, path);
        }
    }
}

task<result<void>> get(Client& client, Dialer& dialer, std::string path) {
    client.options.alpns = {std::string(kFileAlpn)};
    std::puts("dial");
    std::fflush(stdout);
    ALKNET_CO_TRY(const auto connection, co_await dialer.dial(client.address, client.options));
    ALKNET_CO_TRY(const auto stream, co_await connection->open_bi());
    ALKNET_CO_CHECK(co_await stream->finish());
    ALKNET_CO_CHECK(co_await receive_file(*stream, path));
    connection->close(close_code::kOk, "");
    co_return result<void>{};
}

task<result<void>> shut_down(std::unique_ptr<Dialer> dialer) {
    co_await dialer->shutdown();
    co_return result<void>{};
}

/// A dialer for each: what it remembers would make the second handshake a resumed one. They shut
/// down behind the handshakes that follow, for a closed connection answers stragglers for 0.1 s.
task<result<void>> handshakes(Client& client, std::size_t count) {
    TaskScope closing(client.loop);
    for (std::size_t i = 0; i < count; ++i) {
        auto dialer = client.make_dialer();
        ALKNET_CO_TRY(const auto connection, co_await dialer->dial(client.address, client.options));
        if (connection->info().peer.resumed) {
            co_return fail(causes::kInternal, "the handshake was not a full one");
        }
        connection->close(close_code::kOk, "");
        closing.spawn(shut_down(std::move(dialer)), "closing");
    }
    co_return co_await closing.join();
}

task<result<void>> one_request(Connection& connection) {
    const std::array<std::byte, kRequestBytes> request{};
    ALKNET_CO_TRY(const auto stream, co_await connection.open_bi());
    ALKNET_CO_CHECK(co_await stream->write(request));
    ALKNET_CO_CHECK(co_await stream->finish());
    std::array<std::byte, kRequestBytes> answer{};
    std::size_t received = 0;
    for (;;) {
        const MutableBytes rest = MutableBytes(answer).subspan(received);
        std::array<std::byte, 1> end{};
        ALKNET_CO_TRY(const std::size_t count,
                      co_await stream->read(rest.empty() ? MutableBytes(end) : rest));
        if (count == 0) {
            break;
        }
        received += count;
    }
    if (received != kRequestBytes) {
        co_return fail(causes::kInternal, "an answer is not whole");
    }
    co_return result<void>{};
}

task<result<void>> request_after_request(Connection& connection, std::size_t& left) {
    while (left > 0) {
        --left;
        ALKNET_CO_CHECK(co_await one_request(connection));
    }
    co_return result<void>{};
}

task<result<void>> requests(Client& client, Dialer& dialer, std::size_t depth, std::size_t count) {
    ALKNET_CO_TRY(const auto connection, co_await dialer.dial(client.address, client.options));
    TaskScope scope(client.loop);
    for (std::size_t i = 0; i < depth; ++i) {
        scope.spawn(request_after_request(*connection, count), "requests");
    }
    ALKNET_CO_CHECK(co_await scope.join());
    connection->close(close_code::kOk, "");
    co_return result<void>{};
}

std::size_t number(std::string_view text) {
    std::size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

task<result<void>> run(Client& client, std::vector<std::string> words) {
    const auto dialer = client.make_dialer();
    result<void> outcome = fail(causes::kUsage, "see the top of bench/peer.cpp");
    if (words[0] == "get" && words.size() >= 4) {
        outcome = co_await get(client, *dialer, words[3]);
    } else if (words[0] == "handshakes" && words.size() == 6) {
        client.options.alpns = {words[4]};
        if (words[3] == "x509") {
            client.options.verify = tls::VerifyNothing{PeerIdentity::Kind::x509};
            client.options.show_key = false;  // as a browser
        }
        outcome = co_await handshakes(client, number(words[5]));
    } else if (words[0] == "requests" && words.size() == 6) {
        client.options.alpns = {words[3]};
        outcome = co_await requests(client, *dialer, number(words[4]), number(words[5]));
    }
    co_await dialer->shutdown();
    co_return outcome;
}

result<void> dial(const std::vector<std::string>& words) {
    const SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    Client client{.loop = *loop, .tls = nullptr, .address = {}, .options = {}};
    tls::ContextOptions tls;
    tls.key = NodeKey::generate();
    ALKNET_TRY(client.tls, tls::TlsContext::create(std::move(tls)));
    const std::string host = words[0] == "get" && words.size() == 5 ? words[4] : "127.0.0.1";
    ALKNET_TRY(client.address,
               NodeAddress::parse("alknet://" + words[1] + "@" + host + ":" + words[2]));
    client.options.tcp = false;
    return block_on(*loop, run(client, words));
}

}  // namespace

}  // namespace alknet::bench

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() < 3) {
        std::fputs("see the top of bench/peer.cpp\n", stderr);
        return 2;
    }
    const auto outcome =
        words[0] == "serve" ? alknet::bench::serve(words) : alknet::bench::dial(words);
    if (!outcome) {
        std::fprintf(stderr, "%s\n", outcome.error().message().c_str());
        return 1;
    }
    return 0;
}
