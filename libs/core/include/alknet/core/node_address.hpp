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

/// `alknet://<id>@host:port`, `<id>@host:port`, a bare node id, `host[:port]`, `[v6][:port]`, or a
/// peer's name (which the parser cannot tell from a host: `host` then holds it and no port is set).
struct NodeAddress {
    /// Longest text that is looked at.
    static constexpr std::size_t kTextBytesMax = 512;
    /// Longest host name (RFC 1035 section 2.3.4, as text).
    static constexpr std::size_t kHostBytesMax = 253;

    std::optional<NodeId> id;
    std::string host;  // empty for a bare node id; without brackets
    std::optional<std::uint16_t> port;

    /// The id may be in any form that NodeId::parse takes. White space around the text is ignored.
    /// Errors: kAddressInvalid; kKeyInvalid where the text can only be meant as a node id.
    static result<NodeAddress> parse(std::string_view text);
    /// Parses back to the same value.
    [[nodiscard]] std::string to_string() const;
    bool operator==(const NodeAddress&) const = default;
};

}  // namespace alknet
