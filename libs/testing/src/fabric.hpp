// Fabric: the network between the hosts and the queue of what will happen. The public classes are
// thin; what they share is here.
#pragma once

#include <alknet/testing/sim_world.hpp>
#include <deque>
#include <map>

namespace alknet::sim {

class SimTcpEnd;
class SimTcpListener;
class SimUdpSocket;
class TcpLink;

struct Datagram {
    SocketAddress from;
    SocketAddress to;
    std::uint8_t ecn = 0;
    Bytes data;
};

/// One direction between two hosts.
struct Link {
    LinkOptions options;
    TimePoint busy_until;         // the sender's side of a link with a bandwidth
    TimePoint last_arrival;       // datagrams that are not reordered arrive in order
    std::uint64_t udp_bytes = 0;  // that passed since the options were set
};

/// What a process has open, and whether it must be run.
struct SimProcess::State {
    bool touched = true;
    // In the order in which they were opened: the order of pointers differs from run to run.
    std::vector<SimUdpSocket*> udp;
    std::vector<SimTcpListener*> listeners;
    std::vector<SimTcpEnd*> streams;
    std::vector<SimUdpSocket*> readable;  // in the order in which datagrams came
    // The deadline that the loop had when the lateness of its next turn was drawn.
    std::optional<TimePoint> deadline;
    Duration lateness{};
};

/// The ports of one host.
struct PortTable {
    std::map<SocketAddress, SimUdpSocket*> udp;
    std::map<SocketAddress, SimTcpListener*> tcp;
};

class Fabric {
public:
    explicit Fabric(std::uint64_t seed) : random(seed) {}

    TimePoint now{std::chrono::hours(1)};
    Random random;
    WorldStats stats;
    LinkOptions default_link;
    std::uint64_t trace_hash = 0x416c6b6e65740000;
    std::function<void(const TraceEvent&)> tracer;
    std::vector<SimProcess*> processes;
    std::map<std::string, std::vector<SocketAddress>, std::less<>> names;
    std::vector<std::weak_ptr<TcpLink>> tcp_links;

    // ---- the future ----

    void at(TimePoint when, std::function<void()> function);
    [[nodiscard]] std::optional<TimePoint> next_event() const noexcept;
    /// Runs what is due now; false if nothing was.
    bool run_due();

    // ---- addresses ----

    void add_route(const SocketAddress& address, SimHost& host);
    [[nodiscard]] SimHost* host_at(const SocketAddress& address) const noexcept;
    PortTable& ports(const SimHost& host) { return ports_[host.number()]; }
    Link& link(const SimHost& from, const SimHost& to);
    void set_all_links(const LinkOptions& options);

    void enable_nat(SimHost& host);
    void forget_mappings(SimHost& host, SimHost::NatChange change);
    /// What the world sees for a packet of `host` from `inner`.
    SocketAddress nat_outbound(const SimHost& host, const SocketAddress& inner);
    /// Where a packet that reached `host` for `outer` goes, if anywhere.
    std::optional<SocketAddress> nat_inbound(const SimHost& host, const SocketAddress& outer) const;

    /// Who is bound to an address, exactly or by a wildcard; null if nobody is.
    template <class Socket>
    static Socket* find_bound(const std::map<SocketAddress, Socket*>& table,
                              const SocketAddress& to);

    /// The address to bind, with a port; nullopt if it is taken or not the host's.
    template <class Socket>
    std::optional<SocketAddress> free_address(const SimHost& host, SocketAddress wanted,
                                              const std::map<SocketAddress, Socket*>& table);

    // ---- packets ----

    void send_datagram(SimHost& sender, Datagram datagram);
    /// When a TCP segment of `bytes` that leaves now would arrive; loss is a retransmission.
    TimePoint tcp_arrival(const SimHost& from, const SimHost& to, std::size_t bytes);
    void trace(std::string_view what, const SocketAddress& from, const SocketAddress& to,
               std::size_t bytes) const;
    /// Everything that leaves a host is part of the hash.
    void hash_packet(const SocketAddress& from, const SocketAddress& to, BytesView data);

private:
    struct Event {
        TimePoint at;
        std::uint64_t sequence;
        std::function<void()> function;
    };
    struct Later {
        bool operator()(const Event& a, const Event& b) const noexcept {
            return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
        }
    };
    struct Nat {
        SocketAddress public_address;  // port 0
        std::map<SocketAddress, std::uint16_t> outbound;
        std::map<std::uint16_t, SocketAddress> inbound;
    };

    bool survives(Link& link, const Datagram& datagram);
    std::optional<TimePoint> departure(Link& link, std::size_t bytes);
    TimePoint arrival(Link& link, TimePoint departs);
    void corrupt(Bytes& data);
    void put_in_flight(SimHost& receiver, TimePoint arrives, Datagram datagram);
    void arrive(SimHost& receiver, Datagram datagram);
    void refuse(SimHost& receiver, const Datagram& datagram);
    static bool owns(const SimHost& host, const SocketAddress& address) noexcept;

    std::vector<Event> events_;  // a heap, the next one at the front
    std::uint64_t sequence_ = 0;
    std::size_t in_flight_ = 0;
    std::map<std::pair<std::size_t, std::size_t>, Link> links_;
    std::map<std::size_t, PortTable> ports_;
    std::map<SocketAddress, SimHost*> routes_;  // by address with port 0
    std::map<std::size_t, Nat> nats_;
    std::uint8_t nat_addresses_ = 0;
};

/// A socket with the kernel's receive buffer.
class SimUdpSocket final : public net::UdpSocket {
public:
    SimUdpSocket(Fabric& fabric, SimProcess& process, SocketAddress local, std::size_t buffer,
                 bool offload);
    ~SimUdpSocket() override;

    void set_receiver(Receiver* receiver) noexcept override { receiver_ = receiver; }
    net::SendStatus send(const net::DatagramBatch& batch) noexcept override;
    [[nodiscard]] SocketAddress local_address() const noexcept override { return local_; }
    [[nodiscard]] std::size_t segments_max() const noexcept override {
        return offload_ ? kSegmentsMax : 1;
    }

    /// The kernel has received.
    void receive(Datagram datagram);
    /// An ICMP error came: nobody is at `remote`.
    void refused(const SocketAddress& remote);
    /// Hands what is buffered, a few batches at most, to the receiver, which may destroy the
    /// socket.
    void dispatch();
    void detach() noexcept;

private:
    [[nodiscard]] bool valid(const net::DatagramBatch& batch) const noexcept;
    [[nodiscard]] bool coalesces(const Datagram& first, const Datagram& next,
                                 std::size_t bytes) const noexcept;
    void hand_over();
    void become_writable();
    void mark_readable();

    static constexpr std::size_t kBatchesPerCall = 16;
    Fabric& fabric_;
    SimProcess* process_;
    SocketAddress local_;
    std::size_t buffer_bytes_max_;
    bool offload_;
    bool detached_ = false;
    bool blocked_ = false;
    bool writable_ = false;                // on_writable is owed
    std::vector<SocketAddress> refusals_;  // on_unreachable is owed
    Receiver* receiver_ = nullptr;
    std::deque<Datagram> received_;
    std::size_t received_bytes_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

template <class Socket>
Socket* Fabric::find_bound(const std::map<SocketAddress, Socket*>& table, const SocketAddress& to) {
    // [::] takes IPv4 too.
    for (const SocketAddress& bound :
         {to, SocketAddress::v4({}, to.port()), SocketAddress::v6({}, to.port())}) {
        const bool fits = !bound.is_any() || bound.family() == to.family() ||
                          bound.family() == SocketAddress::Family::v6;
        const auto found = table.find(bound);
        if (fits && found != table.end()) {
            return found->second;
        }
    }
    return nullptr;
}

template <class Socket>
std::optional<SocketAddress> Fabric::free_address(const SimHost& host, SocketAddress wanted,
                                                  const std::map<SocketAddress, Socket*>& table) {
    if (!wanted.is_any() && !wanted.is_loopback() && !owns(host, wanted)) {
        return std::nullopt;
    }
    if (wanted.port() != 0) {
        return table.contains(wanted) ? std::nullopt : std::optional(wanted);
    }
    SocketAddress candidate = wanted;
    do {
        const auto port = static_cast<std::uint16_t>(random.between(32'768, 60'999));
        candidate = wanted.with_port(port);
    } while (table.contains(candidate));
    return candidate;
}

[[nodiscard]] std::shared_ptr<net::Network> make_sim_network(Fabric& fabric, SimProcess& process);

}  // namespace alknet::sim
