#include <alknet/process/user.hpp>

#include <pwd.h>
#include <unistd.h>
#include <alknet/base/causes_exec.hpp>
#include <alknet/base/os_error.hpp>
#include <vector>

namespace alknet::process {

namespace {

constexpr std::size_t kUserBytes = 16 << 10;

void take(const passwd& entry, ProcessUser& into) {
    into.name = entry.pw_name;
    into.home = entry.pw_dir;
    into.shell = entry.pw_shell;
}

}  // namespace

result<ProcessUser> ProcessUser::find(const std::string& name) {
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(kUserBytes);
    const int failure = getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr) {
        return fail(causes::kProgramUser, failure == 0
                                              ? "there is no user '" + name + "'"
                                              : "user '" + name + "': " + os_error_text(failure));
    }
    ProcessUser user{.user = entry.pw_uid, .group = entry.pw_gid};
    take(entry, user);
    return user;
}

ProcessUser ProcessUser::current() {
    ProcessUser user{.user = geteuid(), .group = getegid()};
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(kUserBytes);
    (void)getpwuid_r(user.user, &entry, buffer.data(), buffer.size(), &found);
    if (found != nullptr) {
        take(entry, user);
    }
    return user;
}

}  // namespace alknet::process
