// OpenSSH's user certificates (PROTOCOL.certkeys): a key, and what an authority says of whoever has
// it. Sans-I/O.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/net/address_range.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/ssh/public_key.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::ssh {

inline constexpr std::size_t kPrincipalsMax = 64;
inline constexpr std::size_t kSourcesMax = 64;

/// What whoever logs in with a certificate is held to, and how it is told from others.
struct CertificateRules {
    std::uint64_t serial = 0;
    std::string key_id;             // the authority's words for it: any octets
    std::string key;                // the fingerprint of the key that it is for
    std::uint64_t valid_after = 0;  // in seconds since 1970, this one included
    std::uint64_t valid_before = 0;
    std::vector<net::AddressRange> sources;    // empty: from anywhere
    std::optional<std::string> force_command;  // runs in place of whatever is asked for
    bool may_have_terminal = false;
    bool may_forward = false;  // ports and sockets
    bool may_forward_agent = false;

    [[nodiscard]] bool holds_at(WallTime now) const noexcept;
    [[nodiscard]] bool holds_from(const SocketAddress& remote) const noexcept;
};

struct Certificate {
    PublicKey key;
    std::string authority;  // its fingerprint
    std::vector<std::string> principals;
    CertificateRules rules;

    /// Whether the algorithm of a request is of a certificate.
    [[nodiscard]] static bool is_one(std::string_view algorithm) noexcept;
    /// What the key itself signs with, where a request names `algorithm`; empty for what is
    /// unknown.
    [[nodiscard]] static std::string_view plain_algorithm(std::string_view algorithm) noexcept;
    /// One of users that its authority has signed, and of which all that must be heeded is known
    /// here. Errors: kKeyInvalid.
    static result<Certificate> parse(BytesView blob);
};

}  // namespace alknet::ssh
