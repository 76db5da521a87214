#include "watch_post.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <alknet/base/os_error.hpp>
#include <alknet/base/threads.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/rt/watchdog.hpp>
#include <array>
#include <cerrno>
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

/// A descriptor's wait without an end is cut short by this.
result<UniqueFd> make_bell() {
    UniqueFd fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!fd) {
        return os_fail("eventfd", errno);
    }
    return fd;
}

class TimerAlarm final : public Alarm {
public:
    explicit TimerAlarm(UniqueFd fd) noexcept : fd_(std::move(fd)) {}
    static result<std::unique_ptr<TimerAlarm>> create() {
        UniqueFd fd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
        if (!fd) {
            return os_fail("timerfd_create", errno);
        }
        return std::make_unique<TimerAlarm>(std::move(fd));
    }

    void set(Duration after) noexcept override {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(after);
        itimerspec when{};
        when.it_value = {.tv_sec = seconds.count(), .tv_nsec = (after - seconds).count()};
        (void)timerfd_settime(fd_.get(), 0, &when, nullptr);
    }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

private:
    UniqueFd fd_;
};

class WatchdogThread final : public Watchdog {
public:
    WatchdogThread(Loop& loop, WatchdogOptions options)
        : loop_(loop), options_(std::move(options)), detector_(options_.threshold) {
        if (options_.metrics != nullptr) {
            stalls_ = &options_.metrics
                           ->counters("alknet_loop_stalls_total",
                                      "Times that a loop did not get on.", {"loop"})
                           .with({options_.loop_name});
        }
    }

    ~WatchdogThread() override {
        if (bell_) {
            (void)eventfd_write(bell_.get(), 1);
        }
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    result<void> start() {
        ALKNET_TRY(bell_, make_bell());
        ALKNET_TRY(auto alarm, TimerAlarm::create());
        alarm_fd_ = alarm->fd();
        post_ = std::make_shared<WatchPost>(loop_.clock(), std::move(alarm), interval());
        loop_.post([&loop = loop_, post = post_] { loop.set_rest_observer(post); });
        ALKNET_TRY(thread_, start_thread("watchdog", [this] { run(); }));
        return {};
    }

    [[nodiscard]] bool asleep() const noexcept override { return post_->unguarded(); }

private:
    [[nodiscard]] Duration interval() const noexcept { return options_.threshold / 4; }

    void run() {
        const auto ms = std::chrono::ceil<std::chrono::milliseconds>(interval());
        for (;;) {
            const bool sleeping = post_->leave();
            if (sleeping) {
                look();  // at the end of what stalled it, if it did
            }
            std::array<pollfd, 2> fds = {{{.fd = bell_.get(), .events = POLLIN, .revents = 0},
                                          {.fd = alarm_fd_, .events = POLLIN, .revents = 0}}};
            // While it looks around by itself, only the bell ends its pauses.
            const int timeout = sleeping ? -1 : static_cast<int>(ms.count());
            (void)poll(fds.data(), sleeping ? 2 : 1, timeout);
            post_->enter();
            if ((fds[0].revents & POLLIN) != 0) {
                return;
            }
            std::uint64_t expirations = 0;
            (void)read(alarm_fd_, &expirations, sizeof expirations);
            look();
        }
    }

    void look() {
        if (const auto report = detector_.look(loop_.pulse(), loop_.clock().now())) {
            say(*report);
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

    Loop& loop_;
    const WatchdogOptions options_;
    StallDetector detector_;
    Counter* stalls_ = nullptr;
    UniqueFd bell_;
    std::shared_ptr<WatchPost> post_;
    int alarm_fd_ = -1;
    std::thread thread_;
};

}  // namespace

result<std::unique_ptr<Watchdog>> Watchdog::start(Loop& loop, WatchdogOptions options) {
    auto watchdog = std::make_unique<WatchdogThread>(loop, std::move(options));
    ALKNET_CHECK(watchdog->start());
    return watchdog;
}

}  // namespace alknet
