// SimWorld: hosts and a network between them, on virtual time, in one thread. Everything that
// happens follows from the seed: losses, delays, the order in which hosts run, the numbers of
// ports.
//
// A SimHost is a machine: addresses, clocks, a NAT in front of it, faults. A SimProcess runs on it:
// a Loop and a net::Network whose sockets live in this world. The driver (`run_until`) delivers
// what is due, runs every process that has something to do until it is idle, and moves the time to
// the next event. Nothing here waits for real time or opens a descriptor.
#pragma once

#include <alknet/net/network.hpp>
#include <alknet/net/socket_address.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/testing/random.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::sim {

class Fabric;
class SimHost;
class SimProcess;
class SimUdpSocket;

/// Limits of the world itself. What strikes them is dropped and counted, as a kernel would.
inline constexpr std::size_t kPacketsInFlightMax = 50'000;
inline constexpr std::size_t kReceiveBufferBytesMax = 1 << 20;  // of one UDP socket
inline constexpr std::size_t kTcpWindowBytes = 256 << 10;       // written and not yet read
inline constexpr std::size_t kTcpBacklogMax = 64;
inline constexpr std::size_t kSegmentsMax = 64;  // of one batch
inline constexpr std::size_t kBatchBytesMax = net::UdpSocket::kBatchBytesMax;
inline constexpr std::size_t kRefusalsMax = 16;  // ICMP errors that a socket keeps
inline constexpr int kSynTriesMax = 6;
/// Turns of all processes at one instant; more is a loop that never comes to rest (throws `bug`).
inline constexpr std::size_t kRoundsPerInstantMax = 10'000;

/// What happens to the packets of one direction between two hosts. Chances are 0 to 1, for each
/// datagram. TCP segments suffer loss as delay, and are neither duplicated nor corrupted.
struct LinkOptions {
    Duration delay = std::chrono::milliseconds(10);
    Duration jitter{};  // added, 0 to this; keeps the order
    double loss = 0;
    double duplicate = 0;
    double reorder = 0;  // held back by up to `reorder_delay`, so that later ones overtake
    Duration reorder_delay = std::chrono::milliseconds(20);
    double corrupt = 0;                 // one to three bits are flipped
    double congestion = 0;              // marked CE, if the sender takes part in ECN
    std::uint64_t bits_per_second = 0;  // 0: no limit
    std::size_t queue_bytes = 256 << 10;
    std::size_t udp_payload_bytes_max = 1472;  // larger ones vanish
    std::uint64_t udp_bytes_max = UINT64_MAX;  // a middlebox lets so much pass, and no more
    bool udp_rejected = false;                 // ICMP goes back instead
    bool cut = false;                          // a partition, in this direction
};

struct WorldStats {
    std::uint64_t datagrams_sent = 0;
    std::uint64_t datagrams_delivered = 0;
    std::uint64_t datagrams_lost = 0;  // by chance, a cut, a full queue, a sleeping host
    std::uint64_t datagrams_corrupted = 0;
    std::uint64_t datagrams_duplicated = 0;
    std::uint64_t datagrams_unroutable = 0;  // nobody has the address, the port or the mapping
    std::uint64_t datagrams_over_limit = 0;  // kPacketsInFlightMax, kReceiveBufferBytesMax
    std::uint64_t sends_invalid = 0;         // a kernel would have refused the call: a bug of ours
    std::uint64_t tcp_bytes_delivered = 0;
};

/// A host's two clocks: each has an origin of its own.
class HostClock final : public Clock {
public:
    HostClock(const TimePoint& world_now, Duration monotonic_offset, WallTime wall_origin) noexcept
        : world_now_(world_now), monotonic_offset_(monotonic_offset), wall_origin_(wall_origin) {}

    [[nodiscard]] TimePoint now() const noexcept override { return world_now_ + monotonic_offset_; }
    [[nodiscard]] WallTime wall_now() const noexcept override {
        return wall_origin_ + world_now_.time_since_epoch();
    }

    [[nodiscard]] Duration suspended() const noexcept override { return suspended_; }

    /// The wall clock is set, forward or back.
    void jump_wall(Duration by) noexcept { wall_origin_ += by; }

private:
    friend class SimHost;
    friend class SimWorld;
    [[nodiscard]] TimePoint to_world(TimePoint mine) const noexcept {
        return mine - monotonic_offset_;
    }

    const TimePoint& world_now_;
    Duration monotonic_offset_;
    WallTime wall_origin_;
    Duration suspended_{};
};

class SimHost {
public:
    SimHost(Fabric& fabric, std::string name, std::size_t number);
    SimHost(const SimHost&) = delete;
    SimHost& operator=(const SimHost&) = delete;
    ~SimHost();

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] std::size_t number() const noexcept { return number_; }
    /// The first address of each family.
    [[nodiscard]] SocketAddress v4(std::uint16_t port) const noexcept;
    [[nodiscard]] SocketAddress v6(std::uint16_t port) const noexcept;
    /// A further interface, for migration.
    SocketAddress add_v4_address();
    [[nodiscard]] HostClock& clock() noexcept { return clock_; }

    /// A program starts. A host runs one process at a time; one that was detached does not count.
    std::unique_ptr<SimProcess> start();

    /// The process is not run (SIGSTOP, a starved machine); the kernel goes on receiving into its
    /// bounded buffers. Clocks go on.
    void pause() noexcept { paused_ = true; }
    void resume() noexcept;

    /// The whole machine sleeps: nothing runs, nothing is received. The wall clock goes on; the
    /// monotonic one either stops (as CLOCK_MONOTONIC does in a suspended Linux) or has gone on
    /// when it wakes (a virtual machine that was stopped).
    enum class MonotonicInSleep : std::uint8_t { stops, goes_on };
    void suspend() noexcept;
    void wake(MonotonicInSleep monotonic) noexcept;
    [[nodiscard]] bool asleep() const noexcept { return asleep_; }

    /// From now on the host's IPv4 traffic leaves under a public address and mapped ports; only
    /// what is sent to a current mapping comes in. The host can then no longer be dialled at v4().
    void put_behind_nat();
    [[nodiscard]] bool behind_nat() const noexcept { return behind_nat_; }
    /// The NAT forgets its mappings: the next packets leave under new ports and, if asked, a new
    /// address; packets to the old ones vanish; TCP connections break.
    enum class NatChange : std::uint8_t { port, address };
    void rebind_nat(NatChange change);

    /// Larger UDP payloads are refused by `send` (SendStatus::too_large), as by a local interface.
    void set_udp_payload_bytes_max(std::size_t bytes) noexcept { udp_payload_bytes_max_ = bytes; }
    /// GSO and GRO, for sockets bound from now on.
    void set_offload(bool offload) noexcept { offload_ = offload; }
    [[nodiscard]] bool offload() const noexcept { return offload_; }
    /// Chance that a `send` finds the socket's buffer full; it is writable again a little later.
    void set_send_blocked(double chance) noexcept { send_blocked_ = chance; }
    /// How late, at most, a sleeping process is run after its timer was due.
    void set_wake_latency(Duration latency) noexcept { wake_latency_ = latency; }

private:
    friend class Fabric;
    friend class SimProcess;
    friend class SimUdpSocket;
    friend class SimWorld;
    [[nodiscard]] bool runs() const noexcept { return !paused_ && !asleep_; }

    Fabric& fabric_;
    std::string name_;
    std::size_t number_;
    std::vector<SocketAddress> addresses_;
    HostClock clock_;
    SimProcess* process_ = nullptr;
    bool paused_ = false;
    bool asleep_ = false;
    bool behind_nat_ = false;
    TimePoint asleep_since_;
    std::size_t udp_payload_bytes_max_ = 1472;
    bool offload_ = true;
    double send_blocked_ = 0;
    Duration wake_latency_{};
};

/// A program on a host. Whatever uses its loop and its sockets must be gone before it.
class SimProcess {
public:
    explicit SimProcess(SimHost& host);
    SimProcess(const SimProcess&) = delete;
    SimProcess& operator=(const SimProcess&) = delete;
    ~SimProcess();

    [[nodiscard]] SimHost& host() noexcept { return host_; }
    [[nodiscard]] Loop& loop() noexcept { return *loop_; }
    [[nodiscard]] std::shared_ptr<net::Network> network() const noexcept { return network_; }
    /// UDP sockets, TCP listeners and TCP streams that are open.
    [[nodiscard]] std::size_t sockets() const noexcept;

    /// The process crashed, for all that the others can see: its ports are free, its TCP
    /// connections reset, what it sends vanishes. It still runs, so that its owner can take it
    /// down in order.
    void detach();
    [[nodiscard]] bool detached() const noexcept { return host_.process_ != this; }

    struct State;
    [[nodiscard]] State& state() noexcept { return *state_; }

private:
    friend class SimWorld;
    SimHost& host_;
    std::unique_ptr<State> state_;
    std::unique_ptr<Loop> loop_;
    std::shared_ptr<net::Network> network_;
};

/// One line of what happened, for a person who replays a seed.
struct TraceEvent {
    TimePoint at;
    std::string_view what;  // "send", "lost", "deliver", "corrupt", "tcp", …
    SocketAddress from;
    SocketAddress to;
    std::size_t bytes = 0;
};

class SimWorld {
public:
    explicit SimWorld(std::uint64_t seed);
    SimWorld(const SimWorld&) = delete;
    SimWorld& operator=(const SimWorld&) = delete;
    /// Every process must be gone.
    ~SimWorld();

    /// For the caller's own choices. The network draws from another one.
    [[nodiscard]] Random& random() noexcept { return random_; }
    [[nodiscard]] TimePoint now() const noexcept;
    [[nodiscard]] WorldStats stats() const noexcept;

    /// Lives as long as the world.
    SimHost& add_host(std::string name);
    [[nodiscard]] std::span<const std::unique_ptr<SimHost>> hosts() const noexcept;

    /// One direction; packets in flight keep their fate.
    void set_link(const SimHost& from, const SimHost& to, const LinkOptions& options);
    void set_all_links(const LinkOptions& options);
    [[nodiscard]] LinkOptions link(const SimHost& from, const SimHost& to) const;
    /// Both directions.
    void set_cut(const SimHost& a, const SimHost& b, bool cut);
    /// Resets every TCP connection between two hosts, at both ends, now.
    void reset_tcp(const SimHost& a, const SimHost& b);

    /// What `resolve` finds for a name, on every host.
    void add_name(std::string name, std::vector<SocketAddress> addresses);

    /// Calls `function` between turns, at or after `when` (of this world's time).
    void at(TimePoint when, std::function<void()> function);
    void after(Duration delay, std::function<void()> function);

    /// Runs until `done`, which is asked after every instant; false if `limit` passed before.
    bool run_until(const std::function<bool()>& done, Duration limit);
    void run_for(Duration duration);

    /// Called with a host's clock before its process runs, for what reads the time from the C
    /// library; with null when the driver itself runs.
    void set_clock_watcher(std::function<void(const Clock*)> watcher);
    void set_tracer(std::function<void(const TraceEvent&)> tracer);
    /// Over the time, addresses and bytes of everything that was sent.
    [[nodiscard]] std::uint64_t trace_hash() const noexcept;

private:
    void settle();
    bool step_processes();
    void step(SimProcess& process);
    void wake_all();
    [[nodiscard]] std::optional<TimePoint> due(SimProcess& process);
    [[nodiscard]] std::optional<TimePoint> next_event();

    std::unique_ptr<Fabric> fabric_;
    Random random_;
    Random order_;
    std::vector<std::unique_ptr<SimHost>> hosts_;
    std::function<void(const Clock*)> clock_watcher_;
};

}  // namespace alknet::sim
