#include "program_calls.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_exec.hpp>
#include <alknet/call/client.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/rt/cancel.hpp>
#include <utility>

namespace alknet::exec {

namespace {

using call::Json;

/// For whom a call is, which the program may believe: nobody else can connect to it.
Json describe_caller(const call::CallContext& context) {
    Json::Object who;
    if (context.identity) {
        who.emplace_back("id", context.identity->id);
        who.emplace_back("scopes", Json::list(context.identity->scopes));
    }
    who.emplace_back("transport", to_string(context.transport));
    return who;
}

task<result<void>> hand_on(call::CallClient& from, std::string operation, Json input,
                           call::SubscribeOptions options, call::ItemSink& to) {
    ALKNET_CO_TRY(auto subscription, co_await from.subscribe(std::move(operation), std::move(input),
                                                             std::move(options)));
    for (;;) {
        ALKNET_CO_TRY(auto item, co_await subscription->next());
        if (!item) {
            co_return result<void>();
        }
        ALKNET_CO_CHECK(co_await to.give(*std::move(item)));
    }
}

}  // namespace

/// One connection to the program. Whoever calls over it keeps it.
class ProgramCalls::Link {
public:
    Link(Loop& loop, Door::Visit visit) : visit_(std::move(visit)) {
        StreamConnectionOptions options;
        options.info.alpn = std::string(call::kCallAlpn);
        options.info.transport = Transport::local;
        connection_ = make_stream_connection(loop, visit_.take_stream(), std::move(options));
        client_ = call::CallClient::create(loop, connection_);
    }
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;
    ~Link() = default;

    [[nodiscard]] call::CallClient& client() noexcept { return *client_; }
    [[nodiscard]] bool ended() const noexcept { return connection_->closed().requested(); }
    task<result<void>> wait_ended() { return connection_->wait_closed(); }
    /// Before the last of its owners lets go. Nobody cancels this.
    task<void> close() {
        connection_->close(close_code::kOk, {});  // also what it does not read
        co_await client_->close();
    }

private:
    Door::Visit visit_;  // its place
    std::shared_ptr<Connection> connection_;
    std::unique_ptr<call::CallClient> client_;
};

error ProgramCalls::explain(const Link& link, error why) const {
    const bool by_itself = why.is(errc::closed) || why.is(errc::reset) || why.is(errc::cancelled);
    return by_itself && link.ended() ? error(causes::kProgramDown, door_->name()) : why;
}

task<result<void>> ProgramCalls::offer(Link& link, call::ImportedOperations& operations) {
    auto found = co_await call::discover(link.client(), {.timeout = kDiscoveryTimeout});
    if (!found) {
        co_return unexpected(std::move(found).error().within("what it offers"));
    }
    const std::size_t count = found->size();
    const auto all_refused = co_await operations.offer(*std::move(found));
    for (const auto& refused : all_refused) {
        log_.warn(
            "exec.not_offered",
            {{"program", door_->name()}, {"operation", refused.name}, {"reason", refused.why}});
    }
    log_.info("exec.offered", {{"program", door_->name()}, {"operations", count}});
    co_return result<void>();
}

task<result<void>> ProgramCalls::session(std::shared_ptr<call::ImportedOperations> operations) {
    ALKNET_CO_TRY(Door::Visit visit, door_->enter(loop_));
    const auto link = std::make_shared<Link>(loop_, std::move(visit));
    auto outcome = co_await offer(*link, *operations);
    if (outcome) {
        link_ = link;
        outcome = co_await link->wait_ended();
        link_.reset();
    }
    Cancel patient;
    co_await link->close().under(patient);
    co_return outcome;
}

task<result<Json>> ProgramCalls::call(std::string operation, call::CallContext context,
                                      Json input) {
    const std::shared_ptr<Link> link = link_;
    if (link == nullptr || link->ended()) {
        co_return fail(causes::kProgramDown, door_->name());
    }
    call::CallOptions options;
    if (context.deadline != TimePoint::max()) {
        options.timeout = std::max(context.deadline - loop_.now(), Duration());
    }
    options.traceparent = context.traceparent;
    options.forwarded_for = describe_caller(context);
    auto outcome =
        co_await link->client().call(std::move(operation), std::move(input), std::move(options));
    if (!outcome) {
        co_return unexpected(explain(*link, std::move(outcome).error()));
    }
    co_return outcome;
}

task<result<void>> ProgramCalls::subscribe(std::string operation, call::CallContext context,
                                           Json input, call::ItemSink& items) {
    ALKNET_CO_TRY(Door::Visit visit, door_->enter(loop_));
    const auto link = std::make_shared<Link>(loop_, std::move(visit));
    call::SubscribeOptions options;
    options.traceparent = context.traceparent;
    options.resume_after = context.resume_after;
    options.forwarded_for = describe_caller(context);
    auto outcome = co_await hand_on(link->client(), std::move(operation), std::move(input),
                                    std::move(options), items);
    if (!outcome) {
        outcome = unexpected(explain(*link, std::move(outcome).error()));
    }
    Cancel patient;
    co_await link->close().under(patient);
    co_return outcome;
}

}  // namespace alknet::exec
