// Supervisor: keeps one program running: starts it, waits for its end, and starts it again, later
// each time.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/result.hpp>
#include <alknet/exec/programs.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/wait.hpp>
#include <functional>
#include <memory>
#include <string>

namespace alknet::exec {

/// A program that runs.
class Running {
public:
    virtual ~Running() = default;
    [[nodiscard]] virtual std::int64_t id() const noexcept = 0;
    /// Ends when it has, with how, or when it is of no further use, with why. Errors: kCancelled.
    virtual task<result<std::string>> ended() = 0;
    /// Ends what is left of it. Nobody cancels this.
    virtual task<void> stop() = 0;
};

struct SupervisorOptions {
    std::string name;
    std::size_t attempts_max = 0;
    /// Errors: why it cannot be started; kCancelled.
    std::function<task<result<std::unique_ptr<Running>>>()> launch;
    Log log{};
};

class Supervisor {
public:
    Supervisor(Loop& loop, SupervisorOptions options);

    /// Until it is cancelled; the program has ended then. Errors: kCancelled.
    task<result<void>> run();
    /// One that waits, or was given up, is started now.
    void start_now() noexcept { start_wanted_.set(); }
    [[nodiscard]] ProgramStatus status() const { return status_; }

private:
    task<result<std::string>> run_once();
    task<result<void>> wait_until_wanted();

    Loop& loop_;
    const SupervisorOptions options_;
    ProgramStatus status_;
    Event start_wanted_;
};

}  // namespace alknet::exec
