#include <alknet/process/process.hpp>

#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_exec.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/net/pipe_stream.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/loop.hpp>
#include <cerrno>
#include <csignal>
#include <utility>

#include "become.hpp"
#include "end_session.hpp"
#include "keeper.hpp"
#include "terminal.hpp"

namespace alknet::process {

namespace {

constexpr int kFirstFd = 16;  // above what the child will have

result<UniqueFd> move_up(int fd) {
    UniqueFd moved(fcntl(fd, F_DUPFD_CLOEXEC, kFirstFd));
    if (!moved) {
        return os_fail("F_DUPFD_CLOEXEC", errno);
    }
    return moved;
}

struct Pipe {
    UniqueFd reader;
    UniqueFd writer;
};

result<Pipe> make_pipe() {
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return os_fail("pipe2", errno);
    }
    return Pipe{.reader = UniqueFd(ends[0]), .writer = UniqueFd(ends[1])};
}

/// Of which the child writes one end, and the other is non-blocking.
result<Pipe> make_output() {
    ALKNET_TRY(Pipe pipe, make_pipe());
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

std::string ProcessEnd::text() const {
    return (signalled ? "signal " : "exit code ") + std::to_string(code);
}

// The node's ends, and the child's, each of these above those that it will have.
struct Process::Files {
    UniqueFd input;   // written here
    UniqueFd output;  // read here, as the next
    UniqueFd errors;
    UniqueFd terminal;
    UniqueFd child_input;
    UniqueFd child_output;
    UniqueFd child_errors;  // none: its output

    static result<Files> make(const ProcessOptions& options) {
        switch (options.files) {
            case ProcessFiles::output:
                return make_output_alone(options);
            case ProcessFiles::pipes:
                return make_pipes(options);
            case ProcessFiles::terminal:
                break;
        }
        return make_terminal(options);
    }
    // So that the child can open it by name, as /dev/stderr.
    static result<void> give(const UniqueFd& end, const ProcessOptions& options) {
        const bool given =
            !options.user || ::fchown(end.get(), options.user->user, static_cast<gid_t>(-1)) == 0;
        return given ? result<void>() : os_fail("fchown", errno);
    }
    static result<Files> make_output_alone(const ProcessOptions& options) {
        Files files;
        const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
        ALKNET_TRY(files.child_input, move_up(null.get()));
        ALKNET_TRY(Pipe output, make_output());
        files.output = std::move(output.reader);
        files.child_output = std::move(output.writer);
        ALKNET_CHECK(give(files.child_output, options));
        return files;
    }
    static result<Files> make_pipes(const ProcessOptions& options) {
        Files files;
        ALKNET_TRY(Pipe input, make_pipe());
        files.input = std::move(input.writer);
        ALKNET_TRY(files.child_input, move_up(input.reader.get()));
        ALKNET_TRY(Pipe output, make_output());
        files.output = std::move(output.reader);
        files.child_output = std::move(output.writer);
        ALKNET_TRY(Pipe errors, make_output());
        files.errors = std::move(errors.reader);
        files.child_errors = std::move(errors.writer);
        for (const UniqueFd* end : {&files.child_input, &files.child_output, &files.child_errors}) {
            ALKNET_CHECK(give(*end, options));
        }
        return files;
    }
    static result<Files> make_terminal(const ProcessOptions& options) {
        Files files;
        ALKNET_TRY(Terminal terminal,
                   open_terminal(options.terminal,
                                 options.user ? std::optional(options.user->user) : std::nullopt));
        ALKNET_TRY(files.child_input, move_up(terminal.theirs.get()));
        ALKNET_TRY(files.child_output, move_up(terminal.theirs.get()));
        ALKNET_TRY(files.input, move_up(terminal.ours.get()));
        ALKNET_TRY(files.output, move_up(terminal.ours.get()));
        files.terminal = std::move(terminal.ours);
        return files;
    }
    void close_childs() noexcept {
        child_input.reset();
        child_output.reset();
        child_errors.reset();
    }
};

task<result<std::unique_ptr<Process>>> Process::start(Loop& loop, ProcessOptions options) {
    const std::string program = options.command.empty() ? std::string() : options.command.front();
    if (program.empty()) {
        co_return fail(causes::kProgramStart, "there is no command");
    }
    ALKNET_CO_TRY(Files files, Files::make(options));
    ALKNET_CO_TRY(Pipe failure, make_output());
    UniqueFd socket;
    if (options.socket) {
        ALKNET_CO_TRY(socket, move_up(options.socket.get()));
    }
    ALKNET_CO_TRY(const UniqueFd keeper, Keeper::own().speak());
    const UniqueFd& errors = files.child_errors ? files.child_errors : files.child_output;
    Becoming becoming(options, {.input = files.child_input.get(),
                                .output = files.child_output.get(),
                                .errors = errors.get(),
                                .socket = socket.get(),
                                .failure = failure.writer.get(),
                                .keeper = keeper.get(),
                                .terminal = options.files == ProcessFiles::terminal});
    const pid_t child = fork_quietly(becoming);
    if (child < 0) {
        co_return fail(causes::kProgramStart, program + ": fork: " + os_error_text(errno));
    }
    files.close_childs();
    failure.writer.reset();
    std::unique_ptr<Process> process(new Process(loop));
    ALKNET_CO_CHECK(process->adopt(child, std::move(files)));
    auto running = await_program(loop, std::move(failure.reader), program);
    ALKNET_CO_CHECK(co_await with_timeout(kStartTimeout, std::move(running)));
    co_return process;
}

result<void> Process::adopt(pid_t id, Files files) {
    id_ = id;  // from now on the destructor ends it
    pidfd_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, id, 0)));
    if (!pidfd_) {
        return os_fail("pidfd_open", errno);
    }
    ALKNET_CHECK(ended_.watch(pidfd_.get()));
    terminal_ = std::move(files.terminal);
    if (files.errors) {
        ALKNET_TRY(errors_, net::make_pipe_stream(loop_, std::move(files.errors), {}));
    }
    if (files.input) {
        ALKNET_TRY(stream_,
                   net::make_pipe_stream(loop_, std::move(files.output), std::move(files.input)));
        return {};
    }
    output_ = std::move(files.output);
    return speaks_.watch(output_.get());
}

Process::~Process() {
    if (id_ > 0 && !end_) {
        (void)kill(id_, SIGKILL);  // it may not have its group yet
        reap();
    }
}

// While its first process is not reaped, nobody else can get its number.
void Process::reap() noexcept {
    end_session(id_);
    Keeper::own().forget(id_);
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

void Process::signal(int number) const noexcept {
    if (!end_) {
        (void)kill(-id_, number);
    }
}

void Process::resize(const WindowSize& window) const noexcept {
    if (terminal_) {
        set_window(terminal_.get(), window);
    }
}

task<void> Process::stop(Duration patience, int first) {
    signal(first);
    signal(SIGCONT);
    (void)co_await with_timeout(patience, wait());
    if (!end_) {
        (void)kill(-id_, SIGKILL);
        (void)co_await wait();
    }
}

task<result<std::size_t>> Process::read_output(MutableBytes into) {
    return read_some(output_.get(), speaks_, into);
}

}  // namespace alknet::process
