// The protection of packets in one direction (RFC 4253 section 6, RFC 5647 as OpenSSH has it, and
// OpenSSH's chacha20-poly1305 and encrypt-then-MAC), in place.
#pragma once

#include <alknet/base/bytes.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "algorithms.hpp"

namespace alknet::ssh {

class PacketCipher {
public:
    struct Shape {
        std::size_t block_bytes = 8;
        std::size_t tag_bytes = 0;
        /// The length field does not count for the multiple of a block.
        bool length_apart = false;
        /// So many octets tell the length.
        std::size_t lead_bytes = 4;
    };

    virtual ~PacketCipher() = default;

    /// `packet` is everything from the length field to the end of the padding.
    virtual void seal(std::uint32_t sequence, MutableBytes packet, MutableBytes tag) = 0;
    /// What the length field says, which nothing vouches for yet. Once for each packet, before
    /// `open`; may change `lead`.
    virtual std::uint32_t length(std::uint32_t sequence, MutableBytes lead) = 0;
    /// False, and nothing can be said about `packet`: it was changed on its way.
    virtual bool open(std::uint32_t sequence, MutableBytes packet, BytesView tag) = 0;

    [[nodiscard]] const Shape& shape() const noexcept { return shape_; }

protected:
    explicit PacketCipher(const Shape& shape) noexcept : shape_(shape) {}

private:
    const Shape shape_;
};

/// Before there are keys.
[[nodiscard]] std::unique_ptr<PacketCipher> make_plain_cipher();

struct DirectionKeys {
    BytesView iv;
    BytesView key;
    BytesView mac_key;
};
inline constexpr std::size_t kMacKeyBytes256 = 32;
inline constexpr std::size_t kMacKeyBytes512 = 64;

/// `keys` have the sizes that the algorithms ask for, and are copied.
[[nodiscard]] std::unique_ptr<PacketCipher> make_cipher(const Direction& direction, bool sealing,
                                                        const DirectionKeys& keys);

}  // namespace alknet::ssh
