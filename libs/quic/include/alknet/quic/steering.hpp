// Steering: what joins the endpoints that share one port, each on a loop of its own. The kernel
// gives a packet to the loop that its connection id names, with few exceptions: sockets that come
// and go, and datagrams of several connections that it merged into one. Those are handed on here.
#pragma once

#include <alknet/net/network.hpp>
#include <alknet/rt/loop.hpp>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace alknet::quic {

/// Takes what another loop received, on its own loop.
class SteeredReceiver {
public:
    virtual void on_steered(const net::DatagramBatch& datagram) noexcept = 0;

protected:
    ~SteeredReceiver() = default;
};

/// Thread-safe, where nothing else is said.
class Steering {
public:
    /// Datagrams on their way to one loop; what comes above is dropped, as a full socket does.
    static constexpr std::size_t kInFlightMax = 1024;

    /// The loops in the order of their indices. They outlive every endpoint that uses this.
    explicit Steering(std::vector<Loop*> loops);

    [[nodiscard]] std::uint32_t size() const noexcept {
        return static_cast<std::uint32_t>(loops_.size());
    }

    /// On the loop of `index`. One receiver for each local address.
    void enter(std::uint32_t index, const SocketAddress& local, SteeredReceiver& receiver);
    void leave(std::uint32_t index, const SocketAddress& local) noexcept;

    /// Copies `datagram` to the receiver that `index` has at `local`, if it has one by then. False
    /// if too many are on their way.
    bool hand_on(const std::shared_ptr<Steering>& self, std::uint32_t index,
                 const SocketAddress& local, const net::DatagramBatch& datagram);

private:
    struct Seat {
        explicit Seat(Loop& l) noexcept : loop(l) {}
        Loop& loop;
        std::atomic<std::size_t> in_flight = 0;
        std::map<SocketAddress, SteeredReceiver*> receivers;  // of this loop's thread
    };

    std::vector<std::unique_ptr<Seat>> loops_;
};

}  // namespace alknet::quic
