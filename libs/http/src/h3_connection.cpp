#include "h3_connection.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/race.hpp>
#include <utility>

#include "h3_exchange.hpp"

namespace alknet::http {

namespace {

/// What is told of a stream that serves nothing here.
constexpr std::uint64_t kUnknownStream = 0x103;
constexpr Duration kDeliveryStepFirst = std::chrono::milliseconds(1);
constexpr Duration kDeliveryStepMax = std::chrono::milliseconds(50);

// The interface of streams gives numbers to those of requests alone; nghttp3 needs them of all.
constexpr std::array<std::int64_t, 3> kOwnStreams = {3, 7, 11};
constexpr std::int64_t other_stream(std::size_t index) noexcept {
    return static_cast<std::int64_t>(4 * index + 2);
}

}  // namespace

H3Connection::H3Connection(Loop& loop, Connection& connection, DriverOptions options,
                           Http3Extension* extension)
    : loop_(loop), connection_(connection), options_(std::move(options)), extension_(extension) {}

H3Connection::~H3Connection() = default;

void H3Connection::drain() noexcept {
    draining_ = true;
    if (session_ != nullptr) {
        session_->go_away();
        pump();
    }
    idle_.wake_all();
}

task<result<void>> H3Connection::wait_list(WaitList& list) {
    co_return co_await list.wait();
}

H3Connection::Exchange* H3Connection::find(std::int64_t stream) const {
    const auto found = exchanges_.find(stream);
    return found == exchanges_.end() ? nullptr : found->second;
}

// ---- events, while the session is at work ----

void H3Connection::on_request(std::int64_t stream, RequestHead head, const Refusal* refusal) {
    Exchange* const exchange = find(stream);
    if (exchange == nullptr) {
        return;
    }
    exchange->head = std::move(head);
    if (refusal != nullptr) {
        exchange->refusal = *refusal;
    }
    exchange->asked.set();
    if (++requests_ == options_.limits.connection.requests_max) {
        draining_ = true;
        session_->go_away();
        idle_.wake_all();
    }
}

void H3Connection::on_data(std::int64_t stream, BytesView data) {
    Exchange* const exchange = find(stream);
    if (exchange == nullptr) {
        return;
    }
    exchange->rate.received += data.size();
    if (exchange->rate.received > options_.limits.message.body_bytes_max && !exchange->tunnel &&
        exchange->refusal.status == 0) {
        exchange->refusal = {.status = 413,
                             .reason = "the body is larger than http.limits.body_bytes_max"};
    }
    if (exchange->refusal.status == 0) {
        exchange->received.insert(exchange->received.end(), data.begin(), data.end());
    }
    exchange->arrived.wake_all();
}

void H3Connection::on_trailer(std::int64_t stream, std::string_view name, std::string_view value) {
    Exchange* const exchange = find(stream);
    if (exchange == nullptr) {
        return;
    }
    exchange->trailers.take(name, value);
    if (exchange->trailers.too_large() && exchange->refusal.status == 0) {
        exchange->refusal = kTrailersTooLong;
    }
}

Fields H3Connection::on_send_end(std::int64_t stream) {
    Exchange* const exchange = find(stream);
    return exchange != nullptr ? std::move(exchange->sent_trailers) : Fields();
}

void H3Connection::on_request_end(std::int64_t stream) {
    if (Exchange* const exchange = find(stream)) {
        exchange->request_ended = true;
        exchange->arrived.wake_all();
    }
}

void H3Connection::on_ready(std::int64_t stream) {
    if (Exchange* const exchange = find(stream)) {
        exchange->taken.wake_all();
    }
}

void H3Connection::on_refuse(std::int64_t stream, std::uint64_t code) {
    if (Exchange* const exchange = find(stream)) {
        exchange->refused = code;
        exchange->taken.wake_all();
    } else {
        refused_.insert(stream);
    }
}

std::optional<BytesView> H3Connection::on_send(std::int64_t stream, bool& end) {
    Exchange* const exchange = find(stream);
    if (exchange == nullptr || exchange->out.size() >= kPieceBytes) {
        return std::nullopt;
    }
    const BytesView piece =
        exchange->content.first(std::min(exchange->content.size(), kPieceBytes));
    exchange->content = exchange->content.subspan(piece.size());
    exchange->sent_bytes += piece.size();
    end = exchange->content.empty() && exchange->content_last;
    return piece.empty() && !end ? std::nullopt : std::optional(piece);
}

void H3Connection::on_output(std::int64_t stream, BytesView octets, bool end) {
    const auto own = std::ranges::find(kOwnStreams, stream);
    if (own != kOwnStreams.end()) {
        Bytes& out = own_[static_cast<std::size_t>(own - kOwnStreams.begin())].out;
        out.insert(out.end(), octets.begin(), octets.end());
        to_write_.set();
    } else if (Exchange* const exchange = find(stream)) {
        exchange->out.insert(exchange->out.end(), octets.begin(), octets.end());
        exchange->out_end = exchange->out_end || end;
    }
}

// ---- the connection ----

task<result<void>> H3Connection::run() {
    ALKNET_CO_CHECK(co_await with_timeout(options_.limits.connection.header_timeout, open()));
    H3Options announced{.own_streams = kOwnStreams,
                        .streams_max = options_.limits.connection.streams_max};
    if (extension_ != nullptr) {
        announced.datagrams = extension_->wants_datagrams();
        announced.settings = extension_->settings();
    }
    ALKNET_CO_TRY(session_,
                  H3Session::create(options_.limits.message, std::move(announced), *this));
    const TaskContext context = co_await current_context();
    TaskScope tasks(loop_, context.cancel);
    tasks_ = &tasks;
    if (draining_) {
        session_->go_away();
    }
    pump();
    auto outcome = co_await race(accept_requests(), accept_others(), write_own(), end_when_idle(),
                                 receive_datagrams(), until_failed());
    tasks.cancel();
    (void)co_await tasks.join();
    tasks_ = nullptr;
    co_return co_await finish(std::visit([](const auto& one) { return one; }, outcome));
}

// A client that lets us open no streams has no use for HTTP/3.
task<result<void>> H3Connection::open() {
    for (OwnStream& own : own_) {
        ALKNET_CO_TRY(own.stream, co_await connection_.open_uni());
    }
    co_return result<void>();
}

// The streams of the connection itself must not end before it does, and so it is closed here.
task<result<void>> H3Connection::finish(const result<void>& ended) {
    if (connection_.closed().requested()) {
        co_return result<void>();
    }
    if (const std::uint64_t code = flooded_        ? h3_code::kExcessiveLoad
                                   : bad_datagram_ ? h3_code::kDatagramError
                                                   : session_->code();
        code != h3_code::kNoError) {
        connection_.close(code, "");
        co_return result<void>();
    }
    if (!ended) {
        co_return ended;
    }
    session_->go_away();
    pump();
    ALKNET_CO_CHECK(co_await flush_own());
    const TimePoint deadline = loop_.now() + kDeliveryTimeout;
    for (Duration step = kDeliveryStepFirst; loop_.now() < deadline;
         step = std::min(step * 2, kDeliveryStepMax)) {
        const ConnectionStats stats = connection_.stats();
        if (stats.buffered_bytes == 0 && stats.streams_open <= own_.size() + others_.size()) {
            break;
        }
        ALKNET_CO_CHECK(co_await loop_.sleep(step));
    }
    connection_.close(h3_code::kNoError, "");
    co_return result<void>();
}

void H3Connection::pump() {
    note(session_->send());
}

void H3Connection::note(const result<void>& outcome) {
    if (!outcome) {
        failed_.set();
    }
}

task<result<void>> H3Connection::until_failed() {
    co_return co_await failed_.wait();
}

task<result<void>> H3Connection::accept_requests() {
    for (;;) {
        while (running_ >= options_.limits.connection.streams_max) {
            ALKNET_CO_CHECK(co_await idle_.wait());
        }
        ALKNET_CO_TRY(auto stream, co_await connection_.accept_bi());
        ++running_;  // the task has it from now on
        idle_.wake_all();
        tasks_->spawn(serve(std::move(stream)), "http3");
    }
}

task<result<void>> H3Connection::accept_others() {
    for (std::size_t index = 0;; ++index) {
        ALKNET_CO_TRY(auto stream, co_await connection_.accept_uni());
        others_.emplace(other_stream(index), std::move(stream));
        tasks_->spawn(read_other(other_stream(index)), "http3");
    }
}

task<void> H3Connection::read_other(std::int64_t id) {
    RecvStream& stream = *others_[id];
    H3Opening opening;
    if (extension_ != nullptr) {
        if (co_await hand_over_uni(id, opening)) {
            co_return;
        }
        note(session_->receive(id, opening.octets, opening.ended));
        pump();
        if (opening.ended) {
            co_return;
        }
    }
    std::array<std::byte, 1024> buffer{};
    for (;;) {
        const auto count = co_await stream.read(buffer);
        if (!count && !count.error().is(errc::reset)) {
            co_return;  // it is kept: a client may take the end of this stream for an error
        }
        const bool reset = !count;
        if (!reset) {
            note(session_->receive(id, BytesView(buffer).first(*count), *count == 0));
            pump();
        }
        const bool refused = refused_.erase(id) > 0;
        if (refused) {
            stream.stop(kUnknownStream);
        }
        if (reset || refused || *count == 0) {
            note(session_->close(id, reset, 0));
            others_.erase(id);
            co_return;
        }
    }
}

task<result<void>> H3Connection::write_own() {
    for (;;) {
        ALKNET_CO_CHECK(co_await to_write_.wait());
        to_write_.clear();
        ALKNET_CO_CHECK(co_await flush_own());
    }
}

task<result<void>> H3Connection::flush_own() {
    for (OwnStream& own : own_) {
        while (!own.out.empty()) {
            const Bytes out = std::exchange(own.out, {});
            if (out.size() > kOwnStreamBytesMax) {
                co_return fail(causes::kLimit, "the client does not read what HTTP/3 tells it");
            }
            ALKNET_CO_CHECK(co_await with_timeout(options_.limits.connection.send_timeout,
                                                  own.stream->write(out)));
        }
    }
    co_return result<void>();
}

// One without a request for keep_alive_timeout, or one that is to end and has none left.
task<result<void>> H3Connection::end_when_idle() {
    for (;;) {
        while (running_ > 0) {
            ALKNET_CO_CHECK(co_await idle_.wait());
        }
        if (draining_) {
            co_return result<void>();
        }
        const TimePoint until =
            time_after(loop_.now(), options_.limits.connection.keep_alive_timeout);
        while (running_ == 0 && !draining_) {
            const auto changed = co_await with_timeout(until - loop_.now(), wait_list(idle_));
            if (!changed && changed.error().is(errc::timeout)) {
                co_return result<void>();
            }
            ALKNET_CO_CHECK(changed);
        }
    }
}

// A request that its client takes back has cost us more than the client (rapid reset).
bool H3Connection::may_be_taken_back() noexcept {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(loop_.now() - taken_back_since_);
    const ConnectionLimits& limits = options_.limits.connection;
    const auto earned = static_cast<std::uint64_t>(std::max<std::int64_t>(seconds.count(), 0));
    taken_back_ -= std::min(taken_back_, earned * limits.resets_per_second);
    taken_back_since_ += seconds;
    return ++taken_back_ <= limits.resets_burst;
}

}  // namespace alknet::http
