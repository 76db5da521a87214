// ProgramRun: one life of a program: its process, its socket, and what it says.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/config/config.hpp>
#include <alknet/process/process.hpp>
#include <alknet/rt/scope.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "door.hpp"
#include "output_lines.hpp"
#include "supervisor.hpp"

namespace alknet::exec {

using process::Process;
using process::ProcessEnd;
using process::ProcessLimits;
using process::ProcessOptions;
using process::ProcessUser;

/// Whom the program runs as; nullopt: as this process. It may ask the network. Errors:
/// kProgramUser.
[[nodiscard]] result<std::optional<ProcessUser>> user_of(const config::Program& program);

/// NAME=VALUE of everything that it sees. `own` gives this process's value of a name, or null.
[[nodiscard]] std::vector<std::string> environment_of(
    const config::Program& program, const ProcessUser& user,
    const std::function<const char*(const char* name)>& own);

struct ProgramRunOptions {
    config::Program program;
    std::optional<ProcessUser> user{};
    std::shared_ptr<Door> door;
    Log log{};
    /// Goes on for as long as the program is of use; null: for ever. Errors: why it is not.
    std::function<task<result<void>>()> session{};
};

class ProgramRun final : public Running {
public:
    /// Errors: kProgramStart, kIo; kCancelled.
    static task<result<std::unique_ptr<Running>>> start(
        Loop& loop, std::shared_ptr<const ProgramRunOptions> options);
    ProgramRun(Loop& loop, std::shared_ptr<const ProgramRunOptions> options,
               std::unique_ptr<Process> process);
    ProgramRun(const ProgramRun&) = delete;
    ProgramRun& operator=(const ProgramRun&) = delete;
    ~ProgramRun() override;

    [[nodiscard]] std::int64_t id() const noexcept override { return process_->id(); }
    task<result<std::string>> ended() override;
    task<void> stop() override;

private:
    task<result<std::string>> after_session(result<void> session);
    task<void> log_output();
    void tell_dropped();

    Loop& loop_;
    const std::shared_ptr<const ProgramRunOptions> options_;
    std::unique_ptr<Process> process_;
    OutputLines lines_;
    TaskScope speaking_;  // dies first
};

}  // namespace alknet::exec
