#include <gtest/gtest.h>
#include <alknet/rt/snapshot.hpp>
#include <thread>

namespace alknet {
namespace {

TEST(Snapshot, ReadersKeepWhatTheyRead) {
    Snapshot<int> snapshot(std::make_shared<int>(1));
    Snapshot<int>::Reader reader(snapshot);
    const auto held = snapshot.get();
    EXPECT_EQ(*reader.get(), 1);
    const std::uint64_t version = snapshot.version();
    snapshot.set(std::make_shared<int>(2));
    EXPECT_GT(snapshot.version(), version);
    EXPECT_EQ(*held, 1);
    EXPECT_EQ(*snapshot.get(), 2);
    EXPECT_EQ(*reader.get(), 2);
    EXPECT_EQ(reader.get().get(), snapshot.get().get());
}

TEST(Snapshot, TheOldValueDiesWhenNobodyHoldsIt) {
    auto first = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = first;
    Snapshot<int> snapshot(std::move(first));
    Snapshot<int>::Reader reader(snapshot);
    snapshot.set(std::make_shared<int>(2));
    EXPECT_FALSE(watched.expired()) << "the reader has not looked yet";
    (void)reader.get();
    EXPECT_TRUE(watched.expired());
}

TEST(Snapshot, UpdatesExcludeOneAnother) {
    Snapshot<int> snapshot(std::make_shared<int>(0));
    constexpr int kThreads = 4;
    constexpr int kRounds = 500;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&snapshot] {
            for (int i = 0; i < kRounds; ++i) {
                snapshot.update([](const int& value) { return std::make_shared<int>(value + 1); });
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(*snapshot.get(), kThreads * kRounds);
}

TEST(Snapshot, ManyThreadsReadWhileOneWrites) {
    struct Pair {
        int first;
        int second;
    };
    Snapshot<Pair> snapshot(std::make_shared<Pair>(0, 0));
    constexpr int kLast = 2000;
    std::vector<std::thread> readers;
    for (int t = 0; t < 3; ++t) {
        readers.emplace_back([&snapshot] {
            Snapshot<Pair>::Reader reader(snapshot);
            for (int seen = 0; seen < kLast;) {
                const auto pair = reader.get();
                EXPECT_EQ(pair->first, pair->second);
                EXPECT_GE(pair->first, seen);
                seen = pair->first;
            }
        });
    }
    for (int i = 1; i <= kLast; ++i) {
        snapshot.set(std::make_shared<Pair>(i, i));
    }
    for (std::thread& reader : readers) {
        reader.join();
    }
}

}  // namespace
}  // namespace alknet
