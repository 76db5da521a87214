// Deliberate defects, which show that the simulation would notice real ones: at the place where a
// defect would matter stands `if (!ALKNET_MUTATION(drop_ack)) { … }`. The macro is the constant
// `false` unless the build has ALKNET_MUTATIONS=ON (of the presets, `dev` alone); there
// `alknet_sim --mutate NAME` switches one on. sim/src/mutations.cpp is the list of all of them.
#pragma once

#ifdef ALKNET_MUTATIONS

#include <cstdint>
#include <string_view>

namespace alknet {

/// One defect: which, and when it strikes among the times that its place is reached.
struct Mutation {
    std::string_view name;
    std::uint64_t skip = 0;            // the first so many do not
    std::uint64_t times = UINT64_MAX;  // then so many do
    std::uint64_t reached = 0;         // counted
    std::uint64_t struck = 0;          // counted
};

/// Null, as at start: no defect. Set before anything runs; one thread only.
void set_mutation(Mutation* mutation) noexcept;
[[nodiscard]] bool mutation_strikes(std::string_view name) noexcept;

}  // namespace alknet

#define ALKNET_MUTATION(name) (::alknet::mutation_strikes(#name))
#else
#define ALKNET_MUTATION(name) false
#endif
