#include "address_token.hpp"

#include <ngtcp2/ngtcp2_crypto.h>
#include <sys/socket.h>

#include <algorithm>

namespace alknet::quic {

namespace {

struct Native {
    sockaddr_storage storage{};
    ngtcp2_socklen size;

    explicit Native(const SocketAddress& address) noexcept : size(address.to_native(storage)) {}
    [[nodiscard]] const ngtcp2_sockaddr* get() const noexcept {
        return reinterpret_cast<const ngtcp2_sockaddr*>(&storage);
    }
};

ngtcp2_tstamp stamp(WallTime now) noexcept {
    return static_cast<ngtcp2_tstamp>(std::max(now.time_since_epoch(), Duration::zero()).count());
}

ngtcp2_duration span_of(Duration lifetime) noexcept {
    return static_cast<ngtcp2_duration>(lifetime.count());
}

Bytes shortened(Bytes token, ngtcp2_ssize size) {
    token.resize(static_cast<std::size_t>(std::max<ngtcp2_ssize>(size, 0)));
    return token;
}

}  // namespace

AddressTokens::Checked AddressTokens::check(const ngtcp2_pkt_hd& header,
                                            const SocketAddress& remote, WallTime now) const {
    Checked checked;
    if (header.tokenlen == 0) {
        return checked;
    }
    const Native address(remote);
    switch (header.token[0]) {
        case NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2: {
            checked.type = NGTCP2_TOKEN_TYPE_RETRY;
            const int outcome = ngtcp2_crypto_verify_retry_token2(
                &checked.original_dcid, header.token, header.tokenlen, octets(secret_),
                secret_.size(), header.version, address.get(), address.size, &header.dcid,
                span_of(kRetryLifetime), stamp(now));
            if (outcome == 0) {
                checked.verdict = Verdict::proven;
            } else if (header.tokenlen == NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2) {
                checked.verdict = Verdict::invalid;
            }
            break;
        }
        case NGTCP2_CRYPTO_TOKEN_MAGIC_REGULAR:
            checked.type = NGTCP2_TOKEN_TYPE_NEW_TOKEN;
            if (ngtcp2_crypto_verify_regular_token(header.token, header.tokenlen, octets(secret_),
                                                   secret_.size(), address.get(), address.size,
                                                   span_of(kNewTokenLifetime), stamp(now)) == 0) {
                checked.verdict = Verdict::proven;
            }
            break;
        default:  // another server's, or nonsense: RFC 9000 section 8.1.3 lets the client go on
            break;
    }
    return checked;
}

Bytes AddressTokens::make_retry(const ngtcp2_pkt_hd& header, const ngtcp2_cid& retry_scid,
                                const SocketAddress& remote, WallTime now) const {
    const Native address(remote);
    Bytes token(NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2);
    const auto size = ngtcp2_crypto_generate_retry_token2(
        octets(MutableBytes(token)), octets(secret_), secret_.size(), header.version, address.get(),
        address.size, &retry_scid, &header.dcid, stamp(now));
    return shortened(std::move(token), size);
}

Bytes AddressTokens::make_new_token(const SocketAddress& remote, WallTime now) const {
    const Native address(remote);
    Bytes token(NGTCP2_CRYPTO_MAX_REGULAR_TOKENLEN);
    const auto size = ngtcp2_crypto_generate_regular_token(octets(MutableBytes(token)),
                                                           octets(secret_), secret_.size(),
                                                           address.get(), address.size, stamp(now));
    return shortened(std::move(token), size);
}

}  // namespace alknet::quic
