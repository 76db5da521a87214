#include "run_as.hpp"

#include <unistd.h>
#include <alknet/base/causes_ssh.hpp>

namespace alknet::app {

result<std::optional<RunAs>> find_run_as(const config::SshRules& rules) {
    if (!rules.runs_programs()) {
        return std::nullopt;
    }
    RunAs found{.user = process::ProcessUser::current(), .own = true};
    if (!rules.run_as_self) {
        auto user = process::ProcessUser::find(rules.run_as);
        if (!user) {
            return fail(causes::kSshUser, "ssh.run_as: " + user.error().detail());
        }
        if (user->user == ::geteuid()) {
            return fail(causes::kSshUser,
                        "ssh.run_as: " + rules.run_as + " is the node's own user");
        }
        if (::geteuid() != 0) {
            return fail(causes::kSshUser,
                        "ssh.run_as: the node itself is not root, and can start nothing as " +
                            rules.run_as);
        }
        found = {.user = *std::move(user)};
    }
    if (!rules.shell.empty()) {
        found.user.shell = rules.shell.native();
    }
    return found;
}

}  // namespace alknet::app
