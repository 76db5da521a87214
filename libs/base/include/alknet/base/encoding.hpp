// Bytes as text: hex and base64 (RFC 4648), base32 in three alphabets. Decoding is strict, so that
// each value has one text (apart from letter case where it does not matter): no white space, no
// missing or superfluous padding, no stray bits at the end.
#pragma once

#include <alknet/base/bytes.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace alknet {

/// Lower case.
[[nodiscard]] std::string hex_encode(BytesView bytes);
/// Either case.
[[nodiscard]] std::optional<Bytes> hex_decode(std::string_view text);

/// Never padded here.
enum class Base32 : std::uint8_t {
    rfc4648,  // A-Z2-7, written in lower case
    dnssec,   // RFC 4648 section 7 ("base32hex"), in lower case: 0-9a-v
    z,        // z-base-32, as pkarr uses it
};
[[nodiscard]] std::string base32_encode(BytesView bytes, Base32 alphabet = Base32::rfc4648);
/// Either case.
[[nodiscard]] std::optional<Bytes> base32_decode(std::string_view text,
                                                 Base32 alphabet = Base32::rfc4648);

enum class Base64 : std::uint8_t {
    standard,  // RFC 4648 section 4, padded
    unpadded,  // the same without padding, as in OpenSSH fingerprints
    url,       // section 5, not padded
};
[[nodiscard]] std::string base64_encode(BytesView bytes, Base64 variant = Base64::standard);
[[nodiscard]] std::optional<Bytes> base64_decode(std::string_view text,
                                                 Base64 variant = Base64::standard);

}  // namespace alknet
