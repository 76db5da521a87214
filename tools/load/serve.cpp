#include <fmt/format.h>
#include <malloc.h>

#include <alknet/core/echo.hpp>
#include <alknet/core/endpoint.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/rt/combine.hpp>
#include <filesystem>

#include "modes.hpp"

namespace alknet::load {

namespace {

/// Octets that the program has allocated and not freed.
std::size_t heap_bytes() {
    const struct mallinfo2 info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
}

task<result<void>> answer(Endpoint& endpoint, Lines lines) {
    for (;;) {
        ALKNET_CO_TRY(const auto line, co_await lines.next());
        if (!line) {
            break;
        }
        ALKNET_CO_CHECK(co_await lines.print(
            fmt::format(R"({{"connections":{},"half_open":{},"heap":{}}})", endpoint.connections(),
                        endpoint.half_open(), heap_bytes())));
    }
    co_await endpoint.shutdown();
    co_return result<void>();
}

}  // namespace

result<void> serve(Loop& loop, const ServeOptions& options) {
    const std::filesystem::path directory = options.directory;
    const tls::CertificateFiles files{directory / "cert.pem", directory / "cert-key.pem"};
    ALKNET_CHECK(tls::make_self_signed(files, {"localhost"}));
    const auto key = NodeKey::generate();
    tls::ContextOptions tls;
    tls.key = key;
    tls.certificates = {files};

    EndpointOptions own;
    own.network = net::make_system_network();
    ALKNET_TRY(own.tls, tls::TlsContext::create(std::move(tls)));
    own.registry = std::make_shared<HandlerRegistry>();
    ALKNET_CHECK(own.registry->add(std::make_shared<EchoHandler>()));
    own.secrets = quic::make_secrets();
    own.metrics = std::make_shared<Metrics>();
    // The clients that are real come from one address, and are to stay.
    own.limits.connections_max = kConnectionsMax;
    own.limits.connections_per_ip_max = kConnectionsMax;
    own.limits.idle_timeout = kIdleTimeout;
    own.limits.handshake_timeout = options.handshake_timeout;
    const auto endpoint = Endpoint::create(loop, std::move(own));
    ListenerOptions listener;
    listener.name = "load";
    listener.address = SocketAddress::v4({127, 0, 0, 1}, 0);
    ALKNET_TRY(const SocketAddress bound, endpoint->listen(std::move(listener)));
    ALKNET_TRY(Lines lines, Lines::create(loop));
    const std::string first = fmt::format("alknet://{}@{}", key->id().hex(), bound.to_string());
    ALKNET_CHECK(block_on(loop, lines.print(first)));
    return block_on(loop, answer(*endpoint, std::move(lines)));
}

}  // namespace alknet::load
