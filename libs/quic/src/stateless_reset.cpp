#include "stateless_reset.hpp"

#include <ngtcp2/ngtcp2_crypto.h>
#include <sodium.h>

#include <algorithm>
#include <alknet/base/assert.hpp>

namespace alknet::quic {

ResetToken derive_reset_token(BytesView secret, BytesView connection_id) noexcept {
    ngtcp2_cid id;
    ngtcp2_cid_init(&id, octets(connection_id), connection_id.size());
    ResetToken token;
    if (ngtcp2_crypto_generate_stateless_reset_token(octets(MutableBytes(token)), octets(secret),
                                                     secret.size(), &id) != 0) {
        randombytes_buf(token.data(), token.size());  // out of memory: a token that nobody knows
    }
    return token;
}

BytesView write_stateless_reset(std::span<std::byte, kResetBytesMax> into, const ResetToken& token,
                                std::size_t trigger_bytes) noexcept {
    constexpr std::size_t kShort = 43;  // RFC 9000 section 10.3
    const std::size_t longest = std::min(trigger_bytes - 1, kResetBytesMax);
    const std::size_t shortest = std::min(longest, kShort - 1);
    const std::size_t size =
        shortest + randombytes_uniform(static_cast<std::uint32_t>(longest - shortest + 1));
    std::array<std::uint8_t, kResetBytesMax> noise;
    randombytes_buf(noise.data(), noise.size());
    const auto written =
        ngtcp2_pkt_write_stateless_reset(octets(MutableBytes(into)), size, octets(BytesView(token)),
                                         noise.data(), size - token.size());
    return into.first(static_cast<std::size_t>(std::max<ngtcp2_ssize>(written, 0)));
}

bool RateLimit::admit(TimePoint now) noexcept {
    drained_ = std::max(drained_, now);
    if (drained_ - now > interval_ * (burst_ - 1)) {
        return false;
    }
    drained_ += interval_;
    return true;
}

}  // namespace alknet::quic
