// Whom a process runs as.
#pragma once

#include <sys/types.h>
#include <alknet/base/result.hpp>
#include <string>

namespace alknet::process {

/// It has no further groups.
struct ProcessUser {
    uid_t user = 0;
    gid_t group = 0;
    std::string name{};
    std::string home{};
    std::string shell{};

    bool operator==(const ProcessUser&) const = default;

    /// From the system's users. It may ask the network. Errors: kProgramUser.
    [[nodiscard]] static result<ProcessUser> find(const std::string& name);
    /// Whom this process runs as; without a name if the system has none.
    [[nodiscard]] static ProcessUser current();
};

/// Whom something runs as for others.
struct RunAs {
    ProcessUser user;
    bool own = false;  // this process's own user, whom nothing needs to become

    bool operator==(const RunAs&) const = default;
};

}  // namespace alknet::process
