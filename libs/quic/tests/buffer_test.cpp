#include <gtest/gtest.h>
#include <algorithm>
#include <alknet/testing/random.hpp>
#include <deque>
#include <string>

#include "chunk_queue.hpp"
#include "datagram_queue.hpp"
#include "fifo.hpp"
#include "receive_window.hpp"
#include "send_buffer.hpp"

namespace alknet::quic {
namespace {

using namespace std::chrono_literals;

std::string text_of(const ChunkQueue& queue, std::size_t offset) {
    std::string text;
    std::array<BytesView, 64> views;
    const std::size_t count = queue.peek(offset, views);
    for (std::size_t i = 0; i < count; ++i) {
        text += as_text(views[i]);
    }
    return text;
}

TEST(Fifo, BehavesLikeADequeAndGivesItsMemoryBack) {
    sim::Random random(7);
    Fifo<std::string> queue;
    EXPECT_EQ(queue.room(), 0U);
    std::deque<std::string> model;
    std::size_t most = 0;
    for (int step = 0; step < 20'000; ++step) {
        // Long runs of each, so that it fills and empties.
        if (random.chance(step / 500 % 2 == 0 ? 0.7 : 0.3)) {
            model.push_back(std::to_string(step));
            queue.push_back(std::to_string(step));
        } else if (!model.empty()) {
            model.pop_front();
            queue.pop_front();
        }
        most = std::max(most, model.size());
        ASSERT_EQ(queue.size(), model.size());
        ASSERT_EQ(queue.empty(), model.empty());
        if (!model.empty()) {
            ASSERT_EQ(queue.front(), model.front());
            ASSERT_EQ(queue.back(), model.back());
        }
        ASSERT_TRUE(std::ranges::equal(queue.view(), model));
        ASSERT_LE(queue.room(), 4 * most + Fifo<std::string>::kRoomKept);
    }
    while (!queue.empty()) {
        queue.pop_front();
    }
    EXPECT_LE(queue.room(), Fifo<std::string>::kRoomKept);
}

TEST(ChunkQueue, BehavesLikeAStringWhateverTheSizes) {
    sim::Random random(1);
    ChunkPool pool;
    ChunkQueue queue(pool);
    std::string model;
    for (int step = 0; step < 5000; ++step) {
        if (random.chance(0.5)) {
            std::string more(random.below(random.chance(0.1) ? 100'000 : 3000), '\0');
            random.fill(std::as_writable_bytes(std::span(more)));
            queue.append(as_bytes(more));
            model += more;
        } else {
            Bytes into(random.below(5000));
            const std::size_t count = queue.take(into);
            ASSERT_EQ(count, std::min(into.size(), model.size()));
            ASSERT_EQ(as_text(BytesView(into).first(count)), model.substr(0, count));
            model.erase(0, count);
        }
        ASSERT_EQ(queue.size(), model.size());
        ASSERT_EQ(queue.empty(), model.empty());
        if (model.size() < 64 * ChunkQueue::kChunkBytesMin) {
            const std::size_t offset = model.empty() ? 0 : random.below(model.size());
            ASSERT_EQ(text_of(queue, offset).substr(0, 2000), model.substr(offset, 2000));
        }
    }
    queue.clear();
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(text_of(queue, 0), "");
}

TEST(ChunkQueue, WhatIsPeekedStaysInPlaceWhileMoreIsAppended) {
    ChunkPool pool;
    ChunkQueue queue(pool);
    queue.append(as_bytes("abc"));
    std::array<BytesView, 4> views;
    ASSERT_EQ(queue.peek(0, views), 1U);
    const std::byte* where = views[0].data();
    for (int i = 0; i < 100; ++i) {
        queue.append(as_bytes(std::string(1000, 'x')));
    }
    ASSERT_GE(queue.peek(0, views), 1U);
    EXPECT_EQ(views[0].data(), where);
}

TEST(ChunkPool, KeepsSomeOfTheLargestBlocks) {
    ChunkPool pool;
    constexpr std::size_t kMore = ChunkPool::kSpareMax + 4;
    {
        ChunkQueue queue(pool);
        queue.append(Bytes(kMore * ChunkPool::kChunkBytes));
        EXPECT_EQ(pool.spare(), 0U);
        queue.drop(3 * ChunkPool::kChunkBytes);
        EXPECT_EQ(pool.spare(), 3U);
        queue.append(Bytes(ChunkPool::kChunkBytes));
        EXPECT_EQ(pool.spare(), 2U) << "the next stream takes it";
    }
    EXPECT_EQ(pool.spare(), ChunkPool::kSpareMax) << "the rest went back to the system";
    ChunkQueue small(pool);
    small.append(as_bytes("x"));
    small.clear();
    EXPECT_EQ(pool.spare(), ChunkPool::kSpareMax);
}

TEST(SendBuffer, FreesWhatIsAcknowledgedAndResumesWhereItStopped) {
    ChunkPool pool;
    SendBuffer buffer(pool);
    buffer.append(as_bytes("0123456789"));
    EXPECT_EQ(buffer.unsent(), 10U);
    buffer.mark_sent(6);
    EXPECT_EQ(buffer.unsent(), 4U);
    EXPECT_EQ(buffer.buffered(), 10U);
    std::array<BytesView, 4> views;
    ASSERT_EQ(buffer.peek(views), 1U);
    EXPECT_EQ(as_text(views[0]), "6789");
    EXPECT_EQ(buffer.acknowledge(4), 4U);
    EXPECT_EQ(buffer.acknowledge(4), 0U) << "twice";
    EXPECT_EQ(buffer.acknowledge(2), 0U) << "older";
    EXPECT_EQ(buffer.buffered(), 6U);
    ASSERT_EQ(buffer.peek(views), 1U);
    EXPECT_EQ(as_text(views[0]), "6789");
    EXPECT_EQ(buffer.abandon(), 6U);
    EXPECT_EQ(buffer.acknowledge(6), 0U) << "after it was abandoned";
    EXPECT_EQ(buffer.buffered(), 0U);
}

TEST(ReceiveWindow, DoublesForAFastPeerUpToTheLimit) {
    TimePoint now(1s);
    ReceiveWindow window(1000, 3500, now);
    const auto round_trip = [] { return Duration(100ms); };
    EXPECT_EQ(window.consumed(499, now, round_trip), 0U);
    EXPECT_EQ(window.consumed(1, now + 50ms, round_trip), 1000U);
    EXPECT_EQ(window.consumed(1000, now + 100ms, round_trip), 1500U);
    EXPECT_EQ(window.consumed(3500, now + 150ms, round_trip), 0U);
    EXPECT_EQ(window.size(), 3500U);
    window.set_limit(5000);
    EXPECT_EQ(window.consumed(3500, now + 200ms, round_trip), 1500U);
    window.set_limit(100);
    EXPECT_EQ(window.consumed(5000, now + 250ms, round_trip), 0U) << "what was granted stays";
    EXPECT_EQ(window.size(), 5000U);
}

TEST(ReceiveWindow, StaysForASlowPeer) {
    TimePoint now(1s);
    ReceiveWindow window(1000, 8000, now);
    const auto round_trip = [] { return Duration(100ms); };
    for (int i = 0; i < 10; ++i) {
        now += 250ms;
        EXPECT_EQ(window.consumed(500, now, round_trip), 0U);
    }
    EXPECT_EQ(window.size(), 1000U);
}

TEST(ReceiveWindow, IsAnnouncedInSteps) {
    ReceiveWindow window(800, 800, TimePoint(1s));
    EXPECT_FALSE(window.due(99));
    EXPECT_TRUE(window.due(1));
    EXPECT_FALSE(window.due(99));
    EXPECT_TRUE(window.due(400));
}

TEST(DatagramQueue, RefusesWhatIsAboveItsBound) {
    DatagramQueue queue(2);
    EXPECT_TRUE(queue.push(as_bytes("one")));
    EXPECT_TRUE(queue.push(as_bytes("three")));
    EXPECT_FALSE(queue.push(as_bytes("x")));
    EXPECT_EQ(queue.octets(), 8U);
    EXPECT_EQ(as_text(queue.front()), "one");
    EXPECT_EQ(as_text(queue.pop()), "one");
    EXPECT_TRUE(queue.push(as_bytes("x")));
    EXPECT_EQ(queue.octets(), 6U);
}

}  // namespace
}  // namespace alknet::quic
