#include "handles.hpp"

#include <gnutls/crypto.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/crypto/secret_bytes.hpp>
#include <alknet/tls/session.hpp>
#include <string>

namespace alknet::tls {

namespace {

constexpr std::size_t kHashBytesMax = 48;
constexpr std::string_view kPrefix = "tls13 ";
using Hash = std::array<std::byte, kHashBytesMax>;

gnutls_mac_algorithm_t mac_for(std::size_t hash_bytes) noexcept {
    return hash_bytes == 32 ? GNUTLS_MAC_SHA256 : GNUTLS_MAC_SHA384;
}

Hash hash_of(std::size_t hash_bytes, BytesView data) noexcept {
    Hash digest{};
    gnutls_hash_fast(hash_bytes == 32 ? GNUTLS_DIG_SHA256 : GNUTLS_DIG_SHA384, data.data(),
                     data.size(), digest.data());
    return digest;
}

/// HKDF-Expand-Label, RFC 8446 section 7.1.
bool expand_label(BytesView secret, std::string_view label, BytesView context, MutableBytes out) {
    std::string info;
    info += static_cast<char>(out.size() >> 8U);
    info += static_cast<char>(out.size());
    info += static_cast<char>(kPrefix.size() + label.size());
    info += kPrefix;
    info += label;
    info += static_cast<char>(context.size());
    info += as_text(context);
    const gnutls_datum_t key = datum_of(secret);
    const gnutls_datum_t info_datum = datum_of(as_bytes(info));
    return gnutls_hkdf_expand(mac_for(secret.size()), &key, &info_datum, out.data(), out.size()) ==
           0;
}

}  // namespace

result<std::unique_ptr<const Exporter>> Exporter::create(BytesView secret) {
    if (secret.size() != 32 && secret.size() != 48) {
        return fail(causes::kNotSupported,
                    "an exporter secret of " + std::to_string(secret.size()) + " octets");
    }
    std::unique_ptr<Exporter> exporter(new Exporter);
    std::ranges::copy(secret, exporter->secret_.begin());
    exporter->size_ = secret.size();
    return exporter;
}

Exporter::~Exporter() {
    crypto::wipe(secret_);
}

result<void> Exporter::export_keying_material(std::string_view label, BytesView context,
                                              MutableBytes out) const {
    if (label.size() > kLabelBytesMax || out.size() > 255 * size_) {
        return fail(causes::kNotSupported, "keying material with such a label or of such a length");
    }
    const BytesView secret = BytesView(secret_).first(size_);
    const Hash nothing = hash_of(size_, {});
    const Hash context_hash = hash_of(size_, context);
    Hash derived{};
    const MutableBytes inner = MutableBytes(derived).first(size_);
    const bool done = expand_label(secret, label, BytesView(nothing).first(size_), inner) &&
                      expand_label(inner, "exporter", BytesView(context_hash).first(size_), out);
    crypto::wipe(derived);
    if (!done) {
        return fail(causes::kInternal, "the key derivation failed");
    }
    return {};
}

}  // namespace alknet::tls
