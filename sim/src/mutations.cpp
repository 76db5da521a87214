#include "mutations.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "runner.hpp"

namespace alknet::sim {

namespace {

constexpr std::uint64_t kSeedsPerMutation = 12;

constexpr std::array<KnownMutation, 0> kMutations = {};

/// The first seed that fails because of it; prints a line.
bool found(const KnownMutation& mutation, int jobs) {
    std::vector<Request> requests;
    for (std::uint64_t seed = 1; seed <= kSeedsPerMutation; ++seed) {
        Request request;
        request.seed = seed;
        request.scenario = mutation.scenario;
        request.mutation = mutation.name;
        requests.push_back(request);
    }
    std::uint64_t struck = 0;
    std::vector<Outcome> failed;
    const auto each = [&](const Outcome& outcome) {
        struck += outcome.mutation_struck;
        if (!outcome.passed) {
            failed.push_back(outcome);
        }
    };
    for (std::size_t i = 0; i < requests.size() && failed.empty();) {
        const std::size_t count = std::min(static_cast<std::size_t>(jobs), requests.size() - i);
        const auto begin = requests.begin() + static_cast<std::ptrdiff_t>(i);
        run_all({begin, begin + static_cast<std::ptrdiff_t>(count)}, jobs, each);
        i += count;
    }
    if (failed.empty()) {
        fmt::print("{:<28} NOT NOTICED by {} seeds (it struck {} times)\n", mutation.name,
                   requests.size(), struck);
        return false;
    }
    const Outcome& first = *std::ranges::min_element(
        failed, {}, [](const Outcome& outcome) { return outcome.request.seed; });
    const std::string_view message = first.message;
    fmt::print("{:<28} seed {:>2}: {}\n", mutation.name, first.request.seed,
               message.substr(0, message.find('\n')));
    std::fflush(stdout);
    return true;
}

}  // namespace

std::span<const KnownMutation> known_mutations() noexcept {
    return kMutations;
}

const KnownMutation* find_mutation(std::string_view name) noexcept {
    const auto* const known = std::ranges::find(kMutations, name, &KnownMutation::name);
    return known == kMutations.end() ? nullptr : known;
}

bool mutations_available() noexcept {
#ifdef ALKNET_MUTATIONS
    return true;
#else
    return false;
#endif
}

int check_mutations(int jobs) {
    if (!mutations_available()) {
        fmt::print(stderr, "alknet_sim: this build has no defects; use the dev preset\n");
        return 2;
    }
    std::size_t noticed = 0;
    for (const KnownMutation& mutation : known_mutations()) {
        noticed += found(mutation, jobs) ? 1 : 0;
    }
    const std::size_t missed = known_mutations().size() - noticed;
    fmt::print("{} passed, {} failed\n", noticed, missed);
    return missed == 0 ? 0 : 1;
}

}  // namespace alknet::sim
