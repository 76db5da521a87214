#include <alknet/base/assert.hpp>
#include <alknet/quic/steering.hpp>

namespace alknet::quic {

Steering::Steering(std::vector<Loop*> loops) {
    for (Loop* loop : loops) {
        loops_.push_back(std::make_unique<Seat>(*loop));
    }
}

void Steering::enter(std::uint32_t index, const SocketAddress& local, SteeredReceiver& receiver) {
    const bool alone = loops_.at(index)->receivers.emplace(local, &receiver).second;
    ALKNET_ASSERT(alone);
}

void Steering::leave(std::uint32_t index, const SocketAddress& local) noexcept {
    loops_[index]->receivers.erase(local);
}

bool Steering::hand_on(const std::shared_ptr<Steering>& self, std::uint32_t index,
                       const SocketAddress& local, const net::DatagramBatch& datagram) {
    Seat& seat = *loops_.at(index);
    if (seat.in_flight.fetch_add(1, std::memory_order_relaxed) >= kInFlightMax) {
        seat.in_flight.fetch_sub(1, std::memory_order_relaxed);
        return false;
    }
    seat.loop.post([self, index, local, data = to_bytes(datagram.data), copy = datagram]() mutable {
        Seat& mine = *self->loops_[index];
        mine.in_flight.fetch_sub(1, std::memory_order_relaxed);
        const auto found = mine.receivers.find(local);
        if (found != mine.receivers.end()) {
            copy.data = data;
            copy.segment_bytes = 0;
            found->second->on_steered(copy);
        }
    });
    return true;
}

}  // namespace alknet::quic
