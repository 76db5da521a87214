#include "mutations.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "runner.hpp"

namespace alknet::sim {

namespace {

constexpr std::uint64_t kSeedsPerMutation = 30;

constexpr std::array kMutations = std::to_array<KnownMutation>({
    {"lose_cancel_wakeup", "one cancelled wait is not woken", "crash", 1},
    {"forget_timer", "one time a QUIC connection's timer is not armed again", "late", 1},
    {"lose_stream_credit", "one piece that was read is not given back to its window", "narrow", 1,
     5},
    {"lose_connection_credit", "the same for the connection's window", "narrow", 1, 7},
    {"lose_stream_count", "one stream that has ended is not given back to the peer", "lossy", 1},
    {"double_chunk", "one piece of a stream is delivered twice", "calm", 1},
    {"lose_chunk", "one piece of a stream is not delivered", "calm", 1},
    {"lose_end", "the end of one stream is never sent", "calm", 1},
    {"spoil_retransmission", "what is sent again has other bytes", "lossy"},
    {"double_datagram", "one datagram is delivered twice", "calm", 1},
    {"ignore_black_hole", "packets stay large when none of them arrives any more", "hole"},
    {"forget_reset_token", "the peer's stateless resets are not recognised", "forgotten"},
    {"keep_dead_connection", "one connection that has ended is kept", "calm", 1},
    {"ignore_new_address", "packets from a new address are dropped", "roam"},
    {"forget_blocked_packets", "one time a socket that is writable again is not used", "lossy", 1},
    {"keep_half_open", "one handshake that has ended is still counted", "calm", 1},
    {"forget_unacknowledged", "what was under way when a connection broke is not sent again",
     "resume"},
    {"forget_abort", "what somebody has aborted goes on", "call"},
    {"trust_resumed_session", "the pin is not checked on resumption", "strangers"},
    {"trust_resumed_guest", "the identity is not asked for on resumption", "strangers"},
});

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
