#include <poll.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/log_sink.hpp>
#include <alknet/base/threads.hpp>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>

#include "log_format.hpp"
#include "log_rate.hpp"

namespace alknet {

namespace {

using std::chrono::nanoseconds;

/// How long a flush, and the end of the sink, wait for the reader.
constexpr auto kFarewell = std::chrono::seconds(1);
/// A pipe that polls as writable takes this much (PIPE_BUF) without blocking.
constexpr std::size_t kChunk = 4096;

/// Writes to a descriptor whose reader may be slow or gone.
class LineWriter {
public:
    explicit LineWriter(int fd) noexcept : fd_(fd) {}

    /// Gives up when the descriptor fails, or once `stopping` was seen and kFarewell is over.
    void write_all(std::string_view text, const std::atomic<bool>& stopping) {
        while (!text.empty() && !late(stopping)) {
            pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
            constexpr int kLookAgainMs = 100;
            const int count = poll(&ready, 1, kLookAgainMs);
            if (count == 0 || (count < 0 && errno == EINTR)) {
                continue;
            }
            const ssize_t taken = ::write(fd_, text.data(), std::min(text.size(), kChunk));
            if (taken >= 0) {
                text.remove_prefix(static_cast<std::size_t>(taken));
            } else if (errno != EAGAIN && errno != EINTR) {
                return;
            }
        }
    }

private:
    bool late(const std::atomic<bool>& stopping) {
        if (!stopping.load(std::memory_order_acquire)) {
            return false;
        }
        const auto now = std::chrono::steady_clock::now();
        if (farewell_ == std::chrono::steady_clock::time_point{}) {
            farewell_ = now + kFarewell;
        }
        return now >= farewell_;
    }

    int fd_;
    std::chrono::steady_clock::time_point farewell_;
};

class ThreadedSink final : public LineLogSink {
public:
    ThreadedSink(int fd, LogSinkOptions options)
        : options_(std::move(options)),
          level_(options_.level),
          writer_(fd),
          rates_(options_.events_per_second, options_.events_burst) {}

    ~ThreadedSink() override {
        {
            const std::lock_guard lock(mutex_);
            stopping_.store(true, std::memory_order_release);
        }
        changed_.notify_all();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    result<void> start() {
        ALKNET_TRY(thread_, start_thread("log", [this] { run(); }));
        return {};
    }

    [[nodiscard]] bool enabled(LogLevel level) const noexcept override {
        return level >= level_.load(std::memory_order_relaxed) && level != LogLevel::off;
    }

    void set_level(LogLevel level) noexcept override {
        level_.store(level, std::memory_order_relaxed);
    }

    void write(LogLevel level, std::string_view event,
               std::span<const LogField> fields) noexcept override {
        bool wanted = true;
        try {
            const std::lock_guard lock(mutex_);
            const bool had_lines = !pending_.empty();
            const bool had_counts = rates_.suppressed() || lost_ > 0;
            if (rates_.allow(event, steady_now())) {
                append(level, event, fields);
            }
            // The thread has been woken for what was there, and what is left out has its time.
            wanted = (!had_lines && !pending_.empty()) ||
                     (!had_counts && (rates_.suppressed() || lost_ > 0));
        } catch (...) {  // no memory: the event is lost, and the node is not
            lost_.fetch_add(1, std::memory_order_relaxed);
        }
        if (wanted) {
            changed_.notify_all();
        }
    }

    void flush() override {
        std::unique_lock lock(mutex_);
        changed_.notify_all();
        changed_.wait_for(lock, kFarewell, [this] { return pending_.empty() && !writing_; });
    }

private:
    void append(LogLevel level, std::string_view event, std::span<const LogField> fields) {
        if (pending_.size() >= kLogPendingBytesMax) {
            lost_.fetch_add(1, std::memory_order_relaxed);
            return;
        }
        append_log_line(pending_, options_.format, log_time(wall_now()), level, event, fields);
        if (options_.also != nullptr) {
            options_.also->write(level, event, fields);
        }
    }

    /// Says what was left out since it was last said.
    void append_counts() {
        for (const auto& [event, count] : rates_.take_suppressed()) {
            append(LogLevel::warn, "log.suppressed",
                   std::array{LogField("of", event), LogField("count", count)});
        }
        if (pending_.size() < kLogPendingBytesMax) {
            if (const std::uint64_t lost = lost_.exchange(0, std::memory_order_relaxed)) {
                append(LogLevel::warn, "log.dropped", std::array{LogField("count", lost)});
            }
        }
    }

    void run() {
        constexpr auto kCountsEvery = std::chrono::seconds(1);
        auto counts_due = std::chrono::steady_clock::now() + kCountsEvery;
        std::unique_lock lock(mutex_);
        for (;;) {
            const auto has_work = [this] {
                return !pending_.empty() || stopping_.load(std::memory_order_acquire);
            };
            if (!has_work() && !rates_.suppressed() && lost_ == 0) {
                changed_.wait(lock);
                continue;
            }
            changed_.wait_until(lock, counts_due, has_work);
            const bool stopping = stopping_.load(std::memory_order_acquire);
            const auto now = std::chrono::steady_clock::now();
            if (now >= counts_due) {
                counts_due = now + kCountsEvery;
                append_counts();
            }
            write_pending(lock);
            if (stopping) {  // nobody appends any more, and now there is room for the counts
                append_counts();
                write_pending(lock);
                return;
            }
        }
    }

    void write_pending(std::unique_lock<std::mutex>& lock) {
        const std::string text = std::exchange(pending_, {});
        writing_ = true;
        lock.unlock();
        writer_.write_all(text, stopping_);
        lock.lock();
        writing_ = false;
        changed_.notify_all();
    }

    [[nodiscard]] std::chrono::sys_time<nanoseconds> wall_now() const {
        return options_.wall_clock ? options_.wall_clock() : std::chrono::system_clock::now();
    }
    [[nodiscard]] nanoseconds steady_now() const {
        return options_.steady_clock ? options_.steady_clock()
                                     : std::chrono::steady_clock::now().time_since_epoch();
    }

    const LogSinkOptions options_;
    std::atomic<LogLevel> level_;
    LineWriter writer_;  // the thread's
    std::thread thread_;

    std::atomic<bool> stopping_ = false;
    std::atomic<std::uint64_t> lost_ = 0;
    std::mutex mutex_;  // of all below
    std::condition_variable changed_;
    LogRates rates_;
    std::string pending_;
    bool writing_ = false;
};

}  // namespace

result<std::shared_ptr<LineLogSink>> open_log_sink(int fd, LogSinkOptions options) {
    auto sink = std::make_shared<ThreadedSink>(fd, std::move(options));
    ALKNET_CHECK(sink->start());
    return sink;
}

}  // namespace alknet
