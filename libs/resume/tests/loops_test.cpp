// A node with several loops: a client comes back to another one than that which has its stream.
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/net/loop_bridge.hpp>
#include <alknet/rt/loop_group.hpp>

#include "harness.hpp"

namespace alknet::resume {
namespace {

constexpr std::size_t kSeats = 2;  // the client has a loop of its own

/// What one loop of the node has; used on that loop.
struct Seat {
    std::shared_ptr<ResumeHandler> handler;
    std::shared_ptr<EchoHandler> echo;
    std::optional<TaskScope> scope;
};

AuthContext stranger() {
    AuthContext auth;
    auth.peer = key_of(1);
    return auth;
}

task<void> serve_echo(Seat& seat, std::shared_ptr<Connection> connection) {
    (void)co_await seat.echo->handle(connection, stranger());
    connection->close(close_code::kOk, "");
}

task<void> serve_transport(Seat& seat, Loop& loop, std::unique_ptr<BiStream> stream) {
    StreamConnectionOptions options;
    options.info.server_side = true;
    options.info.alpn = kResumeAlpn;
    options.info.peer = key_of(1);
    const std::shared_ptr<Connection> connection =
        make_stream_connection(loop, std::move(stream), std::move(options));
    (void)co_await seat.handler->handle(connection, stranger());
    connection->close(close_code::kOk, "");
}

class LoopsTest : public testing::Test {
protected:
    LoopsTest() { start({}); }
    ~LoopsTest() override {
        for (std::size_t i = 0; i < kSeats; ++i) {
            on(i, [this, i] { finish(seats[i]); });
        }
    }

    void start(ResumeLimits limits) {
        const auto directory = make_stream_directory();
        for (std::size_t i = 0; i < kSeats; ++i) {
            on(i, [&] {
                Seat& seat = seats[i];
                finish(seat);
                ResumeHandlerOptions options;
                options.serve = [&seat](std::shared_ptr<Connection> connection) {
                    return serve_echo(seat, std::move(connection));
                };
                options.limits = limits;
                options.directory = directory;
                options.metrics = metrics;
                seat.handler = ResumeHandler::create(loops->at(i + 1), std::move(options));
                seat.echo = std::make_shared<EchoHandler>();
                seat.scope.emplace(loops->at(i + 1));
            });
        }
    }
    static void finish(Seat& seat) {
        seat.scope.reset();
        seat.handler.reset();
        seat.echo.reset();
    }
    void on(std::size_t seat, const std::function<void()>& work) { loops->run_on(seat + 1, work); }

    /// To one loop after the other.
    task<result<Dialled>> connect() {
        const std::size_t at = connects++ % kSeats;
        net::LoopBridge bridge = net::make_loop_bridge(*loop, loops->at(at + 1));
        const auto far = std::make_shared<std::unique_ptr<BiStream>>(std::move(bridge.far));
        loops->at(at + 1).post([far, &seat = seats[at], &there = loops->at(at + 1)] {
            seat.scope->spawn(serve_transport(seat, there, std::move(*far)), "transport");
        });
        StreamConnectionOptions options;
        options.info.alpn = kResumeAlpn;
        transport = make_stream_connection(*loop, std::move(bridge.near), std::move(options));
        co_return Dialled{.connection = transport};
    }
    std::unique_ptr<ResumableClient> client() {
        ResumeClientOptions options;
        options.retry_first = milliseconds(1);
        return ResumableClient::create(
            *loop, [this](std::optional<Rung>) { return connect(); }, std::move(options));
    }
    [[nodiscard]] std::size_t streams() {
        std::size_t all = 0;
        for (std::size_t i = 0; i < kSeats; ++i) {
            on(i, [&] { all += seats[i].handler->streams(); });
        }
        return all;
    }

    /// Says and hears `words` in pieces, with a cut now and then.
    task<result<void>> talk(ResumableClient& client, Bytes words, std::size_t cuts) {
        ALKNET_CO_TRY(auto connection, co_await client.open(std::string(kEchoAlpn)));
        ALKNET_CO_TRY(auto stream, co_await connection->open_bi());
        const std::size_t piece = words.size() / (cuts + 1);
        for (std::size_t begin = 0; begin < words.size(); begin += piece) {
            const BytesView part =
                BytesView(words).subspan(begin, std::min(piece, words.size() - begin));
            TaskScope saying(*loop);
            saying.spawn(stream->write(part), "say");
            transport->close(0, "cut");
            Bytes heard(part.size());
            for (std::size_t size = 0; size < heard.size();) {
                ALKNET_CO_TRY(const std::size_t more,
                              co_await stream->read(MutableBytes(heard).subspan(size)));
                size += more;
            }
            EXPECT_TRUE(std::ranges::equal(heard, part));
            ALKNET_CO_CHECK(co_await saying.join());
        }
        ALKNET_CO_CHECK(co_await stream->finish());
        Bytes rest(1);
        ALKNET_CO_TRY(const std::size_t more, co_await stream->read(rest));
        EXPECT_EQ(more, 0U);
        stream.reset();
        co_return co_await connection->wait_closed();
    }
    template <class T>
    T run(task<T> work) {
        return block_on(*loop, std::move(work));
    }
    static task<bool> end(ResumableClient& client) {
        co_await client.shutdown(seconds(5));
        co_return true;
    }

    const SystemClock clock;
    std::unique_ptr<Loop> loop = Loop::create(clock).value();
    std::unique_ptr<LoopGroup> loops = LoopGroup::start(*loop, kSeats + 1).value();
    std::shared_ptr<Metrics> metrics = std::make_shared<Metrics>();
    std::array<Seat, kSeats> seats;
    std::size_t connects = 0;
    std::shared_ptr<Connection> transport;
};

TEST_F(LoopsTest, AStreamGoesOnWhereverItsClientLands) {
    const auto streams_of = client();
    const auto talked = run(talk(*streams_of, noise(600'000), 30));
    EXPECT_TRUE(talked) << talked.error().message();
    EXPECT_GE(connects, 30U);
    run(end(*streams_of));
    EXPECT_EQ(streams(), 0U);
    EXPECT_NE(metrics->text().find("alknet_resume_streams{state=\"attached\"} 0"),
              std::string::npos);
}

TEST_F(LoopsTest, LimitsCountTheLoopsTogether) {
    start({.streams_unauthenticated_max = 2});
    const auto streams_of = client();
    std::vector<std::shared_ptr<Connection>> open;
    for (int i = 0; i < 2; ++i) {
        auto made = run(streams_of->open(std::string(kEchoAlpn)));
        ASSERT_TRUE(made) << made.error().message();
        open.push_back(std::move(*made));
    }
    for (std::size_t i = 0; i < kSeats; ++i) {
        const auto refused = run(streams_of->open(std::string(kEchoAlpn)));
        ASSERT_FALSE(refused);
        EXPECT_TRUE(refused.error().is(causes::kLimit)) << refused.error().message();
    }
    for (const auto& one : open) {
        one->close(0, "");
    }
    open.clear();
    run(end(*streams_of));
    EXPECT_EQ(streams(), 0U);
}

TEST_F(LoopsTest, AStreamThatItsLoopHasForgottenIsUnknownOnAll) {
    const auto streams_of = client();
    const auto made = run(streams_of->open(std::string(kEchoAlpn)));
    ASSERT_TRUE(made);
    start({});  // as after a restart
    transport->close(0, "cut");
    ASSERT_TRUE(run((*made)->wait_closed()));
    EXPECT_TRUE((*made)->close_reason()->is(causes::kResumeUnknown))
        << (*made)->close_reason()->message();
    run(end(*streams_of));
}

}  // namespace
}  // namespace alknet::resume
