// One UDP message as recvmsg and sendmsg see it: addresses, bytes, and the control messages that
// carry the local address, ECN and the segment size.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <alknet/net/network.hpp>
#include <array>
#include <optional>

namespace alknet::net {

/// What the kernel needs to keep for the time of a call. Neither copied nor moved: the header
/// points into it.
class UdpMessage {
public:
    /// Room for every control message below, in either direction.
    static constexpr std::size_t kControlBytes = 256;

    UdpMessage() = default;
    UdpMessage(const UdpMessage&) = delete;
    UdpMessage& operator=(const UdpMessage&) = delete;

    /// Prepares `header` to receive into `buffer`.
    void prepare(msghdr& header, MutableBytes buffer) noexcept;
    /// What arrived: nothing if it was truncated or lacks an address. `bound` stands for the local
    /// address where the system did not tell it.
    static std::optional<DatagramBatch> parse(const msghdr& header, std::size_t bytes,
                                              const SocketAddress& bound) noexcept;

    /// Prepares `header` to send `data` (of `batch`, perhaps a part) from a socket that is bound to
    /// `bound`, cut into `segment_bytes` unless that is 0.
    void prepare(msghdr& header, const DatagramBatch& batch, BytesView data,
                 std::size_t segment_bytes, const SocketAddress& bound) noexcept;

    /// The remote address of an ICMP error that MSG_ERRQUEUE gave; nullopt for other messages.
    static std::optional<SocketAddress> parse_unreachable(const msghdr& header) noexcept;

private:
    template <class T>
    void append(msghdr& header, int level, int type, const T& value) noexcept;
    void append_source(msghdr& header, const SocketAddress& local, bool to_v4) noexcept;

    sockaddr_storage name_{};
    iovec bytes_{};
    alignas(cmsghdr) std::array<std::byte, kControlBytes> control_{};
};

}  // namespace alknet::net
