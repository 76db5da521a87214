#include <alknet/base/causes.hpp>
#include <alknet/core/stream_handler.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/task.hpp>

#include "either_cancel.hpp"

namespace alknet {

/// One connection's.
struct StreamHandler::Serving {
    explicit Serving(StreamContext whom) : context(std::move(whom)) {}
    StreamContext context;
    std::size_t running = 0;
    WaitList ended;
};

/// One stream's place; giving it up wakes who waits for one.
class StreamHandler::Place {
public:
    Place(StreamHandler& handler, Serving& serving) noexcept
        : handler_(handler), serving_(serving) {
        ++serving_.running;
        ++handler_.streams_running_;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
        --serving_.running;
        --handler_.streams_running_;
        serving_.ended.wake_one();
        handler_.stream_ended_.wake_all();
    }

private:
    StreamHandler& handler_;
    Serving& serving_;
};

// Who is served is moved on, never copied: an idle connection keeps what its coroutines hold.
task<result<void>> StreamHandler::handle(std::shared_ptr<Connection> connection, AuthContext auth) {
    return serve_all(
        std::make_unique<Serving>(StreamContext{std::move(connection), std::move(auth)}));
}

task<result<void>> StreamHandler::serve_all(std::unique_ptr<Serving> serving_owner) {
    Serving& serving = *serving_owner;
    Connection& connection = *serving.context.connection;
    const TaskContext context = co_await current_context();
    TaskScope scope(*context.loop, context.cancel);
    EitherCancel accepting(&scope.token(), draining_);
    if (task<result<void>> beside = handle_beside(connection)) {
        scope.spawn(std::move(beside).under(accepting.token()), context.name);
    }
    result<void> outcome;
    while (outcome) {
        if (serving.running >= options_.streams_max) {
            const auto room = co_await serving.ended.wait();
            if (!room) {
                outcome = room;
            }
            continue;
        }
        auto stream = co_await connection.accept_bi().under(accepting.token());
        if (stream) {
            auto place = std::make_unique<Place>(*this, serving);
            scope.spawn(serve(std::move(*stream), serving, std::move(place)), context.name);
        } else {
            outcome = unexpected(std::move(stream).error());
        }
    }
    const auto joined = co_await scope.join();
    // The peer closing the connection, and being told to shut down, are how this ends well.
    const bool ended = outcome.error().is(errc::closed) || outcome.error().is(errc::cancelled);
    co_return ended ? joined : outcome;
}

task<result<void>> StreamHandler::handle_beside(Connection&) {
    return {};
}

task<void> StreamHandler::serve(std::unique_ptr<BiStream> stream, Serving& serving,
                                std::unique_ptr<Place>) {
    // An exception is a bug: it goes on through the scope and ends the connection.
    const result<void> outcome = co_await handle_stream(*stream, serving.context);
    if (!outcome) {
        const std::uint64_t code = close_code(outcome.error());
        stream->stop(code);
        stream->reset(code);
    }
}

task<void> StreamHandler::shutdown() {
    draining_.request();
    while (streams_running_ > 0) {
        if (!co_await stream_ended_.wait()) {
            co_return;
        }
    }
}

}  // namespace alknet
