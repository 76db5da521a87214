#include <algorithm>
#include <alknet/doctor/check.hpp>

namespace alknet::doctor {

std::string_view to_string(Status status) noexcept {
    switch (status) {
        case Status::ok:
            return "ok";
        case Status::warn:
            return "warn";
        case Status::fail:
            return "fail";
        case Status::skipped:
            break;
    }
    return "skipped";
}

Status worst(const std::vector<Check>& checks) noexcept {
    Status found = Status::ok;
    for (const Check& check : checks) {
        if (check.status != Status::skipped) {
            found = std::max(found, check.status);
        }
    }
    return found;
}

}  // namespace alknet::doctor
