#include <alknet/testing/random.hpp>
#include <bit>
#include <cstring>

namespace alknet::sim {

namespace {

std::uint64_t splitmix(std::uint64_t& state) noexcept {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}

}  // namespace

Random::Random(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) {
        word = splitmix(seed);
    }
}

std::uint64_t Random::next() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

std::uint64_t Random::below(std::uint64_t bound) noexcept {
    // Rejects the few values that would make the low results likelier.
    const std::uint64_t excess = (0 - bound) % bound;
    std::uint64_t value = next();
    while (value < excess) {
        value = next();
    }
    return value % bound;
}

std::uint64_t Random::between(std::uint64_t low, std::uint64_t high) noexcept {
    return low + below(high - low + 1);
}

bool Random::chance(double probability) noexcept {
    return static_cast<double>(next() >> 11) * 0x1p-53 < probability;
}

Duration Random::duration(Duration low, Duration high) noexcept {
    return low + Duration(below(static_cast<std::uint64_t>((high - low).count()) + 1));
}

void Random::fill(MutableBytes into) noexcept {
    while (!into.empty()) {
        const std::uint64_t word = next();
        const std::size_t count = std::min(into.size(), sizeof word);
        std::memcpy(into.data(), &word, count);
        into = into.subspan(count);
    }
}

}  // namespace alknet::sim
