#include "h2_connection.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/http/conditional.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/race.hpp>
#include <utility>

#include "body_rate.hpp"

namespace alknet::http {

namespace {

// RFC 9113 section 7.
constexpr std::uint32_t kNoError = 0;
constexpr std::uint32_t kInternalError = 2;
constexpr std::uint32_t kRefusedStream = 7;
constexpr std::uint32_t kCancelled = 8;
constexpr std::uint32_t kCalm = 11;

}  // namespace

/// One request and its response. Lives as long as the client's stream or the task that answers.
struct H2Connection::Exchange {
    explicit Exchange(std::int32_t its_id) : id(its_id) {}

    const std::int32_t id;
    RequestHead head;
    Refusal refusal{.status = 0, .reason = {}};
    Bytes received;  // of the body, not yet read: no more than the stream's window
    std::size_t received_read = 0;
    std::uint64_t body_bytes = 0;
    BodyRate rate;
    WaitList arrived;
    bool request_ended = false;
    bool closed = false;
    Cancel* answering = nullptr;
    Bytes piece;  // of the response, on its way
    std::size_t piece_sent = 0;
    bool piece_last = false;
    bool tunnel = false;  // its octets are not those of a body
    WaitList taken;
    std::uint64_t sent_bytes = 0;
    int status = 0;
    std::string by_token;
};

/// What an extended CONNECT becomes after its answer.
class H2Connection::TunnelStream final : public BiStream {
public:
    TunnelStream(H2Connection& connection, Exchange& exchange);

    task<result<std::size_t>> read(MutableBytes into) override;
    task<result<void>> write(BytesView data) override;
    task<result<void>> finish() override {
        give({}, true);
        co_return result<void>();
    }
    void stop(std::uint64_t) noexcept override {}
    void reset(std::uint64_t) noexcept override {
        connection_.session_->reset(exchange_.id, kCancelled);
        connection_.wake_writer();
    }
    [[nodiscard]] std::uint64_t id() const noexcept override {
        return static_cast<std::uint64_t>(exchange_.id);
    }

private:
    void give(BytesView piece, bool last) {
        exchange_.piece = to_bytes(piece);
        exchange_.piece_sent = 0;
        exchange_.piece_last = last;
        connection_.session_->resume(exchange_.id);
        connection_.wake_writer();
    }

    H2Connection& connection_;
    Exchange& exchange_;
};

class H2Connection::Body final : public BodySource {
public:
    Body(H2Connection& connection, Exchange& exchange)
        : connection_(connection), exchange_(exchange) {}

    task<result<std::size_t>> read(MutableBytes into) override {
        Exchange& exchange = exchange_;
        if (exchange.head.expects_continue && exchange.received.empty() && exchange.status == 0) {
            exchange.head.expects_continue = false;
            connection_.session_->respond_continue(exchange.id);
            connection_.wake_writer();
        }
        while (exchange.received.size() == exchange.received_read && !exchange.request_ended &&
               exchange.refusal.status == 0) {
            const Duration limit = exchange.tunnel
                                       ? Duration::max()
                                       : connection_.options_.limits.connection.body_timeout;
            const TimePoint began = connection_.loop_.now();
            const auto arrived = co_await with_timeout(limit, wait_list(exchange.arrived));
            exchange.rate.waited += connection_.loop_.now() - began;
            if (!arrived && arrived.error().is(errc::timeout)) {
                exchange.refusal = {.status = 408, .reason = "the body stopped"};
            } else if (!arrived) {
                co_return unexpected(arrived.error());
            }
        }
        if (exchange.refusal.status != 0) {
            co_return fail(causes::kLimit, std::string(exchange.refusal.reason));
        }
        const BytesView there = BytesView(exchange.received).subspan(exchange.received_read);
        const std::size_t count = std::min(there.size(), into.size());
        std::copy_n(there.begin(), count, into.begin());
        exchange.received_read += count;
        exchange.rate.received += count;
        if (exchange.received_read == exchange.received.size()) {
            exchange.received.clear();
            exchange.received_read = 0;
        }
        if (count > 0) {
            connection_.session_->consumed(exchange.id, count, exchange.closed);
            connection_.wake_writer();
        }
        if (count > 0 && !exchange.tunnel &&
            exchange.rate.too_slow(connection_.options_.limits.connection)) {
            exchange.refusal = kTooSlow;
            co_return fail(causes::kTimeout, std::string(kTooSlow.reason));
        }
        co_return count;
    }

private:
    H2Connection& connection_;
    Exchange& exchange_;
};

H2Connection::H2Connection(Loop& loop, BiStream& stream, DriverOptions options)
    : loop_(loop), stream_(stream), options_(std::move(options)) {}

H2Connection::~H2Connection() = default;

std::shared_ptr<H2Connection::Exchange> H2Connection::find(std::int32_t stream) const {
    const auto found = exchanges_.find(stream);
    return found == exchanges_.end() ? nullptr : found->second;
}

void H2Connection::drain() noexcept {
    draining_ = true;
    if (session_ != nullptr) {
        session_->go_away(kNoError);
        wake_writer();
    }
    idle_.wake_all();
}

// ---- events, while octets are taken in ----

void H2Connection::on_request(std::int32_t stream, RequestHead head, const Refusal* refusal) {
    // Those that were reset are still unwinding: so many can be at work, whatever the client
    // resets.
    if (running_ >= kStreamsMax || draining_) {
        session_->reset(stream, kRefusedStream);
        return;
    }
    auto exchange = std::make_shared<Exchange>(stream);
    exchange->head = std::move(head);
    if (refusal != nullptr) {
        exchange->refusal = *refusal;
    }
    exchanges_.emplace(stream, exchange);
    ++running_;
    if (++requests_ == options_.limits.connection.requests_max) {
        drain();
    }
    answers_->spawn(serve(std::move(exchange)), "http2");
}

void H2Connection::on_data(std::int32_t stream, BytesView data) {
    const auto exchange = find(stream);
    if (exchange == nullptr) {
        session_->consumed(stream, data.size(), true);
        return;
    }
    exchange->body_bytes += data.size();
    if (exchange->body_bytes > options_.limits.message.body_bytes_max && !exchange->tunnel &&
        exchange->refusal.status == 0) {
        exchange->refusal = {.status = 413,
                             .reason = "the body is larger than http.limits.body_bytes_max"};
    }
    exchange->received.insert(exchange->received.end(), data.begin(), data.end());
    exchange->arrived.wake_all();
}

void H2Connection::on_request_end(std::int32_t stream) {
    if (const auto exchange = find(stream)) {
        exchange->request_ended = true;
        exchange->arrived.wake_all();
    }
}

void H2Connection::on_close(std::int32_t stream) {
    const auto exchange = find(stream);
    if (exchange == nullptr) {
        return;
    }
    exchanges_.erase(stream);
    exchange->closed = true;
    exchange->taken.wake_all();
    session_->consumed(stream, exchange->received.size() - exchange->received_read, true);
    exchange->received.clear();
    exchange->received_read = 0;
    if (exchange->answering != nullptr) {
        exchange->answering->request();
    }
}

std::optional<std::size_t> H2Connection::on_send(std::int32_t stream, MutableBytes into,
                                                 bool& end) {
    const auto exchange = find(stream);
    if (exchange == nullptr) {
        end = true;
        return 0;
    }
    const BytesView there = BytesView(exchange->piece).subspan(exchange->piece_sent);
    const std::size_t count = std::min(there.size(), into.size());
    std::copy_n(there.begin(), count, into.begin());
    exchange->piece_sent += count;
    exchange->sent_bytes += count;
    const bool all = exchange->piece_sent == exchange->piece.size();
    end = all && exchange->piece_last;
    if (all) {
        exchange->taken.wake_all();
    }
    return count == 0 && !end ? std::nullopt : std::optional(count);
}

// ---- the two directions ----

task<result<void>> H2Connection::run() {
    ALKNET_CO_TRY(session_, H2Session::create(options_.limits.message, kStreamsMax, *this));
    const TaskContext context = co_await current_context();
    TaskScope answers(loop_, context.cancel);
    answers_ = &answers;
    if (draining_) {
        session_->go_away(kNoError);
    }
    if (!begun_.empty()) {
        ALKNET_CO_CHECK(session_->receive(begun_));
    }
    wake_writer();
    auto outcome = co_await race(read_all_frames(), write_all_frames(), end_when_idle());
    answers.cancel();
    (void)co_await answers.join();
    answers_ = nullptr;
    const result<void> ended = std::visit([](const result<void>& one) { return one; }, outcome);
    if (writing_ || (outcome.index() == 1 && !ended)) {
        co_return ended;  // what followed now would begin in the middle of a frame
    }
    ending_ = false;
    // What says why: the answer to a flood, or a good-bye.
    session_->go_away(ended ? kNoError : kCalm);
    if (const auto flushed = co_await flush(); flushed) {
        (void)co_await stream_.finish();
    }
    co_return result<void>();
}

task<result<void>> H2Connection::read_all_frames() {
    Bytes buffer(kPieceBytes);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream_.read(buffer));
        if (count == 0) {
            break;
        }
        const auto taken = session_->receive(BytesView(buffer).first(count));
        wake_writer();
        if (!taken || session_->done()) {
            ALKNET_CO_CHECK(co_await finish_write());
            co_return taken;
        }
    }
    // A client that has finished still gets what it has asked for.
    draining_ = true;
    while (running_ > 0) {
        ALKNET_CO_CHECK(co_await idle_.wait());
    }
    co_return co_await finish_write();
}

task<result<void>> H2Connection::write_all_frames() {
    for (;;) {
        ALKNET_CO_CHECK(co_await to_write_.wait());
        to_write_.clear();
        ALKNET_CO_CHECK(co_await flush());
        if (session_->done()) {
            co_return result<void>();  // the client has broken a rule, and has been told
        }
    }
}

// What there is goes out together, in pieces each of which has its time.
task<result<void>> H2Connection::flush() {
    Bytes out;
    while (!ending_) {
        ALKNET_CO_TRY(const BytesView frames, session_->send());
        out.insert(out.end(), frames.begin(), frames.end());
        if (out.empty()) {
            co_return result<void>();
        }
        if (out.size() >= kPieceBytes || frames.empty()) {
            writing_ = true;
            ALKNET_CO_CHECK(
                co_await with_timeout(options_.limits.connection.send_timeout, stream_.write(out)));
            writing_ = false;
            idle_.wake_all();
            out.clear();
        }
    }
    co_return result<void>();
}

// nghttp2 has given away what is being written, so whoever ends the race in the meantime would cut
// it. What nghttp2 still has is left to the flush after the race. Ends within send_timeout.
task<result<void>> H2Connection::finish_write() {
    ending_ = true;
    draining_ = true;  // a request that comes now is refused, rather than begun and cut
    while (writing_) {
        ALKNET_CO_CHECK(co_await idle_.wait());
    }
    co_return result<void>();
}

// One without a request for keep_alive_timeout, or one that is to end and has none left.
task<result<void>> H2Connection::end_when_idle() {
    for (;;) {
        while (running_ > 0) {
            ALKNET_CO_CHECK(co_await idle_.wait());
        }
        if (draining_) {
            co_return co_await finish_write();
        }
        const std::size_t before = requests_;
        const TimePoint until =
            time_after(loop_.now(), options_.limits.connection.keep_alive_timeout);
        while (running_ == 0 && requests_ == before && !draining_) {
            const auto changed = co_await with_timeout(until - loop_.now(), wait_list(idle_));
            if (!changed && changed.error().is(errc::timeout)) {
                co_return co_await finish_write();
            }
            ALKNET_CO_CHECK(changed);
        }
    }
}

// ---- one request ----

task<void> H2Connection::serve(std::shared_ptr<Exchange> exchange) {
    const TimePoint began = loop_.now();
    const TaskContext context = co_await current_context();
    Cancel cancel(context.cancel);
    exchange->answering = &cancel;
    idle_.wake_all();
    if (!exchange->closed) {
        const auto sent = co_await answer(*exchange).under(cancel);
        if (!sent && !exchange->closed) {
            session_->reset(exchange->id,
                            sent.error().is(errc::cancelled) ? kCancelled : kInternalError);
        } else if (!exchange->closed && !exchange->request_ended) {
            session_->reset(exchange->id, kNoError);  // RFC 9113 section 8.1
        }
    }
    exchange->answering = nullptr;
    options_.served({.head = exchange->head,
                     .status = exchange->status,
                     .bytes = exchange->sent_bytes,
                     .duration = loop_.now() - began,
                     .by_token = exchange->by_token});
    --running_;
    idle_.wake_all();
    wake_writer();
}

task<result<void>> H2Connection::answer(Exchange& exchange) {
    Body body(*this, exchange);
    Request request{.head = exchange.head,
                    .body = body,
                    .auth = options_.auth,
                    .trace_id = options_.trace_id,
                    .local = options_.local};
    Response response;
    if (exchange.refusal.status == 0) {
        response = co_await options_.answer(request);
    }
    const TaskContext context = co_await current_context();
    if (exchange.closed || context.cancel->requested()) {
        co_return fail(causes::kCancelled);
    }
    if (exchange.refusal.status != 0) {
        std::string what(exchange.refusal.reason);
        response = page(exchange.head, exchange.refusal.status, what.append("."),
                        "Send a request that keeps to this.");
    }
    co_return co_await send(exchange, std::move(response));
}

task<result<void>> H2Connection::send(Exchange& exchange, Response response) {
    exchange.status = response.tunnel ? 200 : response.status;
    exchange.by_token = std::move(response.by_token);
    if (!response.fields.find("date")) {
        response.fields.add("date", http_date(loop_.wall_now()));
    }
    if (!options_.alt_svc.empty()) {
        response.fields.add("alt-svc", options_.alt_svc);
    }
    if (response.tunnel) {
        session_->respond(exchange.id, exchange.status, response.fields, std::nullopt, true);
        co_return co_await run_tunnel(exchange, std::move(response.tunnel));
    }
    const bool has_source = response.source != nullptr;
    const std::optional<std::uint64_t> length =
        has_source ? response.source_size : std::optional<std::uint64_t>(response.content.size());
    const bool content =
        exchange.head.method != "HEAD" && !is_bodyless(response.status) && length != 0U;
    if (content && !has_source) {
        exchange.piece = to_bytes(as_bytes(response.content));
        exchange.piece_last = true;
    }
    session_->respond(exchange.id, response.status, response.fields, length, content);
    wake_writer();
    if (content && has_source) {
        const auto sent = co_await send_source(exchange, *response.source, length);
        co_await response.source->close();
        co_return sent;
    }
    co_return content ? co_await wait_taken(exchange) : result<void>();
}

task<result<void>> H2Connection::send_source(Exchange& exchange, BodySource& source,
                                             std::optional<std::uint64_t> length) {
    for (std::uint64_t sent = 0;;) {
        Bytes piece(kPieceBytes);
        ALKNET_CO_TRY(const std::size_t count, co_await source.read(piece));
        piece.resize(count);
        sent += count;
        if (length && (count == 0 ? sent != *length : sent > *length)) {
            co_return fail(causes::kInternal, "a response is not as long as it says");
        }
        exchange.piece = std::move(piece);
        exchange.piece_sent = 0;
        exchange.piece_last = count == 0;
        session_->resume(exchange.id);
        wake_writer();
        if (count == 0) {
            co_return result<void>();
        }
        ALKNET_CO_CHECK(co_await wait_taken(exchange));
    }
}

// A client that opens no window for what it has asked for is not waited for.
task<result<void>> H2Connection::wait_taken(Exchange& exchange) {
    while (exchange.piece_sent < exchange.piece.size() && !exchange.closed) {
        const std::size_t before = exchange.piece_sent;
        const auto taken = co_await with_timeout(options_.limits.connection.send_timeout,
                                                 wait_list(exchange.taken));
        if (!taken && (!taken.error().is(errc::timeout) || exchange.piece_sent == before)) {
            co_return taken;
        }
    }
    co_return exchange.closed&& exchange.piece_sent < exchange.piece.size()
        ? fail(causes::kCancelled)
        : result<void>();
}

H2Connection::TunnelStream::TunnelStream(H2Connection& connection, Exchange& exchange)
    : connection_(connection), exchange_(exchange) {}

task<result<std::size_t>> H2Connection::TunnelStream::read(MutableBytes into) {
    Body body(connection_, exchange_);
    co_return co_await body.read(into);
}

task<result<void>> H2Connection::TunnelStream::write(BytesView data) {
    while (!data.empty()) {
        const BytesView piece = data.first(std::min(data.size(), kPieceBytes));
        data = data.subspan(piece.size());
        if (exchange_.closed || exchange_.piece_last) {
            co_return fail(causes::kClosed);
        }
        give(piece, false);
        ALKNET_CO_CHECK(co_await connection_.wait_taken(exchange_));
    }
    co_return result<void>();
}

task<result<void>> H2Connection::run_tunnel(Exchange& exchange, Tunnel tunnel) {
    exchange.tunnel = true;
    wake_writer();
    TunnelStream stream(*this, exchange);
    ALKNET_CO_CHECK(co_await tunnel(stream));
    if (!exchange.piece_last) {
        (void)co_await stream.finish();
    }
    // A reset would overtake the end.
    (void)co_await with_timeout(kTunnelEndTimeout, wait_request_end(exchange));
    co_return result<void>();
}

task<result<void>> H2Connection::wait_request_end(Exchange& exchange) {
    while (!exchange.request_ended && !exchange.closed) {
        ALKNET_CO_CHECK(co_await exchange.arrived.wait());
    }
    co_return result<void>();
}

task<result<void>> H2Connection::wait_list(WaitList& list) {
    co_return co_await list.wait();
}

}  // namespace alknet::http
