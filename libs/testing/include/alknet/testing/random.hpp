// Random: the simulation's only source of chance. The same seed gives the same sequence on every
// machine, which std::uniform_int_distribution and its kin do not promise.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/rt/time.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace alknet::sim {

/// xoshiro256**, seeded by splitmix64. Not for secrets.
class Random {
public:
    explicit Random(std::uint64_t seed) noexcept;

    std::uint64_t next() noexcept;
    /// 0 … bound-1; `bound` is not 0.
    std::uint64_t below(std::uint64_t bound) noexcept;
    /// low … high, both possible.
    std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept;
    [[nodiscard]] bool chance(double probability) noexcept;
    /// low … high, both possible.
    Duration duration(Duration low, Duration high) noexcept;
    void fill(MutableBytes into) noexcept;

    /// One that is independent of what this one gives later.
    Random fork() noexcept { return Random(next()); }

    template <class T>
    T& pick(std::span<T> from) noexcept {
        return from[static_cast<std::size_t>(below(from.size()))];
    }

    template <class Container>
    void shuffle(Container& elements) noexcept {
        for (std::size_t i = elements.size(); i > 1; --i) {
            std::swap(elements[i - 1], elements[static_cast<std::size_t>(below(i))]);
        }
    }

private:
    std::array<std::uint64_t, 4> state_{};
};

}  // namespace alknet::sim
