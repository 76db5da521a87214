// The deliberate defects (alknet/base/mutation.hpp), and the proof that each is noticed.
#pragma once

#include <span>
#include <string_view>

namespace alknet::sim {

struct KnownMutation {
    std::string_view name;
    std::string_view about;     // what is wrong then
    std::string_view scenario;  // where it is looked for
};

[[nodiscard]] std::span<const KnownMutation> known_mutations() noexcept;
[[nodiscard]] const KnownMutation* find_mutation(std::string_view name) noexcept;
/// Whether this build has them.
[[nodiscard]] bool mutations_available() noexcept;

/// Looks for a failing seed for each; prints a table. Returns the exit status: 0 if all are found.
int check_mutations(int jobs);

}  // namespace alknet::sim
