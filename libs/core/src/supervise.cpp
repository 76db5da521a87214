#include "supervise.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/wait.hpp>

namespace alknet {

namespace {

struct Run {
    WaitList done;
    bool ended = false;
    Outcome outcome;

    void end(Outcome how) noexcept {
        outcome = std::move(how);
        ended = true;
        done.wake_all();
    }
};

task<void> run_caught(task<result<void>> work, Run& run) {
    std::string thrown;
    try {
        result<void> value = co_await std::move(work);
        run.end({.ending = Ending::returned, .value = std::move(value)});
        co_return;
    } catch (const std::exception& exception) {
        thrown = exception.what();
    } catch (...) {
        thrown = "an exception of an unknown type";
    }
    run.end({.ending = Ending::threw, .value = fail(causes::kInternal, std::move(thrown))});
}

task<result<void>> wait_for_end(Run& run) {
    while (!run.ended) {
        ALKNET_CO_CHECK(co_await run.done.wait());
    }
    co_return result<void>{};
}

task<void> unwind(Run& run, Duration patience) {
    // Whoever supervises does so to the end, so the patience has no other limit.
    Cancel never;
    const auto unwound = co_await with_timeout(patience, wait_for_end(run)).under(never);
    if (!unwound) {
        run.outcome = {.ending = Ending::abandoned,
                       .value = fail(causes::kTimeout, "it did not return when cancelled")};
    }
}

struct Supervision {
    Loop& loop;
    Cancel& ended;
    Duration patience;
    std::string name;
};

/// Waits itself, below `ended`, and leaves what comes later to another: each connection has one of
/// these for all its life.
task<Outcome> run_supervised(task<result<void>> work, Supervision by) {
    Run run;
    {
        TaskScope scope(by.loop, &by.ended);
        scope.spawn(run_caught(std::move(work), run), by.name);
        while (!run.ended) {
            if (!co_await run.done.wait()) {
                co_await unwind(run, by.patience);
                break;
            }
        }
    }
    co_return std::move(run.outcome);
}

}  // namespace

task<Outcome> supervise(Loop& loop, task<result<void>> work, Cancel& ended, Duration unwind,
                        std::string name) {
    return run_supervised(
               std::move(work),
               {.loop = loop, .ended = ended, .patience = unwind, .name = std::move(name)})
        .under(ended);
}

}  // namespace alknet
