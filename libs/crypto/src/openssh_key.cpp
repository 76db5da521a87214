#include "openssh_key.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <optional>
#include <string_view>

#include "pkcs8.hpp"

namespace alknet::crypto {

namespace {

constexpr std::string_view kMagic("openssh-key-v1\0", 15);
constexpr std::string_view kEd25519 = "ssh-ed25519";
constexpr std::string_view kNone = "none";
constexpr std::size_t kPublicBytes = 32;
constexpr std::size_t kBlockBytes = 8;  // to which the private part is padded without a cipher

// Takes what SSH packets are made of (RFC 4251 section 5) off the front; after something that is
// not there, everything is empty.
class Reader {
public:
    explicit Reader(BytesView octets) noexcept : rest_(octets) {}

    std::uint32_t number() noexcept {
        std::uint32_t value = 0;
        for (const std::byte octet : take(sizeof value)) {
            value = value << 8 | std::to_integer<std::uint32_t>(octet);
        }
        return value;
    }
    BytesView string() noexcept { return take(number()); }
    std::string_view text() noexcept { return as_text(string()); }
    [[nodiscard]] BytesView rest() const noexcept { return rest_; }
    [[nodiscard]] bool short_of() const noexcept { return short_; }

private:
    BytesView take(std::size_t size) noexcept {
        if (size > rest_.size()) {
            short_ = true;
            rest_ = {};
            return {};
        }
        const BytesView taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }

    BytesView rest_;
    bool short_ = false;
};

std::unexpected<error> damaged() {
    return fail(causes::kKeyInvalid, "the OpenSSH private key is damaged");
}

// 1, 2, 3, … up to a whole block.
bool is_padding(BytesView octets) noexcept {
    for (std::size_t i = 0; i < octets.size(); ++i) {
        if (std::to_integer<std::size_t>(octets[i]) != i + 1) {
            return false;
        }
    }
    return octets.size() < kBlockBytes;
}

result<SecretBytes> seed_of_private_part(BytesView part, BytesView public_key) {
    Reader in(part);
    const std::uint32_t check = in.number();
    const bool whole = check == in.number();
    if (whole && in.text() != kEd25519 && !in.short_of()) {
        return fail(causes::kKeyInvalid, "not an Ed25519 private key");
    }
    const BytesView again = in.string();
    const BytesView pair = in.string();
    (void)in.string();  // the comment
    if (!whole || in.short_of() || !is_padding(in.rest()) || part.size() % kBlockBytes != 0 ||
        pair.size() != kSeedBytes + kPublicBytes || !std::ranges::equal(again, public_key) ||
        !std::ranges::equal(pair.last(kPublicBytes), public_key)) {
        return damaged();
    }
    const BytesView seed = pair.first(kSeedBytes);
    if (!belongs_to_seed(public_key, seed)) {
        return fail(causes::kKeyInvalid, "its public and private half do not belong together");
    }
    return SecretBytes::copy_of(seed);
}

}  // namespace

result<SecretBytes> seed_of_openssh(BytesView block) {
    if (block.size() < kMagic.size() || as_text(block.first(kMagic.size())) != kMagic) {
        return damaged();
    }
    Reader in(block.subspan(kMagic.size()));
    const std::string_view cipher = in.text();
    const std::string_view derivation = in.text();
    (void)in.string();  // the derivation's options
    const std::uint32_t keys = in.number();
    Reader key(in.string());
    const std::string_view kind = key.text();
    const BytesView public_key = key.string();
    const BytesView private_part = in.string();
    if (in.short_of() || !in.rest().empty() || keys != 1) {
        return damaged();
    }
    if (cipher != kNone || derivation != kNone) {
        return fail(causes::kKeyInvalid,
                    "the private key has a passphrase; make a copy without one: "
                    "cp FILE COPY && ssh-keygen -p -N '' -f COPY");
    }
    if (kind != kEd25519) {
        return fail(causes::kKeyInvalid, "not an Ed25519 private key");
    }
    if (key.short_of() || !key.rest().empty() || public_key.size() != kPublicBytes) {
        return damaged();
    }
    return seed_of_private_part(private_part, public_key);
}

}  // namespace alknet::crypto
