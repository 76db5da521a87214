#include "h1_connection.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/http/conditional.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/race.hpp>
#include <utility>

#include "body_rate.hpp"

namespace alknet::http {

namespace {

// One write carries a head and a content of at most so much.
constexpr std::size_t kJoinedBytesMax = 4 * kPieceBytes;

}  // namespace

/// The content of the request that is being answered.
class H1Connection::Body final : public BodySource {
public:
    Body(H1Connection& connection, bool there, bool expects_continue)
        : connection_(connection), done_(!there), unanswered_(expects_continue) {
        if (done_) {
            ended_.set();
        }
    }

    task<result<std::size_t>> read(MutableBytes into) override;

    [[nodiscard]] bool done() const noexcept { return done_; }
    /// Set once the body has ended or failed: who watches the client may read then.
    [[nodiscard]] Event& ended() noexcept { return ended_; }
    /// Why it could not be had; 0: it could.
    [[nodiscard]] const Refusal* refusal() const noexcept {
        return refusal_.status == 0 ? nullptr : &refusal_;
    }
    /// What is left can be read and forgotten, so that the next request can be found.
    [[nodiscard]] bool can_be_skipped(const RequestHead& head) const noexcept {
        return done_ || (!unanswered_ && head.content_length &&
                         *head.content_length - rate_.received <= kUnreadBytesMax);
    }
    /// The final response has begun.
    void response_begun() noexcept { may_continue_ = false; }

private:
    [[nodiscard]] result<std::size_t> failed(const Cause& cause, Refusal why);

    H1Connection& connection_;
    BytesView rest_;  // of the connection's buffer
    Event ended_;
    Refusal refusal_{.status = 0, .reason = {}};
    BodyRate rate_;
    bool done_;
    bool unanswered_;  // it waits for 100
    bool may_continue_ = true;
};

result<std::size_t> H1Connection::Body::failed(const Cause& cause, Refusal why) {
    refusal_ = why;
    return fail(cause, std::string(why.reason));
}

task<result<std::size_t>> H1Connection::Body::read(MutableBytes into) {
    H1Connection& connection = connection_;
    while (rest_.empty() && !done_ && refusal_.status == 0) {
        const RequestStep step = connection.parser_.next(connection.input_);
        if (step.event == RequestEvent::data) {
            rest_ = step.data;
        } else if (step.event == RequestEvent::end) {
            done_ = true;
            ended_.set();
        } else if (step.event == RequestEvent::refused) {
            co_return failed(causes::kProtocol, connection.parser_.refusal());
        } else {
            if (unanswered_ && may_continue_) {
                ALKNET_CO_CHECK(co_await connection.write(as_bytes(kContinue)));
            }
            unanswered_ = false;
            const TimePoint began = connection.loop_.now();
            const auto count =
                co_await connection.receive(connection.options_.limits.connection.body_timeout);
            rate_.waited += connection.loop_.now() - began;
            if (!count && count.error().is(errc::timeout)) {
                co_return failed(causes::kTimeout, {.status = 408, .reason = "the body stopped"});
            }
            if (!count) {
                co_return count;
            }
            if (*count == 0) {
                co_return failed(causes::kClosed,
                                 {.status = 400, .reason = "the client ended within the body"});
            }
        }
    }
    if (refusal_.status != 0) {
        co_return fail(causes::kClosed, std::string(refusal_.reason));
    }
    const std::size_t count = std::min(rest_.size(), into.size());
    std::copy_n(rest_.begin(), count, into.begin());
    rest_ = rest_.subspan(count);
    rate_.received += count;
    // Whoever reads no more than there is has read all the same.
    if (BytesView nothing; rest_.empty() && !done_ && refusal_.status == 0 &&
                           connection.parser_.next(nothing).event == RequestEvent::end) {
        done_ = true;
        ended_.set();
    }
    if (count > 0 && rate_.too_slow(connection.options_.limits.connection)) {
        co_return failed(causes::kTimeout, kTooSlow);
    }
    co_return count;
}

H1Connection::H1Connection(Loop& loop, BiStream& stream, DriverOptions options)
    : loop_(loop),
      stream_(stream),
      options_(std::move(options)),
      parser_(options_.limits.message),
      buffer_(kPieceBytes) {}

void H1Connection::begin_with(BytesView octets, bool ended) {
    std::ranges::copy(octets, buffer_.begin());
    input_ = BytesView(buffer_).first(octets.size());
    ended_ = ended;
}

void H1Connection::drain() noexcept {
    draining_ = true;
    if (idle_cancel_ != nullptr) {
        idle_cancel_->request();
    }
}

// More of the input, which has been used up. 0: the client has finished.
task<result<std::size_t>> H1Connection::receive(Duration limit) {
    if (ended_) {
        co_return 0U;
    }
    const auto count = co_await with_timeout(limit, stream_.read(buffer_));
    if (count) {
        input_ = BytesView(buffer_).first(*count);
        ended_ = *count == 0;
    }
    co_return count;
}

task<result<void>> H1Connection::run() {
    for (;;) {
        ALKNET_CO_TRY(const Next next, co_await next_head());
        if (next == Next::ended) {
            co_return co_await end();
        }
        if (next == Next::refused) {
            ALKNET_CO_CHECK(co_await refuse());
            linger_ = !timed_out_;
            co_return co_await end();
        }
        ALKNET_CO_TRY(const bool more, co_await serve());
        if (!more) {
            co_return co_await end();
        }
    }
}

task<result<void>> H1Connection::end() {
    // Not an error of this end's: the answers have been written.
    if (!std::exchange(finished_, true)) {
        (void)co_await stream_.finish();
    }
    const TaskContext context = co_await current_context();
    Cancel idle(context.cancel);
    const TimePoint until = time_after(loop_.now(), kLingerTime);
    while (linger_ && !draining_ && !ended_ && loop_.now() < until) {
        idle_cancel_ = &idle;
        const auto count =
            co_await receive(std::min(kLingerPause, until - loop_.now())).under(idle);
        idle_cancel_ = nullptr;
        if (!count) {
            break;
        }
    }
    co_return result<void>();
}

// From one read to the next: it may take keep_alive_timeout to begin, and header_timeout from
// there.
task<result<H1Connection::Next>> H1Connection::next_head() {
    const TaskContext context = co_await current_context();
    Cancel idle(context.cancel);
    const ConnectionLimits& limits = options_.limits.connection;
    std::optional<TimePoint> deadline;
    for (;;) {
        const RequestStep step = parser_.next(input_);
        if (step.event == RequestEvent::head) {
            co_return Next::head;
        }
        if (step.event == RequestEvent::refused) {
            co_return Next::refused;
        }
        if (draining_ && parser_.idle()) {
            co_return Next::ended;
        }
        if (!parser_.idle() && !deadline) {
            deadline = time_after(loop_.now(), limits.header_timeout);
        }
        idle_cancel_ = parser_.idle() ? &idle : nullptr;
        const Duration limit = deadline ? *deadline - loop_.now() : limits.keep_alive_timeout;
        const auto count = co_await receive(limit).under(idle);
        idle_cancel_ = nullptr;
        if (count && *count > 0) {
            continue;
        }
        if (!count && draining_ && parser_.idle() && count.error().is(errc::cancelled)) {
            co_return Next::ended;
        }
        if (!count && !count.error().is(errc::timeout)) {
            co_return unexpected(count.error());
        }
        // Nothing of a request is lost if nothing of it was there.
        if (!count && deadline) {
            timed_out_ = true;
            co_return Next::refused;
        }
        co_return Next::ended;
    }
}

task<result<void>> H1Connection::refuse() {
    const Refusal why =
        timed_out_ ? Refusal{.status = 408, .reason = "the request took too long to arrive"}
                   : parser_.refusal();
    const RequestHead& head = parser_.head();
    std::string what(why.reason);
    Response response = page(head, why.status, what.append("."),
                             "The connection ends here, as what follows could be misread.");
    response.fields.add("date", http_date(loop_.wall_now()));
    const FramedHead framed =
        frame_head(why.status, response.fields,
                   {.keep_alive = false, .content_length = response.content.size()});
    status_ = why.status;
    ALKNET_CO_CHECK(co_await write_whole(framed.octets, response.content));
    options_.served({.head = head, .status = status_, .bytes = response.content.size()});
    co_return result<void>();
}

// True: the connection goes on.
task<result<bool>> H1Connection::serve() {
    const TimePoint began = loop_.now();
    RequestHead head = std::move(parser_.head());
    Body body(*this, head.has_body(), head.expects_continue);
    Request request{.head = std::move(head),
                    .body = body,
                    .auth = options_.auth,
                    .trace_id = options_.trace_id,
                    .local = options_.local};
    if (!request.head.has_body()) {
        (void)parser_.next(input_);  // its end
    }
    ++requests_;
    keep_alive_ = request.head.keep_alive && !draining_ && !ended_ &&
                  requests_ < options_.limits.connection.requests_max;
    sent_bytes_ = 0;
    status_ = 0;
    by_token_.clear();
    auto outcome = co_await race(exchange(request, body), watch(body));
    const result<void>& ended = outcome.index() == 0 ? std::get<0>(outcome) : std::get<1>(outcome);
    options_.served({.head = request.head,
                     .status = status_,
                     .bytes = sent_bytes_,
                     .duration = loop_.now() - began,
                     .by_token = by_token_});
    ALKNET_CO_CHECK(ended);
    while (keep_alive_ && !body.done()) {
        Bytes unwanted(4096);
        keep_alive_ = (co_await body.read(unwanted)).has_value();
    }
    const bool too_slow = body.refusal() != nullptr && body.refusal()->status == 408;
    linger_ = !body.done() && !too_slow;
    co_return keep_alive_;
}

task<result<void>> H1Connection::exchange(Request& request, Body& body) {
    Response response = co_await options_.answer(request);
    const TaskContext context = co_await current_context();
    if (context.cancel != nullptr && context.cancel->requested()) {
        co_return fail(causes::kCancelled);
    }
    if (const Refusal* const why = body.refusal()) {
        std::string what(why->reason);
        response =
            page(request.head, why->status, what.append("."), "Send the request again as a whole.");
        keep_alive_ = false;
    }
    co_return co_await send(request.head, std::move(response), body);
}

// Ends when the client has gone, with the error.
task<result<void>> H1Connection::watch(Body& body) {
    const TaskContext context = co_await current_context();
    ALKNET_CO_CHECK(co_await body.ended().wait());
    if (context.cancel != nullptr && context.cancel->requested()) {
        co_return fail(causes::kCancelled);
    }
    if (input_.empty() && !ended_ && !tunnelling_) {
        watching_ = true;
        const auto count = co_await receive(Duration::max());
        watching_ = false;
        watched_.wake_all();
        if (!count) {
            co_return unexpected(count.error());
        }
    }
    // One that has finished may still want its answer.
    Event never;
    co_return co_await never.wait();
}

task<result<void>> H1Connection::send(const RequestHead& head, Response response, Body& body) {
    body.response_begun();
    keep_alive_ = keep_alive_ && body.can_be_skipped(head);
    status_ = response.status;
    by_token_ = std::move(response.by_token);
    if (!response.fields.find("date")) {
        response.fields.add("date", http_date(loop_.wall_now()));
    }
    if (!options_.alt_svc.empty()) {
        response.fields.add("alt-svc", options_.alt_svc);
    }
    const bool has_source = response.source != nullptr;
    const std::optional<std::uint64_t> length =
        has_source ? response.source_size : std::optional<std::uint64_t>(response.content.size());
    FramedHead framed = frame_head(response.status, response.fields,
                                   {.version = head.version,
                                    .head_only = head.method == "HEAD",
                                    .keep_alive = keep_alive_,
                                    .content_length = length});
    keep_alive_ = framed.keep_alive;
    if (response.tunnel) {
        keep_alive_ = false;
        ALKNET_CO_CHECK(co_await write(as_bytes(framed.octets)));
        co_return co_await run_tunnel(std::move(response.tunnel));
    }
    if (framed.framing == Framing::none || !has_source) {
        const bool none = framed.framing == Framing::none;
        co_return co_await write_whole(std::move(framed.octets), none ? "" : response.content);
    }
    ALKNET_CO_CHECK(co_await write(as_bytes(framed.octets)));
    const auto sent = co_await send_source(*response.source, framed.framing, length.value_or(0));
    co_await response.source->close();
    if (!sent) {
        // The client must not take what it has for all there is.
        keep_alive_ = false;
        stream_.reset(close_code::kInternal);
    }
    co_return sent;
}

task<result<void>> H1Connection::send_source(BodySource& source, Framing framing,
                                             std::uint64_t left) {
    Bytes piece(kPieceBytes);
    for (;;) {
        const bool sized = framing == Framing::length;
        MutableBytes room(piece);
        if (sized && left == 0) {
            co_return result<void>();
        }
        if (sized && left < room.size()) {
            room = room.first(static_cast<std::size_t>(left));
        }
        ALKNET_CO_TRY(const std::size_t count, co_await source.read(room));
        if (count == 0) {
            if (sized) {
                co_return fail(causes::kInternal, "a response ended before its length");
            }
            break;
        }
        left -= sized ? count : 0;
        const BytesView read = BytesView(piece).first(count);
        sent_bytes_ += count;
        if (framing == Framing::chunked) {
            std::string chunk = chunk_begin(count);
            chunk.append(as_text(read)).append(kChunkEnd);
            ALKNET_CO_CHECK(co_await write(as_bytes(chunk)));
        } else {
            ALKNET_CO_CHECK(co_await write(read));
        }
    }
    if (framing == Framing::chunked) {
        co_return co_await write(as_bytes(kLastChunk));
    }
    co_return result<void>();
}

task<result<void>> H1Connection::write_whole(std::string octets, std::string_view content) {
    const std::size_t joined = std::min(content.size(), kJoinedBytesMax);
    octets.append(content.substr(0, joined));
    content.remove_prefix(joined);
    ALKNET_CO_CHECK(co_await write(as_bytes(octets)));
    sent_bytes_ += joined;
    if (!content.empty()) {
        ALKNET_CO_CHECK(co_await write(as_bytes(content)));
        sent_bytes_ += content.size();
    }
    co_return result<void>();
}

// In pieces, each of which has its time: so a client that takes its octets is never given up.
task<result<void>> H1Connection::write(BytesView octets) {
    if (!turns_.free()) {
        ALKNET_CO_CHECK(co_await turns_.wait());
    }
    WriteTurns::Turn turn(turns_);
    while (!octets.empty()) {
        const BytesView piece = octets.first(std::min(octets.size(), kPieceBytes));
        octets = octets.subspan(piece.size());
        ALKNET_CO_CHECK(
            co_await with_timeout(options_.limits.connection.send_timeout, stream_.write(piece)));
    }
    turn.complete();
    co_return result<void>();
}

}  // namespace alknet::http
