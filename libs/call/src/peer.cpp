#include "peer.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/mutation.hpp>
#include <alknet/call/failure.hpp>
#include <alknet/crypto/digest.hpp>
#include <array>
#include <string>
#include <utility>

namespace alknet::call {

namespace {

constexpr std::size_t kReadBytes = 16 << 10;
// Of a stream that has ended here, for the other end to take what is on its way.
constexpr Duration kTakeWithin = std::chrono::seconds(1);

// What the other end may be told about its stream before that ends.
bool is_its_fault(const error& why) noexcept {
    return why.is(errc::protocol) || why.is(errc::limit);
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

CallPeer::CallPeer(Loop& loop, std::shared_ptr<Connection> connection, CallPeerOptions options,
                   Cancel* cancel)
    : loop_(loop),
      connection_(std::move(connection)),
      options_(std::move(options)),
      id_prefix_(random_prefix()),
      scope_(loop, cancel) {
    std::string fingerprint = connection_->info().peer.fingerprint();
    if (options_.identities != nullptr && !fingerprint.empty()) {
        still_known_ = [identities = options_.identities, fingerprint = std::move(fingerprint)] {
            return identities->resolve_from_fingerprint(fingerprint);
        };
    }
}

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
    const bool gathers = connection_->info().transport != Transport::quic;
    auto made = std::make_shared<CallStream>(loop_, number, std::move(stream), options_.identity,
                                             &scope_.token(), gathers);
    made->still = still_known_;
    made->decoder.set_bytes_max(frame_max(*made));
    streams_.emplace(number, made);
    scope_.spawn(serve(made), "call.stream");
    return made;
}

std::size_t CallPeer::frame_max(const CallStream& stream) const noexcept {
    // What this end asked for may be as large as the answer is.
    const bool known = stream.identity.has_value() || !connection_->info().server_side;
    return known ? options_.limits.frame_bytes_max : options_.limits.frame_bytes_anonymous_max;
}

task<void> CallPeer::serve(StreamPtr stream) {
    auto reading = read(*stream, stream);
    result<void> outcome = co_await std::move(reading).under(stream->cancel);
    if (!outcome) {
        stream->cancel.request();
    } else if (stream->running > 0 && connection_->info().transport != Transport::quic) {
        // A socket does not tell who says no more from who has gone; what is sent to it does.
        scope_.spawn(send_beat(stream), "call.heartbeat");
    }
    co_await wait_unused(*stream);
    if (stream->fault) {
        outcome = unexpected(*stream->fault);
    }
    if (outcome) {
        co_await stream->finish();
    } else if (stream->fault || is_its_fault(outcome.error())) {
        (void)co_await tell(stream, {}, to_failed(outcome.error()));
        co_await stream->finish();
        stream->stream->stop(default_close_code(outcome.error().condition()));
    }
    pending_.end_stream(stream->number, outcome ? error(causes::kClosed) : outcome.error());
    bytes_ -= std::exchange(stream->held, 0);
    stream->unlink();
    streams_.erase(stream->number);
    stream_changed_.wake_all();
}

task<result<void>> CallPeer::wait_idle(CallStream& stream) {
    while (stream.running > 0) {
        ALKNET_CO_CHECK(co_await stream.idle.wait());
    }
    co_return result<void>();
}

// Requests that are told to end do; what is written to somebody who does not read would not.
task<void> CallPeer::wait_unused(CallStream& stream) {
    auto in_order = wait_idle(stream);
    if (co_await std::move(in_order).under(stream.cancel)) {
        co_return;
    }
    Timer impatience(loop_, [&stream] { stream.stream->reset(close_code::kTimeout); });
    impatience.arm_after(kTakeWithin);
    while (stream.running > 0) {
        (void)co_await stream.idle.wait_uncancellable();
    }
}

task<result<void>> CallPeer::read(CallStream& stream, const StreamPtr& shared) {
    Bytes chunk(kReadBytes);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await stream.read(chunk));
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
result<void> CallPeer::hold(CallStream& stream) {
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
        co_await pending_.give(std::move(id), std::move(item), bytes);
    } else if (std::holds_alternative<Completed>(envelope.event)) {
        (void)pending_.end(id, Json());
    } else if (std::holds_alternative<Aborted>(envelope.event)) {
        if (const auto found = in_flight_.find(id); found != in_flight_.end()) {
            if (!ALKNET_MUTATION(forget_abort)) {
                found->second->cancel.request();
            }
        } else {
            (void)pending_.end(id, fail(causes::kCancelled, "the other end aborted the call"));
        }
    } else if (const auto* failure = std::get_if<Failed>(&envelope.event)) {
        if (id.empty()) {
            pending_.end_stream(stream->number, to_error(*failure));
        } else {
            (void)pending_.end(id, unexpected(to_error(*failure)));
        }
    } else if (const auto* credit = std::get_if<Credit>(&envelope.event)) {
        add_credit(id, credit->items);
    } else if (std::holds_alternative<Heartbeat>(envelope.event)) {
        stream->beats = true;
    } else if (const auto* malformed = std::get_if<Malformed>(&envelope.event)) {
        if (malformed->type != "call.requested") {
            co_return fail(causes::kProtocol, malformed->type + ": " + malformed->why);
        }
        co_return co_await refuse(std::move(id), *malformed, std::move(stream));
    } else if (std::holds_alternative<Unknown>(envelope.event) &&
               options_.counts->unknown_events != nullptr) {
        options_.counts->unknown_events->add();
    }
    co_return result<void>();
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
    co_return co_await stream->write(*std::move(frame));
}

task<void> CallPeer::finish() {
    const auto streams = streams_;
    for (const auto& [number, stream] : streams) {
        co_await stream->finish();
    }
}

}  // namespace alknet::call
