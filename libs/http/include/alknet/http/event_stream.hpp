// Server-Sent Events (text/event-stream): what happens, for as long as the client listens, on every
// version of HTTP.
//
//     router.add("GET", "/news", [](Request& request) {
//         return give(event_stream(request, {.serve = tell_news}));
//     });
//
// The next event is made when the client has taken the one before; silence is filled with comments,
// so that whoever stands between them keeps the connection, and a client that is gone is noticed.
#pragma once

#include <alknet/http/exchange.hpp>
#include <alknet/rt/time.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::http {

struct ServerEvent {
    std::string data;  // of any number of lines
    std::string id{};  // that the client says when it comes back; one line
    /// Empty: "message"; one line. "open" and "error" are those of EventSource itself.
    std::string name{};
    /// In place of an id: the client is to come back without one.
    bool forgets_id = false;
    bool operator==(const ServerEvent&) const = default;
};

/// As the client gets it. What is after the first line of an id or a name is left out.
[[nodiscard]] std::string encode_event(const ServerEvent& event);

/// What the client has got last, as it says (Last-Event-ID); nullopt: it says nothing.
[[nodiscard]] std::optional<std::string_view> last_event_id(const RequestHead& head);

class EventStream {
public:
    /// Ends when the next one may be given. Errors: kCancelled.
    virtual task<result<void>> send(ServerEvent event) = 0;

protected:
    ~EventStream() = default;
};

struct EventStreamOptions {
    Duration heartbeat = std::chrono::seconds(15);
    Duration retry = std::chrono::seconds(3);  // after which clients come back
    /// Its end is that of the stream. Cancelled when the client has gone, and awaited. The request
    /// outlives it.
    std::function<task<result<void>>(EventStream&, Request&)> serve{};
};

[[nodiscard]] Response event_stream(Request& request, EventStreamOptions options);

}  // namespace alknet::http
