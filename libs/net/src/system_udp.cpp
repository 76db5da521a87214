#include "system_udp.hpp"

#include <linux/filter.h>
#include <netinet/udp.h>
#include <algorithm>
#include <alknet/base/os_error.hpp>
#include <cerrno>

#include "system_socket.hpp"

namespace alknet::net {

namespace {

std::size_t segments_in(const DatagramBatch& batch) noexcept {
    if (batch.segment_bytes == 0 || batch.data.empty()) {
        return 1;
    }
    return (batch.data.size() + batch.segment_bytes - 1) / batch.segment_bytes;
}

/// Without these a socket cannot carry QUIC.
result<void> set_needed_options(int fd, bool v4, bool v6) {
    const bool addresses = (!v4 || set_option(fd, IPPROTO_IP, IP_PKTINFO, 1)) &&
                           (!v6 || set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
    if (!addresses) {
        return os_fail("IP_PKTINFO", errno);
    }
    const bool whole =
        (!v4 || set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)) &&
        (!v6 || set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE));
    if (!whole) {
        return os_fail("IP_MTU_DISCOVER", errno);
    }
    return {};
}

/// Has the kernel choose the socket by the octet of the destination's connection id that says which
/// loop it belongs to. A program of the classic filter, whose offsets count from the UDP payload: a
/// long header (RFC 9000 section 17.2) has the id after its first six octets, a short one (section
/// 17.3) after one. What is too short for it goes to the first socket.
result<void> steer_by_connection_id(int fd, std::uint32_t count) {
    constexpr std::uint32_t kLongForm = 0x80;
    constexpr std::uint32_t kLongId = 6;
    constexpr std::uint32_t kShortId = 1;
    constexpr std::uint32_t kOctet = 7;
    std::array<sock_filter, 7> code = {{
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kLongForm, 2, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kShortId + kOctet),
        BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kLongId + kOctet),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
        BPF_STMT(BPF_RET | BPF_A, 0),
    }};
    const sock_fprog program{.len = code.size(), .filter = code.data()};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) != 0) {
        return os_fail("SO_ATTACH_REUSEPORT_CBPF", errno);
    }
    return {};
}

void set_useful_options(int fd, bool v4, bool v6, int buffer_bytes) noexcept {
    if (v4) {
        set_option(fd, IPPROTO_IP, IP_RECVTOS, 1);
        set_option(fd, IPPROTO_IP, IP_RECVERR, 1);
    }
    if (v6) {
        set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
        set_option(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
    }
    // The forced form goes past the system's limit, and only a privileged process may use it.
    if (!set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, buffer_bytes)) {
        set_option(fd, SOL_SOCKET, SO_RCVBUF, buffer_bytes);
    }
    if (!set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, buffer_bytes)) {
        set_option(fd, SOL_SOCKET, SO_SNDBUF, buffer_bytes);
    }
}

}  // namespace

result<std::unique_ptr<UdpSocket>> SystemUdpSocket::bind(Loop& loop, const SocketAddress& local,
                                                         const UdpOptions& options) {
    ALKNET_TRY(UniqueFd fd, open_socket(local, SOCK_DGRAM));
    const bool v6 = local.family() == SocketAddress::Family::v6;
    ALKNET_CHECK(set_needed_options(fd.get(), !v6 || local.is_any(), v6));
    set_useful_options(fd.get(), !v6 || local.is_any(), v6, options.buffer_bytes);
    ALKNET_CHECK(bind_shared(fd.get(), local, options.share));
    if (options.share.index > 0) {
        ALKNET_CHECK(steer_by_connection_id(fd.get(), options.share.count));
    }
    return adopt(loop, std::move(fd), options);
}

result<std::unique_ptr<UdpSocket>> SystemUdpSocket::adopt(Loop& loop, UniqueFd fd,
                                                          const UdpOptions& options) {
    auto udp = std::make_unique<SystemUdpSocket>(loop, std::move(fd));
    ALKNET_CHECK(udp->configure(options));
    return udp;
}

SystemUdpSocket::SystemUdpSocket(Loop& loop, UniqueFd fd)
    : loop_(loop),
      fd_(std::move(fd)),
      local_(local_address_of(fd_.get())),
      receiving_(std::make_unique<Receiving>()),
      sending_(std::make_unique<Sending>()) {
    // Not zeroed: the pages that no datagram reaches are never touched.
    receiving_->bytes =
        std::make_unique_for_overwrite<std::byte[]>(kReceiveMessages * kReceiveBytes);
}

result<void> SystemUdpSocket::configure(const UdpOptions& options) {
    if (options.offload) {
        set_option(fd_.get(), SOL_UDP, UDP_GRO, 1);
        segments_max_ = set_option(fd_.get(), SOL_UDP, UDP_SEGMENT, 0) ? kSegmentsMax : 1;
    }
    ALKNET_CHECK(loop_.poller().add(fd_.get(), *this));
    watched_ = true;
    loop_.poller().tell_writable(fd_.get(), *this, false);
    return {};
}

SystemUdpSocket::~SystemUdpSocket() {
    if (watched_) {
        loop_.poller().remove(fd_.get(), *this);
    }
    if (destroyed_ != nullptr) {
        *destroyed_ = true;
    }
}

// ---- receiving ----

void SystemUdpSocket::set_receiver(Receiver* receiver) noexcept {
    receiver_ = receiver;
    if (receiver != nullptr) {
        receive_again_ = true;  // what arrived before has had its event
        loop_.request_flush(*this);
    }
}

/// Calls the receiver, if there is one; false if it destroyed this socket.
bool SystemUdpSocket::tell(auto&& call) noexcept {
    if (receiver_ == nullptr) {
        return true;
    }
    bool destroyed = false;
    destroyed_ = &destroyed;
    call(*receiver_);
    if (destroyed) {
        return false;
    }
    destroyed_ = nullptr;
    return true;
}

void SystemUdpSocket::on_fd_events(bool readable, bool writable) noexcept {
    if (writable && blocked_) {
        blocked_ = false;
        loop_.poller().tell_writable(fd_.get(), *this, false);
        if (!tell([](Receiver& receiver) { receiver.on_writable(); })) {
            return;
        }
    }
    if (readable) {
        receive();
    }
}

void SystemUdpSocket::flush() noexcept {
    const std::vector<SocketAddress> unreachable = std::exchange(unreachable_, {});
    for (const SocketAddress& remote : unreachable) {
        if (!tell([&](Receiver& receiver) { receiver.on_unreachable(remote); })) {
            return;
        }
    }
    if (std::exchange(receive_again_, false)) {
        receive();
    }
}

void SystemUdpSocket::receive() noexcept {
    for (std::size_t i = 0; i < kReceivesPerTurn; ++i) {
        if (receiver_ == nullptr || !receive_once()) {
            return;
        }
    }
    receive_again_ = true;
    loop_.request_flush(*this);
}

/// False if there is nothing more to receive now, or this socket is gone.
bool SystemUdpSocket::receive_once() noexcept {
    Receiving& in = *receiving_;
    for (std::size_t i = 0; i < kReceiveMessages; ++i) {
        in.messages[i].prepare(in.headers[i].msg_hdr,
                               {in.bytes.get() + i * kReceiveBytes, kReceiveBytes});
    }
    const int received =
        recvmmsg(fd_.get(), in.headers.data(), kReceiveMessages, MSG_DONTWAIT, nullptr);
    ++stats_.calls_receiving;
    if (received < 0) {
        const int number = errno;
        if (number == EAGAIN) {
            return false;
        }
        if (number != EINTR) {
            read_errors();  // which is what that error announced
        }
        return true;
    }
    std::array<DatagramBatch, kReceiveMessages> batches;
    std::size_t count = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(received); ++i) {
        if (const auto batch =
                UdpMessage::parse(in.headers[i].msg_hdr, in.headers[i].msg_len, local_)) {
            stats_.datagrams_received += segments_in(*batch);
            stats_.bytes_received += batch->data.size();
            batches[count++] = *batch;
        } else {
            ++stats_.dropped;
        }
    }
    if (count == 0) {
        return true;
    }
    loop_.refresh_now();  // the loop may have slept; who receives measures round trips
    const std::span arrived = std::span(batches).first(count);
    return tell([&](Receiver& receiver) { receiver.on_datagrams(arrived); });
}

void SystemUdpSocket::read_errors() noexcept {
    for (std::size_t i = 0; i < kErrorsPerTurn; ++i) {
        UdpMessage message;
        msghdr header{};
        std::array<std::byte, 1> payload{};  // of the datagram that failed; nobody needs it
        message.prepare(header, payload);
        if (recvmsg(fd_.get(), &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
            return;
        }
        if (const auto remote = UdpMessage::parse_unreachable(header)) {
            note_unreachable(*remote);
        }
    }
}

void SystemUdpSocket::note_unreachable(const SocketAddress& remote) noexcept {
    ++stats_.unreachable;
    if (unreachable_.size() < kUnreachableMax && std::ranges::count(unreachable_, remote) == 0) {
        unreachable_.push_back(remote);
        loop_.request_flush(*this);
    }
}

// ---- sending ----

SendStatus SystemUdpSocket::send(const DatagramBatch& batch) noexcept {
    return send_all({&batch, 1}).status;
}

SendOutcome SystemUdpSocket::send_all(std::span<const DatagramBatch> batches) noexcept {
    std::size_t sent = 0;
    while (sent < batches.size()) {
        const auto rest = batches.subspan(sent);
        const auto whole = rest.first(static_cast<std::size_t>(
            std::ranges::find_if(rest.first(std::min(rest.size(), kSendMessages)),
                                 [&](const auto& batch) { return !goes_whole(batch); }) -
            rest.begin()));
        SendStatus status = SendStatus::sent;
        if (whole.empty()) {
            status = send_singly(rest.front());
        } else if (const std::size_t gone = send_whole(whole); gone > 0) {
            sent += gone;
            continue;
        } else {
            status = recover(rest.front(), errno);
        }
        if (status != SendStatus::sent) {
            return {sent, status};
        }
        ++sent;
    }
    return {sent, SendStatus::sent};
}

bool SystemUdpSocket::goes_whole(const DatagramBatch& batch) const noexcept {
    const std::size_t segments = segments_in(batch);
    return segments == 1 || (segments <= segments_max_ && batch.data.size() <= kBatchBytesMax);
}

/// Sends the prepared messages; gives how many went, or 0 with `errno`.
std::size_t SystemUdpSocket::send_messages(std::size_t count) noexcept {
    ++stats_.calls_sending;
    const int sent = sendmmsg(fd_.get(), sending_->headers.data(), static_cast<unsigned>(count),
                              MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

/// The same for batches that the kernel can cut.
std::size_t SystemUdpSocket::send_whole(std::span<const DatagramBatch> batches) noexcept {
    for (std::size_t i = 0; i < batches.size(); ++i) {
        const DatagramBatch& batch = batches[i];
        sending_->messages[i].prepare(sending_->headers[i].msg_hdr, batch, batch.data,
                                      segments_in(batch) > 1 ? batch.segment_bytes : 0, local_);
    }
    const std::size_t sent = send_messages(batches.size());
    for (const DatagramBatch& batch : batches.first(sent)) {
        stats_.datagrams_sent += segments_in(batch);
        stats_.bytes_sent += batch.data.size();
    }
    return sent;
}

/// Cuts the batch here. Once one datagram has gone the batch counts as sent: what the system then
/// refuses is lost like any datagram, while giving the batch back would send the first ones twice.
SendStatus SystemUdpSocket::send_singly(const DatagramBatch& batch) noexcept {
    const std::size_t segment = batch.segment_bytes == 0 ? batch.data.size() : batch.segment_bytes;
    BytesView rest = batch.data;
    bool any = false;
    while (!rest.empty()) {
        std::size_t count = 0;
        for (BytesView ahead = rest; !ahead.empty() && count < kSendMessages; ++count) {
            const BytesView datagram = ahead.first(std::min(segment, ahead.size()));
            sending_->messages[count].prepare(sending_->headers[count].msg_hdr, batch, datagram, 0,
                                              local_);
            ahead = ahead.subspan(datagram.size());
        }
        std::size_t sent = send_messages(count);
        if (sent == 0 && !any) {
            return give_up(batch, errno);
        }
        any = true;
        stats_.datagrams_sent += sent;
        stats_.send_failures += count - sent;
        const std::size_t bytes = std::min(rest.size(), count * segment);
        stats_.bytes_sent += std::min(rest.size(), sent * segment);
        rest = rest.subspan(bytes);
    }
    return SendStatus::sent;
}

/// `batch` was the first of a call that failed with `number`.
SendStatus SystemUdpSocket::recover(const DatagramBatch& batch, int number) noexcept {
    if (segments_in(batch) > 1 && (number == EIO || number == EINVAL)) {
        const SendStatus status = send_singly(batch);
        if (status == SendStatus::sent) {
            // Alone they go, so it is the cutting that is refused: a network card that computes no
            // checksums, a tunnel, an old kernel.
            segments_max_ = 1;
        }
        return status;
    }
    if (is_unreachable(number) || number == EINTR) {
        // As a rule the error is of an earlier datagram, perhaps to somebody else.
        read_errors();
        if (send_whole({&batch, 1}) == 1) {
            return SendStatus::sent;
        }
        number = errno;
    }
    return give_up(batch, number);
}

SendStatus SystemUdpSocket::give_up(const DatagramBatch& batch, int number) noexcept {
    if (number == EAGAIN) {
        if (!std::exchange(blocked_, true)) {
            loop_.poller().tell_writable(fd_.get(), *this, true);
        }
        return SendStatus::would_block;
    }
    if (number == EMSGSIZE) {
        return SendStatus::too_large;
    }
    ++stats_.send_failures;
    if (is_unreachable(number)) {
        note_unreachable(batch.remote);
    }
    return SendStatus::failed;
}

}  // namespace alknet::net
