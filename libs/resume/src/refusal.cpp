#include "refusal.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/base/utf8.hpp>
#include <alknet/net/connection.hpp>

namespace alknet::resume {

error explain_refusal(const Refuse& refusal) {
    const Cause& cause = [&]() -> const Cause& {
        switch (refusal.code) {
            case close_code::kNoHandler:
                return causes::kNoHandler;
            case close_code::kAuthRequired:
                return causes::kAuthRequired;
            case close_code::kForbidden:
                return causes::kForbidden;
            case close_code::kLimit:
                return causes::kLimit;
            case close_code::kShutdown:
                return causes::kShuttingDown;
            case kUnknownStream:
                return causes::kResumeUnknown;
            default:
                return causes::kProtocol;
        }
    }();
    return error(cause, to_valid_utf8(refusal.text), refusal.code);
}

Refuse make_refusal(const error& why) {
    if (why.is(causes::kResumeUnknown)) {
        return {kUnknownStream, ""};
    }
    std::uint64_t code = default_close_code(why.condition());
    if (why.is(causes::kNoHandler)) {
        code = close_code::kNoHandler;
    } else if (why.is(causes::kShuttingDown)) {
        code = close_code::kShutdown;
    }
    return {static_cast<std::uint16_t>(code), why.detail().substr(0, kRefusalTextBytesMax)};
}

bool is_final(const error& why) noexcept {
    const bool refused = why.is(causes::kResumeUnknown) || why.is(causes::kAuthRequired) ||
                         why.is(causes::kForbidden) || why.is(causes::kProtocol);
    return refused || why.is(errc::cancelled);
}

}  // namespace alknet::resume
