#include "peer.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/call/failure.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/rt/combine.hpp>
#include <array>
#include <utility>

namespace alknet::call {

namespace {

constexpr std::size_t kReadBytes = 16 << 10;

Duration time_for(const Requested& request, const CallLimits& limits) {
    if (!request.timeout_ms) {
        return limits.timeout_default;
    }
    const auto most = std::chrono::duration_cast<std::chrono::milliseconds>(limits.timeout_max);
    return std::chrono::milliseconds(
        std::min(*request.timeout_ms, static_cast<std::uint64_t>(most.count())));
}

// What the other end may be told about its stream before that ends.
bool is_its_fault(const error& why) noexcept {
    return why.is(errc::protocol) || why.is(errc::limit) || why.is(causes::kTokenInvalid);
}

std::string random_prefix() {
    std::array<std::byte, 8> octets{};
    crypto::fill_random(octets);
    return hex_encode(octets) + "-";
}

}  // namespace

CallCounts::CallCounts(Metrics* metrics) {
    if (metrics != nullptr) {
        requests = &metrics->counters("alknet_call_requests_total",
                                      "Requests on alknet/call, by how they ended", {"outcome"});
        unknown_events = &metrics->counter("alknet_call_unknown_events_total",
                                           "Events of later versions that were ignored");
    }
}

/// A request in flight: known by its id until it is answered.
class CallPeer::Place {
public:
    Place(CallPeer& peer, std::string id, StreamPtr stream, std::size_t bytes)
        : peer_(peer),
          id_(std::move(id)),
          bytes_(bytes),
          entry_(&peer.scope_.token(), std::move(stream)) {
        peer_.in_flight_.emplace(id_, &entry_);
        peer_.bytes_ += bytes_;
        ++peer_.options_.counts->in_flight;
        ++entry_.stream->running;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
        peer_.in_flight_.erase(id_);
        peer_.bytes_ -= bytes_;
        --peer_.options_.counts->in_flight;
        --entry_.stream->running;
        entry_.stream->idle.wake_all();
        peer_.options_.counts->ended.wake_all();
    }

    [[nodiscard]] const std::string& id() const noexcept { return id_; }
    [[nodiscard]] InFlight& entry() noexcept { return entry_; }

private:
    CallPeer& peer_;
    std::string id_;
    std::size_t bytes_;
    InFlight entry_;
};

CallPeer::CallPeer(Loop& loop, std::shared_ptr<Connection> connection, CallPeerOptions options,
                   Cancel* cancel)
    : loop_(loop),
      connection_(std::move(connection)),
      options_(std::move(options)),
      id_prefix_(random_prefix()),
      scope_(loop, cancel) {}

task<result<void>> CallPeer::run() {
    const std::size_t streams_max =
        options_.identity ? options_.limits.streams_max : options_.limits.streams_anonymous_max;
    result<void> outcome;
    while (outcome) {
        if (streams_.size() >= streams_max) {
            outcome = co_await wait_for_room().under(scope_.token());
            continue;
        }
        // A handler that throws cancels the scope, and so this.
        auto stream = co_await connection_->accept_bi().under(scope_.token());
        if (stream) {
            (void)add(std::move(*stream));
        } else if (stream.error().is(causes::kNotSupported)) {
            outcome = co_await wait_closed();
        } else {
            outcome = unexpected(std::move(stream).error());
        }
    }
    // Without the connection nobody gets an answer.
    const auto joined = co_await scope_.join();
    const bool in_order = outcome.error().is(errc::closed) || outcome.error().is(errc::cancelled);
    co_return in_order ? joined : outcome;
}

task<result<void>> CallPeer::wait_for_room() {
    co_return co_await stream_changed_.wait();
}

// The end that dialled a connection of one stream: nobody opens one towards it.
task<result<void>> CallPeer::wait_closed() {
    ALKNET_CO_CHECK(co_await connection_->wait_closed().under(scope_.token()));
    co_return unexpected(connection_->close_reason().value_or(error(causes::kClosed)));
}

CallPeer::StreamPtr CallPeer::add(std::unique_ptr<BiStream> stream) {
    const std::uint64_t number = ++streams_made_;
    auto made = std::make_shared<Stream>(number, std::move(stream), options_.identity);
    made->decoder.set_bytes_max(frame_max(*made));
    streams_.emplace(number, made);
    scope_.spawn(serve(made), "call.stream");
    return made;
}

std::size_t CallPeer::frame_max(const Stream& stream) const noexcept {
    // What this end asked for may be as large as the answer is.
    const bool known = stream.identity.has_value() || !connection_->info().server_side;
    return known ? options_.limits.frame_bytes_max : options_.limits.frame_bytes_anonymous_max;
}

task<void> CallPeer::serve(StreamPtr stream) {
    const result<void> outcome = co_await read(*stream, stream);
    if (!outcome) {
        end_requests(*stream);
    }
    while (stream->running > 0) {
        (void)co_await stream->idle.wait_uncancellable();
    }
    if (outcome) {
        co_await stream->turn.finish(*stream->stream);
    } else if (is_its_fault(outcome.error())) {
        (void)co_await tell(stream, {}, to_failed(outcome.error()));
        co_await stream->turn.finish(*stream->stream);
        stream->stream->stop(default_close_code(outcome.error().condition()));
    }
    pending_.end_stream(stream->number, outcome ? error(causes::kClosed) : outcome.error());
    bytes_ -= std::exchange(stream->held, 0);
    streams_.erase(stream->number);
    stream_changed_.wake_all();
}

task<result<void>> CallPeer::read(Stream& stream, const StreamPtr& shared) {
    Bytes chunk(kReadBytes);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await stream.stream->read(chunk));
        if (size == 0 && stream.decoder.held() > 0) {
            co_return fail(causes::kProtocol, "the stream ends within a frame");
        }
        if (size == 0) {
            co_return result<void>();
        }
        stream.decoder.push(BytesView(chunk).first(size));
        ALKNET_CO_CHECK(hold(stream));
        for (;;) {
            ALKNET_CO_TRY(const auto text, stream.decoder.next());
            if (!text) {
                break;
            }
            ALKNET_CO_TRY(EventEnvelope envelope, decode_event(*text, options_.limits.json));
            const std::size_t bytes = text->size();
            ALKNET_CO_CHECK(co_await take(std::move(envelope), bytes, shared));
        }
        ALKNET_CO_CHECK(hold(stream));
    }
}

// One budget for the connection, whatever streams it has.
result<void> CallPeer::hold(Stream& stream) {
    bytes_ += stream.decoder.held();
    bytes_ -= std::exchange(stream.held, stream.decoder.held());
    if (bytes_ > options_.limits.bytes_max) {
        return fail(causes::kLimit, "bytes_max: " + std::to_string(options_.limits.bytes_max) +
                                        " octets of one connection");
    }
    return {};
}

task<result<void>> CallPeer::take(EventEnvelope envelope, std::size_t bytes, StreamPtr stream) {
    std::string& id = envelope.id;
    if (auto* request = std::get_if<Requested>(&envelope.event)) {
        co_return co_await take_request(std::move(id), std::move(*request), bytes,
                                        std::move(stream));
    }
    if (auto* response = std::get_if<Responded>(&envelope.event)) {
        Item item{.output = std::move(response->output),
                  .seq = response->seq,
                  .missed = response->missed};
        co_await pending_.give(std::move(id), std::move(item));
    } else if (std::holds_alternative<Completed>(envelope.event)) {
        (void)pending_.end(id, Json());
    } else if (std::holds_alternative<Aborted>(envelope.event)) {
        if (const auto found = in_flight_.find(id); found != in_flight_.end()) {
            found->second->cancel.request();
        } else {
            (void)pending_.end(id, fail(causes::kCancelled, "the other end aborted the call"));
        }
    } else if (const auto* failure = std::get_if<Failed>(&envelope.event)) {
        if (id.empty()) {
            pending_.end_stream(stream->number, to_error(*failure));
        } else {
            (void)pending_.end(id, unexpected(to_error(*failure)));
        }
    } else if (const auto* malformed = std::get_if<Malformed>(&envelope.event)) {
        if (malformed->type != "call.requested") {
            co_return fail(causes::kProtocol, malformed->type + ": " + malformed->why);
        }
        const error why(causes::kUsage, malformed->why);
        co_return co_await tell(std::move(stream), std::move(id), to_failed(why));
    } else if (std::holds_alternative<Unknown>(envelope.event) &&
               options_.counts->unknown_events != nullptr) {
        options_.counts->unknown_events->add();
    }
    co_return result<void>();
}

task<result<void>> CallPeer::take_request(std::string id, Requested request, std::size_t bytes,
                                          StreamPtr stream) {
    if (in_flight_.contains(id)) {
        co_return fail(causes::kProtocol, "the id of a request that is not yet answered");
    }
    auto welcome = admit(bytes);
    if (welcome) {
        welcome = co_await identify(request, *stream);
    }
    if (!welcome) {
        count("refused");
        const bool ends = welcome.error().is(causes::kTokenInvalid);
        auto told = co_await tell(std::move(stream), std::move(id), to_failed(welcome.error()));
        co_return ends ? welcome : told;
    }
    auto place = std::make_unique<Place>(*this, std::move(id), std::move(stream), bytes);
    scope_.spawn(answer(std::move(request), std::move(place)), "call.request");
    co_return result<void>();
}

result<void> CallPeer::admit(std::size_t bytes) const {
    if (options_.counts->draining) {
        return fail(causes::kShuttingDown);
    }
    const std::size_t most =
        options_.identity ? options_.limits.in_flight_max : options_.limits.in_flight_anonymous_max;
    if (in_flight_.size() >= most) {
        return fail(causes::kLimit, "in_flight_max: " + std::to_string(most) +
                                        " requests of one connection at a time");
    }
    if (bytes_ + bytes > options_.limits.bytes_max) {
        return fail(causes::kLimit, "bytes_max: " + std::to_string(options_.limits.bytes_max) +
                                        " octets of one connection");
    }
    return {};
}

task<result<void>> CallPeer::identify(Requested& request, Stream& stream) {
    const bool first = !std::exchange(stream.asked, true);
    if (!request.auth_token) {
        co_return result<void>();
    }
    if (!first) {
        co_return fail(causes::kUsage, "auth_token belongs to the first request of a stream");
    }
    if (options_.identities == nullptr) {
        co_return fail(causes::kTokenInvalid);
    }
    auto resolved = co_await options_.identities->resolve_from_token(
        std::exchange(request.auth_token, std::nullopt).value(), std::string(kCallAlpn));
    if (!resolved || !*resolved) {
        co_return fail(causes::kTokenInvalid);
    }
    stream.identity = *std::move(resolved);
    stream.decoder.set_bytes_max(frame_max(stream));
    co_return result<void>();
}

CallContext CallPeer::context_of(Requested& request, const InFlight& entry, Duration limit) const {
    return {.identity = entry.stream->identity,
            .transport = options_.transport,
            .connected = began_,
            .deadline = time_after(loop_.now(), limit),
            .traceparent = std::move(request.traceparent),
            .resume_after = request.resume_after};
}

task<result<Json>> CallPeer::run_call(Requested request, InFlight& entry) {
    const Duration limit = time_for(request, options_.limits);
    CallContext context = context_of(request, entry, limit);
    auto work =
        options_.registry->call(request.operation, std::move(context), std::move(request.input));
    co_return co_await with_timeout(limit, std::move(work).under(entry.cancel));
}

/// Of one subscription. An abort does not wait for what is being written.
class CallPeer::StreamSink final : public ItemSink {
public:
    StreamSink(CallPeer& peer, Place& place) : peer_(peer), place_(place) {}

    task<result<void>> give(Item item) override {
        seq_ = item.seq.value_or(seq_ + 1);
        EventEnvelope envelope{
            .id = place_.id(),
            .event =
                Responded{.output = std::move(item.output), .seq = seq_, .missed = item.missed}};
        ALKNET_CO_TRY(Bytes frame, encode_frame(envelope, peer_.options_.limits.frame_bytes_max));
        const auto written = std::make_shared<ItemWritten>();
        const StreamPtr& stream = place_.entry().stream;
        ++stream->running;  // until it is written
        peer_.scope_.spawn(peer_.write_item(stream, std::move(frame), written), "call.item");
        ALKNET_CO_CHECK(co_await written->ended.wait());
        co_return written->outcome;
    }

private:
    CallPeer& peer_;
    Place& place_;
    std::uint64_t seq_ = 0;
};

task<result<void>> CallPeer::run_subscription(Requested request, Place& place) {
    InFlight& entry = place.entry();
    const Duration limit =
        request.timeout_ms ? time_for(request, options_.limits) : Duration::max();
    CallContext context = context_of(request, entry, limit);
    StreamSink sink(*this, place);
    auto work = options_.registry->subscribe(request.operation, std::move(context),
                                             std::move(request.input), sink);
    Cancel ending(&entry.cancel);
    options_.counts->subscriptions.insert(&ending);
    auto outcome = co_await with_timeout(limit, std::move(work).under(ending));
    options_.counts->subscriptions.erase(&ending);
    if (options_.counts->draining && ending.requested() && !entry.cancel.requested()) {
        outcome = fail(causes::kShuttingDown);
    }
    co_return outcome;
}

task<void> CallPeer::answer(Requested request, std::unique_ptr<Place> place) {
    InFlight& entry = place->entry();
    const std::string& name = request.operation;
    EventBody event = to_failed(error(causes::kNoOperation, "/" + name));
    bool ok = false;
    if (options_.registry != nullptr) {
        const auto found = options_.registry->find(name, entry.stream->identity);
        if (found && (*found)->kind == Operation::Kind::subscription) {
            const auto outcome = co_await run_subscription(std::move(request), *place);
            ok = outcome.has_value();
            event = ok ? EventBody(Completed{}) : to_failed(outcome.error());
        } else {
            auto outcome = co_await run_call(std::move(request), entry);
            ok = outcome.has_value();
            event = ok ? EventBody(Responded{.output = *std::move(outcome)})
                       : to_failed(outcome.error());
        }
    }
    if (entry.cancel.requested()) {
        count("aborted");
        co_return;  // whoever asked wants no answer
    }
    count(ok ? "ok" : "failed");
    (void)co_await tell(entry.stream, place->id(), std::move(event));
}

task<void> CallPeer::write_item(StreamPtr stream, Bytes frame,
                                std::shared_ptr<ItemWritten> written) {
    written->outcome = co_await stream->turn.write(*stream->stream, std::move(frame));
    written->ended.set();
    --stream->running;
    stream->idle.wake_all();
}

task<result<void>> CallPeer::tell(StreamPtr stream, std::string id, EventBody event) {
    EventEnvelope envelope{.id = std::move(id), .event = std::move(event)};
    auto frame = encode_frame(envelope, options_.limits.frame_bytes_max);
    if (!frame) {
        envelope.event = to_failed(frame.error());
        frame = encode_frame(envelope);
    }
    if (!frame) {
        co_return unexpected(std::move(frame).error());
    }
    co_return co_await stream->turn.write(*stream->stream, *std::move(frame));
}

void CallPeer::end_requests(const Stream& stream) noexcept {
    for (const auto& [id, entry] : in_flight_) {
        if (entry->stream.get() == &stream) {
            entry->cancel.request();
        }
    }
}

void CallPeer::count(std::string_view outcome) const {
    if (options_.counts->requests != nullptr) {
        options_.counts->requests->with({outcome}).add();
    }
}

task<result<CallPeer::StreamPtr>> CallPeer::outgoing() {
    while (streams_.empty() && opening_) {
        ALKNET_CO_CHECK(co_await stream_changed_.wait());
    }
    if (!streams_.empty()) {
        co_return streams_.begin()->second;
    }
    opening_ = true;
    auto opened = co_await connection_->open_bi();
    opening_ = false;
    stream_changed_.wake_all();
    if (!opened) {
        co_return unexpected(std::move(opened).error());
    }
    co_return add(*std::move(opened));
}

task<void> CallPeer::send(StreamPtr stream, Bytes frame) {
    const auto written = co_await stream->turn.write(*stream->stream, std::move(frame));
    if (!written) {
        pending_.end_stream(stream->number, written.error());
    }
}

result<void> CallPeer::may_ask(std::string_view operation) const {
    if (!is_operation_name(operation)) {
        return fail(causes::kUsage, "an operation is SERVICE/NAME");
    }
    if (pending_.size() >= options_.limits.pending_max) {
        return fail(causes::kLimit, "pending_max: " + std::to_string(options_.limits.pending_max) +
                                        " calls that wait");
    }
    return {};
}

task<result<Json>> CallPeer::call(std::string operation, Json input, CallOptions options) {
    ALKNET_CO_CHECK(may_ask(operation));
    ALKNET_CO_TRY(const StreamPtr stream, co_await outgoing());
    PendingRequestMap::Entry entry(pending_, id_prefix_ + std::to_string(++ids_made_),
                                   stream->number);
    Requested request{.operation = std::move(operation),
                      .input = std::move(input),
                      .traceparent = std::move(options.traceparent),
                      .auth_token = std::move(options.auth_token)};
    request.timeout_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(options.timeout).count());
    ALKNET_CO_TRY(Bytes frame, encode_frame({.id = entry.id(), .event = std::move(request)},
                                            options_.limits.frame_bytes_max));
    scope_.spawn(send(stream, std::move(frame)), "call.send");
    result<Json> outcome = co_await with_timeout(options.timeout, entry.wait());
    if (!entry.ended() || entry.more()) {
        ALKNET_CO_TRY(Bytes abort, encode_frame({.id = entry.id(), .event = Aborted{}}));
        scope_.spawn(send(stream, std::move(abort)), "call.abort");
    }
    co_return outcome;
}

/// A subscription of ours.
class CallPeer::Subscribed final : public Subscription {
public:
    Subscribed(CallPeer& peer, StreamPtr stream, bool own)
        : peer_(peer),
          stream_(std::move(stream)),
          own_(own),
          entry_(peer.pending_, peer.id_prefix_ + std::to_string(++peer.ids_made_), stream_->number,
                 items_) {}
    Subscribed(const Subscribed&) = delete;
    Subscribed& operator=(const Subscribed&) = delete;
    ~Subscribed() override {
        items_->close();
        Bytes abort;
        if (!entry_.ended()) {
            auto frame = encode_frame({.id = entry_.id(), .event = Aborted{}});
            abort = frame ? *std::move(frame) : Bytes();
        }
        peer_.scope_.spawn(peer_.end_subscription(stream_, std::move(abort), own_), "call.abort");
    }

    [[nodiscard]] const std::string& id() const noexcept { return entry_.id(); }

    task<result<std::optional<Item>>> next() override {
        auto item = co_await items_->recv();
        if (item) {
            co_return *std::move(item);
        }
        if (!entry_.ended()) {
            co_return unexpected(std::move(item).error());
        }
        ALKNET_CO_CHECK(entry_.outcome());
        co_return std::nullopt;
    }

private:
    CallPeer& peer_;
    StreamPtr stream_;
    bool own_;
    std::shared_ptr<Channel<Item>> items_ = std::make_shared<Channel<Item>>(kItemsMax);
    PendingRequestMap::Entry entry_;
};

task<void> CallPeer::end_subscription(StreamPtr stream, Bytes abort, bool finish) {
    if (!abort.empty()) {
        (void)co_await stream->turn.write(*stream->stream, std::move(abort));
    }
    if (finish) {
        co_await stream->turn.finish(*stream->stream);
    }
}

task<result<std::unique_ptr<Subscription>>> CallPeer::subscribe(std::string operation, Json input,
                                                                SubscribeOptions options) {
    ALKNET_CO_CHECK(may_ask(operation));
    // The first stream is for calls; a connection of one stream has no other.
    ALKNET_CO_TRY(StreamPtr stream, co_await outgoing());
    auto opened = co_await connection_->open_bi();
    const bool own = opened.has_value();
    if (own) {
        stream = add(*std::move(opened));
    } else if (!opened.error().is(causes::kNotSupported)) {
        co_return unexpected(std::move(opened).error());
    }
    auto subscription = std::make_unique<Subscribed>(*this, stream, own);
    Requested request{.operation = std::move(operation),
                      .input = std::move(input),
                      .traceparent = std::move(options.traceparent),
                      .resume_after = options.resume_after};
    if (options.timeout) {
        request.timeout_ms = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(*options.timeout).count());
    }
    ALKNET_CO_TRY(Bytes frame, encode_frame({.id = subscription->id(), .event = std::move(request)},
                                            options_.limits.frame_bytes_max));
    scope_.spawn(send(stream, std::move(frame)), "call.send");
    co_return subscription;
}

task<void> CallPeer::finish() {
    const auto streams = streams_;
    for (const auto& [number, stream] : streams) {
        co_await stream->turn.finish(*stream->stream);
    }
}

}  // namespace alknet::call
