// A QR code for a terminal.
#pragma once

#include <alknet/base/result.hpp>
#include <string>
#include <string_view>

namespace alknet::app {

/// `text` of letters and digits, in upper case, which a QR code holds in less room: lines of half
/// blocks with a light margin. `colours`: says which is light, for terminals of either kind.
/// Errors: kLimit for a text that no QR code holds.
[[nodiscard]] result<std::string> qr_text(std::string_view text, bool colours);

}  // namespace alknet::app
