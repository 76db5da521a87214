// Stateless reset (RFC 9000 section 10.3): a node that has forgotten a connection says so with a
// packet that only the peer can recognise. The token is derived from the connection id and a secret
// which survives restarts, so nothing needs to be remembered.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/rt/time.hpp>
#include <array>
#include <cstdint>

namespace alknet::quic {

inline constexpr std::size_t kResetTokenBytes = 16;
using ResetToken = std::array<std::byte, kResetTokenBytes>;

/// The token that belongs to one of our connection ids.
[[nodiscard]] ResetToken derive_reset_token(BytesView secret, BytesView connection_id) noexcept;

/// What a reset has at least: five octets that look like a short header, and the token.
inline constexpr std::size_t kResetBytesMin = 5 + kResetTokenBytes;
/// A datagram shorter than this is never answered: a reset is shorter than what it answers, so two
/// nodes that know nothing do not answer each other for ever.
inline constexpr std::size_t kResetTriggerBytesMin = kResetBytesMin + 1;
inline constexpr std::size_t kResetBytesMax = 64;

/// Writes a reset: one octet shorter than a short trigger, of a random length for a longer one.
/// `trigger_bytes` is at least kResetTriggerBytesMin. Returns the part of `into` that was used.
BytesView write_stateless_reset(std::span<std::byte, kResetBytesMax> into, const ResetToken& token,
                                std::size_t trigger_bytes) noexcept;

/// Admits a burst, then so many in a second.
class RateLimit {
public:
    RateLimit(std::uint32_t per_second, std::uint32_t burst) noexcept
        : interval_(Duration(std::chrono::seconds(1)) / per_second), burst_(burst) {}
    bool admit(TimePoint now) noexcept;

private:
    Duration interval_;
    std::uint32_t burst_;
    TimePoint drained_;  // when everything admitted so far has been paid for
};

}  // namespace alknet::quic
