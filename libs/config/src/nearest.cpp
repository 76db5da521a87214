#include <algorithm>
#include <alknet/config/config.hpp>
#include <numeric>

namespace alknet::config {

namespace {

// How many letters must be put in, left out or changed to get from one word to the other.
std::size_t edits(std::string_view from, std::string_view to) {
    std::vector<std::size_t> row(to.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (std::size_t i = 0; i < from.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < to.size(); ++j) {
            const std::size_t change = diagonal + (from[i] == to[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
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
