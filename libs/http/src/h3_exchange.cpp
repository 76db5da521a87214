#include "h3_exchange.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/http/conditional.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/race.hpp>
#include <utility>

namespace alknet::http {

namespace {

/// Most heads are smaller, and most requests have nothing else.
constexpr std::size_t kHeadPieceBytes = 2 << 10;

task<result<void>> for_ever() {
    Event never;
    co_return co_await never.wait();
}

}  // namespace

class H3Connection::Body final : public BodySource {
public:
    Body(H3Connection& connection, Exchange& exchange)
        : connection_(connection), exchange_(exchange) {}

    task<result<std::size_t>> read(MutableBytes into) override {
        Exchange& exchange = exchange_;
        if (exchange.head.expects_continue && exchange.received.empty() && exchange.status == 0) {
            exchange.head.expects_continue = false;
            connection_.session_->respond_continue(exchange.id);
            ALKNET_CO_CHECK(co_await connection_.write_out(exchange));
        }
        while (exchange.received.empty() && !exchange.request_ended &&
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
            exchange.taken.wake_all();
        }
        if (count > 0 && !exchange.tunnel &&
            exchange.rate.too_slow(connection_.options_.limits.connection)) {
            exchange.refusal = kTooSlow;
            co_return fail(causes::kTimeout, std::string(kTooSlow.reason));
        }
        co_return count;
    }

private:
    H3Connection& connection_;
    Exchange& exchange_;
};

/// What an extended CONNECT becomes after its answer (RFC 9220).
class H3Connection::TunnelStream final : public BiStream {
public:
    TunnelStream(H3Connection& connection, Exchange& exchange)
        : connection_(connection), exchange_(exchange) {}

    task<result<std::size_t>> read(MutableBytes into) override {
        Body body(connection_, exchange_);
        co_return co_await body.read(into);
    }
    task<result<void>> write(BytesView data) override {
        if (exchange_.content_last) {
            co_return fail(causes::kClosed);
        }
        exchange_.content = data;
        co_return co_await connection_.write_out(exchange_);
    }
    task<result<void>> finish() override {
        exchange_.content = {};
        exchange_.content_last = true;
        co_return co_await connection_.write_out(exchange_);
    }
    void stop(std::uint64_t) noexcept override {}
    void reset(std::uint64_t) noexcept override {
        exchange_.stream.reset(h3_code::kRequestCancelled);
    }
    [[nodiscard]] std::uint64_t id() const noexcept override { return exchange_.stream.id(); }

private:
    H3Connection& connection_;
    Exchange& exchange_;
};

/// A request's place among those that are running, and later among those that events find.
class H3Connection::Place {
public:
    explicit Place(H3Connection& connection) : connection_(connection) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
        if (exchange_ != nullptr) {
            connection_.exchanges_.erase(exchange_->id);
        }
        --connection_.running_;
        connection_.idle_.wake_all();
    }
    void enter(Exchange& exchange) {
        exchange_ = &exchange;
        connection_.exchanges_.emplace(exchange.id, exchange_);
    }

private:
    H3Connection& connection_;
    Exchange* exchange_ = nullptr;
};

task<void> H3Connection::serve(std::unique_ptr<BiStream> stream) {
    const TimePoint began = loop_.now();
    H3Opening opening;
    std::unique_ptr<Exchange> exchange;
    Place place(*this);
    if (extension_ != nullptr && co_await hand_over_bidi(stream, opening)) {
        co_return;
    }
    exchange = std::make_unique<Exchange>(*stream);
    exchange->begun = std::move(opening.octets);
    exchange->stream_ended = opening.ended;
    place.enter(*exchange);
    auto outcome = co_await race(receive(*exchange), stream->wait_stopped(), answer(*exchange));
    settle(*exchange, *stream, std::get_if<2>(&outcome));
    if (exchange->asked.is_set()) {
        options_.served({.head = exchange->head,
                         .status = exchange->status,
                         .bytes = exchange->sent_bytes,
                         .duration = loop_.now() - began,
                         .by_token = exchange->by_token});
    }
    stream.reset();
}

// `answered` is null where the request ended before its answer did.
void H3Connection::settle(Exchange& exchange, BiStream& stream, const result<void>* answered) {
    std::uint64_t code = h3_code::kNoError;
    if (exchange.refused) {
        code = *exchange.refused;
    } else if (answered == nullptr) {
        code = h3_code::kRequestCancelled;
    } else if (!*answered) {
        const error& why = answered->error();
        code = why.is(errc::cancelled) ? h3_code::kRequestCancelled
               : why.is(errc::timeout) ? h3_code::kRequestIncomplete
                                       : h3_code::kInternalError;
    }
    if (!exchange.stream_ended) {
        stream.stop(code);  // RFC 9114 section 4.1: also after a whole response
    }
    if (code != h3_code::kNoError) {
        stream.reset(code);
    }
    note(session_->close(exchange.id, !exchange.request_ended, code));
    pump();
    const bool taken_back = answered == nullptr && !tasks_->token().requested();
    if (taken_back && !may_be_taken_back()) {
        flooded_ = true;
        failed_.set();
    }
}

// ---- what arrives ----

// Ends only when nothing good can come any more. While the handler has not taken what there is, or
// the session could not read it, nothing is read, and the transport holds the client back.
task<result<void>> H3Connection::receive(Exchange& exchange) {
    Bytes buffer(kHeadPieceBytes);
    const TimePoint head_until = time_after(loop_.now(), options_.limits.connection.header_timeout);
    if (!exchange.begun.empty() || exchange.stream_ended) {
        ALKNET_CO_CHECK(take_in(exchange, std::exchange(exchange.begun, {})));
    }
    while (!exchange.stream_ended) {
        while (!exchange.received.empty() || session_->waits(exchange.id)) {
            ALKNET_CO_CHECK(co_await until_taken(exchange, head_until));
        }
        const bool asked = exchange.asked.is_set();
        if (asked && buffer.size() < kPieceBytes) {
            buffer.resize(kPieceBytes);
        }
        auto reading = exchange.stream.read(buffer);
        ALKNET_CO_TRY(const std::size_t count,
                      asked ? co_await std::move(reading)
                            : co_await with_timeout(head_until - loop_.now(), std::move(reading)));
        exchange.stream_ended = count == 0;
        ALKNET_CO_CHECK(take_in(exchange, BytesView(buffer).first(count)));
    }
    buffer = {};
    while (!exchange.asked.is_set()) {
        ALKNET_CO_CHECK(co_await until_taken(exchange, head_until));
        if (exchange.refused) {
            co_return fail(causes::kProtocol);
        }
    }
    co_return co_await for_ever();
}

result<void> H3Connection::take_in(Exchange& exchange, BytesView octets) {
    const auto taken = session_->receive(exchange.id, octets, exchange.stream_ended);
    note(taken);
    pump();
    ALKNET_CHECK(taken);
    return exchange.refused ? fail(causes::kProtocol) : result<void>();
}

task<result<void>> H3Connection::until_taken(Exchange& exchange, TimePoint head_until) {
    if (exchange.asked.is_set()) {
        co_return co_await exchange.taken.wait();
    }
    co_return co_await with_timeout(head_until - loop_.now(), wait_list(exchange.taken));
}

// ---- what leaves ----

task<result<void>> H3Connection::answer(Exchange& exchange) {
    ALKNET_CO_CHECK(co_await exchange.asked.wait());
    // The end has come together with the head, or is not known yet.
    const bool has_body = !exchange.request_ended;
    exchange.head.chunked = exchange.head.chunked && has_body;
    exchange.head.expects_continue = exchange.head.expects_continue && has_body;
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
    if (context.cancel->requested()) {
        co_return fail(causes::kCancelled);
    }
    if (exchange.refusal.status != 0) {
        std::string what(exchange.refusal.reason);
        response = page(exchange.head, exchange.refusal.status, what.append("."),
                        "Send a request that keeps to this.");
    }
    co_return co_await send(exchange, std::move(response));
}

task<result<void>> H3Connection::send(Exchange& exchange, Response response) {
    exchange.status = response.tunnel ? 200 : response.status;
    exchange.by_token = std::move(response.by_token);
    if (!response.fields.find("date")) {
        response.fields.add("date", http_date(loop_.wall_now()));
    }
    if (response.tunnel) {
        session_->respond(exchange.id, exchange.status, response.fields, std::nullopt, true);
        ALKNET_CO_CHECK(co_await write_out(exchange));
        co_return co_await run_tunnel(exchange, std::move(response.tunnel));
    }
    const bool has_source = response.source != nullptr;
    const std::optional<std::uint64_t> length =
        has_source ? response.source_size : std::optional<std::uint64_t>(response.content.size());
    const bool content =
        exchange.head.method != "HEAD" && !is_bodyless(response.status) && length != 0U;
    if (content && !has_source) {
        exchange.content = as_bytes(response.content);
        exchange.content_last = true;
    }
    session_->respond(exchange.id, response.status, response.fields, length, content);
    ALKNET_CO_CHECK(co_await write_out(exchange));
    if (content && has_source) {
        const auto sent = co_await send_source(exchange, *response.source, length);
        co_await response.source->close();
        co_return sent;
    }
    co_return result<void>();
}

task<result<void>> H3Connection::run_tunnel(Exchange& exchange, Tunnel tunnel) {
    exchange.tunnel = true;
    TunnelStream stream(*this, exchange);
    ALKNET_CO_CHECK(co_await tunnel(stream));
    if (!exchange.content_last) {
        ALKNET_CO_CHECK(co_await stream.finish());
    }
    (void)co_await with_timeout(kTunnelEndTimeout, skip_to_end(exchange));
    co_return result<void>();
}

task<result<void>> H3Connection::skip_to_end(Exchange& exchange) {
    while (!exchange.request_ended) {
        exchange.received.clear();
        exchange.received_read = 0;
        exchange.taken.wake_all();
        ALKNET_CO_CHECK(co_await exchange.arrived.wait());
    }
    co_return result<void>();
}

task<result<void>> H3Connection::send_source(Exchange& exchange, BodySource& source,
                                             std::optional<std::uint64_t> length) {
    Bytes piece(kPieceBytes);
    for (std::uint64_t sent = 0;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await source.read(piece));
        sent += count;
        if (length && (count == 0 ? sent != *length : sent > *length)) {
            co_return fail(causes::kInternal, "a response is not as long as it says");
        }
        exchange.content = BytesView(piece).first(count);
        exchange.content_last = count == 0;
        ALKNET_CO_CHECK(co_await write_out(exchange));
        if (count == 0) {
            co_return result<void>();
        }
    }
}

// All that there is of this response. A client that opens no window for what it has asked for is
// not waited for.
task<result<void>> H3Connection::write_out(Exchange& exchange) {
    if (!exchange.turns.free()) {
        ALKNET_CO_CHECK(co_await exchange.turns.wait());
    }
    WriteTurns::Turn turn(exchange.turns);
    for (;;) {
        session_->resume(exchange.id);
        pump();
        if (exchange.out.empty()) {
            break;
        }
        const Bytes out = std::exchange(exchange.out, {});
        ALKNET_CO_CHECK(co_await with_timeout(options_.limits.connection.send_timeout,
                                              exchange.stream.write(out)));
    }
    if (std::exchange(exchange.out_end, false)) {
        ALKNET_CO_CHECK(co_await exchange.stream.finish());
    }
    turn.complete();
    co_return result<void>();
}

}  // namespace alknet::http
