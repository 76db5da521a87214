#include "peer_link.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/call/composition.hpp>
#include <utility>

namespace alknet::call {

namespace {

/// For whom a call is, as the peer may write down. What that caller may do here is none of its
/// business.
Json describe_caller(const CallContext& context) {
    Json::Object who;
    if (context.identity) {
        who.emplace_back("id", context.identity->id);
    }
    who.emplace_back("transport", to_string(context.transport));
    return who;
}

task<result<void>> hand_on(PeerLink& from, std::string operation, Json input,
                           SubscribeOptions options, ItemSink& to) {
    ALKNET_CO_TRY(const auto subscription,
                  co_await from.client().subscribe(std::move(operation), std::move(input),
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

result<void> PeerLink::reason(const result<void>& waited) const {
    if (!waited) {
        return waited;
    }
    return unexpected(connection_->close_reason().value_or(error(causes::kClosed)));
}

task<void> PeerLink::close() {
    connection_->close(close_code::kOk, {});
    co_await client_->close();
}

result<std::shared_ptr<PeerLink>> PeerCalls::link_for(const CallContext& context) {
    if (context.depth >= Composition::kDepthMax) {
        return fail(causes::kLimit, "depth_max: " + std::to_string(Composition::kDepthMax) +
                                        " calls inside one another");
    }
    if (!is_there()) {
        return fail(causes::kImportAway, peer_);
    }
    return link_;
}

bool PeerCalls::is_there() {
    const bool there = link_ != nullptr && !link_->ended();
    if (!there) {
        missed_.set();
    }
    return there;
}

// What is between the two nodes is no fault of whoever called here.
error PeerCalls::explain(const PeerLink& link, error why) const {
    const bool lost = why.is(errc::closed) || why.is(errc::reset) || why.is(errc::cancelled) ||
                      why.is(errc::timeout) || why.is(causes::kShuttingDown);
    if (lost && link.ended()) {
        return error(causes::kImportLost, peer_);
    }
    if (why.is(errc::forbidden) || why.is(errc::auth_required)) {
        return error(causes::kImportRefused, peer_ + ": " + why.message());
    }
    return why;
}

task<result<Json>> PeerCalls::call(std::string operation, CallContext context, Json input) {
    ALKNET_CO_TRY(const auto link, link_for(context));
    CallOptions options;
    if (context.deadline != TimePoint::max()) {
        options.timeout = time_left(context.deadline, loop_.now());
    }
    options.traceparent = context.traceparent;
    options.depth = context.depth + 1;
    options.forwarded_for = describe_caller(context);
    auto outcome =
        co_await link->client().call(std::move(operation), std::move(input), std::move(options));
    if (!outcome) {
        co_return unexpected(explain(*link, std::move(outcome).error()));
    }
    co_return outcome;
}

task<result<void>> PeerCalls::subscribe(std::string operation, CallContext context, Json input,
                                        ItemSink& items) {
    ALKNET_CO_TRY(const auto link, link_for(context));
    SubscribeOptions options;
    if (context.deadline != TimePoint::max()) {
        options.timeout = time_left(context.deadline, loop_.now());
    }
    options.traceparent = context.traceparent;
    options.resume_after = context.resume_after;
    options.depth = context.depth + 1;
    options.forwarded_for = describe_caller(context);
    auto outcome =
        co_await hand_on(*link, std::move(operation), std::move(input), std::move(options), items);
    if (!outcome) {
        co_return unexpected(explain(*link, std::move(outcome).error()));
    }
    co_return outcome;
}

}  // namespace alknet::call
