// What the program's exit codes mean. One table for the program, its help and its manual page.
#pragma once

#include <alknet/base/result.hpp>
#include <span>
#include <string_view>

namespace alknet::app {

enum class ExitCode : int {
    ok = 0,
    failure = 1,
    usage = 2,
    config = 3,
    unreachable = 4,
    refused = 5,
    interrupted = 130,
    output_closed = 141,
};

struct ExitCodeInfo {
    ExitCode code;
    std::string_view about;
};

[[nodiscard]] std::span<const ExitCodeInfo> exit_codes() noexcept;

/// The code for a command that ends with `failure`.
[[nodiscard]] ExitCode exit_code(const error& failure) noexcept;

}  // namespace alknet::app
