#include "pattern.hpp"

#include <algorithm>
#include <cstring>

namespace alknet::sim {

namespace {

std::uint64_t word_at(std::uint64_t transfer, std::uint64_t index) noexcept {
    std::uint64_t word = (transfer * 0xd1342543de82ef95) ^ (index * 0x9e3779b97f4a7c15);
    word = (word ^ (word >> 32)) * 0xbf58476d1ce4e5b9;
    return word ^ (word >> 29);
}

/// Calls `piece(bytes, offset into the range, count)` for every word that the range touches.
template <class Piece>
bool each_word(std::uint64_t transfer, std::uint64_t offset, std::size_t size, Piece piece) {
    for (std::size_t done = 0; done < size;) {
        const std::uint64_t at = offset + done;
        const std::uint64_t word = word_at(transfer, at / sizeof(std::uint64_t));
        const std::size_t within = at % sizeof word;
        const std::size_t count = std::min(sizeof word - within, size - done);
        std::byte bytes[sizeof word];
        std::memcpy(bytes, &word, sizeof word);
        if (!piece(bytes + within, done, count)) {
            return false;
        }
        done += count;
    }
    return true;
}

}  // namespace

void fill_pattern(std::uint64_t transfer, std::uint64_t offset, MutableBytes into) noexcept {
    each_word(transfer, offset, into.size(),
              [&](const std::byte* bytes, std::size_t done, std::size_t count) {
                  std::memcpy(into.data() + done, bytes, count);
                  return true;
              });
}

bool matches_pattern(std::uint64_t transfer, std::uint64_t offset, BytesView data) noexcept {
    return each_word(transfer, offset, data.size(),
                     [&](const std::byte* bytes, std::size_t done, std::size_t count) {
                         return std::memcmp(data.data() + done, bytes, count) == 0;
                     });
}

}  // namespace alknet::sim
