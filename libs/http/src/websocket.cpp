#include <alknet/base/causes.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/http/limits.hpp>
#include <alknet/http/websocket.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/race.hpp>
#include <utility>

#include "websocket_session.hpp"

namespace alknet::http {

class WebSocket::State {
public:
    State(Loop& its_loop, BiStream& its_stream, WebSocketRole its_role,
          const WebSocketLimits& its_limits)
        : loop(its_loop), stream(its_stream), role(its_role), limits(its_limits) {}

    task<result<void>> work(WebSocket& socket, Serve serve);
    task<result<void>> good_bye(result<void> served);
    task<result<void>> read_all();
    task<result<void>> write_all();
    task<result<void>> beat();
    task<result<void>> until_idle();
    task<result<void>> all_written();
    task<result<void>> end_heard();

    Loop& loop;
    BiStream& stream;
    const WebSocketRole role;
    const WebSocketLimits limits;
    std::unique_ptr<WebSocketSession> session;
    std::optional<WebSocketEnd> no_end;
    Event to_write;
    WaitList written;
    WaitList arrived;
    WaitList taken;
    std::uint64_t messages_queued = 0;
    std::uint64_t messages_written = 0;
    TimePoint last_message{};
    bool writing = false;
    bool heard = false;       // since the last beat
    bool discarding = false;  // nobody receives any more
};

WebSocket::WebSocket(Loop& loop, BiStream& stream, WebSocketRole role,
                     const WebSocketLimits& limits)
    : state_(std::make_unique<State>(loop, stream, role, limits)) {}

WebSocket::~WebSocket() = default;

task<result<void>> WebSocket::run(Serve serve) {
    State& state = *state_;
    ALKNET_CO_TRY(state.session,
                  WebSocketSession::create({.role = state.role,
                                            .message_bytes_max = state.limits.message_bytes_max,
                                            .random = crypto::fill_random}));
    const auto outcome = co_await race(state.work(*this, std::move(serve)), state.read_all(),
                                       state.write_all(), state.beat());
    const result<void> ended = std::visit([](const result<void>& one) { return one; }, outcome);
    if (outcome.index() == 0 && state.session->sent_all()) {
        (void)co_await state.stream.finish();
    }
    co_return ended;
}

task<result<void>> WebSocket::State::work(WebSocket& socket, Serve serve) {
    if (limits.idle_timeout == Duration()) {
        result<void> served = co_await serve(socket);
        co_return co_await good_bye(std::move(served));
    }
    last_message = loop.now();
    auto outcome = co_await race(serve(socket), until_idle());
    if (outcome.index() == 1 && std::get<1>(outcome)) {
        session->close(websocket_code::kGoingAway, "nothing has passed");
    }
    co_return co_await good_bye(std::visit([](const result<void>& one) { return one; }, outcome));
}

task<result<void>> WebSocket::State::until_idle() {
    for (;;) {
        const TimePoint until = time_after(last_message, limits.idle_timeout);
        if (loop.now() >= until) {
            co_return result<void>();
        }
        ALKNET_CO_CHECK(co_await loop.sleep(until - loop.now()));
    }
}

task<result<void>> WebSocket::State::good_bye(result<void> served) {
    discarding = true;
    taken.wake_all();
    session->close(served ? websocket_code::kNormal : websocket_code::kInternal, "");
    to_write.set();
    ALKNET_CO_CHECK(co_await all_written());
    // One that does not answer has had its time.
    (void)co_await with_timeout(kCloseTimeout, end_heard());
    co_return served;
}

task<result<void>> WebSocket::State::all_written() {
    while (!session->sent_all() || writing) {
        ALKNET_CO_CHECK(co_await written.wait());
    }
    co_return result<void>();
}

task<result<void>> WebSocket::State::end_heard() {
    while (!session->end()) {
        ALKNET_CO_CHECK(co_await arrived.wait());
    }
    co_return result<void>();
}

// Reads on when the handler has what there was.
task<result<void>> WebSocket::State::read_all() {
    Bytes buffer(kPieceBytes);
    while (!session->end()) {
        while (session->has_message() && !discarding) {
            ALKNET_CO_CHECK(co_await taken.wait());
        }
        while (discarding && session->next_message()) {
        }
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(buffer));
        if (count == 0) {
            co_return fail(causes::kClosed, "the client ended without a good-bye");
        }
        heard = true;
        session->receive(BytesView(buffer).first(count));
        to_write.set();  // answers to pings, or to the end
        arrived.wake_all();
        // What pings ask for is given before more of them is read.
        while (writing) {
            ALKNET_CO_CHECK(co_await written.wait());
        }
    }
    Event never;
    co_return co_await never.wait();
}

task<result<void>> WebSocket::State::write_all() {
    for (;;) {
        ALKNET_CO_CHECK(co_await to_write.wait());
        to_write.clear();
        const std::uint64_t until = messages_queued;
        const Bytes output = session->take_output();
        writing = true;
        for (BytesView left(output); !left.empty();) {
            const BytesView piece = left.first(std::min(left.size(), kPieceBytes));
            left = left.subspan(piece.size());
            ALKNET_CO_CHECK(co_await with_timeout(limits.send_timeout, stream.write(piece)));
        }
        writing = false;
        messages_written = until;
        written.wake_all();
    }
}

task<result<void>> WebSocket::State::beat() {
    for (bool asked = false;;) {
        ALKNET_CO_CHECK(co_await loop.sleep(limits.heartbeat));
        // A handler that has not yet taken what came is why no more is read.
        if (std::exchange(heard, false) || session->has_message() || session->end()) {
            asked = false;
        } else if (asked) {
            co_return fail(causes::kIdleTimeout, "the other end does not answer pings");
        } else {
            asked = true;
            session->ping();
            to_write.set();
        }
    }
}

task<result<std::optional<WebSocketMessage>>> WebSocket::receive() {
    State& state = *state_;
    while (!state.session->has_message()) {
        if (state.session->end()) {
            co_return std::optional<WebSocketMessage>();
        }
        ALKNET_CO_CHECK(co_await state.arrived.wait());
    }
    std::optional<WebSocketMessage> message = state.session->next_message();
    state.last_message = state.loop.now();
    if (!state.session->has_message()) {
        state.taken.wake_all();
    }
    co_return message;
}

task<result<void>> WebSocket::send(std::string_view data, bool text) {
    State& state = *state_;
    ALKNET_CO_CHECK(state.session->send(data, text));
    const std::uint64_t mine = ++state.messages_queued;
    state.last_message = state.loop.now();
    state.to_write.set();
    while (state.messages_written < mine) {
        ALKNET_CO_CHECK(co_await state.written.wait());
    }
    co_return result<void>();
}

void WebSocket::close(std::uint16_t code, std::string_view reason) {
    state_->session->close(code, reason);
    state_->to_write.set();
}

const std::optional<WebSocketEnd>& WebSocket::end() const noexcept {
    return state_->session == nullptr ? state_->no_end : state_->session->end();
}

}  // namespace alknet::http
