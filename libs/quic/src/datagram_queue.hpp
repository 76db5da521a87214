// DatagramQueue: datagrams on their way between the application and the connection, at most so many
// of them, in octets bounded with them (RFC 9221). Sans-I/O.
#pragma once

#include "fifo.hpp"

#include <alknet/base/bytes.hpp>

namespace alknet::quic {

class DatagramQueue {
public:
    explicit DatagramQueue(std::size_t count_max) noexcept : count_max_(count_max) {}

    /// False when it is full: then the datagram is dropped, as unreliable ones may be.
    bool push(BytesView data) {
        if (queue_.size() >= count_max_) {
            return false;
        }
        queue_.push_back(to_bytes(data));
        octets_ += data.size();
        return true;
    }
    [[nodiscard]] BytesView front() const noexcept { return queue_.front(); }
    Bytes pop() {
        Bytes data = std::move(queue_.front());
        queue_.pop_front();
        octets_ -= data.size();
        return data;
    }
    [[nodiscard]] bool empty() const noexcept { return queue_.empty(); }
    [[nodiscard]] std::size_t octets() const noexcept { return octets_; }

private:
    std::size_t count_max_;
    std::size_t octets_ = 0;
    Fifo<Bytes> queue_;
};

}  // namespace alknet::quic
