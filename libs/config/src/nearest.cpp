#include <algorithm>
#include <alknet/config/config.hpp>
#include <numeric>
#include <utility>

namespace alknet::config {

namespace {

// How many letters must be put in, left out, changed or swapped with their neighbour to get from
// one word to the other.
std::size_t edits(std::string_view from, std::string_view to) {
    std::vector<std::size_t> before;
    std::vector<std::size_t> above(to.size() + 1);
    std::iota(above.begin(), above.end(), 0U);
    for (std::size_t i = 0; i < from.size(); ++i) {
        std::vector<std::size_t> row = {i + 1};
        for (std::size_t j = 0; j < to.size(); ++j) {
            const std::size_t change = above[j] + (from[i] == to[j] ? 0 : 1);
            std::size_t least = std::min({change, row[j] + 1, above[j + 1] + 1});
            if (i > 0 && j > 0 && from[i] == to[j - 1] && from[i - 1] == to[j]) {
                least = std::min(least, before[j - 1] + 1);
            }
            row.push_back(least);
        }
        before = std::exchange(above, std::move(row));
    }
    return above.back();
}

}  // namespace

std::string_view nearest_name(std::string_view typed, const std::vector<std::string_view>& known) {
    constexpr std::size_t kLongest = 64;
    if (typed.size() > kLongest) {
        return {};
    }
    std::string_view best;
    std::size_t best_edits = std::max<std::size_t>(1, typed.size() / 3) + 1;
    for (const std::string_view name : known) {
        const std::size_t needed = edits(typed, name);
        if (needed < best_edits) {
            best = name;
            best_edits = needed;
        }
    }
    return best;
}

}  // namespace alknet::config
