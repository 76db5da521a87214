// Process: a child with a session of its own, little environment, limits, and perhaps another user.
// It and the processes that it starts are one group, which ends with it. (A process that leaves the
// group on purpose is out of reach; a control group of the node's own would hold it too.)
#pragma once

#include <sys/types.h>
#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace alknet::exec {

/// Who a process runs as; it has no further groups.
struct ProcessUser {
    uid_t user = 0;
    gid_t group = 0;
    std::string name{};
    std::string home{};

    /// From the system's users. It may ask the network. Errors: kProgramUser.
    [[nodiscard]] static result<ProcessUser> find(const std::string& name);
    /// Whom this process runs as; without a name if the system has none.
    [[nodiscard]] static ProcessUser current();
};

/// Soft and hard ones alike. There never are core files.
struct ProcessLimits {
    std::optional<std::uint64_t> data_bytes{};
    std::optional<std::uint64_t> address_bytes{};
    std::optional<std::uint64_t> files{};
    std::optional<std::uint64_t> processes{};
};

struct ProcessOptions {
    std::vector<std::string> command;        // the program's path, and its arguments
    std::vector<std::string> environment{};  // NAME=VALUE; besides, LISTEN_PID if `socket` is given
    std::filesystem::path directory = "/";
    std::optional<ProcessUser> user{};  // nullopt: as this process
    ProcessLimits limits{};
    /// Becomes the child's descriptor 3, as sd_listen_fds(3) has it. 0 is /dev/null, 1 and 2 are
    /// one pipe, and there are no others.
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
    /// Ends when the process has; its group is killed then. Errors: kCancelled, kIo.
    task<result<ProcessEnd>> wait();
    /// SIGTERM to the group; after `patience`, SIGKILL. Ends when the process has. Run it below a
    /// Cancel that nobody requests.
    task<void> stop(Duration patience);
    /// What it says on descriptors 1 and 2; 0: nobody is left to say more. Errors: kCancelled, kIo.
    task<result<std::size_t>> read_output(MutableBytes into);

private:
    explicit Process(Loop& loop) noexcept : ended_(loop), speaks_(loop) {}
    result<void> adopt(pid_t id, UniqueFd output);
    void reap() noexcept;

    pid_t id_ = -1;
    std::optional<ProcessEnd> end_;
    UniqueFd pidfd_;
    UniqueFd output_;
    FdReadiness ended_;  // before their descriptors close, they are let go
    FdReadiness speaks_;
};

}  // namespace alknet::exec
