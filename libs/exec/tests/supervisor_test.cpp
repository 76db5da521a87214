// Of programs that are none, on virtual time.
#include "supervisor.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/base/causes_exec.hpp>
#include <alknet/testing/co_test.hpp>
#include <alknet/testing/memory_log_sink.hpp>
#include <vector>

#include "backoff.hpp"

namespace alknet::exec {
namespace {

using std::chrono::seconds;

struct Script {
    explicit Script(Loop& on) : loop(on) {}
    Loop& loop;
    Duration lives = Duration::zero();  // each run
    bool starts = true;
    std::vector<TimePoint> launches{};
    int stopped = 0;
    std::shared_ptr<sim::MemoryLogSink> sink = std::make_shared<sim::MemoryLogSink>();
};

class Fake final : public Running {
public:
    explicit Fake(Script& script) : script_(script) {}
    [[nodiscard]] std::int64_t id() const noexcept override { return 42; }
    task<result<std::string>> ended() override {
        ALKNET_CO_CHECK(co_await script_.loop.sleep(script_.lives));
        co_return "exit code 1";
    }
    task<void> stop() override {
        // A second, and nothing cuts it short.
        EXPECT_TRUE(co_await script_.loop.sleep(seconds(1)));
        ++script_.stopped;
    }

private:
    Script& script_;
};

task<result<std::unique_ptr<Running>>> launch(Script& script) {
    script.launches.push_back(script.loop.now());
    if (!script.starts) {
        co_return fail(causes::kProgramStart, "/x: the program: not there");
    }
    co_return std::make_unique<Fake>(script);
}

SupervisorOptions options_of(Script& script, std::size_t attempts_max) {
    SupervisorOptions options;
    options.name = "fake";
    options.attempts_max = attempts_max;
    options.launch = [&script] { return launch(script); };
    options.log = Log(script.sink);
    return options;
}

ALKNET_CO_TEST(Supervisor, StartsAgainLaterEachTimeAndGivesUp) {
    Script script(loop);
    script.starts = false;
    Supervisor supervisor(loop, options_of(script, 4));
    TaskScope scope(loop);
    const TimePoint began = loop.now();
    scope.spawn(supervisor.run(), "run");
    EXPECT_TRUE(co_await loop.sleep(std::chrono::hours(1)));
    const std::vector<TimePoint> expected = {began, began + seconds(1), began + seconds(3),
                                             began + seconds(7)};
    EXPECT_EQ(script.launches, expected);
    const ProgramStatus status = supervisor.status();
    EXPECT_EQ(status.state, ProgramState::given_up);
    EXPECT_EQ(status.ends, 4U);
    EXPECT_NE(status.last_end.find("/x: the program: not there"), std::string::npos);
    EXPECT_EQ(script.sink->count("exec.ended"), 3U);
    EXPECT_EQ(script.sink->count("exec.given_up"), 1U);
    scope.cancel();
    (void)co_await scope.join();
    EXPECT_EQ(script.stopped, 0);
}

ALKNET_CO_TEST(Supervisor, ThatHasGivenUpStartsWhenTold) {
    Script script(loop);
    Supervisor supervisor(loop, options_of(script, 1));
    TaskScope scope(loop);
    scope.spawn(supervisor.run(), "run");
    EXPECT_TRUE(co_await loop.sleep(std::chrono::minutes(5)));
    EXPECT_EQ(supervisor.status().state, ProgramState::given_up);
    EXPECT_EQ(script.stopped, 1);
    script.lives = std::chrono::hours(1);
    supervisor.start_now();
    EXPECT_TRUE(co_await loop.sleep(seconds(1)));
    EXPECT_EQ(supervisor.status().state, ProgramState::running);
    EXPECT_EQ(supervisor.status().process, 42);
    scope.cancel();
    (void)co_await scope.join();
    EXPECT_EQ(script.stopped, 2);
    EXPECT_EQ(supervisor.status().state, ProgramState::stopped);
    EXPECT_EQ(supervisor.status().process, 0);
}

ALKNET_CO_TEST(Supervisor, DoesNotHoldAStableRunAgainstIt) {
    Script script(loop);
    script.lives = Backoff::kStable;
    Supervisor supervisor(loop, options_of(script, 2));
    TaskScope scope(loop);
    scope.spawn(supervisor.run(), "run");
    EXPECT_TRUE(co_await loop.sleep(Backoff::kStable * 20));
    EXPECT_NE(supervisor.status().state, ProgramState::given_up);
    EXPECT_GT(script.launches.size(), 15U);
    scope.cancel();
    (void)co_await scope.join();
}

ALKNET_CO_TEST(Supervisor, IsCancelledWhileItWaits) {
    Script script(loop);
    Supervisor supervisor(loop, options_of(script, 0));
    TaskScope scope(loop);
    scope.spawn(supervisor.run(), "run");
    EXPECT_TRUE(co_await loop.sleep(std::chrono::milliseconds(1500)));
    EXPECT_EQ(supervisor.status().state, ProgramState::waiting);
    scope.cancel();
    const auto ended = co_await scope.join();
    EXPECT_TRUE(ended) << "to be cancelled is no failure";
    EXPECT_EQ(supervisor.status().state, ProgramState::stopped);
}

}  // namespace
}  // namespace alknet::exec
