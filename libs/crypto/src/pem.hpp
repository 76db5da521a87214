// The text form of private keys (RFC 7468): what stands between BEGIN and END.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/crypto/secret_bytes.hpp>
#include <string_view>

namespace alknet::crypto {

/// Octets of a block at most: an OpenSSH key has a comment.
inline constexpr std::size_t kPemBytesMax = 4096;

struct PemBlock {
    std::string_view label;  // "PRIVATE KEY"
    std::string_view body;   // base64 with white space
};

/// The first block of the text, which the block points into. Errors: kKeyInvalid.
result<PemBlock> first_pem_block(BytesView text);

/// The octets of the block, in strict base64. Errors: kKeyInvalid, also for more than kPemBytesMax.
result<SecretBytes> decode_pem(const PemBlock& block);

}  // namespace alknet::crypto
