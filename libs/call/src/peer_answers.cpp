// What the other end asks for: who may, what runs, and the answers.
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/call/composition.hpp>
#include <alknet/call/failure.hpp>
#include <alknet/crypto/secret_bytes.hpp>
#include <alknet/rt/combine.hpp>
#include <limits>
#include <utility>

#include "peer.hpp"

namespace alknet::call {

namespace {

Duration time_for(const Requested& request, const CallLimits& limits) {
    if (!request.timeout_ms) {
        return limits.timeout_default;
    }
    const auto most = std::chrono::duration_cast<std::chrono::milliseconds>(limits.timeout_max);
    return std::chrono::milliseconds(
        std::min(*request.timeout_ms, static_cast<std::uint64_t>(most.count())));
}

}  // namespace

/// A request in flight: known by its id until it is answered.
class CallPeer::Place {
public:
    Place(CallPeer& peer, std::string id, StreamPtr stream, std::size_t bytes)
        : peer_(peer), id_(std::move(id)), bytes_(bytes), entry_(std::move(stream)) {
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

task<result<void>> CallPeer::take_request(std::string id, Requested request, std::size_t bytes,
                                          StreamPtr stream) {
    if (in_flight_.contains(id)) {
        co_return fail(causes::kProtocol, "the id of a request that is not yet answered");
    }
    auto welcome = co_await identify(request, *stream);
    if (in_flight_.contains(id)) {  // another stream's request may have come meanwhile
        co_return fail(causes::kProtocol, "the id of a request that is not yet answered");
    }
    if (welcome) {
        welcome = admit(bytes, *stream);
    }
    if (!welcome) {
        count("refused");
        ALKNET_CO_CHECK(co_await tell(stream, std::move(id), to_failed(welcome.error())));
        co_return stream->fault ? unexpected(*stream->fault) : result<void>();
    }
    begin_on(*stream);
    auto place = std::make_unique<Place>(*this, std::move(id), std::move(stream), bytes);
    scope_.spawn(answer(std::move(request), std::move(place)), "call.request");
    co_return result<void>();
}

// Whose the stream would have been is not known.
task<result<void>> CallPeer::refuse(std::string id, Malformed request, StreamPtr stream) {
    stream->asked = true;
    const error why(causes::kUsage, request.why);
    ALKNET_CO_CHECK(co_await tell(stream, std::move(id), to_failed(why)));
    if (request.has_token) {
        stream->fault = error(causes::kTokenInvalid);
        co_return unexpected(*stream->fault);
    }
    co_return result<void>();
}

result<void> CallPeer::admit(std::size_t bytes, const CallStream& stream) const {
    if (options_.counts->draining) {
        return fail(causes::kShuttingDown);
    }
    const std::size_t most =
        stream.identity ? options_.limits.in_flight_max : options_.limits.in_flight_anonymous_max;
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

// A token that is not accepted ends the stream: nobody goes on as somebody else than he said.
task<result<void>> CallPeer::identify(Requested& request, CallStream& stream) {
    const bool first = !std::exchange(stream.asked, true);
    if (!request.auth_token) {
        co_return result<void>();
    }
    const auto token = std::make_shared<const crypto::SecretBytes>(
        crypto::SecretBytes::copy_of(as_bytes(*request.auth_token)));
    crypto::wipe(std::as_writable_bytes(std::span(*request.auth_token)));
    request.auth_token.reset();
    if (!first) {
        co_return fail(causes::kUsage, "auth_token belongs to the first request of a stream");
    }
    const std::uint64_t rechecks = options_.counts->rechecks;
    result<std::optional<Identity>> resolved = std::optional<Identity>();
    if (options_.identities != nullptr) {
        resolved = co_await options_.identities->resolve_from_token(
            std::string(as_text(token->view())), std::string(kCallAlpn));
    }
    StillKnown still = [identities = options_.identities, token] {
        return identities->recheck_token(std::string(as_text(token->view())),
                                         std::string(kCallAlpn));
    };
    if (resolved && *resolved && rechecks != options_.counts->rechecks) {
        resolved = co_await still();
    }
    if (!resolved || !*resolved) {
        // Why is between the node and whoever looks at its records.
        const bool temporary = !resolved && !resolved.error().is(errc::forbidden);
        const error why(temporary ? resolved.error().cause() : causes::kTokenInvalid);
        stream.fault = why;
        co_return unexpected(why);
    }
    stream.identity = *std::move(resolved);
    stream.still = std::move(still);
    options_.counts->by_token.push_back(stream);
    stream.decoder.set_bytes_max(frame_max(stream));
    co_return result<void>();
}

CallContext CallPeer::context_of(Requested& request, const InFlight& entry, Duration limit) const {
    return {.identity = entry.stream->identity,
            .transport = options_.transport,
            .connected = began_,
            .deadline = time_after(loop_.now(), limit),
            .traceparent = std::move(request.traceparent),
            .resume_after = request.resume_after,
            .depth = request.depth};
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
        InFlight& entry = place_.entry();
        while (entry.credit == 0) {
            ALKNET_CO_CHECK(co_await entry.credited.wait());
        }
        if (entry.credit) {
            --*entry.credit;
        }
        seq_ = item.seq.value_or(seq_ + 1);
        EventEnvelope envelope{
            .id = place_.id(),
            .event =
                Responded{.output = std::move(item.output), .seq = seq_, .missed = item.missed}};
        ALKNET_CO_TRY(Bytes frame, encode_frame(envelope, peer_.options_.limits.frame_bytes_max));
        const auto written = std::make_shared<ItemWritten>();
        const StreamPtr& stream = entry.stream;
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

/// Known to whoever shuts the adapter down for as long as it is there, however it ends.
class CallPeer::Running {
public:
    Running(std::set<Cancel*>& all, Cancel& one) : all_(all), one_(one) { all_.insert(&one_); }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() { all_.erase(&one_); }

private:
    std::set<Cancel*>& all_;
    Cancel& one_;
};

task<result<void>> CallPeer::run_subscription(Requested request, Place& place) {
    InFlight& entry = place.entry();
    entry.credit = request.credit;
    const Duration limit =
        request.timeout_ms ? time_for(request, options_.limits) : Duration::max();
    CallContext context = context_of(request, entry, limit);
    StreamSink sink(*this, place);
    auto work = options_.registry->subscribe(request.operation, std::move(context),
                                             std::move(request.input), sink);
    Cancel ending(&entry.cancel);
    const Running running(options_.counts->subscriptions, ending);
    auto outcome = co_await with_timeout(limit, std::move(work).under(ending));
    if (options_.counts->draining && ending.requested() && !entry.cancel.requested()) {
        outcome = fail(causes::kShuttingDown);
    }
    co_return outcome;
}

task<result<Json>> CallPeer::detach(Requested request, InFlight& entry) {
    const CallLimits& limits = options_.limits;
    const Duration limit = request.timeout_ms ? time_for(request, limits) : limits.timeout_max;
    CallContext context = context_of(request, entry, limit);
    auto begun = options_.registry->detach(std::move(request.operation), std::move(context),
                                           std::move(request.input), entry.stream->still);
    ALKNET_CO_TRY(const std::string id, co_await std::move(begun).under(entry.cancel));
    co_return Json::object({{"run", id}});
}

task<result<EventBody>> CallPeer::outcome_of(Requested request, Place& place) {
    InFlight& entry = place.entry();
    if (entry.cancel.requested()) {
        co_return fail(causes::kCancelled);  // before it has begun
    }
    if (options_.registry == nullptr) {
        co_return fail(causes::kNoOperation, "/" + request.operation);
    }
    ALKNET_CO_TRY(const OperationPtr found,
                  options_.registry->find(request.operation, entry.stream->identity));
    if (request.depth > Composition::kDepthMax) {
        co_return fail(causes::kLimit, "depth_max: " + std::to_string(Composition::kDepthMax) +
                                           " calls inside one another");
    }
    if (request.detach) {
        ALKNET_CO_TRY(Json run, co_await detach(std::move(request), entry));
        co_return Responded{.output = std::move(run)};
    }
    if (found->kind == Operation::Kind::subscription) {
        ALKNET_CO_CHECK(co_await run_subscription(std::move(request), place));
        co_return Completed{};
    }
    ALKNET_CO_TRY(Json output, co_await run_call(std::move(request), entry));
    co_return Responded{.output = std::move(output)};
}

task<void> CallPeer::answer(Requested request, std::unique_ptr<Place> place) {
    const InFlight& entry = place->entry();
    auto outcome = co_await outcome_of(std::move(request), *place);
    if (entry.cancel.requested()) {
        count("aborted");
        co_return;  // whoever asked wants no answer
    }
    count(outcome ? "ok" : "failed");
    EventBody event = outcome ? *std::move(outcome) : to_failed(outcome.error());
    (void)co_await tell(entry.stream, place->id(), std::move(event));
}

// For one that asked without credit it means nothing: it set no limit.
void CallPeer::add_credit(const std::string& id, std::uint64_t items) {
    const auto found = in_flight_.find(id);
    if (found == in_flight_.end() || !found->second->credit) {
        return;
    }
    std::uint64_t& credit = *found->second->credit;
    credit += std::min(items, std::numeric_limits<std::uint64_t>::max() - credit);
    found->second->credited.wake_all();
}

task<void> CallPeer::write_item(StreamPtr stream, Bytes frame,
                                std::shared_ptr<ItemWritten> written) {
    written->outcome = co_await stream->write(std::move(frame));
    written->ended.set();
    --stream->running;
    stream->idle.wake_all();
}

void CallPeer::count(std::string_view outcome) const {
    if (options_.counts->requests != nullptr) {
        options_.counts->requests->with({outcome}).add();
    }
}

}  // namespace alknet::call
