// Proxy: a handler that passes requests on to an upstream server and gives its answers, on HTTP/1.1
// over a connection of their own each. Bodies are streamed both ways at the pace of the slower end.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/http/exchange.hpp>
#include <alknet/net/network.hpp>
#include <alknet/rt/time.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace alknet::http {

/// Requests that one route has with its upstream at a time; further ones get 503.
inline constexpr std::size_t kUpstreamExchangesMax = 1024;
/// Those of them that one peer may have, or the strangers of one group of addresses.
inline constexpr std::size_t kUpstreamExchangesEachMax = 256;

struct Upstream {
    std::string host;  // a name, or an address without brackets
    std::uint16_t port = 80;
    std::filesystem::path socket{};  // of a unix socket, in place of host and port

    /// As a URL says it.
    [[nodiscard]] std::string authority() const;
    bool operator==(const Upstream&) const = default;
};

struct ProxyOptions {
    Upstream upstream;
    /// Of the path, left out of what the upstream is asked for.
    std::string strip_prefix{};
    bool proxy_header = false;  // each connection begins with one of version 2
    Duration connect_timeout = std::chrono::seconds(5);
    Duration answer_timeout = std::chrono::seconds(60);  // from the end of the request
    Duration idle_timeout = std::chrono::seconds(60);    // between two pieces of content

    bool operator==(const ProxyOptions&) const = default;
};

/// How proxies reach the world.
struct Reach {
    std::shared_ptr<net::Network> network{};  // null: nothing is reached
    /// Whether `resolved` may be connected to, which `host` has turned out to be. Thread-safe.
    /// Empty: nothing may.
    std::function<result<void>(std::string_view host, const SocketAddress& resolved)> may_connect{};
    /// The same of a unix socket, whose path may lead elsewhere than when it was configured.
    /// Thread-safe. Empty: every one may.
    std::function<result<void>(const std::filesystem::path& socket)> may_connect_socket{};
    Log log{};
};

/// For requests of any method. A path that programs could read in different ways is refused.
[[nodiscard]] Handler make_proxy(ProxyOptions options, Reach reach);

}  // namespace alknet::http
