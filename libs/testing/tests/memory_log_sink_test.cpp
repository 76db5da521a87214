#include <gtest/gtest.h>
#include <alknet/testing/memory_log_sink.hpp>
#include <thread>

namespace alknet::sim {
namespace {

TEST(MemoryLogSink, KeepsEventsToLookAt) {
    auto sink = std::make_shared<MemoryLogSink>();
    const Log log(sink);
    log.debug("conn.open", {{"alpn", "x/1"}, {"count", 3}, {"late", true}});
    log.warn("conn.open", {{"alpn", "y/1"}});
    EXPECT_EQ(sink->events().size(), 2U);
    EXPECT_EQ(sink->count("conn.open"), 2U);
    EXPECT_EQ(sink->count("conn.close"), 0U);
    EXPECT_EQ(sink->last("conn.open")->field("alpn"), "y/1");
    EXPECT_EQ(sink->last("conn.open")->level, LogLevel::warn);
    EXPECT_FALSE(sink->last("conn.close"));
    const auto first = sink->events().front();
    EXPECT_EQ(first.field("count"), "3");
    EXPECT_EQ(first.field("late"), "true");
    EXPECT_EQ(first.field("none"), "");
}

TEST(MemoryLogSink, WaitsForAnEventOfAnotherThread) {
    auto sink = std::make_shared<MemoryLogSink>();
    std::thread other([log = Log(sink)] {
        log.info("ready", {{"n", 1}});
        log.info("ready", {{"n", 2}});
    });
    EXPECT_NE(sink->wait_for("ready").field("n"), "");
    EXPECT_EQ(sink->wait_for("ready", "n", "1").field("n"), "1");
    EXPECT_EQ(sink->wait_for("ready", "n", "2").field("n"), "2");
    other.join();
}

TEST(MemoryLogSink, KeepsNoMoreThanItsLimit) {
    auto sink = std::make_shared<MemoryLogSink>();
    const Log log(sink);
    for (std::size_t i = 0; i < MemoryLogSink::kEventsMax + 1; ++i) {
        log.info("flood");
    }
    EXPECT_EQ(sink->count("flood"), MemoryLogSink::kEventsMax);
}

}  // namespace
}  // namespace alknet::sim
