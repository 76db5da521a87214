// One HTTP/1.1 connection over memory, on virtual time: a router at one end, octets at the other.
#pragma once

#include <alknet/http/router.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/co_test.hpp>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "h1_connection.hpp"

namespace alknet::http::test {

struct World {
    explicit World(Loop& its_loop, const Limits& limits = {},
                   const net::MemoryStreamOptions& options = {})
        : scope(its_loop) {
        auto pair = net::make_memory_streams(options, options);
        client = std::move(pair.first);
        server = std::move(pair.second);
        connection = std::make_unique<H1Connection>(
            its_loop, *server,
            DriverOptions{.limits = limits,
                          .auth = auth,
                          .trace_id = "trace",
                          .answer = [this](Request& request) { return router.answer(request); },
                          .served =
                              [this](const Served& one) {
                                  served.push_back(one.head.method + " " + one.head.path + " " +
                                                   std::to_string(one.status));
                              }});
    }

    void route(std::string_view method, std::string_view pattern, Handler handler) {
        EXPECT_TRUE(router.add(method, pattern, std::move(handler)));
    }
    void start() { scope.spawn(run(*this), "http"); }

    task<void> send(std::string text) { EXPECT_TRUE(co_await client->write(as_bytes(text))); }
    /// What comes until it ends so; all that comes, if it never does.
    task<std::string> receive(std::string end) {
        std::array<std::byte, 1000> piece{};
        while (!received.ends_with(end) || end.empty()) {
            const auto count = co_await client->read(piece);
            if (!count || *count == 0) {
                closed = count.has_value();
                break;
            }
            received += as_text(BytesView(piece).first(*count));
        }
        co_return std::exchange(received, {});
    }
    task<std::string> receive_all() { return receive(""); }
    task<void> finish() {
        EXPECT_TRUE(co_await client->finish());
        (void)co_await scope.join();
    }

    static task<void> run(World& world) { world.outcome = co_await world.connection->run(); }

    AuthContext auth;
    Router router;
    std::vector<std::string> served;
    std::unique_ptr<ByteStream> client;
    std::unique_ptr<ByteStream> server;
    std::unique_ptr<H1Connection> connection;
    result<void> outcome;
    std::string received;
    bool closed = false;  // in order, rather than by a reset
    TaskScope scope;
};

inline task<result<Response>> say(std::string text) {
    co_return text_response(200, std::move(text));
}

/// Answers with the body of the request.
inline task<result<Response>> echo(Request& request) {
    ALKNET_CO_TRY(std::string body, co_await read_all(request.body, 1 << 20));
    co_return text_response(200, std::move(body));
}

inline task<void> read_nothing(Request& request) {
    std::array<std::byte, 100> piece{};
    (void)co_await request.body.read(piece);
}

/// Answers while somebody else waits for the body, in `reading`: as a proxy does whose server does
/// not care for it.
inline task<result<Response>> answer_while_reading(Request& request,
                                                   std::optional<TaskScope>& reading) {
    const TaskContext context = co_await current_context();
    reading.emplace(*context.loop, context.cancel);
    reading->spawn(read_nothing(request), "reading");
    ALKNET_CO_CHECK(co_await context.loop->sleep(std::chrono::milliseconds(1)));
    co_return text_response(200, std::string(100, 'x'));
}

inline task<result<Response>> cut_reading(task<result<Response>> answer,
                                          std::optional<TaskScope>& reading) {
    auto response = co_await std::move(answer);
    reading.reset();
    co_return response;
}

}  // namespace alknet::http::test
