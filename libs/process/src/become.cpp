#include "become.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <csignal>

#include "keeper.hpp"

namespace alknet::process {

namespace {

constexpr int kSocketFd = 3;   // as sd_listen_fds(3) has it
constexpr int kFailureFd = 4;  // closed by exec
constexpr std::size_t kDigitsMax = 20;
constexpr int kGaveUp = 127;

void add_limit(std::vector<Limit>& limits, __rlimit_resource_t resource,
               std::optional<std::uint64_t> value) {
    if (!value) {
        return;
    }
    // Only root can have more than it has been given.
    rlimit now{};
    if (geteuid() != 0 && getrlimit(resource, &now) == 0) {
        value = std::min<std::uint64_t>(*value, now.rlim_max);
    }
    limits.push_back({.resource = resource, .value = {.rlim_cur = *value, .rlim_max = *value}});
}

}  // namespace

std::string_view to_string(Step step) noexcept {
    switch (step) {
        case Step::session:
            return "a session of its own";
        case Step::terminal:
            return "its terminal";
        case Step::files:
            return "its descriptors";
        case Step::limits:
            return "its limits";
        case Step::user:
            return "its user";
        case Step::parent:
            return "the end of the node";
        case Step::directory:
            return "its directory";
        case Step::program:
            break;
    }
    return "the program";
}

Becoming::Becoming(const ProcessOptions& options, ChildFiles files)
    : files_(files),
      parent_(getpid()),
      directory_(options.directory.c_str()),
      root_will_do_(options.root_will_do),
      file_mask_(options.file_mask),
      program_(options.command.front().c_str()),
      words_(options.command),
      variables_(options.environment) {
    if (files_.socket >= 0) {
        variables_.push_back("LISTEN_PID=" + std::string(kDigitsMax, '\0'));
    }
    if (!options.called.empty()) {
        words_.front() = options.called;
    }
    for (std::string& word : words_) {
        arguments_.push_back(word.data());
    }
    arguments_.push_back(nullptr);
    for (std::string& variable : variables_) {
        environment_.push_back(variable.data());
    }
    environment_.push_back(nullptr);
    if (files_.socket >= 0) {
        own_id_ = variables_.back().data() + std::string_view("LISTEN_PID=").size();
    }
    add_limit(limits_, RLIMIT_DATA, options.limits.data_bytes);
    add_limit(limits_, RLIMIT_AS, options.limits.address_bytes);
    add_limit(limits_, RLIMIT_NOFILE, options.limits.files);
    add_limit(limits_, RLIMIT_NPROC, options.limits.processes);
    add_limit(limits_, RLIMIT_CORE, 0);
    if (options.user) {
        other_user_ = true;
        user_ = options.user->user;
        group_ = options.user->group;
    }
}

void Becoming::give_up(Step step) const noexcept {
    const Failure failure{.step = step, .number = errno};
    const int to = step <= Step::files ? files_.failure : kFailureFd;
    (void)!write(to, &failure, sizeof failure);
    _exit(kGaveUp);
}

void Becoming::write_own_id() noexcept {
    std::array<char, kDigitsMax> digits{};
    std::size_t count = 0;
    for (auto rest = static_cast<unsigned>(getpid()); rest > 0 || count == 0; rest /= 10) {
        digits[count++] = static_cast<char>('0' + rest % 10);
    }
    for (std::size_t i = 0; i < count; ++i) {
        own_id_[i] = digits[count - 1 - i];
    }
}

void Becoming::take_files() noexcept {
    const bool taken = dup2(files_.input, STDIN_FILENO) >= 0 &&
                       dup2(files_.output, STDOUT_FILENO) >= 0 &&
                       dup2(files_.errors, STDERR_FILENO) >= 0 &&
                       (files_.socket < 0 ? close(kSocketFd) == 0 || errno == EBADF
                                          : dup2(files_.socket, kSocketFd) >= 0) &&
                       dup3(files_.failure, kFailureFd, O_CLOEXEC) >= 0;
    if (!taken) {
        give_up(Step::files);
    }
    if (syscall(SYS_close_range, kFailureFd + 1, ~0U, 0) != 0) {
        files_.failure = kFailureFd;
        give_up(Step::files);
    }
}

void Becoming::take_limits() const noexcept {
    for (const Limit& limit : limits_) {
        if (setrlimit(limit.resource, &limit.value) != 0) {
            give_up(Step::limits);
        }
    }
}

// The system calls themselves: the library's functions would tell other threads, of which this
// process has none left.
void Becoming::take_user() const noexcept {
    if (other_user_ && (syscall(SYS_setgroups, 0, nullptr) != 0 ||
                        syscall(SYS_setresgid, group_, group_, group_) != 0 ||
                        syscall(SYS_setresuid, user_, user_, user_) != 0)) {
        give_up(Step::user);
    }
}

void Becoming::take_directory() const noexcept {
    if (chdir(directory_) != 0 && !(root_will_do_ && chdir("/") == 0)) {
        give_up(Step::directory);
    }
}

void Becoming::run() noexcept {
    if (setsid() < 0) {
        give_up(Step::session);
    }
    tell_keeper(files_.keeper, {.id = getpid(), .begins = true});
    if (files_.terminal && ioctl(files_.input, TIOCSCTTY, 0) != 0) {
        give_up(Step::terminal);
    }
    for (int number = 1; number < NSIG; ++number) {
        (void)signal(number, SIG_DFL);
    }
    take_files();
    if (own_id_ != nullptr) {
        write_own_id();
    }
    take_limits();
    take_user();
    // After the change of user, which forgets it.
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        give_up(Step::parent);
    }
    if (getppid() != parent_) {
        _exit(kGaveUp);
    }
    umask(file_mask_);
    take_directory();
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, nullptr);
    execve(program_, arguments_.data(), environment_.data());
    give_up(Step::program);
}

}  // namespace alknet::process
