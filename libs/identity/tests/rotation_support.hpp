// Keys that follow one another, for tests.
#pragma once

#include <alknet/identity/rotation.hpp>
#include <array>
#include <memory>
#include <vector>

#include "support.hpp"

namespace alknet::identity {

inline constexpr Duration kMonth = std::chrono::hours(24 * 30);
inline const WallTime kBegin = at(1'800'000'000);

inline std::shared_ptr<const NodeKey> key_number(std::uint8_t number) {
    std::array<std::byte, 32> seed{};
    seed[0] = std::byte{number};
    return NodeKey::from_seed(seed).value();
}

inline Rotation from_to(std::uint8_t from, std::uint8_t to, WallTime begin = kBegin) {
    return make_rotation(*key_number(from), *key_number(to), begin, kMonth).value();
}

inline std::string key_text(std::uint8_t number) {
    return key_number(number)->id().fingerprint();
}

/// Of the keys 0, 1, … count.
inline std::vector<Rotation> chain_of(std::uint8_t count) {
    std::vector<Rotation> chain;
    for (std::uint8_t i = 0; i < count; ++i) {
        chain.push_back(from_to(i, static_cast<std::uint8_t>(i + 1)));
    }
    return chain;
}

}  // namespace alknet::identity
