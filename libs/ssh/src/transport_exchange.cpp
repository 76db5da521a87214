// The key exchanges of a transport: RFC 4253 section 7, RFC 8731, and strict key exchange.
#include <alknet/base/assert.hpp>
#include <alknet/base/causes_ssh.hpp>
#include <alknet/ssh/transport.hpp>
#include <array>
#include <utility>

#include "host_key.hpp"
#include "messages.hpp"
#include "transport_state.hpp"

namespace alknet::ssh {

namespace {

result<void> unexpected_message() {
    return fail(causes::kProtocol, "a message of the key exchange out of its turn");
}

// The keys of one direction, which are gone with this.
struct Material {
    crypto::SecretBytes iv{16};
    crypto::SecretBytes key{64};
    crypto::SecretBytes mac_key{64};
};

}  // namespace

void Transport::begin_exchange() {
    exchange_ = std::make_unique<Exchange>();
    std::array<std::byte, 16> cookie{};
    fill_random(cookie);
    exchange_->own_init =
        make_kexinit(options_.algorithms, options_.role, session_id_.empty(), cookie);
    sending_blocked_ = true;
    seal_now(exchange_->own_init);
    if (!is_server() && options_.algorithms.guess_follows) {
        send_client_share();
    }
}

// A server shows its key to whoever asks, as ssh-keyscan does; it hears nothing from them.
result<void> Transport::check_safe() const {
    if (unsafe_.empty()) {
        return {};
    }
    return fail(causes::kNoAlgorithm, std::string(unsafe_) +
                                          " needs strict key exchange, which the other side lacks; "
                                          "aes128-gcm@openssh.com does not");
}

void Transport::send_client_share() {
    crypto::SecretBytes secret(kShareBytes);
    fill_random(secret.span());
    exchange_->share.emplace(secret.view());
    WireWriter out = begin_message(Message::ecdh_init);
    put_string(out, exchange_->share->share());
    seal_now(out.view());
}

result<void> Transport::take_kexinit(BytesView payload) {
    if (exchange_ != nullptr && !exchange_->peer_init.empty()) {
        return unexpected_message();
    }
    ALKNET_TRY(const KexInit theirs, KexInit::parse(payload));
    if (exchange_ == nullptr) {
        begin_exchange();
    }
    exchange_->peer_init = to_bytes(payload);
    ALKNET_TRY(const KexInit own, KexInit::parse(exchange_->own_init));
    const std::string_view kex_of_peer = theirs.lists[KexInit::kex];
    if (session_id_.empty()) {
        strict_ = options_.algorithms.strict &&
                  lists_name(kex_of_peer, is_server() ? kStrictClient : kStrictServer);
        peer_wants_ext_info_ = is_server() && lists_name(kex_of_peer, kExtInfoClient);
        if (strict_ && in_packets_ != 1) {
            return fail(causes::kProtocol, "KEXINIT was not the first packet");
        }
    }
    ALKNET_TRY(exchange_->chosen, is_server() ? negotiate(theirs, own) : negotiate(own, theirs));
    for (const Direction& direction : {exchange_->chosen.up, exchange_->chosen.down}) {
        if (!strict_ && direction.needs_strict()) {
            unsafe_ = direction.cipher->name;
        }
    }
    if (!is_server() && options_.algorithms.strict) {
        ALKNET_CHECK(check_safe());
    }
    exchange_->drop_guess = theirs.guess_follows && exchange_->chosen.guess_was_wrong;
    const bool own_guess = !is_server() && options_.algorithms.guess_follows;
    if (!is_server() && (!own_guess || exchange_->chosen.guess_was_wrong)) {
        send_client_share();
    }
    return {};
}

result<void> Transport::take_ecdh_init(BytesView payload) {
    if (!is_server() || exchange_ == nullptr || exchange_->peer_init.empty() ||
        exchange_->answered) {
        return unexpected_message();
    }
    WireReader in(payload.subspan(1));
    const Bytes client_share = to_bytes(take_string(in));
    if (!in.complete()) {
        return unexpected_message();
    }
    crypto::SecretBytes secret(kShareBytes);
    fill_random(secret.span());
    const KeyShare share(secret.view());
    ALKNET_TRY(const crypto::SecretBytes shared, share.agree(client_share));
    const Bytes blob = host_key_blob(options_.host_key->id());
    const Digest hash = exchange_hash({.client_ident = peer_ident_,
                                       .server_ident = own_ident_,
                                       .client_init = exchange_->peer_init,
                                       .server_init = exchange_->own_init,
                                       .host_key = blob,
                                       .client_share = client_share,
                                       .server_share = share.share(),
                                       .shared = shared.view()});
    WireWriter out = begin_message(Message::ecdh_reply);
    put_string(out, blob);
    put_string(out, share.share());
    put_string(out, host_signature(*options_.host_key, hash));
    seal_now(out.view());
    make_keys(shared.view(), hash);
    send_newkeys();
    return {};
}

result<void> Transport::take_ecdh_reply(BytesView payload) {
    if (is_server() || exchange_ == nullptr || exchange_->peer_init.empty() ||
        exchange_->answered) {
        return unexpected_message();
    }
    WireReader in(payload.subspan(1));
    const BytesView blob = take_string(in);
    const BytesView server_share = take_string(in);
    const BytesView signature = take_string(in);
    if (!in.complete()) {
        return unexpected_message();
    }
    ALKNET_TRY(const NodeId host, read_host_key(blob));
    ALKNET_TRY(const crypto::SecretBytes shared, exchange_->share->agree(server_share));
    const Digest hash = exchange_hash({.client_ident = own_ident_,
                                       .server_ident = peer_ident_,
                                       .client_init = exchange_->own_init,
                                       .server_init = exchange_->peer_init,
                                       .host_key = blob,
                                       .client_share = exchange_->share->share(),
                                       .server_share = server_share,
                                       .shared = shared.view()});
    if (!host_signature_holds(host, hash, signature)) {
        return fail(causes::kProtocol, "the host's signature is wrong");
    }
    // One key for the whole connection, whatever comes later.
    const std::optional<NodeId>& wanted = host_key_ ? host_key_ : options_.expected;
    if (wanted && *wanted != host) {
        return fail(causes::kPeerKeyMismatch, host.fingerprint());
    }
    host_key_ = host;
    if (session_id_.empty()) {
        session_signature_ = to_bytes(signature);
    }
    make_keys(shared.view(), hash);
    send_newkeys();
    return {};
}

void Transport::make_keys(BytesView shared, BytesView hash) {
    if (session_id_.empty()) {
        session_id_ = to_bytes(hash);
    }
    const auto make = [&](bool up, bool sealing) {
        const Direction& direction = up ? exchange_->chosen.up : exchange_->chosen.down;
        Material material;
        derive_key(shared, hash, up ? 'A' : 'B', session_id_, material.iv.span());
        derive_key(shared, hash, up ? 'C' : 'D', session_id_, material.key.span());
        derive_key(shared, hash, up ? 'E' : 'F', session_id_, material.mac_key.span());
        const std::size_t mac_bytes =
            direction.mac != nullptr && direction.mac->sha512 ? kMacKeyBytes512 : kMacKeyBytes256;
        return make_cipher(direction, sealing,
                           {.iv = material.iv.view().first(direction.cipher->iv_bytes),
                            .key = material.key.view().first(direction.cipher->key_bytes),
                            .mac_key = material.mac_key.view().first(mac_bytes)});
    };
    exchange_->next_in = make(is_server(), false);
    exchange_->next_out = make(!is_server(), true);
    exchange_->answered = true;
    cipher_name_ = exchange_->chosen.down.cipher->name;
}

void Transport::send_newkeys() {
    const std::array message = {static_cast<std::byte>(Message::newkeys)};
    seal_now(message);
    out_cipher_ = std::move(exchange_->next_out);
    out_sequence_ = strict_ ? 0 : out_sequence_;
    out_bytes_ = 0;
    out_key_packets_ = 0;
    if (exchanges_ == 0 && peer_wants_ext_info_) {
        send_ext_info();
    }
    // Until the peer's NEWKEYS of the first exchange nothing else is said: it proves that the peer
    // has the keys too.
    if (exchanges_ > 0) {
        release_held();
    }
}

// RFC 8308, with OpenSSH's own names.
void Transport::send_ext_info() {
    WireWriter out = begin_message(Message::ext_info);
    out.number<std::uint32_t>(3);
    put_text(out, "server-sig-algs");
    put_text(out, kSignatureAlgorithms);
    put_text(out, "publickey-hostbound@openssh.com");
    put_text(out, "0");
    put_text(out, "ping@openssh.com");
    put_text(out, "0");
    seal_now(out.view());
}

result<void> Transport::take_newkeys() {
    if (exchange_ == nullptr || !exchange_->answered) {
        return unexpected_message();
    }
    in_cipher_ = std::move(exchange_->next_in);
    in_sequence_ = strict_ ? 0 : in_sequence_;
    in_bytes_ = 0;
    in_key_packets_ = 0;
    exchange_ = nullptr;
    keyed_ = true;
    ++exchanges_;
    if (exchanges_ == 1) {
        release_held();
    }
    return {};
}

void Transport::release_held() {
    sending_blocked_ = false;
    held_bytes_ = 0;
    for (const Bytes& message : std::exchange(held_, {})) {
        seal_now(message);
    }
}

}  // namespace alknet::ssh
