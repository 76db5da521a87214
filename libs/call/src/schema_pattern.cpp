#include "schema_pattern.hpp"

#include <re2/re2.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <string>

namespace alknet::call {

namespace {

constexpr std::int64_t kPatternMemoryMax = 256 << 10;  // octets, compiled

}  // namespace

result<Pattern> Pattern::compile(std::string_view text) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_never_capture(true);
    options.set_max_mem(kPatternMemoryMax);
    auto compiled =
        std::make_shared<const re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
    if (!compiled->ok()) {
        return fail(causes::kUsage, "pattern: " + compiled->error());
    }
    Pattern pattern;
    pattern.compiled_ = std::move(compiled);
    return pattern;
}

bool Pattern::found_in(std::string_view text) const {
    return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

std::size_t Pattern::states() const noexcept {
    return static_cast<std::size_t>(std::max(compiled_->ProgramSize(), 1));
}

std::size_t Pattern::steps(std::string_view text) const noexcept {
    constexpr std::size_t kStatesOfOneStep = 1024;
    return 1 + text.size() * states() / kStatesOfOneStep;
}

}  // namespace alknet::call
