// Who has knocked lately: for diagnoses, which can tell by it that packets arrive and answers do
// not. Thread-safe.
#pragma once

#include <algorithm>
#include <alknet/net/socket_address.hpp>
#include <alknet/rt/time.hpp>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace alknet {

class RecentAddresses {
public:
    static constexpr std::size_t kAddressesMax = 64;
    static constexpr Duration kMemory = std::chrono::seconds(30);

    /// The one that has been quiet for longest gives way.
    void add(const SocketAddress& remote, TimePoint now) noexcept {
        const SocketAddress address = remote.with_port(0);
        const std::lock_guard lock(mutex_);
        auto place = std::ranges::find(entries_, address, &Entry::address);
        if (place == entries_.end()) {
            place = std::ranges::min_element(entries_, {}, &Entry::last);
            *place = Entry{.address = address, .last = now, .count = 0};
        }
        if (now - place->last > kMemory) {
            place->count = 0;
        }
        place->last = now;
        ++place->count;
    }

    [[nodiscard]] std::uint64_t count(const SocketAddress& remote, TimePoint now) const noexcept {
        const std::lock_guard lock(mutex_);
        const auto found = std::ranges::find(entries_, remote.with_port(0), &Entry::address);
        const bool known = found != entries_.end() && now - found->last <= kMemory;
        return known ? found->count : 0;
    }

private:
    struct Entry {
        SocketAddress address{};
        TimePoint last;
        std::uint64_t count = 0;
    };
    mutable std::mutex mutex_;  // held for a few instructions
    std::array<Entry, kAddressesMax> entries_;
};

}  // namespace alknet
