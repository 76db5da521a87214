// What is said on alknet/join: a type, a length, a body. Sans-I/O (docs/protocol/invitation.md).
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/identity/invitation.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace alknet::identity {

inline constexpr std::size_t kJoinHeaderBytes = 3;
inline constexpr std::size_t kJoinBodyBytesMax = 16 << 10;
inline constexpr std::size_t kInvitationScopesMax = 32;

/// Whoever joins: this is the secret, and how I would like to be called.
struct JoinAsk {
    InvitationSecret secret{};
    std::string name;
    bool operator==(const JoinAsk&) const = default;
};
/// The node: my owner has to confirm the digits first.
struct JoinWait {
    std::uint32_t seconds = 0;  // for so long at most
    bool operator==(const JoinWait&) const = default;
};
/// The node: you are known from now on.
struct JoinWelcome {
    std::string name;  // as which
    std::vector<std::string> scopes;
    bool operator==(const JoinWelcome&) const = default;
};
/// The node: you were known before. Nothing has changed, and nothing was spent.
struct JoinKnown {
    bool operator==(const JoinKnown&) const = default;
};
/// The node, for whatever reason.
struct JoinRefused {
    bool operator==(const JoinRefused&) const = default;
};
using JoinMessage = std::variant<JoinAsk, JoinWait, JoinWelcome, JoinKnown, JoinRefused>;

struct JoinFrame {
    JoinMessage message;
    std::size_t size = 0;  // octets that it took
};

/// Names and scopes keep their limits.
[[nodiscard]] Bytes encode_join(const JoinMessage& message);
/// The message at the front. nullopt: more octets are needed, kJoinHeaderBytes and
/// kJoinBodyBytesMax together at most. Errors: kProtocol.
result<std::optional<JoinFrame>> decode_join(BytesView bytes);

}  // namespace alknet::identity
