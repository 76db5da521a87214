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
constexpr std::string_view kCertified = "cert:";
constexpr std::string_view kCertifiedLine = "cert-authority,principals=\"";
constexpr std::string_view kQuoteEnd = "\" ";
constexpr std::string_view kOwnLine = "cert-authority ";
constexpr std::size_t kPrincipalBytesMax = 64;

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

// A key by itself.
result<std::string> parse_key(std::string_view text) {
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

bool names_authority(std::string_view text) noexcept {
    return text.starts_with(kCertified) || text.starts_with(kCertifiedLine) ||
           text.starts_with(kOwnLine);
}

// Of whom an authority has signed a certificate for. An empty principal is whoever has the key.
result<std::string> parse_certified(std::string_view principal, std::string_view authority) {
    const bool plain = std::ranges::all_of(principal, [](unsigned char c) {
        return c > ' ' && c < 0x7F && c != ':' && c != ',' && c != '"';
    });
    if (principal.size() > kPrincipalBytesMax || !plain) {
        return fail(causes::kKeyInvalid, "a principal is a name of at most 64 characters");
    }
    ALKNET_TRY(const std::string key, parse_key(authority));
    if (!key.starts_with(kRawPrefix) && !key.starts_with(kSshPrefix)) {
        return fail(causes::kKeyInvalid, "the authority is an SSH key");
    }
    return std::string(kCertified) + std::string(principal) + ":" + key;
}

// One that `names_authority`.
result<std::string> parse_authority(std::string_view text) {
    if (text.starts_with(kOwnLine)) {
        return parse_certified({}, text.substr(kOwnLine.size()));
    }
    const bool line = text.starts_with(kCertifiedLine);
    text.remove_prefix(line ? kCertifiedLine.size() : kCertified.size());
    const std::string_view end = line ? kQuoteEnd : std::string_view(":");
    const std::size_t size = text.find(end);
    if (size == std::string_view::npos || (line && size == 0)) {
        return fail(causes::kKeyInvalid, "a principal and the key of an authority are wanted");
    }
    return parse_certified(text.substr(0, size), text.substr(size + end.size()));
}

}  // namespace

result<std::string> parse_fingerprint(std::string_view text) {
    return names_authority(text) ? parse_authority(text) : parse_key(text);
}

std::string with_principal(std::string canonical, std::string_view name) {
    const bool nobodys = canonical.starts_with(kCertified) &&
                         std::string_view(canonical).substr(kCertified.size()).starts_with(':');
    return nobodys ? canonical.insert(kCertified.size(), name) : canonical;
}

std::vector<std::string> fingerprint_aliases(const std::string& canonical) {
    std::vector<std::string> aliases{canonical};
    const bool certified = canonical.starts_with(kCertified);
    const std::size_t begin = certified ? canonical.find(':', kCertified.size()) + 1 : 0;
    const std::string key = canonical.substr(begin);
    if (key.starts_with(kRawPrefix)) {
        if (const auto id = NodeId::parse(key)) {
            aliases.push_back(canonical.substr(0, begin) + id->openssh_fingerprint());
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
