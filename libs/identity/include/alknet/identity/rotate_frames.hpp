// What is said on alknet/rotate: a type, a number of statements, and these. Sans-I/O
// (docs/protocol/rotation.md).
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/identity/rotation.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace alknet::identity {

inline constexpr std::size_t kRotateHeaderBytes = 2;
inline constexpr std::size_t kRotateBytesMax =
    kRotateHeaderBytes + kRotationChainMax * kRotationOctets;

struct RotateMessage {
    enum class Type : std::uint8_t {
        ask = 1,  // whoever has come: what has become of your keys?
        answer,   // the node: this
        tell,     // whoever has come: this has become of my key
        heard,    // the node, whatever it makes of it
    };
    Type type = Type::ask;
    /// Each begins with the key that the one before it has led to. None in `ask` and `heard`, at
    /// least one in `tell`.
    std::vector<Rotation> chain{};

    bool operator==(const RotateMessage&) const = default;
};

/// The limits are the caller's to keep.
[[nodiscard]] Bytes encode_rotate(const RotateMessage& message);
/// The message, which is all there is. nullopt: more octets are needed, kRotateBytesMax at most.
/// Signatures are not looked at. Errors: kProtocol.
result<std::optional<RotateMessage>> decode_rotate(BytesView bytes);

}  // namespace alknet::identity
