// Commands on one's own node: asked of it over its control socket while it runs, else done on its
// files.
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/call/described.hpp>
#include <alknet/config/home.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/rt/loop.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cli.hpp"
#include "json.hpp"

namespace alknet::app {

[[nodiscard]] std::filesystem::path control_socket(const config::Home& home);

/// For alknet/call, with all scopes. Errors: kNodeDown when none listens there; kForbidden when
/// somebody else does.
[[nodiscard]] result<std::shared_ptr<Connection>> dial_own_node(Loop& loop,
                                                                const config::Home& home);

/// What the running node says; nullopt: none listens there. Errors: those of the operation and of
/// the connection; kForbidden when somebody else listens.
[[nodiscard]] result<std::optional<Json>> ask_running_node(const config::Home& home,
                                                           std::string_view operation,
                                                           const Json& input);

/// By the node if one runs, else on the files, which it cannot start upon meanwhile. Errors: those
/// of the operation; kStoreBusy when a node runs that does not answer.
[[nodiscard]] result<Json> at_own_node(const CommandLine& line, std::string_view operation,
                                       Json input);

/// What an operation gave, as the struct that describes it. Errors: kProtocol where a node of
/// another version says something else.
template <class Output>
[[nodiscard]] result<Output> answered(Json output) {
    auto read = call::from_json<Output>(std::move(output));
    if (!read) {
        return fail(causes::kProtocol, "the node's answer: " + read.error().detail());
    }
    return read;
}

/// For a node that starts: a command that works on the files is awaited, another node is not.
/// Errors: kHomeInvalid, kIo.
[[nodiscard]] result<config::HomeLock> lock_for_node(const config::Home& home);

}  // namespace alknet::app
