#include "call_events.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/base/number.hpp>
#include <alknet/call/client.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/call/failure.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/http/access.hpp>
#include <alknet/http/event_stream.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/scope.hpp>
#include <optional>
#include <utility>

#include "call_socket.hpp"

namespace alknet::app {

namespace {

constexpr std::string_view kEvents = "events/watch";

using Serve = std::function<task<void>(std::shared_ptr<Connection>)>;

struct Watching {
    std::string token;                   // empty: whoever the connection belongs to
    std::optional<std::uint64_t> after;  // what the client has already
};

task<result<void>> give(http::EventStream& events, call::Item item) {
    if (item.missed) {
        ALKNET_CO_CHECK(
            co_await events.send({.data = std::to_string(*item.missed), .name = "missed"}));
    }
    co_return co_await events.send(
        {.data = item.output.text(), .id = item.seq ? std::to_string(*item.seq) : std::string()});
}

// The first request of a stream is the one that may have a token, and a subscription has none.
task<result<void>> give_all(call::CallClient& client, http::EventStream& events,
                            Watching watching) {
    if (!watching.token.empty()) {
        ALKNET_CO_CHECK(co_await client.call("services/schema",
                                             call::Json::object({{"name", kEvents}}),
                                             {.auth_token = std::move(watching.token)}));
    }
    ALKNET_CO_TRY(const auto items,
                  co_await client.subscribe(std::string(kEvents), call::Json::object({}),
                                            {.resume_after = watching.after}));
    for (;;) {
        ALKNET_CO_TRY(auto item, co_await items->next());
        if (!item) {
            co_return result<void>();
        }
        ALKNET_CO_CHECK(co_await give(events, *std::move(item)));
    }
}

task<result<void>> watch(Serve serve, http::EventStream& events, http::Request& request,
                         Watching watching) {
    const TaskContext context = co_await current_context();
    auto [ours, theirs] = net::make_memory_streams();
    TaskScope serving(*context.loop, context.cancel);
    serving.spawn(serve(call_connection(*context.loop, std::move(theirs), request)), "call_events");
    StreamConnectionOptions options;
    options.info.alpn = std::string(call::kCallAlpn);
    const auto client = call::CallClient::create(
        *context.loop, make_stream_connection(*context.loop, std::move(ours), std::move(options)));
    const auto ended = co_await give_all(*client, events, watching);
    if (!ended && !ended.error().is(errc::cancelled)) {
        // Behind a number that is not there yet nothing would ever come.
        const bool beyond = watching.after && ended.error().cause().id == causes::kUsage.id;
        (void)co_await events.send({.data = std::string(ended.error().cause().id),
                                    .name = "failed",
                                    .forgets_id = beyond});
    }
    co_await client->close();
    serving.cancel();
    (void)co_await serving.join();
    co_return result<void>();
}

task<result<http::Response>> answer(Serve serve, http::Request& request) {
    auto token = http::bearer_of(request.head);
    if (!token) {
        co_return http::refuse_token(request.head);
    }
    Watching watching{.token = *std::move(token), .after = {}};
    if (const auto last = http::last_event_id(request.head); last && !last->empty()) {
        watching.after = parse_plain_number<std::uint64_t>(*last);
        if (!watching.after) {
            co_return http::page(request.head, 400, "Last-Event-ID is no number of an event.",
                                 "Leave it out, or send the id of an event from here.");
        }
    }
    co_return http::event_stream(
        request, {.serve = [serve, watching](http::EventStream& events, http::Request& its) {
            return watch(serve, events, its, watching);
        }});
}

}  // namespace

http::Handler make_call_events(CallEventsOptions options) {
    return [serve = std::move(options.serve)](http::Request& request) {
        return answer(serve, request);
    };
}

}  // namespace alknet::app
