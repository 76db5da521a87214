#include "keeper.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/os_error.hpp>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <span>
#include <string_view>

#include "end_session.hpp"

namespace alknet::process {

namespace {

constexpr char kName[] = "alknet-keeper";
constexpr const char* kThisProgram = "/proc/self/exe";
constexpr int kSocketFd = 3;

// Until the node has ended. With every signal held back: it has to be there after the node.
[[noreturn]] void keep() noexcept {
    (void)prctl(PR_SET_NAME, &kName[0]);
    void* const room = mmap(nullptr, kKeptSessionsMax * sizeof(pid_t), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) {
        _exit(1);
    }
    const std::span<pid_t> sessions(static_cast<pid_t*>(room), kKeptSessionsMax);
    std::size_t count = 0;
    KeptSession told;
    while (recv(kSocketFd, &told, sizeof told, 0) == sizeof told) {
        const auto there = sessions.first(count);
        const auto found = std::ranges::find(there, told.id);
        if (told.begins && found == there.end() && count < kKeptSessionsMax) {
            sessions[count++] = told.id;
        } else if (!told.begins && found != there.end()) {
            *found = sessions[--count];
        }
    }
    end_sessions(sessions.first(count));
    _exit(0);
}

// Before `main`, and before the program could begin to be a node: whatever program this is in, its
// keeper is the same.
[[gnu::constructor]] void keep_if_keeper(int count, char** arguments) {
    if (count == 1 && std::string_view(arguments[0]) == kName) {
        keep();
    }
}

// Between fork and exec: only what a signal handler may call.
[[noreturn]] void become_keeper(int socket) noexcept {
    char name[] = "alknet-keeper";
    char* const arguments[] = {&name[0], nullptr};
    const int high = fcntl(socket, F_DUPFD_CLOEXEC, kSocketFd + 1);
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (setsid() < 0 || chdir("/") != 0 || high < 0 || null < 0) {
        _exit(1);
    }
    for (int fd = 0; fd < kSocketFd; ++fd) {
        (void)dup2(null, fd);
    }
    (void)dup2(high, kSocketFd);
    (void)syscall(SYS_close_range, kSocketFd + 1, ~0U, 0);
    execve(kThisProgram, &arguments[0], environ);
    _exit(1);
}

}  // namespace

void tell_keeper(int to, KeptSession session) noexcept {
    (void)!send(to, &session, sizeof session, MSG_NOSIGNAL);
}

Keeper& Keeper::own() {
    static Keeper& keeper = *new Keeper;
    return keeper;
}

// One that somebody has killed is followed by another, which knows of what begins from then on.
result<UniqueFd> Keeper::speak() {
    const std::scoped_lock lock(mutex_);
    if (id_ < 0 || owner_ != getpid() || waitpid(id_, nullptr, WNOHANG) != 0) {
        id_ = -1;
        ALKNET_CHECK(start());
    }
    UniqueFd speaks(fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0));
    if (!speaks) {
        return os_fail("F_DUPFD_CLOEXEC", errno);
    }
    return speaks;
}

void Keeper::forget(pid_t session) noexcept {
    const std::scoped_lock lock(mutex_);
    if (id_ > 0 && owner_ == getpid()) {
        tell_keeper(socket_.get(), {.id = session, .begins = false});
    }
}

result<void> Keeper::start() {
    int ends[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return os_fail("socketpair", errno);
    }
    socket_.reset(ends[0]);
    const UniqueFd theirs(ends[1]);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t child = fork();
    if (child == 0) {
        become_keeper(theirs.get());
    }
    const int failure = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (child < 0) {
        return os_fail("fork", failure);
    }
    id_ = child;
    owner_ = getpid();
    return {};
}

}  // namespace alknet::process
