// EventFeed: what the node decides, for those who watch it live. It stands before the audit log,
// and keeps the last of what it saw, so that a watcher who comes back misses little, and knows how
// much.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/core/audit.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/wait.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

namespace alknet::app {

class EventFeed final : public AuditSink, public std::enable_shared_from_this<EventFeed> {
public:
    /// Events that are kept.
    static constexpr std::size_t kKeptMax = 1024;
    /// Of each text of an event; what is longer is cut.
    static constexpr std::size_t kTextBytesMax = 256;

    /// Watchers live on `loop`, which outlives it. Numbers begin with the clock's milliseconds
    /// times 1000: those of an earlier run are smaller.
    explicit EventFeed(Loop& loop);

    /// Who is told too. Before the first record.
    void set_next(std::shared_ptr<AuditSink> next) { next_ = std::move(next); }

    void record(AuditEntry entry) noexcept override;
    [[nodiscard]] result<void> ready() const override;

    /// On the loop: gives what comes, and before that what came after number `after`. A slow
    /// watcher misses what is no longer kept. Errors: kUsage for a number that is still to come;
    /// kCancelled; those of `items`.
    task<result<void>> watch(std::optional<std::uint64_t> after, call::ItemSink& items);

private:
    struct Kept {
        std::uint64_t seq;
        call::Json output;
    };
    class Watcher;
    void keep(call::Json output);
    [[nodiscard]] std::optional<call::Item> next_after(std::uint64_t after) const;

    Loop& loop_;
    std::shared_ptr<AuditSink> next_;
    const std::uint64_t first_;
    WaitList news_;  // of the loop
    mutable std::mutex mutex_;
    std::uint64_t newest_;  // of the last event; the others follow
    std::deque<Kept> kept_;
    std::size_t watchers_ = 0;
    bool waking_ = false;
};

}  // namespace alknet::app
