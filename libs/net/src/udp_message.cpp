#include "udp_message.hpp"

#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <cerrno>
#include <cstring>

#include "system_socket.hpp"

namespace alknet::net {

namespace {

constexpr std::uint8_t kEcnMask = 3;

template <class T>
T read_control(const cmsghdr& message) noexcept {
    T value{};
    std::memcpy(&value, CMSG_DATA(&message), sizeof value);
    return value;
}

bool has_size(const cmsghdr& message, std::size_t size) noexcept {
    return message.cmsg_len >= CMSG_LEN(size);
}

cmsghdr* next_of(const msghdr& header, cmsghdr* message) noexcept {
    return CMSG_NXTHDR(const_cast<msghdr*>(&header), message);
}

SocketAddress address_of(const in_addr& ip, std::uint16_t port) noexcept {
    std::array<std::uint8_t, 4> octets{};
    std::memcpy(octets.data(), &ip, octets.size());
    return SocketAddress::v4(octets, port);
}

SocketAddress address_of(const in6_pktinfo& info, std::uint16_t port) noexcept {
    std::array<std::uint8_t, 16> octets{};
    std::memcpy(octets.data(), &info.ipi6_addr, octets.size());
    const bool link_local = octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80;
    return SocketAddress::v6(octets, port, link_local ? info.ipi6_ifindex : 0);
}

/// Takes what `message` says over into `batch`.
void apply(const cmsghdr& message, DatagramBatch& batch, std::uint16_t port) noexcept {
    const int level = message.cmsg_level;
    const int type = message.cmsg_type;
    if (level == IPPROTO_IP && type == IP_PKTINFO && has_size(message, sizeof(in_pktinfo))) {
        batch.local = address_of(read_control<in_pktinfo>(message).ipi_addr, port);
    } else if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO &&
               has_size(message, sizeof(in6_pktinfo))) {
        batch.local = address_of(read_control<in6_pktinfo>(message), port);
    } else if (level == IPPROTO_IP && type == IP_TOS && has_size(message, 1)) {
        batch.ecn = read_control<std::uint8_t>(message) & kEcnMask;
    } else if (level == IPPROTO_IPV6 && type == IPV6_TCLASS && has_size(message, sizeof(int))) {
        batch.ecn = static_cast<std::uint8_t>(read_control<int>(message)) & kEcnMask;
    } else if (level == SOL_UDP && type == UDP_GRO && has_size(message, sizeof(int))) {
        const auto segment = static_cast<std::size_t>(read_control<int>(message));
        batch.segment_bytes = segment < batch.data.size() ? segment : 0;
    }
}

}  // namespace

void UdpMessage::prepare(msghdr& header, MutableBytes buffer) noexcept {
    bytes_ = {buffer.data(), buffer.size()};
    header = {};
    header.msg_name = &name_;
    header.msg_namelen = sizeof name_;
    header.msg_iov = &bytes_;
    header.msg_iovlen = 1;
    header.msg_control = control_.data();
    header.msg_controllen = control_.size();
}

std::optional<DatagramBatch> UdpMessage::parse(const msghdr& header, std::size_t bytes,
                                               const SocketAddress& bound) noexcept {
    DatagramBatch batch;
    batch.data = {static_cast<const std::byte*>(header.msg_iov->iov_base), bytes};
    batch.local = bound;
    batch.remote = SocketAddress::from_native(static_cast<const sockaddr*>(header.msg_name));
    for (cmsghdr* message = CMSG_FIRSTHDR(&header); message != nullptr;
         message = next_of(header, message)) {
        apply(*message, batch, bound.port());
    }
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
        batch.remote.family() == SocketAddress::Family::none) {
        return std::nullopt;
    }
    return batch;
}

template <class T>
void UdpMessage::append(msghdr& header, int level, int type, const T& value) noexcept {
    std::byte* const at = control_.data() + header.msg_controllen;
    cmsghdr head{};
    head.cmsg_level = level;
    head.cmsg_type = type;
    head.cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(at, &head, sizeof head);
    std::memcpy(at + CMSG_LEN(0), &value, sizeof value);
    header.msg_controllen += CMSG_SPACE(sizeof value);
}

void UdpMessage::append_source(msghdr& header, const SocketAddress& local, bool to_v4) noexcept {
    if (to_v4 && local.family() == SocketAddress::Family::v4) {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, local.ip().data(), sizeof info.ipi_spec_dst);
        append(header, IPPROTO_IP, IP_PKTINFO, info);
    } else if (!to_v4 && local.family() == SocketAddress::Family::v6) {
        in6_pktinfo info{};
        std::memcpy(&info.ipi6_addr, local.ip().data(), sizeof info.ipi6_addr);
        append(header, IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
}

void UdpMessage::prepare(msghdr& header, const DatagramBatch& batch, BytesView data,
                         std::size_t segment_bytes, const SocketAddress& bound) noexcept {
    const bool to_v4 = batch.remote.family() == SocketAddress::Family::v4;
    const bool mapped = to_v4 && bound.family() == SocketAddress::Family::v6;
    // The kernel only reads through these pointers when it sends.
    bytes_ = {const_cast<std::byte*>(data.data()), data.size()};
    control_ = {};
    header = {};
    header.msg_name = &name_;
    header.msg_namelen = batch.remote.to_native(name_, mapped);
    header.msg_iov = &bytes_;
    header.msg_iovlen = 1;
    header.msg_control = control_.data();
    if (bound.is_any() && !batch.local.is_any()) {
        append_source(header, batch.local, to_v4);
    }
    if (batch.ecn != 0) {
        append(header, to_v4 ? IPPROTO_IP : IPPROTO_IPV6, to_v4 ? IP_TOS : IPV6_TCLASS,
               static_cast<int>(batch.ecn & kEcnMask));
    }
    if (segment_bytes != 0) {
        append(header, SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(segment_bytes));
    }
    if (header.msg_controllen == 0) {
        header.msg_control = nullptr;
    }
}

std::optional<SocketAddress> UdpMessage::parse_unreachable(const msghdr& header) noexcept {
    for (cmsghdr* message = CMSG_FIRSTHDR(&header); message != nullptr;
         message = next_of(header, message)) {
        const bool v4 = message->cmsg_level == IPPROTO_IP && message->cmsg_type == IP_RECVERR;
        const bool v6 = message->cmsg_level == IPPROTO_IPV6 && message->cmsg_type == IPV6_RECVERR;
        if ((!v4 && !v6) || !has_size(*message, sizeof(sock_extended_err))) {
            continue;
        }
        const auto failure = read_control<sock_extended_err>(*message);
        const bool icmp =
            failure.ee_origin == SO_EE_ORIGIN_ICMP || failure.ee_origin == SO_EE_ORIGIN_ICMP6;
        if (icmp && is_unreachable(static_cast<int>(failure.ee_errno))) {
            return SocketAddress::from_native(static_cast<const sockaddr*>(header.msg_name));
        }
    }
    return std::nullopt;
}

}  // namespace alknet::net
