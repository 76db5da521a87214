// What stands between fork and exec. Everything is prepared before, because only functions that a
// signal handler may call are allowed there: other threads may have held any lock.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>
#include <alknet/process/process.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace alknet::process {

enum class Step : std::uint8_t {
    session,
    terminal,
    files,
    limits,
    user,
    parent,
    directory,
    program
};
[[nodiscard]] std::string_view to_string(Step step) noexcept;

/// What the child tells through its pipe when it cannot go on.
struct Failure {
    Step step = Step::session;
    int number = 0;  // errno
};

struct Limit {
    __rlimit_resource_t resource;
    rlimit value;
};

/// Descriptors of the parent, each above those that the child will have.
struct ChildFiles {
    int input = -1;
    int output = -1;
    int errors = -1;
    int socket = -1;  // -1: none
    int failure = -1;
    int keeper = -1;        // told before anything runs
    bool terminal = false;  // `input` is to be the session's
};

/// Refers to the options that it was made from.
class Becoming {
public:
    Becoming(const ProcessOptions& options, ChildFiles files);

    /// In the child.
    [[noreturn]] void run() noexcept;

private:
    [[noreturn]] void give_up(Step step) const noexcept;
    void write_own_id() noexcept;
    void take_files() noexcept;
    void take_limits() const noexcept;
    void take_user() const noexcept;
    void take_directory() const noexcept;

    ChildFiles files_;
    pid_t parent_;
    const char* directory_;
    bool root_will_do_;
    mode_t file_mask_;
    const char* program_;
    std::vector<std::string> words_;
    std::vector<std::string> variables_;
    std::vector<char*> arguments_;
    std::vector<char*> environment_;
    char* own_id_ = nullptr;  // where the digits of LISTEN_PID go
    std::vector<Limit> limits_;
    bool other_user_ = false;
    uid_t user_ = 0;
    gid_t group_ = 0;
};

}  // namespace alknet::process
