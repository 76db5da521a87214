// From what both ends found to its causes. Pure: no clock, no network, no files.
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/doctor/report.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace alknet::doctor {

/// Clocks may differ by so much before anything minds.
inline constexpr std::int64_t kClockToleranceMs = 300'000;
/// QUIC that is slower than TCP by this factor is held back by somebody.
inline constexpr double kPolicedFactor = 4;
/// What takes less time than this is not slow, whatever it is compared with.
inline constexpr std::uint32_t kSlowUs = 1'000'000;
/// How long kBulkBytes may take in one direction.
inline constexpr std::uint32_t kBulkPatienceUs = 6'000'000;
/// Of the slow datagrams, what may be lost.
inline constexpr double kLossTolerated = 0.1;

struct PairReport {
    std::string service = "alknet/doctor";  // the ALPN that was asked for
    bool pinned = true;                     // the address names a key
    std::optional<std::string> not_resolved;
    std::int64_t unix_ms_here = 0;
    std::optional<std::int64_t> unix_ms_there;  // at the same moment
    bool proxy_configured = false;              // for the way to this node
    std::optional<std::string> proxy_invalid;   // why the one in the environment cannot be used
    std::vector<WayReport> ways;                // dialled from here
    std::optional<Report> there;                // what the other end found
};

/// What it costs to do something about a cause; the cheapest first.
enum class Effort : std::uint8_t {
    retype,    // another address, name or option
    here,      // something of this machine
    ask,       // the owner of the other node
    network,   // a firewall, router or tunnel
    elsewhere  // another network or provider
};

/// How much it spoils; the worst first.
enum class Damage : std::uint8_t { all, one_way_of_several, quality };

struct Verdict {
    const Cause* cause = nullptr;
    Damage damage = Damage::all;
    Effort effort = Effort::here;
    std::string what;    // with what was found
    std::string remedy;  // the cheapest
};

/// The worst first, and of those that spoil as much the one that is cheapest to mend. Empty if
/// nothing is wrong.
[[nodiscard]] std::vector<Verdict> diagnose(const PairReport& pair);

}  // namespace alknet::doctor
