// The UDP socket of the operating system: many datagrams per call in both directions (recvmmsg with
// GRO, sendmmsg with GSO), with exact addresses and ECN.
//
// The path's MTU is the business of who sends: datagrams are never fragmented, and what ICMP claims
// about the MTU, which anybody can forge, is not believed (IP_PMTUDISC_PROBE).
#pragma once

#include <sys/socket.h>
#include <alknet/base/unique_fd.hpp>
#include <alknet/net/network.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/poller.hpp>
#include <array>
#include <memory>
#include <vector>

#include "udp_message.hpp"

namespace alknet::net {

class SystemUdpSocket final : public UdpSocket, private FdEvents, private FlushHook {
public:
    static constexpr std::size_t kSegmentsMax = 64;
    /// Messages per system call.
    static constexpr std::size_t kReceiveMessages = 8;
    static constexpr std::size_t kSendMessages = 16;
    /// Room for one: what GRO merges is at most this long.
    static constexpr std::size_t kReceiveBytes = 64 << 10;
    /// System calls per turn of the loop: what comes faster waits until the others had their turn.
    static constexpr std::size_t kReceivesPerTurn = 4;
    static constexpr std::size_t kErrorsPerTurn = 32;
    /// Unreachable peers that are remembered until the receiver is told; more are counted only.
    static constexpr std::size_t kUnreachableMax = 16;

    static result<std::unique_ptr<UdpSocket>> bind(Loop& loop, const SocketAddress& local,
                                                   const UdpOptions& options);
    /// From a bound socket with its options set. Errors: kIo.
    static result<std::unique_ptr<UdpSocket>> adopt(Loop& loop, UniqueFd fd,
                                                    const UdpOptions& options);
    SystemUdpSocket(Loop& loop, UniqueFd fd);
    SystemUdpSocket(const SystemUdpSocket&) = delete;
    SystemUdpSocket& operator=(const SystemUdpSocket&) = delete;
    ~SystemUdpSocket() override;

    void set_receiver(Receiver* receiver) noexcept override;
    SendStatus send(const DatagramBatch& batch) noexcept override;
    SendOutcome send_all(std::span<const DatagramBatch> batches) noexcept override;
    [[nodiscard]] SocketAddress local_address() const noexcept override { return local_; }
    [[nodiscard]] std::size_t segments_max() const noexcept override { return segments_max_; }
    [[nodiscard]] UdpStats stats() const noexcept override { return stats_; }

private:
    result<void> configure(const UdpOptions& options);

    void on_fd_events(bool readable, bool writable) noexcept override;
    void flush() noexcept override;
    bool tell(auto&& call) noexcept;
    void receive() noexcept;
    bool receive_once() noexcept;
    void read_errors() noexcept;
    void note_unreachable(const SocketAddress& remote) noexcept;

    [[nodiscard]] bool goes_whole(const DatagramBatch& batch) const noexcept;
    std::size_t send_messages(std::size_t count) noexcept;
    std::size_t send_whole(std::span<const DatagramBatch> batches) noexcept;
    SendStatus send_singly(const DatagramBatch& batch) noexcept;
    SendStatus recover(const DatagramBatch& batch, int number) noexcept;
    SendStatus give_up(const DatagramBatch& batch, int number) noexcept;

    struct Receiving {
        std::array<UdpMessage, kReceiveMessages> messages;
        std::array<mmsghdr, kReceiveMessages> headers{};
        std::unique_ptr<std::byte[]> bytes;
    };
    struct Sending {
        std::array<UdpMessage, kSendMessages> messages;
        std::array<mmsghdr, kSendMessages> headers{};
    };

    Loop& loop_;
    UniqueFd fd_;
    SocketAddress local_;
    std::size_t segments_max_ = 1;
    bool watched_ = false;
    bool blocked_ = false;        // a send said would_block
    bool receive_again_ = false;  // the kernel may hold more; no event will say so
    bool* destroyed_ = nullptr;   // set while a receiver is being called
    Receiver* receiver_ = nullptr;
    std::unique_ptr<Receiving> receiving_;
    std::unique_ptr<Sending> sending_;
    std::vector<SocketAddress> unreachable_;
    UdpStats stats_;
};

}  // namespace alknet::net
