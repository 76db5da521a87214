#include "dial_ladder.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <array>
#include <utility>

namespace alknet {

namespace {

using std::chrono::milliseconds;

/// How far behind the first rung each is, by its number.
constexpr std::array<Duration, kRungs.size()> kDelays = {
    Duration::zero(), Dialer::kV4Delay, Dialer::kTcpDelay, Dialer::kTcpDelay + Dialer::kV4Delay,
    Dialer::kProxyDelay};

bool is_better(Rung rung, Rung than, std::optional<RungKind> prefer) {
    if (prefer && (kind_of(rung) == *prefer) != (kind_of(than) == *prefer)) {
        return kind_of(rung) == *prefer;
    }
    return rung < than;
}

bool usable(Rung rung, const LadderOptions& options) {
    if (options.better_than && !is_better(rung, *options.better_than, options.prefer)) {
        return false;
    }
    const bool v6 = rung == Rung::quic_v6 || rung == Rung::tcp_v6;
    if (rung == Rung::proxy) {
        return options.proxy;
    }
    return (is_quic(rung) ? options.quic : options.tcp) && (v6 ? options.v6 : options.v4);
}

bool leads_to(Rung rung, const SocketAddress& address) {
    const bool v6 = rung == Rung::quic_v6 || rung == Rung::tcp_v6;
    return (address.family() == SocketAddress::Family::v6) == v6;
}

Duration delay_of(Rung rung, const LadderOptions& options) {
    if (options.at_once || rung == options.remembered) {
        return Duration::zero();
    }
    Duration delay = kDelays[static_cast<std::size_t>(rung)];
    if (options.prefer && kind_of(rung) != *options.prefer) {
        // Also behind the last of the preferred.
        delay += kDelays.back() + Dialer::kPreferredLead;
    }
    if (options.remembered && rung < *options.remembered) {
        delay += Dialer::kTcpDelay;
    }
    if (options.quic_demoted && is_quic(rung)) {
        delay += Dialer::kDemotedDelay;
    }
    return delay;
}

}  // namespace

std::string_view to_string(Rung rung) noexcept {
    constexpr std::array<std::string_view, kRungs.size()> kNames = {"quic-v6", "quic-v4", "tcp-v6",
                                                                    "tcp-v4", "proxy"};
    return kNames[static_cast<std::size_t>(rung)];
}

std::optional<Rung> parse_rung(std::string_view text) noexcept {
    for (const Rung rung : kRungs) {
        if (to_string(rung) == text) {
            return rung;
        }
    }
    return std::nullopt;
}

std::vector<DialAttempt> dial_ladder(const std::vector<SocketAddress>& addresses,
                                     const LadderOptions& options) {
    const std::size_t count = std::min(addresses.size(), Dialer::kAddressesMax);
    std::vector<DialAttempt> ladder;
    for (const Rung rung : kRungs) {
        if (!usable(rung, options)) {
            continue;
        }
        Duration after = delay_of(rung, options);
        if (rung == Rung::proxy) {
            ladder.push_back({.rung = rung, .remote = {}, .after = after});
            continue;
        }
        for (std::size_t i = 0; i < count; ++i) {
            if (leads_to(rung, addresses[i])) {
                ladder.push_back({.rung = rung, .remote = addresses[i], .after = after});
                after += options.at_once ? Duration::zero() : Dialer::kAttemptStagger;
            }
        }
    }
    std::ranges::sort(ladder, {}, [](const DialAttempt& attempt) {
        return std::pair(attempt.after, attempt.rung);
    });
    if (!ladder.empty()) {
        const Duration first = ladder.front().after;
        for (DialAttempt& attempt : ladder) {
            attempt.after -= first;
        }
    }
    return ladder;
}

std::optional<DialAttempt> DialRace::begin(Duration elapsed) {
    if (begun_ == ladder_.size() || (running_ > 0 && elapsed < ladder_[begun_].after)) {
        return std::nullopt;
    }
    ++running_;
    return ladder_[begun_++];
}

std::optional<Duration> DialRace::next() const {
    return begun_ == ladder_.size() ? std::nullopt : std::optional(ladder_[begun_].after);
}

int dial_error_rank(const error& why) noexcept {
    // Least telling first.
    constexpr std::array kOrder = {
        &causes::kCancelled,    &causes::kResolve,         &causes::kUnreachable,
        &causes::kIo,           &causes::kTimeout,         &causes::kHandshakeTimeout,
        &causes::kProxyInvalid, &causes::kProxyRefused,    &causes::kProxyAuth,
        &causes::kReset,        &causes::kClosed,          &causes::kVersionMismatch,
        &causes::kTls,          &causes::kNoCommonAlpn,    &causes::kPeerUnverified,
        &causes::kTlsOpened,    &causes::kPeerKeyMismatch,
    };
    const auto found = std::ranges::find(kOrder, &why.cause());
    // What is not foreseen is likely a fault of our own, and worth seeing.
    return static_cast<int>(found - kOrder.begin());
}

}  // namespace alknet
