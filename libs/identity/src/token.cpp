#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/identity/token.hpp>

namespace alknet::identity {

namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kIdChars = 8;  // behind the prefix

}  // namespace

TokenHash token_hash(std::string_view token) noexcept {
    return crypto::sha256(as_bytes(token));
}

NewToken make_token() {
    crypto::SecretBytes secret(kSecretBytes);
    crypto::fill_random(secret.span());
    std::string text = std::string(kApiKeyPrefix) + base32_encode(secret.view());
    NewToken token{.id = text.substr(0, kApiKeyPrefix.size() + kIdChars),
                   .text = crypto::SecretBytes::copy_of(as_bytes(text)),
                   .hash = token_hash(text)};
    crypto::wipe(std::as_writable_bytes(std::span(text.data(), text.size())));
    return token;
}

result<std::optional<Identity>> resolve_stored_token(const PeerDirectory& peers,
                                                     std::string_view token, WallTime now) {
    if (token.empty() || token.size() > kTokenBytesMax) {
        return std::nullopt;
    }
    const TokenRecord* record = peers.find_token(token_hash(token));
    if (record == nullptr) {
        return std::nullopt;
    }
    if (record->expires && now >= *record->expires) {
        return fail(causes::kTokenInvalid, "token " + record->id + " has expired");
    }
    if (record->peer.empty()) {
        Identity identity{.id = record->id, .scopes = {}, .resources = {}};
        for (const Grant& grant : record->grants) {
            identity.scopes.push_back(grant.scope.text());
        }
        std::ranges::sort(identity.scopes);
        return identity;
    }
    const PeerRecord* peer = peers.find(record->peer);
    auto identity = peer == nullptr ? std::nullopt : identity_of(*peer, now);
    if (!identity) {
        return fail(causes::kTokenInvalid,
                    "token " + record->id + ": its peer is " +
                        std::string(peer == nullptr ? "gone" : to_string(standing_of(*peer, now))));
    }
    return identity;
}

}  // namespace alknet::identity
