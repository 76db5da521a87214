// The statement by which a node changes its key: both keys sign it (docs/protocol/rotation.md).
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/identity/peers.hpp>
#include <alknet/rt/time.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::identity {

/// Between the beginning and the end of a statement.
inline constexpr Duration kRotationMax = std::chrono::hours(24 * 366);
/// A clock may be behind by so much.
inline constexpr Duration kRotationSkew = std::chrono::minutes(5);

struct Rotation {
    NodeId from;
    NodeId to;
    std::uint64_t not_before = 0;  // seconds since 1970
    std::uint64_t not_after = 0;
    std::array<std::byte, 64> by_from{};
    std::array<std::byte, 64> by_to{};

    bool operator==(const Rotation&) const = default;
};

/// Errors: kUsage for no time, or more than kRotationMax.
[[nodiscard]] result<Rotation> make_rotation(const NodeKey& from, const NodeKey& to, WallTime begin,
                                             Duration lasts);

/// One line without white space that begins with `alkrot1`.
[[nodiscard]] std::string encode_rotation(const Rotation& rotation);
/// Has one text for each statement. Signatures are not looked at. Errors: kRotationInvalid.
[[nodiscard]] result<Rotation> decode_rotation(std::string_view text);

/// The statement as it travels: kRotationOctets of them.
inline constexpr std::size_t kRotationOctets = 208;
[[nodiscard]] Bytes rotation_octets(const Rotation& rotation);
/// Signatures are not looked at. Errors: kRotationInvalid.
[[nodiscard]] result<Rotation> rotation_of(BytesView octets);

/// Whether both keys have signed it, and it holds now. Errors: kRotationInvalid with what is wrong.
[[nodiscard]] result<void> check_rotation(const Rotation& rotation, WallTime now);

/// So many keys one after the other are believed at once.
inline constexpr std::size_t kRotationChainMax = 8;

/// The part of `all`, in which each statement begins with the key that the one before it has led
/// to, that leads from one key to the other. Errors: kRotationInvalid if there is none, or one of
/// its statements does not hold now.
[[nodiscard]] result<std::vector<Rotation>> chain_between(std::span<const Rotation> all,
                                                          const NodeId& from, const NodeId& to,
                                                          WallTime now);

/// What was accepted before stays: a key has one successor, and a key that was left never comes
/// back, whoever has signed it. Errors: kRotationInvalid.
[[nodiscard]] result<void> check_history(std::span<const KeyChange> changes,
                                         const Rotation& rotation);

/// Whom a statement concerns.
struct RotatedPeer {
    std::string id;
    std::string name;
    std::string fingerprint;  // that it has from now on, beside the one that it had
    bool known = false;       // it has that already
};

/// A statement may come from anybody: what counts is who has signed it. Errors: kRotationInvalid,
/// also for a peer that may not come in now, and for a key that is somebody else's; kLimit.
[[nodiscard]] result<RotatedPeer> accept_rotation(const PeerDirectory& peers,
                                                  const Rotation& rotation, WallTime now);

}  // namespace alknet::identity
