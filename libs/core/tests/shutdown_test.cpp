// Ending an endpoint: in which order, and that it ends whatever the handlers do.
#include <alknet/core/echo.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/co_test.hpp>

#include "handlers.hpp"

namespace alknet {
namespace {

using namespace test;
using std::chrono::milliseconds;
using std::chrono::seconds;

MemoryConnectionPair make_pair_for(std::string alpn) {
    MemoryConnectionOptions options;
    options.alpn = std::move(alpn);
    return make_memory_connection_pair(std::move(options));
}

task<bool> shut_down(Endpoint& endpoint) {
    co_await endpoint.shutdown();
    co_return true;
}

ALKNET_CO_TEST(Shutdown, OfNothingTakesNoTime) {
    TestNode node(loop);
    const TimePoint before = loop.now();
    co_await node.endpoint().shutdown();
    co_await node.endpoint().shutdown();
    EXPECT_EQ(loop.now(), before);
}

ALKNET_CO_TEST(Shutdown, TellsHandlersFirstAndLetsThemFinish) {
    TestNode node(loop);
    const auto handler = node.add(
        "x", [](TestHandler& me, std::shared_ptr<Connection>, AuthContext) -> task<result<void>> {
            while (me.told == 0) {
                ALKNET_CO_CHECK(co_await me.changed.wait());
            }
            const TaskContext context = co_await current_context();
            co_return co_await context.loop->sleep(milliseconds(1500));
        });
    Served served(node, "x");
    co_await settle(loop);
    Started stopping(loop, shut_down(node.endpoint()));
    co_await settle(loop);
    EXPECT_EQ(handler->told, 1);
    EXPECT_EQ(handler->running, 1);
    EXPECT_FALSE(stopping.done());
    const TimePoint before = loop.now();
    EXPECT_TRUE(co_await stopping.join());
    EXPECT_EQ(loop.now() - before, milliseconds(1500));  // less than the grace period
    EXPECT_EQ(co_await served.ended(), close_code::kShutdown);
    EXPECT_EQ(node.sink->count("handler.failed"), 0U);
}

ALKNET_CO_TEST(Shutdown, AfterTheGracePeriodClosesWithCodeSevenAndCancels) {
    TestNode node(loop);
    const auto handler = node.add("x", waits_for_the_end);
    Served a(node, "x");
    Served b(node, "x");
    co_await settle(loop);
    const TimePoint before = loop.now();
    co_await node.endpoint().shutdown();
    EXPECT_EQ(loop.now() - before, node.options.limits.shutdown_grace);
    EXPECT_EQ(co_await a.ended(), close_code::kShutdown);
    EXPECT_EQ(co_await b.ended(), close_code::kShutdown);
    EXPECT_EQ(handler->running, 0);
    EXPECT_EQ(handler->told, 1);
}

ALKNET_CO_TEST(Shutdown, EndsThoughHandlersDoNot) {
    TestNode node(loop);
    const auto stuck = node.add("stuck", never_returns);
    stuck->on_shutdown = []() -> task<void> {
        Event never;
        co_await never.wait_uncancellable();
    };
    const auto throwing = node.add("throwing", waits_for_the_end);
    throwing->on_shutdown = []() -> task<void> {
        throw std::runtime_error("deliberate");
        co_return;
    };
    Served a(node, "stuck");
    Served b(node, "throwing");
    co_await settle(loop);
    const TimePoint before = loop.now();
    co_await node.endpoint().shutdown();
    EXPECT_EQ(loop.now() - before,
              node.options.limits.shutdown_grace + node.options.limits.handler_unwind_timeout);
    EXPECT_EQ(stuck->running, 0);
    EXPECT_EQ(node.endpoint().connections(), 0U);
    EXPECT_EQ(node.sink->count("handler.shutdown_failed"), 2U);
    (void)co_await a.ended();
    (void)co_await b.ended();
}

ALKNET_CO_TEST(Shutdown, TakesNoMoreConnections) {
    TestNode node(loop);
    const auto handler = node.add("x", waits_for_the_end);
    Served first(node, "x");
    co_await settle(loop);
    Started stopping(loop, shut_down(node.endpoint()));
    co_await settle(loop);
    Served late(node, "x");
    EXPECT_EQ(co_await late.ended(), close_code::kShutdown);
    EXPECT_EQ(handler->started, 1);
    EXPECT_TRUE(node.endpoint().listen({}).error().is(causes::kShuttingDown));
    // Whoever asks again waits for the same end.
    Started again(loop, shut_down(node.endpoint()));
    co_await settle(loop);
    EXPECT_FALSE(again.done());
    EXPECT_TRUE(co_await stopping.join());
    EXPECT_TRUE(co_await again.join());
    (void)co_await first.ended();
}

ALKNET_CO_TEST(Shutdown, TellsEachHandlerOnceAlsoThoseThatWereRemoved) {
    TestNode node(loop);
    const auto removed = node.add("old", waits_for_the_end);
    const auto aliased = node.add("new", waits_for_the_end);
    EXPECT_TRUE(node.registry->add_alias("newer", "new"));
    Served served(node, "old");
    co_await settle(loop);
    EXPECT_TRUE(node.registry->remove("old"));
    // Its connection drains; new ones find nothing.
    Served late(node, "old");
    EXPECT_EQ(co_await late.ended(), close_code::kNoHandler);
    EXPECT_FALSE(served.client->close_reason().has_value());
    co_await node.endpoint().shutdown();
    EXPECT_EQ(removed->told, 1);
    EXPECT_EQ(aliased->told, 1);
    (void)co_await served.ended();
}

ALKNET_CO_TEST(Shutdown, AnIdleEchoConnectionEndsAtOnceABusyOneWhenItIsDone) {
    TestNode node(loop);
    EXPECT_TRUE(node.registry->add(std::make_shared<EchoHandler>()));
    Served idle(node, std::string(kEchoAlpn));
    Served busy(node, std::string(kEchoAlpn));
    auto stream = co_await busy.client->open_bi();
    EXPECT_TRUE(co_await (*stream)->write(noise(10)));
    co_await settle(loop);
    const TimePoint before = loop.now();
    Started stopping(loop, shut_down(node.endpoint()));
    EXPECT_EQ(co_await idle.ended(), close_code::kShutdown);
    EXPECT_EQ(loop.now(), before);
    EXPECT_FALSE(busy.client->close_reason().has_value());
    EXPECT_TRUE(co_await (*stream)->write(noise(10)));
    EXPECT_TRUE(co_await (*stream)->finish());
    EXPECT_EQ((co_await receive_all(**stream)).value().size(), 20U);
    stream->reset();
    EXPECT_TRUE(co_await stopping.join());
    EXPECT_LT(loop.now() - before, node.options.limits.shutdown_grace);
    EXPECT_EQ(co_await busy.ended(), close_code::kShutdown);
}

ALKNET_CO_TEST(Shutdown, AnEndpointThatIsJustDestroyedLeavesNothing) {
    auto node = std::make_unique<TestNode>(loop);
    const auto handler = node->add("x", waits_for_the_end);
    const auto stuck = node->add("stuck", never_returns);
    const auto [client, server] = make_pair_for("x");
    const auto [stuck_client, stuck_server] = make_pair_for("stuck");
    {
        TaskScope serving(loop);
        serving.spawn(node->endpoint().serve(server), "serve");
        serving.spawn(node->endpoint().serve(stuck_server), "serve");
        co_await settle(loop);
        EXPECT_EQ(handler->running, 1);
        EXPECT_EQ(stuck->running, 1);
    }
    node.reset();
    EXPECT_EQ(handler->running, 0);
    EXPECT_EQ(stuck->running, 0);
}

}  // namespace
}  // namespace alknet
