#include <alknet/core/node_address.hpp>

#include "commands.hpp"

namespace alknet::app {

result<std::filesystem::path> home_directory(const CommandLine& line) {
    return config::choose_home(config::HomeSources::from_environment(line.home));
}

result<config::Home> open_home(const CommandLine& line) {
    ALKNET_TRY(const auto directory, home_directory(line));
    return config::Home::open(directory);
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
