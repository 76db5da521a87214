#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/core/static_identities.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/identity/fingerprint.hpp>

namespace alknet::identity {

namespace {

constexpr std::string_view kSshPrefix = "SHA256:";
constexpr std::string_view kRawPrefix = "ed25519:";
constexpr std::size_t kDigestSize = 32;

// What ssh-keygen -l prints: `256 SHA256:DIGITS comment (ED25519)`. Gives the second word; of keys
// that nobody can prove here, nothing.
std::string_view of_listing(std::string_view text) noexcept {
    constexpr std::string_view kFirst = "256 ";
    constexpr std::string_view kLast = " (ED25519)";
    while (text.ends_with('\n') || text.ends_with('\r')) {
        text.remove_suffix(1);
    }
    if (!text.starts_with(kFirst) || !text.ends_with(kLast)) {
        return {};
    }
    text.remove_prefix(kFirst.size());
    text.remove_suffix(kLast.size());
    return text.substr(0, text.find(' '));
}

}  // namespace

result<std::string> parse_fingerprint(std::string_view text) {
    if (const std::string_view listed = of_listing(text); listed.starts_with(kSshPrefix)) {
        text = listed;
    }
    if (!text.starts_with(kSshPrefix)) {
        return canonical_fingerprint(text);
    }
    std::string_view digits = text.substr(kSshPrefix.size());
    if (digits.ends_with('=')) {
        digits.remove_suffix(1);
    }
    const auto digest = base64_decode(digits, Base64::unpadded);
    if (!digest || digest->size() != kDigestSize) {
        return fail(causes::kKeyInvalid, "SHA256: takes 43 base64 digits");
    }
    return std::string(kSshPrefix).append(digits);
}

std::vector<std::string> fingerprint_aliases(const std::string& canonical) {
    std::vector<std::string> aliases{canonical};
    if (canonical.starts_with(kRawPrefix)) {
        if (const auto id = NodeId::parse(canonical)) {
            aliases.push_back(id->openssh_fingerprint());
        }
    }
    return aliases;
}

KeyId key_id(const NodeId& id) noexcept {
    const auto digest = crypto::sha256(id.bytes());
    KeyId key{};
    std::copy_n(digest.begin(), key.size(), key.begin());
    return key;
}

std::optional<NodeId> key_of_fingerprint(std::string_view canonical) {
    if (!canonical.starts_with(kRawPrefix)) {
        return std::nullopt;
    }
    const auto octets = hex_decode(canonical.substr(kRawPrefix.size()));
    std::array<std::byte, NodeId::kSize> key{};
    if (!octets || octets->size() != key.size()) {
        return std::nullopt;
    }
    std::ranges::copy(*octets, key.begin());
    return NodeId(key);
}

}  // namespace alknet::identity
