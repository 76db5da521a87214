// The node's events as Server-Sent Events: events/watch, as whoever calls it gets it.
#pragma once

#include <alknet/http/exchange.hpp>
#include <functional>
#include <memory>
#include <string_view>

namespace alknet {
class Connection;
}

namespace alknet::app {

inline constexpr std::string_view kEventsPath = "/alknet/events";
/// The scope of events/watch.
inline constexpr std::string_view kEventsScope = "events:read";

struct CallEventsOptions {
    /// As of CallSocketOptions.
    std::function<task<void>(std::shared_ptr<Connection>)> serve;
};

/// For GET kEventsPath, once the caller's access was looked at. Each event has its number as the
/// id, and goes on behind the one that Last-Event-ID names; `missed` comes before one that was
/// preceded by others. `failed` says why it is over, and lets a client forget an id behind which
/// nothing can come.
[[nodiscard]] http::Handler make_call_events(CallEventsOptions options);

}  // namespace alknet::app
