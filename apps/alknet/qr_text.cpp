#include "qr_text.hpp"

#include <qrencode.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <memory>

namespace alknet::app {

namespace {

constexpr int kMargin = 4;  // ISO/IEC 18004

struct FreeCode {
    void operator()(QRcode* code) const noexcept { QRcode_free(code); }
};

bool is_light(const QRcode& code, int x, int y) {
    const bool inside = x >= 0 && y >= 0 && x < code.width && y < code.width;
    return !inside || (code.data[y * code.width + x] & 1U) == 0;
}

}  // namespace

result<std::string> qr_text(std::string_view text, bool colours) {
    std::string upper(text);
    std::ranges::transform(upper, upper.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    const std::unique_ptr<QRcode, FreeCode> code(
        QRcode_encodeString(upper.c_str(), 0, QR_ECLEVEL_L, QR_MODE_8, 1));
    if (code == nullptr) {
        return fail(causes::kLimit, "this is too long for a QR code");
    }
    std::string out;
    for (int y = -kMargin; y < code->width + kMargin; y += 2) {
        out += colours ? "\x1b[97;40m" : "";
        for (int x = -kMargin; x < code->width + kMargin; ++x) {
            const bool above = is_light(*code, x, y);
            const bool below = is_light(*code, x, y + 1);
            out += above ? (below ? "█" : "▀") : (below ? "▄" : " ");
        }
        out += colours ? "\x1b[0m\n" : "\n";
    }
    return out;
}

}  // namespace alknet::app
