#include <alknet/base/utf8.hpp>
#include <cstdint>
#include <cstring>

namespace alknet {

CodePoint first_code_point(std::string_view text) noexcept {
    constexpr CodePoint kInvalid{.value = 0xfffd, .size = 1, .valid = false};
    const auto octet = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t lead = octet(0);
    if (lead < 0x80) {
        return {.value = lead, .size = 1, .valid = true};
    }
    std::size_t size = 2;
    char32_t value = lead & 0x1fU;
    char32_t smallest = 0x80;
    if (lead >= 0xf8 || lead < 0xc0) {
        return kInvalid;
    }
    if (lead >= 0xf0) {
        size = 4;
        value = lead & 0x07U;
        smallest = 0x10000;
    } else if (lead >= 0xe0) {
        size = 3;
        value = lead & 0x0fU;
        smallest = 0x800;
    }
    if (text.size() < size) {
        return kInvalid;
    }
    for (std::size_t i = 1; i < size; ++i) {
        if ((octet(i) & 0xc0U) != 0x80) {
            return kInvalid;
        }
        value = value << 6 | (octet(i) & 0x3fU);
    }
    const bool surrogate = value >= 0xd800 && value <= 0xdfff;
    if (value < smallest || value > 0x10ffff || surrogate) {
        return kInvalid;
    }
    return {.value = value, .size = size, .valid = true};
}

std::size_t valid_utf8_prefix(std::string_view text) noexcept {
    constexpr std::uint64_t kNotAscii = 0x8080808080808080;
    std::size_t taken = 0;
    while (taken < text.size()) {
        std::uint64_t eight = kNotAscii;
        if (text.size() - taken >= sizeof eight) {
            std::memcpy(&eight, text.data() + taken, sizeof eight);
        }
        if ((eight & kNotAscii) == 0) {
            taken += sizeof eight;
            continue;
        }
        const CodePoint point = first_code_point(text.substr(taken));
        if (!point.valid) {
            break;
        }
        taken += point.size;
    }
    return taken;
}

std::string to_valid_utf8(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (;;) {
        const std::size_t valid = valid_utf8_prefix(text);
        out.append(text.substr(0, valid));
        if (valid == text.size()) {
            return out;
        }
        out.append("\xef\xbf\xbd");
        text.remove_prefix(valid + 1);
    }
}

bool is_unprintable(char32_t c) noexcept {
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad || c == 0x61c || c == 0x180e ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
           (c >= 0xe0000 && c <= 0xe0fff);
}

}  // namespace alknet
