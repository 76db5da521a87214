// Watchdog: a thread that sees when a loop does not get on, and says which task holds it up.
// Nothing can interrupt that task; whoever runs the node learns whom to blame. While the loop
// rests, the thread sleeps.
//
// Events: loop.stalled (loop, task, ms) when a step has taken longer than the threshold, again each
// time that its duration has doubled; loop.resumed (loop, task, ms) when it has ended after all.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/metrics.hpp>
#include <alknet/base/result.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/time.hpp>
#include <memory>
#include <optional>
#include <string>

namespace alknet {

/// Decides from samples of a loop's pulse what is to be said.
class StallDetector {
public:
    explicit StallDetector(Duration threshold) noexcept : threshold_(threshold) {}

    struct Report {
        bool over = false;
        bool again = false;  // not the first about this step
        const char* task = nullptr;
        Duration duration{};  // at least
    };
    [[nodiscard]] std::optional<Report> look(const Loop::Pulse& pulse, TimePoint now) noexcept;

private:
    Duration threshold_;
    Loop::Pulse seen_;
    TimePoint since_;
    std::optional<Duration> say_at_;  // the next report about a step that was reported
};

struct WatchdogOptions {
    std::string loop_name = "main";
    Duration threshold = std::chrono::milliseconds(200);
    Log log;
    std::shared_ptr<Metrics> metrics;  // alknet_loop_stalls_total; null: not counted
};

class Watchdog {
public:
    /// `loop` and its clock must outlive the watchdog. Thread-safe. Errors: kIo when no thread can
    /// be started, or the process is out of descriptors.
    static result<std::unique_ptr<Watchdog>> start(Loop& loop, WatchdogOptions options);
    virtual ~Watchdog() = default;
    /// Whether its thread waits for the loop to go on. Thread-safe.
    [[nodiscard]] virtual bool asleep() const noexcept = 0;
};

}  // namespace alknet
