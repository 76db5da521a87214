// What a dial tries and when, as plain values: no clock, socket or task. And which of several
// failures is worth telling.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/core/dial.hpp>
#include <alknet/core/rung.hpp>
#include <alknet/net/socket_address.hpp>
#include <alknet/rt/time.hpp>
#include <cstddef>
#include <optional>
#include <vector>

namespace alknet {

/// One attempt: begins `after` the dial did, or once all that began before it have failed.
struct DialAttempt {
    Rung rung = Rung::quic_v4;
    SocketAddress remote;  // none for the proxy, which has names resolved
    Duration after{};

    bool operator==(const DialAttempt&) const = default;
};

struct LadderOptions {
    bool quic = true;
    bool tcp = true;
    bool proxy = false;  // there is one
    bool v4 = true;
    bool v6 = true;
    std::optional<RungKind> prefer;   // begins at once, the others much later
    std::optional<Rung> better_than;  // only rungs above this one
    std::optional<Rung> remembered;   // what worked here before
    bool quic_demoted = false;        // QUIC was much slower than TCP here
    bool at_once = false;             // nobody waits for anybody
};

/// Sorted by `after`; the first begins at once.
[[nodiscard]] std::vector<DialAttempt> dial_ladder(const std::vector<SocketAddress>& addresses,
                                                   const LadderOptions& options);

/// The race up a ladder. Told what time it is and what has ended, it tells what is to begin.
class DialRace {
public:
    explicit DialRace(std::vector<DialAttempt> ladder) : ladder_(std::move(ladder)) {}

    /// The attempt that is to begin now, which runs from now on; nullopt: none, ask again.
    std::optional<DialAttempt> begin(Duration elapsed);
    /// When to ask again at the latest, since the dial began; nullopt: when an attempt has failed.
    [[nodiscard]] std::optional<Duration> next() const;
    void failed() noexcept { --running_; }
    /// Everything was tried, and nothing runs.
    [[nodiscard]] bool lost() const noexcept { return begun_ == ladder_.size() && running_ == 0; }
    [[nodiscard]] std::size_t running() const noexcept { return running_; }

private:
    std::vector<DialAttempt> ladder_;
    std::size_t begun_ = 0;
    std::size_t running_ = 0;
};

/// How much a failure tells: one that a node answered with says more than silence.
[[nodiscard]] int dial_error_rank(const error& why) noexcept;

}  // namespace alknet
