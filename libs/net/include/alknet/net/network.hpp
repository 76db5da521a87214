// Network: the door to the outside, injectable so that a whole node can run in a simulation.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/net/socket_address.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/task.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace alknet {
class Loop;
}

namespace alknet::net {

/// One or several datagrams between the same two addresses. With a segment size, `data` is cut into
/// datagrams of that size, the last one possibly shorter (GSO on the way out, GRO on the way in).
struct DatagramBatch {
    BytesView data;
    std::size_t segment_bytes = 0;  // 0: `data` is one datagram
    SocketAddress local{};          // exact, also on a socket bound to the wildcard address
    SocketAddress remote{};
    std::uint8_t ecn = 0;  // the two ECN bits of the IP header
};

enum class SendStatus : std::uint8_t {
    sent,
    would_block,  // keep the batch; on_writable comes
    too_large,    // larger than the path takes; drop it
    failed,       // this datagram is lost like any other; the socket lives
};

struct SendOutcome {
    std::size_t sent = 0;                  // so many batches, from the front, were sent
    SendStatus status = SendStatus::sent;  // why the next one was not
};

/// All since the socket was made. An operating system may merge datagrams before it hands them over
/// and split them after it took them; here each counts.
struct UdpStats {
    std::uint64_t datagrams_sent = 0;
    std::uint64_t datagrams_received = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t calls_sending = 0;  // system calls: how well batching works
    std::uint64_t calls_receiving = 0;
    std::uint64_t send_failures = 0;  // `failed`
    std::uint64_t unreachable = 0;    // ICMP errors
    std::uint64_t dropped = 0;        // received, and not usable: truncated, no address
};

class UdpSocket {
public:
    class Receiver {
    public:
        /// The batches live for the call only.
        virtual void on_datagrams(std::span<const DatagramBatch> batches) noexcept = 0;
        /// After `would_block`: try again.
        virtual void on_writable() noexcept = 0;
        /// The network says that nothing answers at `remote` (ICMP, or no route). It is a hint that
        /// strangers can forge: a dial without any answer so far may end on it, nothing else.
        virtual void on_unreachable(const SocketAddress& remote) noexcept { (void)remote; }

    protected:
        ~Receiver() = default;
    };

    virtual ~UdpSocket() = default;
    /// `receiver` must outlive the socket or be replaced by null. It is called from the loop, never
    /// from within `send`, and may replace itself, send, and destroy the socket.
    virtual void set_receiver(Receiver* receiver) noexcept = 0;
    /// `batch.local` may be none or a wildcard: the system then chooses the source.
    virtual SendStatus send(const DatagramBatch& batch) noexcept = 0;
    /// Sends in order until one is not sent. As a rule cheaper than one `send` after another, which
    /// is what it does where a socket knows nothing better.
    virtual SendOutcome send_all(std::span<const DatagramBatch> batches) noexcept;
    [[nodiscard]] virtual SocketAddress local_address() const noexcept = 0;
    /// How many segments one batch may have; 1 where there is no GSO.
    /// It can sink while the socket lives: a network card may turn out to be unable. A batch also
    /// has at most kBatchBytesMax octets.
    [[nodiscard]] virtual std::size_t segments_max() const noexcept = 0;
    [[nodiscard]] virtual UdpStats stats() const noexcept { return {}; }

    /// What the kernel takes at once is a little below 64 KiB.
    static constexpr std::size_t kBatchBytesMax = 65'000;
};

struct ProxyHeader;

struct TcpStream {
    std::unique_ptr<ByteStream> stream;
    SocketAddress local;
    SocketAddress remote{};
    std::shared_ptr<const ProxyHeader> proxy{};  // what a proxy said first; null if there was none
};

class TcpListener {
public:
    virtual ~TcpListener() = default;
    /// Errors: kCancelled; kIo when the process is out of descriptors (try again later).
    virtual task<result<TcpStream>> accept() = 0;
    [[nodiscard]] virtual SocketAddress local_address() const noexcept = 0;
};

/// One of several sockets on one port, each on a loop of its own, among which the kernel spreads
/// what comes. They are bound in the order of their indices. The first takes the port as if it were
/// alone, so that another program's is noticed; the others join it.
struct PortShare {
    std::uint32_t index = 0;
    std::uint32_t count = 1;
};

struct UdpOptions {
    /// UDP is spread by QUIC connection id: the eighth octet of the destination's, modulo `count`,
    /// is the index of the socket. While sockets come or go anything may reach any of them.
    PortShare share{};
    bool offload = true;         // GSO and GRO where the kernel has them
    int buffer_bytes = 4 << 20;  // asked for; the system may grant less
};

class Network {
public:
    virtual ~Network() = default;
    /// Errors: kAddressInUse, kIo. Port 0 takes a free one. `[::]` takes IPv4 too, whose addresses
    /// appear as IPv4; so for TCP.
    virtual result<std::unique_ptr<UdpSocket>> bind_udp(Loop& loop, const SocketAddress& local,
                                                        const UdpOptions& options) = 0;
    virtual result<std::unique_ptr<TcpListener>> listen_tcp(Loop& loop,
                                                            const SocketAddress& local) = 0;
    /// Errors: those of listen_tcp; kNotSupported where a port cannot be shared.
    virtual result<std::unique_ptr<TcpListener>> listen_tcp_shared(Loop& loop,
                                                                   const SocketAddress& local,
                                                                   const PortShare& share);
    /// Errors: kUnreachable, kTimeout, kCancelled, kIo.
    virtual task<result<TcpStream>> connect_tcp(Loop& loop, SocketAddress remote) = 0;
    /// Addresses in the system's order of preference; literals need no resolver.
    /// Errors: kResolve, kCancelled.
    virtual task<result<std::vector<SocketAddress>>> resolve(Loop& loop, std::string host,
                                                             std::uint16_t port) = 0;
};

/// Real sockets; names through the system's resolver, in a thread of its own.
[[nodiscard]] std::unique_ptr<Network> make_system_network();

}  // namespace alknet::net
