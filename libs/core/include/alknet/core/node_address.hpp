// NodeAddress: where and who a node is, as a person writes it. One parser for all commands.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/crypto/node_id.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace alknet {

inline constexpr std::uint16_t kDefaultPort = 4433;

/// `alknet://<id>@host:port`, `<id>@host:port`, a bare node id, `host[:port]`, `[v6]:port`, or a
/// peer's name (which the parser cannot tell from a host: `host` then holds it and no port is set).
struct NodeAddress {
    std::optional<NodeId> id;
    std::string host;  // empty for a bare node id; without brackets
    std::optional<std::uint16_t> port;

    /// Errors: kAddressInvalid, kKeyInvalid.
    static result<NodeAddress> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;
    bool operator==(const NodeAddress&) const = default;
};

}  // namespace alknet
