// What the node serves over HTTP, as alknet.toml says. In a build without the room http (CMake:
// ALKNET_WITH_HTTP=OFF) a configuration that wants some is refused.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/metrics.hpp>
#include <alknet/base/result.hpp>
#include <alknet/config/config.hpp>
#include <alknet/core/auth.hpp>
#include <alknet/core/registry.hpp>
#include <alknet/net/network.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace alknet::app {

class HttpService {
public:
    virtual ~HttpService() = default;

    /// Does everything that can fail; calling what it gives puts the sites in force. Errors:
    /// kConfigInvalid, also for a root below which one of `own`, or the key of a certificate, is;
    /// kIo.
    [[nodiscard]] virtual result<std::function<void()>> prepare(
        const config::DynamicConfig& config) = 0;
    /// Registers the handler where there are sites, and takes it out where there are none. On the
    /// registry's loop. Errors: those of HandlerRegistry::add.
    virtual result<void> update(HandlerRegistry& registry) const = 0;
    /// Answers /healthz and /metrics to a program of this machine, whoever it is, until the
    /// connection ends. On the node's own loop.
    [[nodiscard]] virtual task<void> serve_status(std::shared_ptr<Connection> connection) = 0;
};

struct HttpServiceOptions {
    std::vector<std::filesystem::path> own;  // what no site may show: the node's home and its key
    Log log;
    std::shared_ptr<Metrics> metrics;
    std::shared_ptr<net::Network> network;  // of routes to other servers
    /// Whether the node itself listens there, which no route may lead to. Thread-safe.
    std::function<bool(const SocketAddress&)> listens_on;
    std::shared_ptr<IdentityProvider> identities;  // of tokens
    /// Serves a connection as the service that its ALPN names. On every loop.
    std::function<task<void>(std::shared_ptr<Connection>)> serve;
};

[[nodiscard]] std::shared_ptr<HttpService> make_http_service(HttpServiceOptions options);

}  // namespace alknet::app
