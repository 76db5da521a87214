#include <alknet/base/result.hpp>

namespace alknet {

std::string_view to_string(errc condition) noexcept {
    switch (condition) {
        case errc::closed:
            return "closed";
        case errc::reset:
            return "reset";
        case errc::cancelled:
            return "cancelled";
        case errc::timeout:
            return "timeout";
        case errc::auth_required:
            return "auth_required";
        case errc::forbidden:
            return "forbidden";
        case errc::protocol:
            return "protocol";
        case errc::limit:
            return "limit";
        case errc::unavailable:
            return "unavailable";
        case errc::not_found:
            return "not_found";
        case errc::exists:
            return "exists";
        case errc::invalid:
            return "invalid";
        case errc::io:
            return "io";
        case errc::internal:
            return "internal";
    }
    return "unknown";
}

error error::within(std::string_view where) && {
    detail_ = detail_.empty() ? std::string(where) : std::string(where) + ": " + detail_;
    return std::move(*this);
}

std::string error::message() const {
    std::string text(cause_->what);
    if (!detail_.empty()) {
        text += ": " + detail_;
    }
    if (!cause_->next.empty()) {
        text += " (" + std::string(cause_->next) + ")";
    }
    return text;
}

}  // namespace alknet
