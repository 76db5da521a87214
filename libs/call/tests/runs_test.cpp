// Detached runs: who may ask for them, how many there are, how long they are kept.
#include "runs.hpp"

#include <alknet/call/operation_home.hpp>

#include "call_world.hpp"

namespace alknet::call {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

Identity named(std::string id) {
    Identity made = known();
    made.id = std::move(id);
    return made;
}

/// A node whose operations have a home, and callers by name.
struct RunsWorld {
    explicit RunsWorld(Loop& on) : loop(on), home(OperationHome::create(on)) {
        registry = std::make_shared<OperationRegistry>(home);
        add("test/wait", [this](CallContext, Json) { return wait_for(seen, Duration::max()); });
        add("test/sleep", [this](CallContext, Json) { return wait_for(seen, seconds(10)); });
        add("test/echo", [this](CallContext context, Json input) {
            return echo(seen, std::move(context), std::move(input));
        });
        add("test/throw", [](CallContext, Json) { return fail_so(true); });
        add("test/large", [](CallContext, Json input) { return large(std::move(input)); });
    }
    void add(std::string name, CallFunction run) {
        EXPECT_TRUE(registry->add(make(std::move(name), std::move(run))));
    }
    task<result<std::string>> begin(std::string operation, Json input = {},
                                    std::optional<Identity> whose = known(),
                                    Duration limit = minutes(60)) {
        CallContext context{.identity = std::move(whose)};
        context.deadline = loop.now() + limit;
        return registry->detach(std::move(operation), std::move(context), std::move(input),
                                [this] { return who_is_there(); });
    }
    task<result<Json>> look(std::string what, std::string run,
                            std::optional<Identity> whose = known()) {
        CallContext context{.identity = std::move(whose)};
        return registry->call("runs/" + what, std::move(context),
                              Json::object({{"run", std::move(run)}}));
    }
    task<std::string> state(std::string run, std::optional<Identity> whose = known()) {
        const auto told = co_await look("get", std::move(run), std::move(whose));
        co_return told ? std::string(told->text_of("state")) : to_failed(told.error()).code;
    }
    task<result<std::optional<Identity>>> who_is_there() { co_return there; }
    task<void> end() {
        co_await home->close();
        EXPECT_EQ(seen.running, 0);
    }

    Loop& loop;
    Seen seen;
    std::shared_ptr<OperationHome> home;
    std::shared_ptr<OperationRegistry> registry;
    std::optional<Identity> there = known();
};

ALKNET_CO_TEST(CallRuns, AreThereForWhoeverBeganThem) {
    RunsWorld world(loop);
    const auto run = co_await world.begin("test/sleep");
    ALKNET_CO_ASSERT_OK(run);
    EXPECT_EQ(co_await world.state(*run), "running");
    EXPECT_EQ(co_await world.state(*run, named("other")), "NOT_FOUND");
    EXPECT_EQ(co_await world.state(*run, std::nullopt), "FORBIDDEN");
    EXPECT_EQ(co_await world.state("none"), "NOT_FOUND");
    const auto others = co_await world.look("cancel", *run, named("other"));
    EXPECT_TRUE(others.error().is(causes::kNoRun));
    const TimePoint begun = loop.now();
    const auto ended = co_await world.look("wait", *run);
    ALKNET_CO_ASSERT_OK(ended);
    EXPECT_EQ(loop.now() - begun, seconds(10));
    EXPECT_EQ(ended->text_of("state"), "done");
    EXPECT_EQ(ended->text_of("operation"), "/test/sleep");
    EXPECT_EQ(ended->text_of("output"), "slept");
    // Kept for ten minutes.
    co_await loop.sleep(RunTable::kKeptFor - seconds(1));
    EXPECT_EQ(co_await world.state(*run), "done");
    co_await loop.sleep(seconds(1));
    EXPECT_EQ(co_await world.state(*run), "NOT_FOUND");
    co_await world.end();
}

ALKNET_CO_TEST(CallRuns, EndAsCallsDo) {
    RunsWorld world(loop);
    const auto endless = co_await world.begin("test/wait");
    ALKNET_CO_ASSERT_OK(endless);
    const auto cancelled = co_await world.look("cancel", *endless);
    ALKNET_CO_ASSERT_OK(cancelled);
    EXPECT_EQ(cancelled->text_of("state"), "failed");
    EXPECT_EQ(cancelled->find("error")->text_of("code"), "ABORTED");
    const auto late = co_await world.begin("test/wait", {}, known(), seconds(5));
    const auto timed_out = co_await world.look("wait", *late);
    EXPECT_EQ(timed_out->find("error")->text_of("code"), "TIMEOUT");
    // A bug is the run's alone.
    const auto bug = co_await world.begin("test/throw");
    EXPECT_EQ((co_await world.look("wait", *bug))->find("error")->text_of("code"), "INTERNAL");
    EXPECT_TRUE(co_await world.begin("test/echo"));
    // What cannot begin is told at once.
    EXPECT_TRUE((co_await world.begin("test/none")).error().is(causes::kNoOperation));
    EXPECT_TRUE((co_await world.begin("runs/get")).error().is(causes::kUsage));
    const auto stranger = co_await world.begin("test/echo", {}, std::nullopt);
    EXPECT_TRUE(stranger.error().is(causes::kAuthRequired));
    const OperationRegistry homeless;
    const auto nowhere = co_await homeless.detach("services/list", {.identity = known()}, {}, {});
    EXPECT_TRUE(nowhere.error().is(causes::kOperationType));
    const auto last = co_await world.begin("test/wait");
    EXPECT_TRUE(last);
    co_await loop.sleep(seconds(1));
    EXPECT_EQ(world.seen.running, 1);
    co_await world.end();
}

ALKNET_CO_TEST(CallRuns, EndWithTheAccessOfWhoeverBeganThem) {
    RunsWorld world(loop);
    const auto run = co_await world.begin("test/wait");
    ALKNET_CO_ASSERT_OK(run);
    co_await world.registry->recheck_identities();
    co_await loop.sleep(seconds(1));
    EXPECT_EQ(co_await world.state(*run), "running");
    world.there.reset();
    co_await world.registry->recheck_identities();
    co_await loop.sleep(seconds(1));
    EXPECT_EQ(world.seen.running, 0);
    EXPECT_EQ(co_await world.state(*run), "failed");
    co_await world.end();
}

ALKNET_CO_TEST(CallRuns, OfOneIdentityAre64AndEndedOnesMakeRoom) {
    RunsWorld world(loop);
    const auto first = co_await world.begin("test/echo", 1);
    const auto second = co_await world.begin("test/echo", 2);
    ALKNET_CO_ASSERT_OK(second);
    (void)co_await world.look("wait", *second);
    for (std::size_t i = 2; i < RunTable::kRunsPerIdentityMax; ++i) {
        EXPECT_TRUE(co_await world.begin("test/wait"));
    }
    EXPECT_EQ(co_await world.state(*first), "done");
    EXPECT_TRUE(co_await world.begin("test/wait"));
    EXPECT_EQ(co_await world.state(*first), "NOT_FOUND");
    EXPECT_EQ(co_await world.state(*second), "done");
    EXPECT_TRUE(co_await world.begin("test/wait"));
    const auto refused = co_await world.begin("test/wait");
    EXPECT_TRUE(refused.error().is(causes::kLimit));
    EXPECT_THAT(refused.error().detail(), testing::HasSubstr("runs_per_identity_max"));
    EXPECT_TRUE(co_await world.begin("test/wait", {}, named("other")));
    co_await world.end();
}

ALKNET_CO_TEST(CallRuns, OfAllAre1024) {
    RunsWorld world(loop);
    for (std::size_t i = 0; i < RunTable::kRunsMax; ++i) {
        const std::string whose = "peer-" + std::to_string(i / 60);
        EXPECT_TRUE(co_await world.begin("test/wait", {}, named(whose)));
    }
    const auto refused = co_await world.begin("test/wait", {}, named("new"));
    EXPECT_TRUE(refused.error().is(causes::kLimit));
    EXPECT_THAT(refused.error().detail(), testing::HasSubstr("runs_max"));
    co_await world.end();
}

ALKNET_CO_TEST(CallRuns, KeepSixteenMebioctetsOfOutputs) {
    RunsWorld world(loop);
    constexpr std::uint64_t kPart = RunTable::kOutputBytesMax / 4;
    std::vector<std::string> runs;
    for (int i = 0; i < 4; ++i) {
        auto run = co_await world.begin("test/large", kPart - 100);
        ALKNET_CO_ASSERT_OK(run);
        (void)co_await world.look("wait", *run);
        runs.push_back(*std::move(run));
    }
    const auto one_more = co_await world.begin("test/large", kPart);
    ALKNET_CO_ASSERT_OK(one_more);
    const auto told = co_await world.look("wait", *one_more);
    EXPECT_EQ(told->find("error")->text_of("code"), "LIMIT");
    co_await loop.sleep(RunTable::kKeptFor);
    const auto again = co_await world.begin("test/large", kPart);
    EXPECT_EQ((co_await world.look("wait", *again))->text_of("state"), "done");
    co_await world.end();
}

// Over the wire: the connection goes, the run stays.
ALKNET_CO_TEST(CallRuns, OutliveTheConnection) {
    RunsWorld runs(loop);
    World world(loop);
    CallAdapterOptions options;
    options.registry = runs.registry;
    const auto connect = [&](TaskScope& scope) {
        MemoryConnectionOptions memory;
        memory.alpn = std::string(kCallAlpn);
        auto pair = make_memory_connection_pair(memory);
        AuthContext auth;
        auth.identity = known();
        scope.spawn(world.adapter->handle(pair.server, std::move(auth)), "serve");
        return CallClient::create(loop, pair.client);
    };
    world.adapter = std::make_shared<CallAdapter>(options);
    TaskScope serving(loop);
    auto client = connect(serving);
    const auto begun =
        co_await client->call("test/sleep", {}, {.detached_for = std::chrono::minutes(1)});
    ALKNET_CO_ASSERT_OK(begun);
    const std::string run(begun->text_of("run"));
    EXPECT_FALSE(run.empty());
    co_await client->close();
    (void)co_await serving.join();
    EXPECT_EQ(world.adapter->in_flight(), 0U);
    EXPECT_EQ(runs.seen.running, 1);
    TaskScope again(loop);
    client = connect(again);
    const auto told = co_await client->call("runs/wait", Json::object({{"run", run}}));
    ALKNET_CO_ASSERT_OK(told);
    EXPECT_EQ(told->text_of("output"), "slept");
    const auto wrong = co_await client->call("runs/get", {}, {.detached_for = seconds(1)});
    EXPECT_TRUE(wrong.error().is(causes::kUsage));
    co_await client->close();
    (void)co_await again.join();
    co_await runs.end();
    co_await world.end();
}

}  // namespace
}  // namespace alknet::call
