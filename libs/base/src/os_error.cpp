#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <array>
#include <cstring>

namespace alknet {

std::string os_error_text(int number) {
    std::array<char, 256> buffer{};
    return strerror_r(number, buffer.data(), buffer.size());  // glibc's, which returns the text
}

std::unexpected<error> os_fail(std::string_view call, int number, std::string_view object) {
    std::string detail(call);
    if (!object.empty()) {
        detail.append(" ").append(object);
    }
    detail.append(": ").append(os_error_text(number));
    return fail(causes::kIo, std::move(detail));
}

}  // namespace alknet
