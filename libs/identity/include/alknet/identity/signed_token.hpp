// Tokens that a key signs: a proof of the key where the transport cannot carry one, for one node,
// one purpose and one session. docs/protocol/token.md has the octets. Sans-I/O.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/rt/time.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

namespace alknet::identity {

inline constexpr std::size_t kSignedTokenBytes = 78;     // 104 characters
inline constexpr std::size_t kSignedTokenV1Bytes = 104;  // 139 characters
inline constexpr std::size_t kPurposeBytesMax = 255;

/// How far a token's time may be from ours, both ways.
inline constexpr Duration kSignedTokenWindow = std::chrono::seconds(300);

/// What a node accepts.
struct SignedTokenRules {
    bool v1 = false;  // the first form, which names neither node nor purpose
    Duration window = kSignedTokenWindow;

    bool operator==(const SignedTokenRules&) const = default;
};

/// What a token says; nothing of it is verified.
struct SignedToken {
    int version = 0;  // 1 or 2
    KeyId key{};
    std::uint64_t unix_s = 0;
    Bytes signed_part;  // the octets before the signature
    std::array<std::byte, 64> signature{};

    bool operator==(const SignedToken&) const = default;
    /// nullopt: it does not have the form of a signed token.
    static std::optional<SignedToken> decode(std::string_view text);
    /// base64url, not padded.
    [[nodiscard]] std::string encode() const;
    /// What the signature is of. The first form names neither node nor purpose.
    [[nodiscard]] Bytes message(const NodeId& audience, std::string_view purpose) const;
    /// The one of `keys` that has signed it for this node and purpose.
    [[nodiscard]] std::optional<NodeId> signer(const NodeId& audience, std::string_view purpose,
                                               std::span<const NodeId> keys) const;
};

struct SigningOptions {
    NodeId audience{};         // the node that is to accept it
    std::string purpose{};     // 1 to 255 octets: the service
    WallTime now{};            // 1970 to 2106
    std::uint8_t counter = 0;  // tells apart the tokens of one second
};
/// Errors: kUsage for the purpose and the time.
result<SignedToken> sign_token(const NodeKey& key, const SigningOptions& options);
/// The first form, for any node and purpose. Errors: kUsage for the time.
result<SignedToken> sign_token_v1(const NodeKey& key, WallTime now);

/// Seconds since 1970; 0 for what was before.
[[nodiscard]] std::uint64_t unix_seconds(WallTime time) noexcept;

/// Which tokens were used, for as long as they could be used again. What it has forgotten stays
/// refused, also when somebody sets the clock back.
class UsedTokens {
public:
    /// More are refused until some are too old to be used; nothing is forgotten early.
    static constexpr std::size_t kUsedMax = 65'536;
    static constexpr std::size_t kUsedPerKeyMax = 4096;

    /// A token with a good signature.
    struct Use {
        NodeId signer{};
        std::uint64_t unix_s = 0;
        Bytes message{};  // what was signed
        std::uint64_t now_s = 0;
        std::uint64_t window_s = 0;
        std::uint64_t started_s = 0;  // when the node has started, by the clock of now
    };

    /// What is not younger than the start is refused: it may have been used before it.
    explicit UsedTokens(std::uint64_t started_s) noexcept : started_s_(started_s) {}

    /// Uses a token up. Errors: kTokenInvalid with the reason, which is not for the peer; kLimit.
    result<void> use(const Use& use);
    /// Nothing of this key up to `unix_s` is accepted. Beyond kUsedMax keys it holds for all.
    void refuse_until(const NodeId& signer, std::uint64_t unix_s);

    [[nodiscard]] std::size_t size() const noexcept { return used_.size(); }

private:
    struct Used {
        std::uint64_t unix_s = 0;
        NodeId signer;
        std::array<std::byte, 32> digest{};
        auto operator<=>(const Used&) const = default;
    };
    void forget_before(std::uint64_t unix_s);
    [[nodiscard]] result<void> check_time(const Use& use) const;

    std::uint64_t started_s_;
    std::uint64_t forgotten_s_ = 0;  // the youngest that was forgotten
    std::set<Used> used_;            // oldest first
    std::map<NodeId, std::size_t> used_by_key_;
    std::map<NodeId, std::uint64_t> refused_until_;
};

}  // namespace alknet::identity
