#include "pem.hpp"

#include <alknet/base/causes.hpp>
#include <string>

#include "sodium.hpp"

namespace alknet::crypto {

namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kDashes = "-----";

}  // namespace

result<PemBlock> first_pem_block(BytesView bytes) {
    const std::string_view text = as_text(bytes);
    const std::size_t begin = text.find(kBegin);
    const std::size_t label_begin = begin + kBegin.size();
    const std::size_t label_end =
        begin == std::string_view::npos ? begin : text.find(kDashes, label_begin);
    if (label_end == std::string_view::npos) {
        return fail(causes::kKeyInvalid, "the file holds no private key");
    }
    const std::string_view label = text.substr(label_begin, label_end - label_begin);
    const std::string_view rest = text.substr(label_end + kDashes.size());
    const std::string end = std::string(kEnd).append(label).append(kDashes);
    const std::string_view body = rest.substr(0, rest.find(end));
    if (body.size() == rest.size()) {
        return fail(causes::kKeyInvalid, "its PEM block is damaged");
    }
    return PemBlock{.label = label, .body = body};
}

result<SecretBytes> decode_pem(const PemBlock& block) {
    SecretBytes octets_of_block(kPemBytesMax);
    std::size_t size = 0;
    const char* stopped = nullptr;
    const bool decoded = sodium_base642bin(octets(octets_of_block.span()), octets_of_block.size(),
                                           block.body.data(), block.body.size(), " \t\r\n", &size,
                                           &stopped, sodium_base64_VARIANT_ORIGINAL) == 0;
    if (!decoded || stopped != block.body.data() + block.body.size()) {
        return fail(causes::kKeyInvalid, "its PEM block is damaged");
    }
    return SecretBytes::copy_of(octets_of_block.view().first(size));
}

}  // namespace alknet::crypto
