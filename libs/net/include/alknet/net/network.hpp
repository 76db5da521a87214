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
    SocketAddress local;            // exact, also on a socket bound to the wildcard address
    SocketAddress remote;
    std::uint8_t ecn = 0;  // the two ECN bits of the IP header
};

enum class SendStatus : std::uint8_t {
    sent,
    would_block,  // keep the batch; on_writable comes
    too_large,    // larger than the path takes; drop it
    failed,       // this datagram is lost like any other; the socket lives
};

class UdpSocket {
public:
    class Receiver {
    public:
        /// The batches live for the call only.
        virtual void on_datagrams(std::span<const DatagramBatch> batches) noexcept = 0;
        virtual void on_writable() noexcept = 0;

    protected:
        ~Receiver() = default;
    };

    virtual ~UdpSocket() = default;
    /// `receiver` must outlive the socket or be replaced by null.
    virtual void set_receiver(Receiver* receiver) noexcept = 0;
    virtual SendStatus send(const DatagramBatch& batch) noexcept = 0;
    [[nodiscard]] virtual SocketAddress local_address() const noexcept = 0;
    /// How many segments one batch may have; 1 where there is no GSO.
    [[nodiscard]] virtual std::size_t segments_max() const noexcept = 0;
};

struct TcpStream {
    std::unique_ptr<ByteStream> stream;
    SocketAddress local;
    SocketAddress remote;
};

class TcpListener {
public:
    virtual ~TcpListener() = default;
    /// Errors: kCancelled; kIo when the process is out of descriptors (try again later).
    virtual task<result<TcpStream>> accept() = 0;
    [[nodiscard]] virtual SocketAddress local_address() const noexcept = 0;
};

struct UdpOptions {
    bool reuse_port = false;
    bool offload = true;         // GSO and GRO where the kernel has them
    int buffer_bytes = 4 << 20;  // asked for; the system may grant less
};

class Network {
public:
    virtual ~Network() = default;
    /// Errors: kAddressInUse, kIo. Port 0 takes a free one.
    virtual result<std::unique_ptr<UdpSocket>> bind_udp(Loop& loop, const SocketAddress& local,
                                                        const UdpOptions& options) = 0;
    virtual result<std::unique_ptr<TcpListener>> listen_tcp(Loop& loop,
                                                            const SocketAddress& local) = 0;
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
