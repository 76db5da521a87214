#include "supervise.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/wait.hpp>

namespace alknet {

namespace {

struct Run {
    Event done;
    Outcome outcome;
};

task<void> run_caught(task<result<void>> work, Run& run) {
    std::string thrown;
    try {
        run.outcome.value = co_await std::move(work);
        run.done.set();
        co_return;
    } catch (const std::exception& exception) {
        thrown = exception.what();
    } catch (...) {
        thrown = "an exception of an unknown type";
    }
    run.outcome = {.ending = Ending::threw, .value = fail(causes::kInternal, std::move(thrown))};
    run.done.set();
}

}  // namespace

task<Outcome> supervise(Loop& loop, task<result<void>> work, Cancel& ended, Duration unwind,
                        std::string name) {
    Run run;
    {
        TaskScope scope(loop, &ended);
        scope.spawn(run_caught(std::move(work), run), name);
        const result<void> done = co_await run.done.wait().under(ended);
        if (!done) {
            // Whoever supervises does so to the end, so the patience has no other limit.
            Cancel never;
            const auto unwound = co_await with_timeout(unwind, run.done.wait()).under(never);
            if (!unwound) {
                run.outcome = {.ending = Ending::abandoned,
                               .value = fail(causes::kTimeout, "it did not return when cancelled")};
            }
        }
    }
    co_return std::move(run.outcome);
}

}  // namespace alknet
