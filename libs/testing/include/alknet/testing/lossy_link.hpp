// LossyLink: a link between two machines, and the middleboxes on it, as a function of a seed and of
// time. IP packets go in at one side and come out at the other, later, or never, or an ICMP error
// comes back. It has no clock, device or task: `open_tun` and `LinkRelay` give it those.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/net/socket_address.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/testing/ip_packet.hpp>
#include <alknet/testing/random.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace alknet::sim {

/// Limits of a link. What strikes them vanishes and is counted.
inline constexpr std::size_t kLinkPacketsMax = 65'536;  // under way, both directions together
inline constexpr std::size_t kLinkFlowsMax = 4'096;     // whose octets are counted

/// The same for both directions. A middlebox's rule comes before the chances of the line.
struct LossyLinkOptions {
    Duration delay{};      // one way
    double loss = 0;       // the chance of each packet
    double burst = 0;      // the chance of each packet to begin a burst, in which all are lost
    Duration burst_for{};  // how long a burst lasts
    std::uint64_t bits_per_second = 0;  // shaped: what comes faster waits in the queue; 0: no limit
    std::size_t queue_bytes = 256 << 10;
    std::uint64_t udp_bits_per_second = 0;  // policed: what comes faster vanishes; 0: no limit
    std::size_t udp_burst_bytes = 16 << 10;
    std::size_t mtu_bytes = 1500;  // of IP packets
    bool mtu_told = false;         // by ICMP; else larger packets vanish
    enum class Udp : std::uint8_t { pass, drop, reject } udp = Udp::pass;
    std::size_t udp_flow_bytes = 0;  // of a flow, both ways; then its packets vanish; 0: no limit
    std::vector<std::uint16_t> tcp_ports;  // if any: TCP to and from other ports vanishes
    /// If set: UDP that side `a` sends to the first is answered by the second, in its name.
    std::optional<std::pair<SocketAddress, SocketAddress>> stranger;
};

/// `delay=1s loss=0.01 rate=10M udp=drop`, any of: delay, burst_for (ms, s); loss, burst (0 to 1);
/// rate, udp_rate (bits a second, with k or M); queue, udp_burst, mtu, udp_flow (octets); mtu_told
/// (yes, no); udp (pass, drop, reject); tcp (ports, with commas); stranger (IP, comma, IP).
/// Errors: kUsage.
[[nodiscard]] result<LossyLinkOptions> parse_link_options(std::string_view text);

struct LinkStats {
    std::uint64_t sent = 0;
    std::uint64_t delivered = 0;
    std::uint64_t lost = 0;        // by chance
    std::uint64_t overflowed = 0;  // the queue or a limit was full
    std::uint64_t policed = 0;
    std::uint64_t forbidden = 0;  // by a rule, answered or not
    std::uint64_t too_big = 0;
    std::size_t largest_udp_payload = 0;  // sent
};

class LossyLink {
public:
    enum class Side : std::uint8_t { a, b };

    struct Arrival {
        Side at;
        Bytes packet;
    };

    LossyLink(std::uint64_t seed, LossyLinkOptions options) noexcept
        : random_(seed), options_(std::move(options)) {}

    /// From now on. What is under way stays so; the octets of flows are counted anew.
    void set_options(LossyLinkOptions options);

    /// A packet that a machine sends. What is not IP vanishes.
    void send(Side from, Bytes packet, TimePoint now);
    /// When the next packet arrives.
    [[nodiscard]] std::optional<TimePoint> next_arrival() const noexcept;
    /// What has arrived, one packet at a time, in order.
    [[nodiscard]] std::optional<Arrival> receive(TimePoint now);

    [[nodiscard]] const LinkStats& stats() const noexcept { return stats_; }

private:
    using Flow = std::pair<SocketAddress, SocketAddress>;
    struct Direction {
        TimePoint busy_until;   // the rate
        TimePoint burst_until;  // of losses
        TimePoint last_arrival;
        double tokens = 0;  // octets that the policer lets pass
        std::optional<TimePoint> policed_at;
    };
    using Queue = std::multimap<TimePoint, Arrival>;  // equal times stay in order

    /// Whether the packet goes on; else it was counted, and answered if that is the rule.
    bool pass_rules(Side from, const Bytes& packet, const IpPacket& ip, TimePoint now);
    bool pass_mtu(Side from, const Bytes& packet, TimePoint now);
    bool pass_udp(Side from, const Bytes& packet, const IpPacket& ip, TimePoint now);
    bool pass_policer(Direction& direction, std::size_t bytes, TimePoint now) const noexcept;
    bool count_flow(const IpPacket& ip, std::size_t bytes);
    bool lose(Direction& direction, TimePoint now) noexcept;
    void divert(Side from, Bytes& packet, const IpPacket& ip) const;
    void carry(Side from, Bytes packet, TimePoint now);
    void answer(Side to, Bytes packet, TimePoint now);

    Direction& direction(Side from) noexcept { return directions_[from == Side::a ? 0 : 1]; }

    Random random_;
    LossyLinkOptions options_;
    std::array<Direction, 2> directions_{};
    std::map<Flow, std::size_t> flows_;
    Queue queue_;
    LinkStats stats_;
};

}  // namespace alknet::sim
