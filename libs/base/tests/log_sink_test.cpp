#include <gtest/gtest.h>
#include <unistd.h>
#include <alknet/base/log_sink.hpp>
#include <array>
#include <thread>

namespace alknet {
namespace {

class Pipe {
public:
    Pipe() { EXPECT_EQ(pipe(ends_.data()), 0); }
    ~Pipe() {
        close_reader();
        close_writer();
    }
    [[nodiscard]] int writer() const { return ends_[1]; }
    void close_reader() { close_end(0); }
    void close_writer() { close_end(1); }

    std::string read_all() {
        close_writer();
        return read_to_end();
    }
    /// Ends when another thread has closed the writer.
    std::string read_to_end() {
        std::string text;
        std::array<char, 65536> buffer{};
        for (ssize_t got = 0; (got = read(ends_[0], buffer.data(), buffer.size())) > 0;) {
            text.append(buffer.data(), static_cast<std::size_t>(got));
        }
        return text;
    }

private:
    void close_end(std::size_t end) {
        if (ends_[end] >= 0) {
            close(ends_[end]);
            ends_[end] = -1;
        }
    }
    std::array<int, 2> ends_{};
};

LogSinkOptions fixed_time() {
    LogSinkOptions options;
    options.wall_clock = [] { return std::chrono::sys_days(std::chrono::year(2026) / 1 / 1); };
    options.steady_clock = [] { return std::chrono::nanoseconds(0); };
    return options;
}

std::size_t lines_in(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

TEST(LogSink, WritesLinesInOrderAndHeedsTheLevel) {
    Pipe pipe;
    {
        auto sink = *open_log_sink(pipe.writer(), fixed_time());
        const Log log(sink);
        log.debug("hidden");
        log.info("conn.open", {{"remote", "192.0.2.1:9"}});
        sink->set_level(LogLevel::error);
        log.warn("hidden");
        log.error("conn.failed");
        sink->set_level(LogLevel::off);
        log.error("hidden");
    }
    EXPECT_EQ(pipe.read_all(),
              "time=2026-01-01T00:00:00.000000Z level=info event=conn.open remote=192.0.2.1:9\n"
              "time=2026-01-01T00:00:00.000000Z level=error event=conn.failed\n");
}

class Listener final : public LogSink {
public:
    [[nodiscard]] bool enabled(LogLevel) const noexcept override { return false; }
    void write(LogLevel level, std::string_view event,
               std::span<const LogField> fields) noexcept override {
        heard += std::string(to_string(level)) + " " + std::string(event) + " " +
                 std::to_string(fields.size()) + "\n";
    }
    std::string heard{};
};

TEST(LogSink, TellsAnotherWhatItWrites) {
    Pipe pipe;
    const auto listener = std::make_shared<Listener>();
    LogSinkOptions options = fixed_time();
    options.also = listener;
    options.events_burst = 1;
    {
        auto sink = *open_log_sink(pipe.writer(), std::move(options));
        const Log log(sink);
        log.debug("hidden");
        for (int i = 0; i < 3; ++i) {
            log.info("conn.open", {{"remote", "192.0.2.1:9"}});
        }
    }
    EXPECT_EQ(listener->heard, "info conn.open 1\nwarn log.suppressed 2\n");
    EXPECT_EQ(lines_in(pipe.read_all()), 2U);
}

TEST(LogSink, FlushMakesItVisible) {
    Pipe pipe;
    auto sink = *open_log_sink(pipe.writer(), fixed_time());
    Log(sink).info("ready");
    sink->flush();
    EXPECT_EQ(pipe.read_all(), "time=2026-01-01T00:00:00.000000Z level=info event=ready\n");
}

TEST(LogSink, AFloodIsCutAndCounted) {
    Pipe pipe;
    LogSinkOptions options = fixed_time();
    options.format = LogFormat::json;
    options.events_burst = 5;
    {
        const Log log(*open_log_sink(pipe.writer(), options));
        for (int i = 0; i < 1000; ++i) {
            log.warn("auth.failed");
        }
        log.info("conn.open");
    }
    const std::string text = pipe.read_all();
    EXPECT_EQ(lines_in(text), 7U) << text;
    EXPECT_TRUE(
        text.ends_with("\"level\":\"warn\",\"event\":\"log.suppressed\","
                       "\"of\":\"auth.failed\",\"count\":995}\n"))
        << text;
}

TEST(LogSink, AReaderThatStandsStillCostsEventsAndNotTheCaller) {
    Pipe pipe;
    LogSinkOptions options = fixed_time();
    options.events_per_second = 0;
    constexpr std::size_t kEvents = 40'000;
    auto sink = *open_log_sink(pipe.writer(), options);
    for (std::size_t i = 0; i < kEvents; ++i) {  // 3 MB, and nobody reads
        Log(sink).info("conn.open", {{"n", i}, {"padding", "xxxxxxxxxxxxxxxxxxxx"}});
    }
    std::string text;
    std::thread reader([&] { text = pipe.read_to_end(); });
    const std::string_view marker = "event=log.dropped count=";
    sink.reset();
    pipe.close_writer();
    reader.join();

    ASSERT_NE(text.find(marker), std::string::npos);
    std::size_t dropped = 0;
    std::size_t notices = 0;
    for (auto at = text.find(marker); at != std::string::npos; at = text.find(marker, at + 1)) {
        dropped += std::stoul(text.substr(at + marker.size()));
        ++notices;
    }
    EXPECT_EQ(lines_in(text) - notices + dropped, kEvents);
    EXPECT_LE(text.size(), kLogPendingBytesMax * 2 + 65536 * 2);
}

TEST(LogSink, AReaderThatIsGoneDoesNoHarm) {
    Pipe pipe;
    pipe.close_reader();
    auto sink = *open_log_sink(pipe.writer(), fixed_time());
    Log(sink).info("ready");
    sink->flush();
    Log(sink).info("ready");
}

TEST(LogSink, ThreadsWriteWholeLines) {
    Pipe pipe;
    LogSinkOptions options = fixed_time();
    options.events_per_second = 0;
    constexpr int kThreads = 4;
    constexpr int kRounds = 50;
    {
        const Log log(*open_log_sink(pipe.writer(), options));
        std::vector<std::thread> threads;
        for (int t = 0; t < kThreads; ++t) {
            threads.emplace_back([log] {
                for (int i = 0; i < kRounds; ++i) {
                    log.info("work", {{"a", 1}, {"b", 2}});
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
    }
    std::string expected;
    for (int i = 0; i < kThreads * kRounds; ++i) {
        expected += "time=2026-01-01T00:00:00.000000Z level=info event=work a=1 b=2\n";
    }
    EXPECT_EQ(pipe.read_all(), expected);
}

TEST(Log, WithoutASinkDoesNothing) {
    const Log log;
    log.error("nobody.listens", {{"a", 1}});
}

}  // namespace
}  // namespace alknet
