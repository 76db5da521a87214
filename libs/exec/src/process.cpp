#include <alknet/exec/process.hpp>

#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_exec.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/loop.hpp>
#include <cerrno>
#include <csignal>
#include <utility>

#include "become.hpp"

namespace alknet::exec {

namespace {

constexpr int kFirstFd = 16;  // above what the child will have
constexpr std::size_t kUserBytes = 16 << 10;

result<UniqueFd> move_up(int fd) {
    UniqueFd moved(fcntl(fd, F_DUPFD_CLOEXEC, kFirstFd));
    if (!moved) {
        return os_fail("F_DUPFD_CLOEXEC", errno);
    }
    return moved;
}

struct Pipe {
    UniqueFd reader;  // non-blocking
    UniqueFd writer;
};

result<Pipe> make_pipe() {
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return os_fail("pipe2", errno);
    }
    Pipe pipe{.reader = UniqueFd(ends[0]), .writer = UniqueFd(ends[1])};
    if (fcntl(pipe.reader.get(), F_SETFL, O_NONBLOCK) != 0) {
        return os_fail("O_NONBLOCK", errno);
    }
    ALKNET_TRY(pipe.writer, move_up(pipe.writer.get()));
    return pipe;
}

task<result<std::size_t>> read_some(int fd, FdReadiness& readiness, MutableBytes into) {
    for (;;) {
        const ssize_t count = read(fd, into.data(), into.size());
        if (count >= 0) {
            co_return static_cast<std::size_t>(count);
        }
        if (errno != EAGAIN && errno != EINTR) {
            co_return os_fail("read", errno);
        }
        readiness.would_block_reading();
        ALKNET_CO_CHECK(co_await readiness.readable());
    }
}

/// Every signal is held back until the child has let go of the parent's handlers.
pid_t fork_quietly(Becoming& becoming) noexcept {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t child = fork();
    if (child == 0) {
        becoming.run();
    }
    const int failure = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = failure;
    return child;
}

// Nothing was said: the pipe closed because the program runs.
task<result<void>> await_program(Loop& loop, UniqueFd reader, std::string program) {
    FdReadiness readiness(loop);
    ALKNET_CO_CHECK(readiness.watch(reader.get()));
    Failure failure;
    ALKNET_CO_TRY(const std::size_t size,
                  co_await read_some(reader.get(), readiness,
                                     std::as_writable_bytes(std::span(&failure, 1))));
    if (size == sizeof failure) {
        co_return fail(causes::kProgramStart, program + ": " +
                                                  std::string(to_string(failure.step)) + ": " +
                                                  os_error_text(failure.number));
    }
    co_return result<void>();
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
    return ProcessUser{
        .user = entry.pw_uid, .group = entry.pw_gid, .name = name, .home = entry.pw_dir};
}

ProcessUser ProcessUser::current() {
    ProcessUser user{.user = geteuid(), .group = getegid()};
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(kUserBytes);
    (void)getpwuid_r(user.user, &entry, buffer.data(), buffer.size(), &found);
    if (found != nullptr) {
        user.name = entry.pw_name;
        user.home = entry.pw_dir;
    }
    return user;
}

std::string ProcessEnd::text() const {
    return (signalled ? "signal " : "exit code ") + std::to_string(code);
}

task<result<std::unique_ptr<Process>>> Process::start(Loop& loop, ProcessOptions options) {
    const std::string program = options.command.empty() ? std::string() : options.command.front();
    if (program.empty()) {
        co_return fail(causes::kProgramStart, "there is no command");
    }
    const UniqueFd null_low(open("/dev/null", O_RDONLY | O_CLOEXEC));
    ALKNET_CO_TRY(const UniqueFd null, move_up(null_low.get()));
    ALKNET_CO_TRY(Pipe output, make_pipe());
    ALKNET_CO_TRY(Pipe failure, make_pipe());
    UniqueFd socket;
    if (options.socket) {
        ALKNET_CO_TRY(socket, move_up(options.socket.get()));
    }
    Becoming becoming(options, {.null = null.get(),
                                .output = output.writer.get(),
                                .socket = socket.get(),
                                .failure = failure.writer.get()});
    const pid_t child = fork_quietly(becoming);
    if (child < 0) {
        co_return fail(causes::kProgramStart, program + ": fork: " + os_error_text(errno));
    }
    output.writer.reset();
    failure.writer.reset();
    std::unique_ptr<Process> process(new Process(loop));
    ALKNET_CO_CHECK(process->adopt(child, std::move(output.reader)));
    auto running = await_program(loop, std::move(failure.reader), program);
    ALKNET_CO_CHECK(co_await with_timeout(kStartTimeout, std::move(running)));
    co_return process;
}

result<void> Process::adopt(pid_t id, UniqueFd output) {
    id_ = id;  // from now on the destructor ends it
    output_ = std::move(output);
    pidfd_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, id, 0)));
    if (!pidfd_) {
        return os_fail("pidfd_open", errno);
    }
    ALKNET_CHECK(ended_.watch(pidfd_.get()));
    return speaks_.watch(output_.get());
}

Process::~Process() {
    if (id_ > 0 && !end_) {
        (void)kill(id_, SIGKILL);  // it may not have its group yet
        reap();
    }
}

// While its first process is not reaped, nobody else can get the group's number.
void Process::reap() noexcept {
    (void)kill(-id_, SIGKILL);
    siginfo_t info{};
    while (waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED) != 0 && errno == EINTR) {
    }
    end_ = ProcessEnd{.signalled = info.si_code != CLD_EXITED, .code = info.si_status};
}

task<result<ProcessEnd>> Process::wait() {
    while (!end_) {
        siginfo_t info{};
        if (waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
            co_return os_fail("waitid", errno);
        }
        if (info.si_pid == id_) {
            reap();
            break;
        }
        ended_.would_block_reading();
        ALKNET_CO_CHECK(co_await ended_.readable());
    }
    co_return *end_;
}

task<void> Process::stop(Duration patience) {
    if (!end_) {
        (void)kill(-id_, SIGTERM);
    }
    (void)co_await with_timeout(patience, wait());
    if (!end_) {
        (void)kill(-id_, SIGKILL);
        (void)co_await wait();
    }
}

task<result<std::size_t>> Process::read_output(MutableBytes into) {
    return read_some(output_.get(), speaks_, into);
}

}  // namespace alknet::exec
