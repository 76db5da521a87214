// What a session channel is about: a command or a shell.
#pragma once

#include <algorithm>
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
    std::optional<std::string> original;   // that was asked for, where a certificate has another
    bool asked = false;                    // for one of them
    bool wants_agent = false;              // the client has one
    std::shared_ptr<Listening> agent;      // where it is asked; null: it is not
    Event decided;                         // it was, or the channel has closed
    std::shared_ptr<const void> place;     // among those that the peer may have
    std::optional<process::RunAs> run_as;  // once it was started
    std::unique_ptr<process::Process> process;
    std::unique_ptr<ByteStream> errors;  // null: they are with the rest
    std::optional<Identity> caller;      // of what the node answers itself: as whom it began
    Cancel* alive = nullptr;             // requested: it is to end
    Cancel* ended = nullptr;             // requested: it has

    /// Control-C at a terminal, whose signals are nobody's else where there is no program.
    [[nodiscard]] bool interrupted_by(BytesView data) const noexcept {
        return caller && terminal && alive != nullptr &&
               std::ranges::find(data, std::byte{3}) != data.end();
    }
};

}  // namespace alknet::ssh
