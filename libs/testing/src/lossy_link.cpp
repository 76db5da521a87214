#include <algorithm>
#include <alknet/testing/lossy_link.hpp>

namespace alknet::sim {

namespace {

constexpr std::size_t kUdpHeaderBytes = 8;

LossyLink::Side other(LossyLink::Side side) noexcept {
    return side == LossyLink::Side::a ? LossyLink::Side::b : LossyLink::Side::a;
}

Duration time_of(std::size_t bytes, std::uint64_t bits_per_second) noexcept {
    const auto bits = static_cast<std::uint64_t>(bytes) * 8;
    return Duration(bits * 1'000'000'000 / bits_per_second);
}

bool same_ip(const SocketAddress& one, const SocketAddress& two) noexcept {
    return one.with_port(0) == two.with_port(0);
}

}  // namespace

void LossyLink::set_options(LossyLinkOptions options) {
    options_ = std::move(options);
    flows_.clear();
    for (Direction& each : directions_) {
        each.policed_at.reset();
    }
}

void LossyLink::send(Side from, Bytes packet, TimePoint now) {
    ++stats_.sent;
    const auto ip = parse_ip(packet);
    if (!ip || !pass_rules(from, packet, *ip, now)) {
        return;
    }
    if (lose(direction(from), now)) {
        ++stats_.lost;
        return;
    }
    divert(from, packet, *ip);
    carry(from, std::move(packet), now);
}

std::optional<TimePoint> LossyLink::next_arrival() const noexcept {
    if (queue_.empty()) {
        return std::nullopt;
    }
    return queue_.begin()->first;
}

std::optional<LossyLink::Arrival> LossyLink::receive(TimePoint now) {
    if (queue_.empty() || queue_.begin()->first > now) {
        return std::nullopt;
    }
    ++stats_.delivered;
    return std::move(queue_.extract(queue_.begin()).mapped());
}

bool LossyLink::pass_rules(Side from, const Bytes& packet, const IpPacket& ip, TimePoint now) {
    if (ip.protocol == IpPacket::Protocol::udp) {
        stats_.largest_udp_payload =
            std::max(stats_.largest_udp_payload, packet.size() - ip.header_bytes - kUdpHeaderBytes);
        if (!pass_udp(from, packet, ip, now)) {
            return false;
        }
    }
    if (ip.protocol == IpPacket::Protocol::tcp && !options_.tcp_ports.empty()) {
        const auto allowed = [this](std::uint16_t port) {
            return std::ranges::find(options_.tcp_ports, port) != options_.tcp_ports.end();
        };
        if (!allowed(from == Side::a ? ip.to.port() : ip.from.port())) {
            ++stats_.forbidden;
            return false;
        }
    }
    return pass_mtu(from, packet, now);
}

bool LossyLink::pass_mtu(Side from, const Bytes& packet, TimePoint now) {
    if (packet.size() <= options_.mtu_bytes) {
        return true;
    }
    ++stats_.too_big;
    if (options_.mtu_told) {
        answer(from, make_icmp_error(packet, IcmpError::too_big, options_.mtu_bytes), now);
    }
    return false;
}

bool LossyLink::pass_udp(Side from, const Bytes& packet, const IpPacket& ip, TimePoint now) {
    if (options_.udp != LossyLinkOptions::Udp::pass) {
        ++stats_.forbidden;
        if (options_.udp == LossyLinkOptions::Udp::reject) {
            answer(from, make_icmp_error(packet, IcmpError::port_unreachable), now);
        }
        return false;
    }
    if (options_.udp_flow_bytes != 0 && !count_flow(ip, packet.size())) {
        ++stats_.forbidden;
        return false;
    }
    if (options_.udp_bits_per_second != 0 && !pass_policer(direction(from), packet.size(), now)) {
        ++stats_.policed;
        return false;
    }
    return true;
}

bool LossyLink::pass_policer(Direction& direction, std::size_t bytes,
                             TimePoint now) const noexcept {
    const auto most = static_cast<double>(options_.udp_burst_bytes);
    if (!direction.policed_at) {
        direction.tokens = most;
    } else {
        const std::chrono::duration<double> since = now - *direction.policed_at;
        const double earned = since.count() * static_cast<double>(options_.udp_bits_per_second) / 8;
        direction.tokens = std::min(most, direction.tokens + earned);
    }
    direction.policed_at = now;
    const auto price = static_cast<double>(bytes);
    if (direction.tokens < price) {
        return false;
    }
    direction.tokens -= price;
    return true;
}

bool LossyLink::count_flow(const IpPacket& ip, std::size_t bytes) {
    const Flow flow{std::min(ip.from, ip.to), std::max(ip.from, ip.to)};
    auto found = flows_.find(flow);
    if (found == flows_.end()) {
        if (flows_.size() == kLinkFlowsMax) {
            return false;
        }
        found = flows_.emplace(flow, 0).first;
    }
    found->second += bytes;
    return found->second <= options_.udp_flow_bytes;
}

bool LossyLink::lose(Direction& direction, TimePoint now) noexcept {
    // Both are drawn for each packet, so that one chance does not shift the other's sequence.
    const bool lost = random_.chance(options_.loss);
    const bool begins = random_.chance(options_.burst);
    if (begins && now >= direction.burst_until) {
        direction.burst_until = now + options_.burst_for;
    }
    return lost || now < direction.burst_until;
}

void LossyLink::divert(Side from, Bytes& packet, const IpPacket& ip) const {
    if (!options_.stranger || ip.protocol != IpPacket::Protocol::udp) {
        return;
    }
    const auto& [wanted, stranger] = *options_.stranger;
    if (from == Side::a && same_ip(ip.to, wanted)) {
        rewrite_udp_address(packet, IpEnd::destination, stranger);
    } else if (from == Side::b && same_ip(ip.from, stranger)) {
        rewrite_udp_address(packet, IpEnd::source, wanted);
    }
}

void LossyLink::carry(Side from, Bytes packet, TimePoint now) {
    Direction& way = direction(from);
    TimePoint leaves = now;
    if (options_.bits_per_second != 0) {
        const TimePoint begins = std::max(now, way.busy_until);
        if (begins - now > time_of(options_.queue_bytes, options_.bits_per_second)) {
            ++stats_.overflowed;
            return;
        }
        leaves = begins + time_of(packet.size(), options_.bits_per_second);
        way.busy_until = leaves;
    }
    if (queue_.size() == kLinkPacketsMax) {
        ++stats_.overflowed;
        return;
    }
    // A shorter delay does not let packets overtake those before them.
    way.last_arrival = std::max(leaves + options_.delay, way.last_arrival);
    queue_.emplace(way.last_arrival, Arrival{other(from), std::move(packet)});
}

void LossyLink::answer(Side to, Bytes packet, TimePoint now) {
    if (queue_.size() == kLinkPacketsMax) {
        ++stats_.overflowed;
        return;
    }
    queue_.emplace(now, Arrival{to, std::move(packet)});
}

}  // namespace alknet::sim
