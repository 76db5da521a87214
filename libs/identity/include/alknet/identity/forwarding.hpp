// Forwarding rules: to which hosts and ports a peer may have connections made for it, and where it
// may have the node listen. A decision is a pure function of the rules and of what is asked, and is
// made on the resolved address. Nothing is allowed that no rule allows.
//
// A target is HOST or HOST:PORTS. HOST is `*`, a name, a name with `*` in it, an address, or a
// range such as 10.0.0.0/8; IPv6 with ports stands in brackets: [2001:db8::/32]:443. PORTS is a
// port, a range A-B with both ends, or `*`, which is also what is meant without it. Or it is the
// path of a unix socket, absolute and without links, where `*` stands for anything but a slash.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/identity/peers.hpp>
#include <alknet/net/address_range.hpp>
#include <alknet/net/socket_address.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::identity {

inline constexpr std::size_t kForwardRulesMax = 1024;
inline constexpr std::size_t kHostBytesMax = 253;
inline constexpr std::size_t kSocketPathBytesMax = 1024;

struct PortRange {
    std::uint16_t first = 0;
    std::uint16_t last = 65535;

    bool operator==(const PortRange&) const = default;
    [[nodiscard]] bool contains(std::uint16_t port) const noexcept {
        return port >= first && port <= last;
    }
};

struct ForwardTarget {
    std::optional<net::AddressRange> range;  // an address is a range of one
    std::string host;                        // in lower case, `*` stands for any; empty: a range
    PortRange ports;
    std::string path{};  // of a socket; empty: it is none, and with one the rest says nothing

    /// Names are ASCII without white space; a name with `*` that could only be an address is
    /// refused, since 10.* would match what people do not mean, as is a path with `//`, `.` or `..`
    /// in it. Errors: kAddressInvalid.
    static result<ForwardTarget> parse(std::string_view text);
    /// In one way for each meaning.
    [[nodiscard]] std::string text() const;
    bool operator==(const ForwardTarget&) const = default;
};

enum class ForwardClaim : std::uint8_t {
    connect,  // the node connects to the target for the peer
    listen,   // the node listens on the target for the peer
};
[[nodiscard]] std::string_view to_string(ForwardClaim claim) noexcept;

struct ForwardRule {
    ForwardClaim claim = ForwardClaim::connect;
    ForwardTarget target;
    bool allow = true;
    std::vector<std::string> peers;  // their names
    std::vector<std::string> roles;  // neither peers nor roles: every known peer
    std::uint32_t streams_max = 0;   // of one peer at a time by this rule; 0: no limit of its own
    bool proxy_header = false;       // the target is told first who comes
    Origin origin;

    bool operator==(const ForwardRule&) const = default;
};

struct ForwardQuestion {
    ForwardClaim claim = ForwardClaim::connect;
    std::string_view peer;  // its name
    std::span<const std::string> roles{};
    /// As the peer has said it: a name or an address.
    std::string_view host;
    /// What it has turned out to be, and what is then connected to or listened on; a name with
    /// several addresses is asked for with each.
    SocketAddress resolved;
    /// Of a socket, as it has turned out to be; empty: it is none, and with one the two above say
    /// nothing.
    std::string_view path{};
};

enum class ForwardVerdict : std::uint8_t {
    allowed,
    denied,   // by a rule
    no_rule,  // none matches
    egress,   // a rule allows it, and it is an address that must be named itself
};

[[nodiscard]] std::string_view to_string(ForwardVerdict verdict) noexcept;

struct ForwardDecision {
    ForwardVerdict verdict = ForwardVerdict::no_rule;
    const ForwardRule* rule = nullptr;  // that decided; one of those that were asked

    [[nodiscard]] bool allowed() const noexcept { return verdict == ForwardVerdict::allowed; }
    /// `allowed: by connect *.example:443 at alknet.toml:12`
    [[nodiscard]] std::string explain() const;
};

/// The first rule that matches decides. An address of this machine, of its link, or of nobody in
/// particular (loopback, link-local and the services of clouds that are there, unspecified,
/// multicast) can be connected to only where a rule names it by its address, by a range other than
/// all addresses, or as localhost: no name may lead there.
[[nodiscard]] ForwardDecision decide_forward(std::span<const ForwardRule> rules,
                                             const ForwardQuestion& question);

/// The smallest change that allows what is asked, and nothing else: a rule for this peer, host and
/// port alone, and where it goes.
struct ForwardChange {
    ForwardRule rule;
    std::size_t before = 0;  // the rule that it goes before; the number of rules: at the end
};
/// nullopt: it is allowed as it is, or cannot be.
[[nodiscard]] std::optional<ForwardChange> change_to_allow(std::span<const ForwardRule> rules,
                                                           const ForwardQuestion& question);

}  // namespace alknet::identity
