// PathMemory: which way to a node worked in which network, so that the next dial begins with it,
// and where QUIC turned out to be much slower than TCP. Values and text; the files are
// their owner's. One loop.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/core/rung.hpp>
#include <alknet/rt/time.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace alknet {

/// A network as it looks from this machine; empty members where there is no default route.
struct NetworkIdentity {
    std::string interface;
    std::string gateway;
    std::string prefix;  // of the interface's own addresses: "192.0.2.0/255.255.255.0"

    bool operator==(const NetworkIdentity&) const = default;
};

/// What the kernel's table of IPv4 routes says (the text of /proc/net/route).
[[nodiscard]] NetworkIdentity identify_network(std::string_view routes);
/// 16 hex digits; the same for the same network. No secret, and no defence against who guesses.
[[nodiscard]] std::string network_fingerprint(const NetworkIdentity& network);

/// A way to a node: `network` as above, `node` without white space.
struct PathKey {
    std::string network;
    std::string node;
    auto operator<=>(const PathKey&) const = default;
};

/// Octets that arrived at their destination, and how long that took.
struct Goodput {
    Rung rung = Rung::quic_v4;
    std::uint64_t bytes = 0;
    Duration time{};
};

/// Whether QUIC is policed: under half of what TCP reaches, both over kGoodputTimeMin.
[[nodiscard]] bool loses_its_place(const Goodput& quic, const Goodput& tcp) noexcept;

class PathMemory {
public:
    static constexpr std::size_t kEntriesMax = 512;  // the one that is oldest goes
    static constexpr std::size_t kNodeBytesMax = 350;
    static constexpr std::chrono::seconds kLifetime = std::chrono::hours(24);
    static constexpr Duration kGoodputTimeMin = std::chrono::seconds(10);
    /// QUIC below this, in octets per second, might be policed: while nobody knows what TCP
    /// reaches, it comes first for kTrialTime, so that somebody finds out.
    static constexpr std::uint64_t kSuspectRate = 2'500'000;
    static constexpr std::chrono::seconds kTrialTime = std::chrono::hours(1);
    static constexpr std::size_t kTextBytesMax = 512 << 10;

    /// What to_text wrote. Errors: kProtocol with the line.
    static result<PathMemory> parse(std::string_view text);
    [[nodiscard]] std::string to_text() const;

    /// What a dial should begin with.
    struct Advice {
        std::optional<Rung> remembered;
        bool quic_demoted = false;  // policed, or TCP is on trial
    };
    [[nodiscard]] Advice advice(const PathKey& key, WallTime now) const;
    /// For kLifetime: of QUIC from the last time on, of anything below it from the first, since
    /// where that works nobody notices that QUIC does again.
    void worked(const PathKey& key, Rung rung, WallTime now);
    /// Forgets the rung, if it is the one that is remembered.
    void failed(const PathKey& key, Rung rung);
    /// From whoever measures. Once both have been measured within a day they are compared: QUIC
    /// that loses its place gets it back when that day is over, or when it has caught up with TCP.
    void report(const PathKey& key, const Goodput& goodput, WallTime now);
    /// Takes over what `other` learnt later.
    void merge(const PathMemory& other);

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

private:
    struct Entry {
        std::optional<Rung> worked;
        std::int64_t worked_s = 0;   // since 1970
        std::int64_t changed_s = 0;  // anything of it
        std::int64_t slow_s = 0;     // when QUIC lost its place; 0: it has it
        std::int64_t measured_s = 0;
        std::uint64_t quic_rate = 0;  // octets per second; 0: not known
        std::uint64_t tcp_rate = 0;
        [[nodiscard]] bool on_trial(std::int64_t now_s) const noexcept;
    };
    Entry& entry(const PathKey& key, std::int64_t now_s);

    std::map<PathKey, Entry> entries_;
};

}  // namespace alknet
