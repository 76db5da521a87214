#include "fabric.hpp"

#include <algorithm>
#include <alknet/base/assert.hpp>
#include <cstring>

namespace alknet::sim {

// ---- the future ----

void Fabric::at(TimePoint when, std::function<void()> function) {
    events_.push_back({std::max(when, now), ++sequence_, std::move(function)});
    std::push_heap(events_.begin(), events_.end(), Later{});
}

std::optional<TimePoint> Fabric::next_event() const noexcept {
    if (events_.empty()) {
        return std::nullopt;
    }
    return events_.front().at;
}

bool Fabric::run_due() {
    bool any = false;
    while (!events_.empty() && events_.front().at <= now) {
        std::pop_heap(events_.begin(), events_.end(), Later{});
        const std::function<void()> function = std::move(events_.back().function);
        events_.pop_back();
        function();
        any = true;
    }
    return any;
}

// ---- addresses ----

void Fabric::add_route(const SocketAddress& address, SimHost& host) {
    routes_[address.with_port(0)] = &host;
}

SimHost* Fabric::host_at(const SocketAddress& address) const noexcept {
    const auto found = routes_.find(address.with_port(0));
    return found == routes_.end() ? nullptr : found->second;
}

bool Fabric::owns(const SimHost& host, const SocketAddress& address) noexcept {
    return std::ranges::any_of(host.addresses_, [&](const SocketAddress& own) {
        return own.with_port(0) == address.with_port(0);
    });
}

Link& Fabric::link(const SimHost& from, const SimHost& to) {
    const std::pair key(from.number(), to.number());
    const auto found = links_.find(key);
    if (found != links_.end()) {
        return found->second;
    }
    Link fresh{default_link, now, now, 0};
    if (&from == &to) {
        fresh.options = LinkOptions{.delay = std::chrono::microseconds(20)};
        fresh.options.udp_payload_bytes_max = kBatchBytesMax;
    }
    return links_.emplace(key, fresh).first->second;
}

void Fabric::set_all_links(const LinkOptions& options) {
    default_link = options;
    for (auto& [key, link] : links_) {
        if (key.first != key.second) {
            link.options = options;
            link.udp_bytes = 0;
        }
    }
}

void Fabric::enable_nat(SimHost& host) {
    ALKNET_ASSERT(!nats_.contains(host.number()));
    routes_.erase(host.v4(0));
    forget_mappings(host, SimHost::NatChange::address);
}

void Fabric::forget_mappings(SimHost& host, SimHost::NatChange change) {
    Nat& nat = nats_[host.number()];
    nat.outbound.clear();
    nat.inbound.clear();
    if (change == SimHost::NatChange::address) {
        if (nat.public_address.family() != SocketAddress::Family::none) {
            routes_.erase(nat.public_address);
        }
        nat.public_address = SocketAddress::v4({203, 0, 113, ++nat_addresses_}, 0);
        add_route(nat.public_address, host);
    }
}

SocketAddress Fabric::nat_outbound(const SimHost& host, const SocketAddress& inner) {
    const auto found = nats_.find(host.number());
    if (found == nats_.end() || inner.family() != SocketAddress::Family::v4) {
        return inner;
    }
    Nat& nat = found->second;
    auto mapping = nat.outbound.find(inner);
    if (mapping == nat.outbound.end()) {
        std::uint16_t port = 0;
        do {
            port = static_cast<std::uint16_t>(random.between(1024, 65'535));
        } while (nat.inbound.contains(port));
        nat.inbound.emplace(port, inner);
        mapping = nat.outbound.emplace(inner, port).first;
    }
    return nat.public_address.with_port(mapping->second);
}

std::optional<SocketAddress> Fabric::nat_inbound(const SimHost& host,
                                                 const SocketAddress& outer) const {
    const auto found = nats_.find(host.number());
    if (found == nats_.end() || outer.with_port(0) != found->second.public_address) {
        return outer;
    }
    const auto mapping = found->second.inbound.find(outer.port());
    if (mapping == found->second.inbound.end()) {
        return std::nullopt;
    }
    return mapping->second;
}

// ---- packets ----

void Fabric::trace(std::string_view what, const SocketAddress& from, const SocketAddress& to,
                   std::size_t bytes) const {
    if (tracer) {
        tracer({now, what, from, to, bytes});
    }
}

namespace {

void mix(std::uint64_t& hash, std::uint64_t word) noexcept {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 29;
}

void mix_bytes(std::uint64_t& hash, BytesView data) noexcept {
    mix(hash, data.size());
    while (!data.empty()) {
        std::uint64_t word = 0;
        const std::size_t count = std::min(data.size(), sizeof word);
        std::memcpy(&word, data.data(), count);
        mix(hash, word);
        data = data.subspan(count);
    }
}

}  // namespace

void Fabric::hash_packet(const SocketAddress& from, const SocketAddress& to, BytesView data) {
    mix(trace_hash, static_cast<std::uint64_t>(now.time_since_epoch().count()));
    for (const SocketAddress* address : {&from, &to}) {
        mix_bytes(trace_hash, std::as_bytes(std::span(address->ip())));
        mix(trace_hash, address->port());
    }
    mix_bytes(trace_hash, data);
}

bool Fabric::survives(Link& link, const Datagram& datagram) {
    const LinkOptions& options = link.options;
    if (options.cut || datagram.data.size() > options.udp_payload_bytes_max ||
        datagram.data.size() > options.udp_bytes_max - link.udp_bytes ||
        random.chance(options.loss)) {
        ++stats.datagrams_lost;
        trace("lost", datagram.from, datagram.to, datagram.data.size());
        return false;
    }
    if (options.udp_bytes_max != UINT64_MAX) {
        link.udp_bytes += datagram.data.size();
    }
    return true;
}

/// When the last bit has left a link with a bandwidth; nullopt if the queue before it is full.
std::optional<TimePoint> Fabric::departure(Link& link, std::size_t bytes) {
    if (link.options.bits_per_second == 0) {
        return now;
    }
    constexpr std::uint64_t kNanoseconds = 1'000'000'000;
    const auto time_of = [&](std::size_t count) {
        return Duration(count * 8 * kNanoseconds / link.options.bits_per_second);
    };
    const TimePoint start = std::max(now, link.busy_until);
    if (start - now > time_of(link.options.queue_bytes)) {
        return std::nullopt;
    }
    link.busy_until = start + time_of(bytes);
    return link.busy_until;
}

TimePoint Fabric::arrival(Link& link, TimePoint departs) {
    const LinkOptions& options = link.options;
    // Never at the same instant: time must pass for the world to go on.
    const Duration travel = std::max(options.delay, Duration(std::chrono::microseconds(1)));
    TimePoint arrives = departs + travel + random.duration({}, options.jitter);
    if (random.chance(options.reorder)) {
        return arrives + random.duration({}, options.reorder_delay);
    }
    arrives = std::max(arrives, link.last_arrival);
    link.last_arrival = arrives;
    return arrives;
}

void Fabric::corrupt(Bytes& data) {
    if (data.empty()) {
        return;
    }
    ++stats.datagrams_corrupted;
    for (std::uint64_t bits = random.between(1, 3); bits > 0; --bits) {
        const std::uint64_t bit = random.below(data.size() * 8);
        data[static_cast<std::size_t>(bit / 8)] ^= std::byte{1} << (bit % 8);
    }
}

void Fabric::send_datagram(SimHost& sender, Datagram datagram) {
    datagram.from = nat_outbound(sender, datagram.from);
    ++stats.datagrams_sent;
    hash_packet(datagram.from, datagram.to, datagram.data);
    trace("send", datagram.from, datagram.to, datagram.data.size());
    SimHost* receiver = datagram.to.is_loopback() ? &sender : host_at(datagram.to);
    if (receiver == nullptr) {
        ++stats.datagrams_unroutable;
        return;
    }
    Link& way = link(sender, *receiver);
    if (way.options.udp_rejected) {
        ++stats.datagrams_lost;
        trace("rejected", datagram.from, datagram.to, datagram.data.size());
        refuse(*receiver, datagram);
        return;
    }
    if (!survives(way, datagram)) {
        return;
    }
    const std::optional<TimePoint> departs = departure(way, datagram.data.size());
    if (!departs) {
        ++stats.datagrams_lost;
        trace("queue full", datagram.from, datagram.to, datagram.data.size());
        return;
    }
    if (datagram.ecn != 0 && random.chance(way.options.congestion)) {
        datagram.ecn = 3;  // CE
    }
    if (random.chance(way.options.corrupt)) {
        corrupt(datagram.data);
        trace("corrupt", datagram.from, datagram.to, datagram.data.size());
    }
    if (random.chance(way.options.duplicate)) {
        ++stats.datagrams_duplicated;
        put_in_flight(*receiver, arrival(way, *departs), datagram);
    }
    put_in_flight(*receiver, arrival(way, *departs), std::move(datagram));
}

void Fabric::put_in_flight(SimHost& receiver, TimePoint arrives, Datagram datagram) {
    if (in_flight_ >= kPacketsInFlightMax) {
        ++stats.datagrams_over_limit;
        return;
    }
    ++in_flight_;
    at(arrives, [this, &receiver, datagram = std::move(datagram)]() mutable {
        --in_flight_;
        arrive(receiver, std::move(datagram));
    });
}

void Fabric::arrive(SimHost& receiver, Datagram datagram) {
    if (receiver.asleep_) {
        ++stats.datagrams_lost;
        return;
    }
    if (!datagram.to.is_loopback()) {
        const std::optional<SocketAddress> inner = nat_inbound(receiver, datagram.to);
        if (!inner || host_at(datagram.to) != &receiver) {
            ++stats.datagrams_unroutable;
            trace("no mapping", datagram.from, datagram.to, datagram.data.size());
            return;
        }
        datagram.to = *inner;
    }
    SimUdpSocket* const socket = find_bound(ports(receiver).udp, datagram.to);
    if (socket == nullptr) {
        ++stats.datagrams_unroutable;
        trace("no socket", datagram.from, datagram.to, datagram.data.size());
        refuse(receiver, datagram);
        return;
    }
    socket->receive(std::move(datagram));
}

/// ICMP: port unreachable.
void Fabric::refuse(SimHost& receiver, const Datagram& datagram) {
    SimHost* const sender = datagram.from.is_loopback() ? &receiver : host_at(datagram.from);
    if (sender == nullptr) {
        return;
    }
    Link& way = link(receiver, *sender);
    if (way.options.cut || random.chance(way.options.loss)) {
        return;
    }
    at(arrival(way, now), [this, sender, to = datagram.from, refuser = datagram.to] {
        const std::optional<SocketAddress> inner =
            to.is_loopback() ? std::optional(to) : nat_inbound(*sender, to);
        SimUdpSocket* const socket = inner ? find_bound(ports(*sender).udp, *inner) : nullptr;
        if (socket != nullptr && !sender->asleep_) {
            socket->refused(refuser);
        }
    });
}

TimePoint Fabric::tcp_arrival(const SimHost& from, const SimHost& to, std::size_t bytes) {
    constexpr Duration kRetransmission = std::chrono::milliseconds(200);
    Link& way = link(from, to);
    // A queue that is full loses the segment, and the retransmission waits for it to drain.
    TimePoint departs = departure(way, bytes).value_or(way.busy_until + kRetransmission);
    while (random.chance(way.options.loss)) {
        departs += kRetransmission;
    }
    const Duration travel = std::max(way.options.delay, Duration(std::chrono::microseconds(1)));
    return departs + travel + random.duration({}, way.options.jitter);
}

}  // namespace alknet::sim
