#include "key_exchange.hpp"

#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>

#include "messages.hpp"
#include "openssl.hpp"

namespace alknet::ssh {

namespace {

class Sha256 {
public:
    Sha256() : context_(EVP_MD_CTX_new()) {
        ALKNET_ASSERT(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
    }
    void add(BytesView bytes) {
        ALKNET_ASSERT(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
    }
    void add_string(BytesView bytes) {
        WireWriter size;
        size.number(static_cast<std::uint32_t>(bytes.size()));
        add(size.view());
        add(bytes);
    }
    Digest finish() {
        Digest digest{};
        unsigned int size = 0;
        ALKNET_ASSERT(EVP_DigestFinal_ex(context_.get(), octets(MutableBytes(digest)), &size) == 1);
        return digest;
    }

private:
    DigestContext context_;
};

Pkey private_key(BytesView secret) {
    return Pkey(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, octets(secret), secret.size()));
}

}  // namespace

KeyShare::KeyShare(BytesView secret) : secret_(crypto::SecretBytes::copy_of(secret)) {
    const Pkey key = private_key(secret_.view());
    std::size_t size = share_.size();
    ALKNET_ASSERT(key &&
                  EVP_PKEY_get_raw_public_key(key.get(), octets(MutableBytes(share_)), &size) == 1);
}

result<crypto::SecretBytes> KeyShare::agree(BytesView peer) const {
    const auto refused = [] { return fail(causes::kProtocol, "an unusable share of the key"); };
    if (peer.size() != kShareBytes) {
        return refused();
    }
    const Pkey own = private_key(secret_.view());
    const Pkey theirs(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, octets(peer), peer.size()));
    const PkeyContext context(EVP_PKEY_CTX_new(own.get(), nullptr));
    crypto::SecretBytes raw(kShareBytes);
    std::size_t size = raw.size();
    // A result of zeros alone is an error there (RFC 7748 section 6.1).
    if (!theirs || !context || EVP_PKEY_derive_init(context.get()) != 1 ||
        EVP_PKEY_derive_set_peer(context.get(), theirs.get()) != 1 ||
        EVP_PKEY_derive(context.get(), octets(raw.span()), &size) != 1 || size != kShareBytes) {
        return refused();
    }
    const auto zeros = static_cast<std::size_t>(
        std::ranges::find_if(raw.view(), [](std::byte octet) { return octet != std::byte{0}; }) -
        raw.view().begin());
    if (zeros == kShareBytes) {
        return refused();
    }
    const BytesView digits = raw.view().subspan(zeros);
    const std::size_t sign = static_cast<std::uint8_t>(digits.front()) >= 0x80 ? 1 : 0;
    crypto::SecretBytes number(4 + sign + digits.size());
    number.span()[3] = static_cast<std::byte>(sign + digits.size());
    std::ranges::copy(digits, number.span().begin() + 4 + static_cast<std::ptrdiff_t>(sign));
    return number;
}

Digest exchange_hash(const ExchangeInput& input) {
    Sha256 hash;
    hash.add_string(as_bytes(input.client_ident));
    hash.add_string(as_bytes(input.server_ident));
    for (const BytesView part : {input.client_init, input.server_init, input.host_key,
                                 input.client_share, input.server_share}) {
        hash.add_string(part);
    }
    hash.add(input.shared);
    return hash.finish();
}

void derive_key(BytesView shared, BytesView hash, char letter, BytesView session_id,
                MutableBytes into) {
    Digest block{};
    for (std::size_t done = 0; done < into.size(); done += block.size()) {
        Sha256 next;
        next.add(shared);
        next.add(hash);
        if (done == 0) {
            next.add(as_bytes(std::string_view(&letter, 1)));
            next.add(session_id);
        } else {
            next.add(into.first(done));
        }
        block = next.finish();
        std::copy_n(block.begin(), std::min(block.size(), into.size() - done),
                    into.begin() + static_cast<std::ptrdiff_t>(done));
    }
    crypto::wipe(block);
}

}  // namespace alknet::ssh
