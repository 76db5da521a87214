#include "supervisor.hpp"

#include <alknet/rt/combine.hpp>
#include <chrono>

#include "backoff.hpp"

namespace alknet::exec {

Supervisor::Supervisor(Loop& loop, SupervisorOptions options)
    : loop_(loop), options_(std::move(options)) {
    status_.name = options_.name;
}

// How it ended; the time that it was there is the caller's to measure.
task<result<std::string>> Supervisor::run_once() {
    status_.state = ProgramState::starting;
    auto launched = co_await options_.launch();
    if (!launched) {
        if (launched.error().is(errc::cancelled)) {
            co_return unexpected(std::move(launched).error());
        }
        co_return launched.error().message();
    }
    const std::unique_ptr<Running> running = *std::move(launched);
    status_.process = running->id();
    status_.state = ProgramState::running;
    options_.log.info("exec.started", {{"program", options_.name}, {"process", running->id()}});
    auto how = co_await running->ended();
    Cancel patient;  // what was started is ended, whoever wants to go
    co_await running->stop().under(patient);
    status_.process = 0;
    co_return how;
}

task<result<void>> Supervisor::wait_until_wanted() {
    ALKNET_CO_CHECK(co_await start_wanted_.wait());
    start_wanted_.clear();
    co_return result<void>();
}

task<result<void>> Supervisor::run() {
    Backoff backoff(options_.attempts_max);
    for (;;) {
        start_wanted_.clear();
        const TimePoint began = loop_.now();
        auto how = co_await run_once();
        if (!how) {
            status_.state = ProgramState::stopped;
            co_return unexpected(std::move(how).error());
        }
        const Duration ran = loop_.now() - began;
        const auto delay = backoff.ended(ran);
        const auto seconds = [](Duration d) { return std::chrono::duration<double>(d).count(); };
        status_.last_end = *how;
        ++status_.ends;
        if (!delay) {
            status_.state = ProgramState::given_up;
            options_.log.error(
                "exec.given_up",
                {{"program", options_.name}, {"reason", *how}, {"ends", status_.ends}});
            ALKNET_CO_CHECK(co_await wait_until_wanted());
            backoff = Backoff(options_.attempts_max);
            continue;
        }
        status_.state = ProgramState::waiting;
        options_.log.warn("exec.ended", {{"program", options_.name},
                                         {"reason", *how},
                                         {"ran_s", seconds(ran)},
                                         {"again_in_s", seconds(*delay)}});
        auto waited = co_await with_timeout(*delay, wait_until_wanted());
        if (!waited && !waited.error().is(errc::timeout)) {
            status_.state = ProgramState::stopped;
            co_return waited;
        }
    }
}

}  // namespace alknet::exec
