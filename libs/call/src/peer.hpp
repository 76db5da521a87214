// CallPeer: one end of a connection on alknet/call. Either end calls, on any stream.
#pragma once

#include <alknet/base/metrics.hpp>
#include <alknet/call/client.hpp>
#include <alknet/call/limits.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/wait.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "call_stream.hpp"
#include "pending.hpp"

namespace alknet::call {

/// What the connections of one adapter have in common.
struct CallCounts {
    explicit CallCounts(Metrics* metrics);
    std::size_t in_flight = 0;
    WaitList ended;  // woken when one of those has
    bool draining = false;
    std::set<Cancel*> subscriptions;  // those that run: they would not end by themselves
    IntrusiveList<CallStream, ByTokenTag> by_token;  // streams with an identity of their own
    std::uint64_t rechecks = 0;                      // begun
    MetricFamily<Counter>* requests = nullptr;
    Counter* unknown_events = nullptr;
};

struct CallPeerOptions {
    std::shared_ptr<const OperationRegistry> registry;
    std::shared_ptr<IdentityProvider> identities;
    CallLimits limits;
    std::optional<Identity> identity;
    Transport transport = Transport::memory;
    std::shared_ptr<CallCounts> counts;
};

/// Of an item's frame.
struct ItemWritten {
    Event ended;
    result<void> outcome{};
};

class CallPeer {
public:
    CallPeer(Loop& loop, std::shared_ptr<Connection> connection, CallPeerOptions options,
             Cancel* cancel);

    /// Accepts streams until the connection ends. Errors: what ended it other than in order.
    task<result<void>> run();
    task<result<Json>> call(std::string operation, Json input, CallOptions options);
    task<result<std::unique_ptr<Subscription>>> subscribe(std::string operation, Json input,
                                                          SubscribeOptions options);
    /// Finishes the streams that are there, in order.
    task<void> finish();

    [[nodiscard]] std::size_t pending() const noexcept { return pending_.size(); }
    [[nodiscard]] TaskScope& scope() noexcept { return scope_; }

private:
    using StreamPtr = std::shared_ptr<CallStream>;
    struct InFlight {
        explicit InFlight(StreamPtr on) : stream(std::move(on)), cancel(&stream->cancel) {}
        StreamPtr stream;
        Cancel cancel;
        std::optional<std::uint64_t> credit{};  // of a subscription that has some: items to come
        WaitList credited;
    };
    class Place;
    class Running;
    class StreamSink;
    class Subscribed;

    task<result<void>> wait_for_room();
    task<result<void>> wait_closed();
    static task<result<void>> wait_idle(CallStream& stream);
    StreamPtr add(std::unique_ptr<BiStream> stream);
    task<void> serve(StreamPtr stream);
    task<void> wait_unused(CallStream& stream);
    task<result<void>> read(CallStream& stream, const StreamPtr& shared);
    task<result<void>> take(EventEnvelope envelope, std::size_t bytes, StreamPtr stream);
    task<result<void>> take_request(std::string id, Requested request, std::size_t bytes,
                                    StreamPtr stream);
    task<result<void>> refuse(std::string id, Malformed request, StreamPtr stream);
    task<result<void>> identify(Requested& request, CallStream& stream);
    [[nodiscard]] result<void> admit(std::size_t bytes, const CallStream& stream) const;
    task<void> answer(Requested request, std::unique_ptr<Place> place);
    task<result<EventBody>> outcome_of(Requested request, Place& place);
    task<result<Json>> detach(Requested request, InFlight& entry);
    task<result<Json>> run_call(Requested request, InFlight& entry);
    task<result<void>> run_subscription(Requested request, Place& place);
    void add_credit(const std::string& id, std::uint64_t items);
    task<void> write_item(StreamPtr stream, Bytes frame, std::shared_ptr<ItemWritten> written);
    task<void> end_subscription(StreamPtr stream, Bytes abort, bool finish);
    [[nodiscard]] CallContext context_of(Requested& request, const InFlight& entry,
                                         Duration limit) const;
    task<result<void>> tell(StreamPtr stream, std::string id, EventBody event);
    task<void> send(StreamPtr stream, Bytes frame);
    task<result<void>> wait_gone(std::uint64_t stream);
    /// Errors: kUsage; kLimit.
    result<void> may_ask(std::string_view operation) const;
    task<result<StreamPtr>> outgoing();
    result<void> hold(CallStream& stream);
    void count(std::string_view outcome) const;
    /// Before something is under way on it.
    void begin_on(CallStream& stream);
    [[nodiscard]] bool under_way(const CallStream& stream) const noexcept;
    void look_after_streams();
    TimePoint beat(const StreamPtr& stream);
    task<void> send_beat(StreamPtr stream);
    TimePoint doubt(CallStream& stream);
    [[nodiscard]] std::size_t frame_max(const CallStream& stream) const noexcept;

    Loop& loop_;
    const TimePoint began_ = loop_.now();
    std::shared_ptr<Connection> connection_;
    CallPeerOptions options_;
    StillKnown still_known_;  // of whoever the connection belongs to
    std::map<std::uint64_t, StreamPtr> streams_;
    std::uint64_t streams_made_ = 0;
    std::map<std::string, InFlight*, std::less<>> in_flight_;
    std::size_t bytes_ = 0;
    PendingRequestMap pending_;
    std::string id_prefix_;
    std::uint64_t ids_made_ = 0;
    bool opening_ = false;
    Timer pulse_{loop_, [this] { look_after_streams(); }};
    WaitList stream_changed_;
    TaskScope scope_;  // dies first
};

}  // namespace alknet::call
