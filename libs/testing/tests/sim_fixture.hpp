// Two hosts, each with a process, and a receiver that keeps what comes.
#pragma once

#include <gtest/gtest.h>
#include <alknet/testing/sim_world.hpp>
#include <string>
#include <vector>

namespace alknet::sim {

inline Duration ms(std::int64_t count) {
    return std::chrono::milliseconds(count);
}

/// Keeps every datagram, cut into its segments.
class Inbox final : public net::UdpSocket::Receiver {
public:
    struct Entry {
        std::string text;
        SocketAddress from;
        SocketAddress to;
        std::uint8_t ecn = 0;
    };

    void on_datagrams(std::span<const net::DatagramBatch> batches) noexcept override {
        ++calls;
        for (const net::DatagramBatch& batch : batches) {
            ++batch_count;
            BytesView rest = batch.data;
            const std::size_t segment =
                batch.segment_bytes == 0 ? batch.data.size() : batch.segment_bytes;
            do {
                const std::size_t size = std::min(segment, rest.size());
                entries.push_back(
                    {std::string(as_text(rest.first(size))), batch.remote, batch.local, batch.ecn});
                rest = rest.subspan(size);
            } while (!rest.empty());
        }
    }
    void on_writable() noexcept override { ++writable; }
    void on_unreachable(const SocketAddress& remote) noexcept override {
        unreachable.push_back(remote);
    }

    [[nodiscard]] std::vector<std::string> texts() const {
        std::vector<std::string> all;
        for (const Entry& entry : entries) {
            all.push_back(entry.text);
        }
        return all;
    }

    std::vector<Entry> entries;
    std::vector<SocketAddress> unreachable;
    int calls = 0;
    int batch_count = 0;
    int writable = 0;
};

class SimPair : public testing::Test {
protected:
    static constexpr std::uint16_t kPort = 4433;

    std::unique_ptr<net::UdpSocket> bind(SimProcess& process, const SocketAddress& local,
                                         Inbox& inbox, const net::UdpOptions& options = {}) {
        auto socket = *process.network()->bind_udp(process.loop(), local, options);
        socket->set_receiver(&inbox);
        return socket;
    }

    static net::SendStatus send(net::UdpSocket& socket, const SocketAddress& to,
                                std::string_view text, std::size_t segment_bytes = 0,
                                std::uint8_t ecn = 0) {
        net::DatagramBatch batch;
        batch.data = as_bytes(text);
        batch.segment_bytes = segment_bytes;
        batch.remote = to;
        batch.ecn = ecn;
        return socket.send(batch);
    }

    void bind_both() {
        left_socket = bind(*left_process, left.v4(kPort), left_inbox);
        right_socket = bind(*right_process, right.v4(kPort), right_inbox);
    }

    SimWorld world{7};
    SimHost& left = world.add_host("left");
    SimHost& right = world.add_host("right");
    std::unique_ptr<SimProcess> left_process = left.start();
    std::unique_ptr<SimProcess> right_process = right.start();
    Inbox left_inbox;
    Inbox right_inbox;
    std::unique_ptr<net::UdpSocket> left_socket;
    std::unique_ptr<net::UdpSocket> right_socket;
};

}  // namespace alknet::sim
