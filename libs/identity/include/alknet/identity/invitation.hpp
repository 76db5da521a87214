// The line that introduces two nodes: who invites, where it is, and the secret that is spent there.
// docs/protocol/invitation.md describes it. Sans-I/O.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/crypto/node_id.hpp>
#include <alknet/identity/scope.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::identity {

inline constexpr std::string_view kInvitationPrefix = "alkjoin1";
/// No longer line is looked at; none that encode_invitation makes is longer.
inline constexpr std::size_t kInvitationTextMax = 2048;
inline constexpr std::size_t kInvitationAddressesMax = 4;
inline constexpr std::size_t kInvitationAddressBytesMax = 255;

using InvitationSecret = std::array<std::byte, 16>;

struct Invitation {
    NodeId node;  // who invites
    InvitationSecret secret{};
    std::int64_t expires = 0;  // seconds since 1970, not negative
    bool confirm = false;      // six digits will be compared
    std::string name;          // how the inviting node calls itself; as check_name wants it
    std::vector<std::string> addresses;  // HOST:PORT, 1 to kInvitationAddressesMax

    bool operator==(const Invitation&) const = default;
};

/// One word of lower-case letters and digits, good in upper case too. The fields keep the limits
/// above.
[[nodiscard]] std::string encode_invitation(const Invitation& invitation);
/// In either case, with white space around. Errors: kInvitationInvalid, with what is wrong.
result<Invitation> parse_invitation(std::string_view text);

/// What is kept of a secret.
[[nodiscard]] std::array<std::byte, 32> invitation_hash(const InvitationSecret& secret) noexcept;

/// Whether a grant is one that nobody should get by a line alone: it covers everything, the rule
/// over the node itself, or running programs on it.
[[nodiscard]] bool needs_confirmation(const Scope& grant) noexcept;
/// The same, where these scopes let somebody run programs too.
[[nodiscard]] bool needs_confirmation(const Scope& grant, std::span<const Scope> programs) noexcept;

/// The label under which both ends take kJoinExporterBytes from their connection, without context.
inline constexpr std::string_view kJoinExporterLabel = "EXPORTER-alknet-join";
inline constexpr std::size_t kJoinExporterBytes = 32;
/// Six digits that two people compare.
[[nodiscard]] std::string join_code(const NodeId& node, const NodeId& joiner, BytesView exported);

}  // namespace alknet::identity
