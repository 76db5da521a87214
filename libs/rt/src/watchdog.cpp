#include <alknet/base/threads.hpp>
#include <alknet/rt/watchdog.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace alknet {

std::optional<StallDetector::Report> StallDetector::look(const Loop::Pulse& pulse,
                                                         TimePoint now) noexcept {
    const bool same = pulse.running && seen_.running && pulse.steps == seen_.steps;
    if (same) {
        const Duration duration = now - since_;
        if (duration < say_at_.value_or(threshold_)) {
            return std::nullopt;
        }
        const bool again = std::exchange(say_at_, duration * 2).has_value();
        return Report{.over = false, .again = again, .task = seen_.name, .duration = duration};
    }
    std::optional<Report> report;
    if (say_at_) {
        report = Report{.over = true, .again = true, .task = seen_.name, .duration = now - since_};
    }
    seen_ = pulse;
    since_ = now;
    say_at_.reset();
    return report;
}

namespace {

class WatchdogThread final : public Watchdog {
public:
    WatchdogThread(const Loop& loop, WatchdogOptions options)
        : loop_(loop), options_(std::move(options)), detector_(options_.threshold) {
        if (options_.metrics != nullptr) {
            stalls_ = &options_.metrics
                           ->counters("alknet_loop_stalls_total",
                                      "Times that a loop did not get on.", {"loop"})
                           .with({options_.loop_name});
        }
    }

    ~WatchdogThread() override {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        stop_.notify_all();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    result<void> start() {
        ALKNET_TRY(thread_, start_thread("watchdog", [this] { run(); }));
        return {};
    }

private:
    void run() {
        const SystemClock clock;
        std::unique_lock lock(mutex_);
        while (!stop_.wait_for(lock, options_.threshold / 4, [this] { return stopping_; })) {
            if (const auto report = detector_.look(loop_.pulse(), clock.now())) {
                say(*report);
            }
        }
    }

    void say(const StallDetector::Report& report) {
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(report.duration);
        const LogLevel level = report.over ? LogLevel::info : LogLevel::warn;
        if (!report.again && stalls_ != nullptr) {
            stalls_->add();
        }
        options_.log(level, report.over ? "loop.resumed" : "loop.stalled",
                     {{"loop", options_.loop_name}, {"task", report.task}, {"ms", ms.count()}});
    }

    const Loop& loop_;
    const WatchdogOptions options_;
    StallDetector detector_;
    Counter* stalls_ = nullptr;
    std::thread thread_;
    std::mutex mutex_;
    std::condition_variable stop_;
    bool stopping_ = false;
};

}  // namespace

result<std::unique_ptr<Watchdog>> Watchdog::start(const Loop& loop, WatchdogOptions options) {
    auto watchdog = std::make_unique<WatchdogThread>(loop, std::move(options));
    ALKNET_CHECK(watchdog->start());
    return watchdog;
}

}  // namespace alknet
