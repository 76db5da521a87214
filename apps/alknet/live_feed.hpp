// LiveFeed: what happens at a node, numbered, for those who watch it live. It keeps the last of
// what it was given, so that a watcher who comes back, or is slow, misses little, and knows how
// much.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/wait.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace alknet::app {

struct FeedOptions {
    std::optional<std::uint64_t> after{};  // the number of what the watcher has already
    std::size_t last = 0;                  // without one: how many that are kept come first
    std::function<bool(const call::Json&)> wanted{};  // empty: all are
};

class LiveFeed final : public std::enable_shared_from_this<LiveFeed> {
public:
    static constexpr std::size_t kKeptMax = 1024;
    /// Of each text; what is longer is cut by whoever gives it.
    static constexpr std::size_t kTextBytesMax = 256;

    /// Watchers live on `loop`, which outlives it. Numbers begin with the clock's milliseconds
    /// times 1000: those of an earlier run are smaller.
    explicit LiveFeed(Loop& loop);

    /// From any thread. It may throw for a lack of memory.
    void keep(const call::Json& output);

    /// On the loop: gives what comes, for ever. A slow watcher misses what is no longer kept.
    /// Errors: kUsage for a number that is still to come; kCancelled; those of `items`.
    task<result<void>> watch(FeedOptions options, call::ItemSink& items);

    [[nodiscard]] Loop& loop() const noexcept { return loop_; }

private:
    struct Kept {
        std::uint64_t seq;
        std::string text;  // JSON: a fifth of what its values take
    };
    class Watcher;
    [[nodiscard]] std::optional<call::Item> next_after(std::uint64_t after) const;
    [[nodiscard]] result<std::uint64_t> beginning(const FeedOptions& options) const;

    Loop& loop_;
    const std::uint64_t first_;
    WaitList news_;  // of the loop
    mutable std::mutex mutex_;
    std::uint64_t newest_;  // of the last one; the others follow
    std::deque<Kept> kept_;
    std::size_t watchers_ = 0;
    bool waking_ = false;
};

/// Since 1970.
[[nodiscard]] std::uint64_t milliseconds_of(WallTime now);

}  // namespace alknet::app
