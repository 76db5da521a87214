// What can be called at a running node: the desk's operations, and those on the node itself.
#pragma once

#include <alknet/base/metrics.hpp>
#include <alknet/base/result.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/config/home.hpp>
#include <alknet/core/endpoint.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/store/store.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "event_feed.hpp"
#include "log_feed.hpp"
#include "node_info.hpp"
#include "node_views.hpp"

namespace alknet::app {

struct NodeOperationsOptions {
    Loop& loop;
    config::Home home;
    std::shared_ptr<store::Store> state;
    /// What node/info says.
    std::function<NodeInfo()> info;
    std::function<std::vector<SocketAddress>()> listening;
    std::function<std::vector<ConnectionReport>()> connections;
    /// False: there is none of that id.
    std::function<bool(std::string_view id)> close;
    /// Whether somebody may use a service over this transport. Errors: those of admit.
    std::function<result<void>(std::string_view service, Transport transport,
                               const std::optional<Identity>& caller)>
        may_use;
    /// Reads alknet.toml and state.db again and applies them, and ends once what they no longer
    /// allow has been cut. `always`: also when neither says something else than before.
    std::function<task<result<void>>(bool always)> reload;
    /// Gives the key file the key that the node shows, where it went over to no other.
    std::function<result<void>()> take_key_back;
    std::shared_ptr<EventFeed> events;
    std::shared_ptr<LogFeed> logs;
    std::shared_ptr<Metrics> metrics;
    std::function<task<result<PathsOfPeer>>(std::string peer)> paths;
};

/// All of them. They refer to what `options` does.
result<void> add_node_operations(call::OperationRegistry& registry, NodeOperationsOptions options);

}  // namespace alknet::app
