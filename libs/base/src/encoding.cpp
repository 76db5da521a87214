#include <alknet/base/encoding.hpp>
#include <array>

namespace alknet {

namespace {

constexpr std::uint8_t kNoDigit = 0xff;

/// Digits of 4, 5 or 6 bits, the most significant bit first.
struct Alphabet {
    std::string_view digits;
    unsigned bits;
    std::array<std::uint8_t, 256> values{};

    constexpr Alphabet(std::string_view d, unsigned b, bool either_case) : digits(d), bits(b) {
        values.fill(kNoDigit);
        for (std::size_t i = 0; i < digits.size(); ++i) {
            const char digit = digits[i];
            values[static_cast<unsigned char>(digit)] = static_cast<std::uint8_t>(i);
            if (either_case && digit >= 'a' && digit <= 'z') {
                values[static_cast<unsigned char>(digit - 'a' + 'A')] =
                    static_cast<std::uint8_t>(i);
            }
        }
    }
};

constexpr Alphabet kHex("0123456789abcdef", 4, true);
constexpr Alphabet kBase32("abcdefghijklmnopqrstuvwxyz234567", 5, true);
constexpr Alphabet kBase32Dnssec("0123456789abcdefghijklmnopqrstuv", 5, true);
constexpr Alphabet kZBase32("ybndrfg8ejkmcpqxot1uwisza345h769", 5, true);
constexpr Alphabet kBase64("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6,
                           false);
constexpr Alphabet kBase64Url("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 6,
                              false);

std::string encode(BytesView bytes, const Alphabet& alphabet) {
    std::string text;
    text.reserve((bytes.size() * 8 + alphabet.bits - 1) / alphabet.bits);
    const unsigned mask = (1U << alphabet.bits) - 1;
    unsigned pending = 0;
    unsigned pending_bits = 0;
    for (const std::byte byte : bytes) {
        pending = pending << 8 | std::to_integer<unsigned>(byte);
        for (pending_bits += 8; pending_bits >= alphabet.bits;) {
            pending_bits -= alphabet.bits;
            text.push_back(alphabet.digits[pending >> pending_bits & mask]);
        }
    }
    if (pending_bits > 0) {
        text.push_back(alphabet.digits[pending << (alphabet.bits - pending_bits) & mask]);
    }
    return text;
}

std::optional<Bytes> decode(std::string_view text, const Alphabet& alphabet) {
    Bytes bytes;
    bytes.reserve(text.size() * alphabet.bits / 8);
    unsigned pending = 0;
    unsigned pending_bits = 0;
    for (const char c : text) {
        const std::uint8_t digit = alphabet.values[static_cast<unsigned char>(c)];
        if (digit == kNoDigit) {
            return std::nullopt;
        }
        pending = pending << alphabet.bits | digit;
        pending_bits += alphabet.bits;
        if (pending_bits >= 8) {
            pending_bits -= 8;
            bytes.push_back(static_cast<std::byte>(pending >> pending_bits & 0xff));
        }
    }
    // A whole digit left over means a digit too many; bits left over must be zero.
    if (pending_bits >= alphabet.bits || (pending & ((1U << pending_bits) - 1)) != 0) {
        return std::nullopt;
    }
    return bytes;
}

const Alphabet& alphabet_of(Base32 alphabet) noexcept {
    switch (alphabet) {
        case Base32::dnssec:
            return kBase32Dnssec;
        case Base32::z:
            return kZBase32;
        case Base32::rfc4648:
            break;
    }
    return kBase32;
}

}  // namespace

std::string hex_encode(BytesView bytes) {
    return encode(bytes, kHex);
}

std::optional<Bytes> hex_decode(std::string_view text) {
    return decode(text, kHex);
}

std::string base32_encode(BytesView bytes, Base32 alphabet) {
    return encode(bytes, alphabet_of(alphabet));
}

std::optional<Bytes> base32_decode(std::string_view text, Base32 alphabet) {
    return decode(text, alphabet_of(alphabet));
}

std::string base64_encode(BytesView bytes, Base64 variant) {
    std::string text = encode(bytes, variant == Base64::url ? kBase64Url : kBase64);
    if (variant == Base64::standard) {
        text.resize((text.size() + 3) / 4 * 4, '=');
    }
    return text;
}

std::optional<Bytes> base64_decode(std::string_view text, Base64 variant) {
    if (variant == Base64::standard) {
        if (text.size() % 4 != 0) {
            return std::nullopt;
        }
        for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) {
            text.remove_suffix(1);
        }
    }
    return decode(text, variant == Base64::url ? kBase64Url : kBase64);
}

}  // namespace alknet
