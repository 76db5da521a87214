// The control socket: `alknet/call` for the user whose node it is, and root.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/result.hpp>
#include <alknet/call/adapter.hpp>
#include <alknet/net/unix_socket.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string_view>

namespace alknet::app {

/// Whoever comes through the control socket, who may do everything.
inline constexpr std::string_view kLocalAdmin = "local-admin";
/// The resource of its identity that has the number of the user.
inline constexpr std::string_view kUserResource = "uid";
inline constexpr std::size_t kControlConnectionsMax = 64;

/// Serves until it is cancelled, and then lets running calls finish for two seconds. Where the
/// socket's file, at `path`, is taken away, it is made again. Errors: kCancelled.
task<result<void>> serve_control(Loop& loop, std::unique_ptr<net::UnixListener> listener,
                                 std::filesystem::path path,
                                 std::shared_ptr<call::CallAdapter> adapter, Log log);

}  // namespace alknet::app
