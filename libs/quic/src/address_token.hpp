// Address tokens (RFC 9000 section 8.1): proof that a client received something at its address. A
// Retry token is for the next Initial of the same handshake, a NEW_TOKEN token for a later
// connection from the same IP address. Both are sealed under a secret that survives restarts, and
// dated by the wall clock, so a restarted node honours them.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <alknet/base/bytes.hpp>
#include <alknet/net/socket_address.hpp>
#include <alknet/rt/time.hpp>
#include <optional>

namespace alknet::quic {

class AddressTokens {
public:
    static constexpr Duration kRetryLifetime = std::chrono::seconds(15);
    static constexpr Duration kNewTokenLifetime = std::chrono::hours(7 * 24);

    /// `secret` must outlive this object.
    explicit AddressTokens(BytesView secret) noexcept : secret_(secret) {}

    enum class Verdict : std::uint8_t {
        none,     // no token, or one that proves nothing: go on as if there were none
        proven,   // the address is good
        invalid,  // a Retry token of ours that does not fit: close with INVALID_TOKEN
    };
    struct Checked {
        Verdict verdict = Verdict::none;
        ngtcp2_token_type type = NGTCP2_TOKEN_TYPE_UNKNOWN;
        ngtcp2_cid original_dcid{};  // for a proven Retry token
    };

    /// Judges the token of an Initial packet.
    [[nodiscard]] Checked check(const ngtcp2_pkt_hd& header, const SocketAddress& remote,
                                WallTime now) const;

    /// Empty when out of memory.
    [[nodiscard]] Bytes make_retry(const ngtcp2_pkt_hd& header, const ngtcp2_cid& retry_scid,
                                   const SocketAddress& remote, WallTime now) const;
    [[nodiscard]] Bytes make_new_token(const SocketAddress& remote, WallTime now) const;

private:
    BytesView secret_;
};

}  // namespace alknet::quic
