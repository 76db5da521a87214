// Snapshot<T>: a value that many read and few replace (the configuration, the TLS context). Readers
// hold what they read for as long as they work with it; a replacement changes nothing for them.
//
// Thread-safe, except Reader. A Reader costs one atomic load while nothing changes; it is not
// atomic<shared_ptr>, whose implementation in libstdc++ 12 is a data race.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace alknet {

template <class T>
class Snapshot {
public:
    using Pointer = std::shared_ptr<const T>;

    explicit Snapshot(Pointer initial) : current_(std::move(initial)) {}
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;

    [[nodiscard]] Pointer get() const {
        const std::lock_guard lock(mutex_);
        return current_;
    }

    /// The old value dies here, unless somebody holds it.
    void set(Pointer next) {
        Pointer old = std::move(next);
        {
            const std::lock_guard lock(mutex_);
            current_.swap(old);
            // Inside the lock, so that who sees the new version also reads the new value.
            version_.fetch_add(1, std::memory_order_release);
        }
    }

    /// Replaces the value by `change(value)`, which gives a Pointer. Changes exclude one another;
    /// readers go on while `change` works. It must not change this snapshot itself.
    template <class Change>
    void update(Change&& change) {
        const std::lock_guard writer(writer_mutex_);
        set(std::forward<Change>(change)(*get()));
    }

    /// Grows with each replacement.
    [[nodiscard]] std::uint64_t version() const noexcept {
        return version_.load(std::memory_order_acquire);
    }

    /// One thread's view, for places that are passed often. The snapshot must outlive it.
    class Reader {
    public:
        explicit Reader(const Snapshot& snapshot) : snapshot_(snapshot) { refresh(); }

        /// The reference is good until the next call; copy the pointer to keep the value.
        [[nodiscard]] const Pointer& get() {
            if (snapshot_.version() != version_) {
                refresh();
            }
            return cached_;
        }

    private:
        void refresh() {
            const std::lock_guard lock(snapshot_.mutex_);
            cached_ = snapshot_.current_;
            version_ = snapshot_.version();
        }

        const Snapshot& snapshot_;
        Pointer cached_;
        std::uint64_t version_ = 0;
    };

private:
    mutable std::mutex mutex_;
    std::mutex writer_mutex_;
    Pointer current_;
    std::atomic<std::uint64_t> version_ = 0;
};

}  // namespace alknet
