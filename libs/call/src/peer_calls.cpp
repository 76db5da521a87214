// What this end asks for.
#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/call/failure.hpp>
#include <alknet/rt/combine.hpp>
#include <utility>

#include "peer.hpp"

namespace alknet::call {

namespace {

/// After a write that has failed, for what had been said before.
constexpr Duration kLastWordsTimeout = std::chrono::seconds(2);

std::uint64_t milliseconds_of(Duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

}  // namespace

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

// What had come before may have answers. The reader of the stream, which is not told of this, ends
// what has none.
task<void> CallPeer::send(StreamPtr stream, Bytes frame) {
    const auto written = co_await stream->write(std::move(frame));
    if (!written) {
        (void)co_await with_timeout(kLastWordsTimeout, wait_gone(stream->number));
        pending_.end_stream(stream->number, written.error());
    }
}

task<result<void>> CallPeer::wait_gone(std::uint64_t stream) {
    while (streams_.contains(stream)) {
        ALKNET_CO_CHECK(co_await stream_changed_.wait());
    }
    co_return result<void>();
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
    begin_on(*stream);
    PendingRequestMap::Entry entry(pending_, id_prefix_ + std::to_string(++ids_made_),
                                   stream->number);
    entry.set_bytes_max(options.answer_bytes_max);
    Requested request{.operation = std::move(operation),
                      .input = std::move(input),
                      .traceparent = std::move(options.traceparent),
                      .auth_token = std::move(options.auth_token),
                      .depth = options.depth,
                      .forwarded_for = std::move(options.forwarded_for)};
    request.timeout_ms = milliseconds_of(options.detached_for.value_or(options.timeout));
    request.detach = options.detached_for.has_value();
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
            ALKNET_CO_CHECK(follow(*item));
            took_one();
            co_return *std::move(item);
        }
        if (!entry_.ended()) {
            co_return unexpected(std::move(item).error());
        }
        ALKNET_CO_CHECK(entry_.outcome());
        co_return std::nullopt;
    }

private:
    // Whoever resumes relies on the numbers.
    result<void> follow(const Item& item) {
        if (item.seq && last_ && *item.seq <= *last_) {
            return fail(causes::kProtocol,
                        fmt::format("item {} comes after item {}", *item.seq, *last_));
        }
        if (item.seq) {
            last_ = item.seq;
        }
        return {};
    }
    // On a stream for itself that gives credit too.
    void took_one() {
        if (own_ || entry_.ended() || ++taken_ < kItemsMax / 2) {
            return;
        }
        auto frame =
            encode_frame({.id = entry_.id(), .event = Credit{.items = std::exchange(taken_, 0)}});
        if (frame) {
            peer_.scope_.spawn(peer_.send(stream_, *std::move(frame)), "call.credit");
        }
    }

    CallPeer& peer_;
    StreamPtr stream_;
    bool own_;
    std::size_t taken_ = 0;
    std::optional<std::uint64_t> last_{};
    std::shared_ptr<Channel<Item>> items_ = std::make_shared<Channel<Item>>(kItemsMax);
    PendingRequestMap::Entry entry_;
};

task<void> CallPeer::end_subscription(StreamPtr stream, Bytes abort, bool finish) {
    if (!abort.empty()) {
        (void)co_await stream->write(std::move(abort));
    }
    if (finish) {
        co_await stream->finish();
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
    begin_on(*stream);
    auto subscription = std::make_unique<Subscribed>(*this, stream, own);
    Requested request{.operation = std::move(operation),
                      .input = std::move(input),
                      .traceparent = std::move(options.traceparent),
                      .resume_after = options.resume_after,
                      .depth = options.depth,
                      .forwarded_for = std::move(options.forwarded_for)};
    if (!own) {
        request.credit = Subscription::kItemsMax;
    }
    if (options.timeout) {
        request.timeout_ms = milliseconds_of(*options.timeout);
    }
    ALKNET_CO_TRY(Bytes frame, encode_frame({.id = subscription->id(), .event = std::move(request)},
                                            options_.limits.frame_bytes_max));
    scope_.spawn(send(stream, std::move(frame)), "call.send");
    co_return subscription;
}

}  // namespace alknet::call
