#include <alknet/base/causes.hpp>
#include <alknet/core/node_address.hpp>
#include <utility>

#include "commands.hpp"
#include "services.hpp"

namespace alknet::app {

result<std::filesystem::path> home_directory(const CommandLine& line) {
    return config::choose_home(config::HomeSources::from_environment(line.home));
}

result<config::Home> open_home(const CommandLine& line) {
    ALKNET_TRY(const auto directory, home_directory(line));
    return config::Home::open(directory, services());
}

result<std::string> host_given(std::string_view option, std::string_view text) {
    if (SocketAddress::parse("[" + std::string(text) + "]:1")) {
        return std::string(text);  // an IPv6 address, which needs no brackets where no port follows
    }
    auto address = NodeAddress::parse(text);
    if (!address || address->id || address->port) {
        std::string detail(option);
        return fail(causes::kAddressInvalid,
                    detail.append(" takes a host name or address, not ").append(text));
    }
    return std::move(address->host);
}

std::string node_url(const NodeId& id, const config::Config& config, std::string_view host) {
    const SocketAddress& bound = config.dynamic.listeners.front().addresses.front();
    NodeAddress address{.id = id, .host = std::string(host), .port = bound.port()};
    if (host.empty()) {
        address.host = bound.is_any() ? "127.0.0.1" : bound.ip_text();
    }
    return address.to_string();
}

}  // namespace alknet::app
