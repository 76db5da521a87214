// Process: a child with a session of its own, little environment, limits, and perhaps another user.
// What it starts ends with it, whatever group that is in, and with this process, however that ends:
// another waits for that from the first start on, named alknet-keeper. (A process that leaves the
// session on purpose is out of reach; a control group of the node's own would hold it too.)
#pragma once

#include <sys/types.h>
#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/process/terminal.hpp>
#include <alknet/process/user.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace alknet::process {

/// Soft and hard ones alike. There never are core files.
struct ProcessLimits {
    std::optional<std::uint64_t> data_bytes{};
    std::optional<std::uint64_t> address_bytes{};
    std::optional<std::uint64_t> files{};
    std::optional<std::uint64_t> processes{};
};

/// What its descriptors 0, 1 and 2 are. There are no others, but for `socket`.
enum class ProcessFiles : std::uint8_t {
    output,    // /dev/null, and twice one pipe (`read_output`)
    pipes,     // three (`take_stream`, `take_errors`)
    terminal,  // one, which is its session's (`take_stream`)
};

struct ProcessOptions {
    std::vector<std::string> command;        // the program's path, and its arguments
    std::string called{};                    // what it is told of its name; empty: its path
    std::vector<std::string> environment{};  // NAME=VALUE; besides, LISTEN_PID if `socket` is given
    std::filesystem::path directory = "/";
    bool root_will_do = false;          // in place of a directory that it cannot have
    std::optional<ProcessUser> user{};  // nullopt: as this process
    ProcessLimits limits{};
    mode_t file_mask = 077;
    ProcessFiles files = ProcessFiles::output;
    TerminalOptions terminal{};
    /// Becomes the child's descriptor 3, as sd_listen_fds(3) has it.
    UniqueFd socket{};
};

/// How a process ended.
struct ProcessEnd {
    bool signalled = false;
    int code = 0;  // of its exit, or the signal
    /// "exit code 3", "signal 9"
    [[nodiscard]] std::string text() const;
};

/// Belongs to the loop, and is to be started on the thread that lives as long as the node does: the
/// kernel kills the child when that thread ends.
class Process final {
public:
    static constexpr Duration kStartTimeout = std::chrono::seconds(10);

    /// Ends once the program runs. Errors: kProgramStart with the step that failed; kTimeout;
    /// kCancelled.
    static task<result<std::unique_ptr<Process>>> start(Loop& loop, ProcessOptions options);
    /// Kills what is left, and waits for it.
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    [[nodiscard]] pid_t id() const noexcept { return id_; }
    /// Ends when the process has; its session is killed then. Errors: kCancelled, kIo.
    task<result<ProcessEnd>> wait();
    /// `first` to the group, stopped or not; after `patience`, SIGKILL. Ends when the process has.
    /// Run it below a Cancel that nobody requests.
    task<void> stop(Duration patience, int first = SIGTERM);
    /// To the group.
    void signal(int number) const noexcept;
    /// Of its terminal, if it has one.
    void resize(const WindowSize& window) const noexcept;

    /// What it says on descriptors 1 and 2; 0: nobody is left to say more. Errors: kCancelled, kIo.
    task<result<std::size_t>> read_output(MutableBytes into);
    /// What it reads and says, once; `finish` is the end of what it reads, of pipes alone. Null for
    /// ProcessFiles::output.
    [[nodiscard]] std::unique_ptr<ByteStream> take_stream() noexcept { return std::move(stream_); }
    /// What it says on descriptor 2, once. For ProcessFiles::pipes.
    [[nodiscard]] std::unique_ptr<ByteStream> take_errors() noexcept { return std::move(errors_); }

private:
    struct Files;
    explicit Process(Loop& loop) noexcept : loop_(loop), ended_(loop), speaks_(loop) {}
    result<void> adopt(pid_t id, Files files);
    void reap() noexcept;

    Loop& loop_;
    pid_t id_ = -1;
    std::optional<ProcessEnd> end_;
    UniqueFd pidfd_;
    UniqueFd output_;
    UniqueFd terminal_;
    std::unique_ptr<ByteStream> stream_;
    std::unique_ptr<ByteStream> errors_;
    FdReadiness ended_;  // before their descriptors close, they are let go
    FdReadiness speaks_;
};

}  // namespace alknet::process
