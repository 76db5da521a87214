// One finding about this machine or this node: what was looked at, what was found, what follows
// from it and what to do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::doctor {

enum class Status : std::uint8_t { ok, warn, fail, skipped };
[[nodiscard]] std::string_view to_string(Status status) noexcept;

struct Check {
    std::string group;  // "node", "system", "network", "certificates"
    std::string name;   // "clock"; the same in every run, but for what tells several apart
    Status status = Status::ok;
    std::string value;        // what was found
    std::string consequence;  // of a warning or a failure; else empty
    std::string next;         // what to do about it; else empty

    bool operator==(const Check&) const = default;
};

/// The worst of them; ok if there are none. Skipped counts as ok.
[[nodiscard]] Status worst(const std::vector<Check>& checks) noexcept;

}  // namespace alknet::doctor
