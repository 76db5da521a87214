#include "initials.hpp"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/quic/endpoint.hpp>
#include <alknet/rt/scope.hpp>
#include <array>
#include <memory>

namespace alknet::load {

namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kKeyBytes = 16;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kSampleBytes = 16;
constexpr std::size_t kIdAt = 6;  // behind the first octet, the version and the length of the id
/// RFC 9001 section 5.2.
constexpr std::array<std::uint8_t, 20> kSalt = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34,
                                                0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8,
                                                0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a};

/// Takes what a client sends first, and sends nothing.
class FirstFlight final : public net::UdpSocket {
public:
    explicit FirstFlight(Bytes& into) : into_(into) {}
    void set_receiver(Receiver*) noexcept override {}
    net::SendStatus send(const net::DatagramBatch& batch) noexcept override {
        if (into_.empty()) {
            const std::size_t step =
                batch.segment_bytes != 0 ? batch.segment_bytes : batch.data.size();
            into_ = to_bytes(batch.data.first(std::min(step, batch.data.size())));
        }
        return net::SendStatus::sent;
    }
    [[nodiscard]] SocketAddress local_address() const noexcept override {
        return SocketAddress::v4({127, 0, 0, 1}, 1);
    }
    [[nodiscard]] std::size_t segments_max() const noexcept override { return 1; }

private:
    Bytes& into_;
};

task<void> dial(quic::Endpoint& endpoint, quic::ConnectOptions options) {
    (void)co_await endpoint.connect(std::move(options));
}

result<Bytes> first_datagram(Loop& loop) {
    tls::ContextOptions tls;
    tls.key = NodeKey::generate();
    quic::ConnectOptions connect;
    ALKNET_TRY(connect.tls.context, tls::TlsContext::create(std::move(tls)));
    connect.tls.alpns = {"alknet/echo"};
    connect.tls.verify = tls::VerifyNothing{PeerIdentity::Kind::raw_key};
    connect.remote = SocketAddress::v4({127, 0, 0, 1}, 1);
    quic::EndpointOptions options;
    options.transport.versions = {quic::Version::v1};
    Bytes datagram;
    ALKNET_TRY(
        const auto endpoint,
        quic::Endpoint::create(loop, std::make_unique<FirstFlight>(datagram), std::move(options)));
    TaskScope scope(loop);
    scope.spawn(dial(*endpoint, std::move(connect)), "load.record");
    while (datagram.empty()) {
        loop.turn(true);
    }
    return datagram;
}

error crypto_error(int outcome) {
    return error(causes::kInternal, gnutls_strerror(outcome));
}

gnutls_datum_t datum(BytesView bytes) noexcept {
    return {const_cast<std::uint8_t*>(octets(bytes)), static_cast<unsigned>(bytes.size())};
}

/// HKDF-Expand-Label (RFC 8446 section 7.1) without a context.
result<void> expand(BytesView secret, std::string_view label, MutableBytes out) {
    WireWriter info;
    info.number(static_cast<std::uint16_t>(out.size()));
    info.text<std::uint8_t>("tls13 " + std::string(label));
    info.number(std::uint8_t{0});
    const gnutls_datum_t key = datum(secret);
    const gnutls_datum_t what = datum(info.view());
    const int outcome = gnutls_hkdf_expand(GNUTLS_MAC_SHA256, &key, &what, out.data(), out.size());
    return outcome == 0 ? result<void>() : unexpected(crypto_error(outcome));
}

/// One block of AES: what header protection is made of (RFC 9001 section 5.4.3).
result<std::array<std::byte, kSampleBytes>> encrypt_block(BytesView key, BytesView block) {
    std::array<std::byte, kSampleBytes> zeros{};
    const gnutls_datum_t native_key = datum(key);
    const gnutls_datum_t iv = datum(zeros);
    gnutls_cipher_hd_t cipher = nullptr;
    int outcome = gnutls_cipher_init(&cipher, GNUTLS_CIPHER_AES_128_CBC, &native_key, &iv);
    if (outcome != 0) {
        return unexpected(crypto_error(outcome));
    }
    std::array<std::byte, kSampleBytes> mask{};
    outcome = gnutls_cipher_encrypt2(cipher, block.data(), block.size(), mask.data(), mask.size());
    gnutls_cipher_deinit(cipher);
    if (outcome != 0) {
        return unexpected(crypto_error(outcome));
    }
    return mask;
}

struct AeadDeinit {
    void operator()(gnutls_aead_cipher_hd_t cipher) const noexcept {
        gnutls_aead_cipher_deinit(cipher);
    }
};
using Aead = std::unique_ptr<std::remove_pointer_t<gnutls_aead_cipher_hd_t>, AeadDeinit>;

result<Aead> make_aead(BytesView key) {
    const gnutls_datum_t native = datum(key);
    gnutls_aead_cipher_hd_t cipher = nullptr;
    const int outcome = gnutls_aead_cipher_init(&cipher, GNUTLS_CIPHER_AES_128_GCM, &native);
    if (outcome != 0) {
        return unexpected(crypto_error(outcome));
    }
    return Aead(cipher);
}

/// RFC 9000 section 16.
std::uint64_t read_integer(WireReader& in) {
    const auto first = in.number<std::uint8_t>();
    std::uint64_t value = first & 0x3fU;
    for (int more = (1 << (first >> 6U)) - 1; more > 0; --more) {
        value = value << 8U | in.number<std::uint8_t>();
    }
    return value;
}

}  // namespace

struct Initials::Keys {
    std::array<std::byte, kKeyBytes> key{};
    std::array<std::byte, kNonceBytes> iv{};
    std::array<std::byte, kKeyBytes> header{};

    /// RFC 9001 section 5.3.
    [[nodiscard]] std::array<std::byte, kNonceBytes> nonce(BytesView number) const noexcept {
        auto out = iv;
        for (std::size_t i = 0; i < number.size(); ++i) {
            out[out.size() - number.size() + i] ^= number[i];
        }
        return out;
    }
};

result<Initials::Keys> Initials::derive(BytesView id) {
    std::array<std::byte, kSecretBytes> initial{};
    const gnutls_datum_t secret = datum(id);
    const gnutls_datum_t salt = datum(view_octets(kSalt.data(), kSalt.size()));
    const int outcome = gnutls_hkdf_extract(GNUTLS_MAC_SHA256, &secret, &salt, initial.data());
    if (outcome != 0) {
        return unexpected(crypto_error(outcome));
    }
    std::array<std::byte, kSecretBytes> client{};
    Keys keys;
    ALKNET_CHECK(expand(initial, "client in", client));
    ALKNET_CHECK(expand(client, "quic key", keys.key));
    ALKNET_CHECK(expand(client, "quic iv", keys.iv));
    ALKNET_CHECK(expand(client, "quic hp", keys.header));
    return keys;
}

result<Initials> Initials::record(Loop& loop) {
    ALKNET_TRY(const Bytes datagram, first_datagram(loop));
    Initials initials;
    ALKNET_CHECK(initials.open(datagram));
    return initials;
}

/// Takes the protection away (RFC 9001 section 5.4.1), and the encryption.
result<void> Initials::open(BytesView packet) {
    WireReader in(packet);
    (void)in.number<std::uint8_t>();
    (void)in.number<std::uint32_t>();
    const BytesView id = in.take(in.number<std::uint8_t>());
    (void)in.take(in.number<std::uint8_t>());
    (void)in.take(read_integer(in));  // the token
    const std::uint64_t length = read_integer(in);
    const BytesView rest = in.take(length);
    constexpr std::size_t kNumberMax = 4;
    if (!in.ok() || rest.size() < kNumberMax + kSampleBytes + kTagBytes) {
        return fail(causes::kInternal, "the recorded packet is no Initial");
    }
    const auto number_at = static_cast<std::size_t>(rest.data() - packet.data());
    ALKNET_TRY(const Keys keys, derive(id));
    ALKNET_TRY(const auto mask, encrypt_block(keys.header, rest.subspan(kNumberMax, kSampleBytes)));
    header_ = to_bytes(packet.first(number_at));
    header_[0] ^= mask[0] & std::byte{0x0f};
    number_bytes_ = (std::to_integer<std::size_t>(header_[0]) & 3U) + 1;
    for (std::size_t i = 0; i < number_bytes_; ++i) {
        header_.push_back(rest[i] ^ mask[i + 1]);
    }
    const BytesView sealed = rest.subspan(number_bytes_);
    payload_.resize(sealed.size() - kTagBytes);
    std::size_t size = payload_.size();
    ALKNET_TRY(const Aead aead, make_aead(keys.key));
    const auto nonce = keys.nonce(BytesView(header_).last(number_bytes_));
    const int outcome = gnutls_aead_cipher_decrypt(
        aead.get(), nonce.data(), nonce.size(), header_.data(), header_.size(), kTagBytes,
        sealed.data(), sealed.size(), payload_.data(), &size);
    if (outcome != 0 || size != payload_.size()) {
        return unexpected(crypto_error(outcome));
    }
    return {};
}

result<BytesView> Initials::next(InitialKind kind) {
    const std::size_t id_bytes = std::to_integer<std::size_t>(header_[kIdAt - 1]);
    const MutableBytes id = MutableBytes(header_).subspan(kIdAt, id_bytes);
    randombytes_buf(id.data(), id.size());
    ALKNET_TRY(const Keys keys, derive(id));
    ALKNET_TRY(const Aead aead, make_aead(keys.key));
    Bytes frames = payload_;
    if (kind == InitialKind::nonsense) {
        // Behind the head of the CRYPTO frame: its type, offset and length, two octets at most.
        constexpr std::size_t kHeadBytes = 4;
        constexpr std::size_t kSpoiltBytes = 64;
        randombytes_buf(frames.data() + kHeadBytes, std::min(kSpoiltBytes, frames.size() / 2));
    }
    datagram_ = header_;
    datagram_.resize(header_.size() + frames.size() + kTagBytes);
    std::size_t size = frames.size() + kTagBytes;
    const auto nonce = keys.nonce(BytesView(header_).last(number_bytes_));
    const int outcome = gnutls_aead_cipher_encrypt(
        aead.get(), nonce.data(), nonce.size(), header_.data(), header_.size(), kTagBytes,
        frames.data(), frames.size(), datagram_.data() + header_.size(), &size);
    if (outcome != 0) {
        return unexpected(crypto_error(outcome));
    }
    if (kind == InitialKind::broken) {
        datagram_.back() ^= std::byte{1};
    }
    const std::size_t number_at = header_.size() - number_bytes_;
    const BytesView sample = BytesView(datagram_).subspan(number_at + 4, kSampleBytes);
    ALKNET_TRY(const auto mask, encrypt_block(keys.header, sample));
    datagram_[0] ^= mask[0] & std::byte{0x0f};
    for (std::size_t i = 0; i < number_bytes_; ++i) {
        datagram_[number_at + i] ^= mask[i + 1];
    }
    return BytesView(datagram_);
}

}  // namespace alknet::load
