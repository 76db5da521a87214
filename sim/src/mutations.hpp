// The deliberate defects (alknet/base/mutation.hpp), and the proof that each is noticed.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace alknet::sim {

struct KnownMutation {
    std::string_view name;
    std::string_view about;            // what is wrong then
    std::string_view scenario;         // where it is looked for
    std::uint64_t times = UINT64_MAX;  // how often it strikes
    std::uint64_t stride =
        0;  // each seed lets it strike that many chances later than the one before
};

[[nodiscard]] std::span<const KnownMutation> known_mutations() noexcept;
[[nodiscard]] const KnownMutation* find_mutation(std::string_view name) noexcept;
/// Whether this build has them.
[[nodiscard]] bool mutations_available() noexcept;

/// Looks for a failing seed for each; prints a table. Returns the exit status: 0 if all are found.
int check_mutations(int jobs);

}  // namespace alknet::sim
