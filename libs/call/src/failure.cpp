#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/call/failure.hpp>
#include <array>

namespace alknet::call {

namespace {

std::string_view code_of(const error& why) noexcept {
    if (why.is(causes::kNoHandler)) {
        return failure_code::kNotFound;
    }
    if (why.is(causes::kShuttingDown)) {
        return failure_code::kUnavailable;
    }
    if (why.is(causes::kOperationType)) {
        return failure_code::kInvalidOperationType;
    }
    switch (why.condition()) {
        case errc::not_found:
            return failure_code::kNotFound;
        case errc::forbidden:
        case errc::auth_required:
            return failure_code::kForbidden;
        case errc::invalid:
        case errc::exists:
            return failure_code::kInvalidInput;
        case errc::timeout:
            return failure_code::kTimeout;
        case errc::cancelled:
            return failure_code::kAborted;
        case errc::limit:
            return failure_code::kLimit;
        case errc::unavailable:
            return failure_code::kUnavailable;
        case errc::protocol:
            return failure_code::kProtocol;
        default:
            return failure_code::kInternal;
    }
}

bool may_try_again(const error& why) noexcept {
    const errc condition = why.condition();
    const bool later = condition == errc::timeout || condition == errc::limit ||
                       condition == errc::unavailable || why.is(causes::kShuttingDown);
    return later && !why.is(causes::kNoHandler) && !why.is(causes::kImportLost);
}

struct Meaning {
    std::string_view code;
    const Cause* cause;
};

constexpr std::array kMeanings = {
    Meaning{failure_code::kNotFound, &causes::kNoOperation},
    Meaning{failure_code::kForbidden, &causes::kForbidden},
    Meaning{failure_code::kInvalidInput, &causes::kUsage},
    Meaning{failure_code::kTimeout, &causes::kTimeout},
    Meaning{failure_code::kAborted, &causes::kCancelled},
    Meaning{failure_code::kLimit, &causes::kLimit},
    Meaning{failure_code::kUnavailable, &causes::kShuttingDown},
    Meaning{failure_code::kProtocol, &causes::kProtocol},
    Meaning{failure_code::kInvalidOperationType, &causes::kOperationType},
};

}  // namespace

Failed to_failed(const error& why) {
    return {.code = std::string(code_of(why)),
            .message = std::string(why.cause().what),
            .retryable = may_try_again(why),
            .details = Json::object({{"cause", why.cause().id}, {"detail", why.detail()}})};
}

error to_error(const Failed& failure) {
    if (const Cause* cause = find_cause(failure.details.text_of("cause")); cause != nullptr) {
        return error(*cause, std::string(failure.details.text_of("detail")));
    }
    const auto found = std::ranges::find(kMeanings, failure.code, &Meaning::code);
    const Cause& cause = found == kMeanings.end() ? causes::kHandlerFailed : *found->cause;
    return error(cause, failure.code + ": " + failure.message);
}

}  // namespace alknet::call
