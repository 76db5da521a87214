// What a session channel is about: a command or a shell.
#pragma once

#include <alknet/process/process.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/wait.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "program_request.hpp"
#include "session.hpp"

namespace alknet::ssh {

struct Session::Program {
    std::optional<TerminalRequest> terminal;
    std::vector<Variable> variables;
    std::optional<std::string> command;    // nullopt: a shell
    bool asked = false;                    // for one of them
    Event decided;                         // it was, or the channel has closed
    std::shared_ptr<const void> place;     // among those that the peer may have
    std::optional<process::RunAs> run_as;  // once it was started
    std::unique_ptr<process::Process> process;
    std::unique_ptr<ByteStream> errors;  // null: they are with the rest
    Cancel* alive = nullptr;             // requested: it is to end
    Cancel* ended = nullptr;             // requested: it has
};

}  // namespace alknet::ssh
