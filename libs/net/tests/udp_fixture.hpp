#pragma once

#include <gtest/gtest.h>
#include <alknet/net/network.hpp>
#include <alknet/rt/loop.hpp>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace alknet::net {

/// One datagram, taken out of its batch.
struct Arrived {
    Bytes data;
    SocketAddress local;
    SocketAddress remote;
    std::uint8_t ecn = 0;
};

class CollectingReceiver final : public UdpSocket::Receiver {
public:
    void on_datagrams(std::span<const DatagramBatch> batches) noexcept override {
        ++calls;
        for (const DatagramBatch& batch : batches) {
            const std::size_t segment =
                batch.segment_bytes == 0 ? batch.data.size() : batch.segment_bytes;
            BytesView rest = batch.data;
            do {
                const BytesView one = rest.first(std::min(segment, rest.size()));
                arrived.push_back({to_bytes(one), batch.local, batch.remote, batch.ecn});
                rest = rest.subspan(one.size());
            } while (!rest.empty());
        }
        if (then) {
            then();
        }
    }
    void on_writable() noexcept override {
        ++writable;
        if (then) {
            then();
        }
    }
    void on_unreachable(const SocketAddress& remote) noexcept override {
        unreachable.push_back(remote);
        if (then) {
            then();
        }
    }

    std::vector<Arrived> arrived;
    std::vector<SocketAddress> unreachable;
    std::size_t calls = 0;
    std::size_t writable = 0;
    std::function<void()> then;  // after each call
};

class UdpTest : public testing::Test {
protected:
    struct Peer {
        std::unique_ptr<UdpSocket> socket;
        CollectingReceiver receiver;
        [[nodiscard]] SocketAddress address() const { return socket->local_address(); }
    };

    std::unique_ptr<Peer> bind(std::string_view address, UdpOptions options = {}) {
        auto socket = network->bind_udp(*loop, SocketAddress::parse(address).value(), options);
        EXPECT_TRUE(socket) << socket.error().message();
        auto peer = std::make_unique<Peer>();
        peer->socket = std::move(*socket);
        peer->socket->set_receiver(&peer->receiver);
        return peer;
    }

    /// Ends only when it has come true; the test's own time limit stands behind it. It never waits:
    /// a condition may come true in the middle of a turn.
    void run_until(const std::function<bool()>& condition) {
        while (!condition()) {
            loop->turn(false);
        }
    }
    void run_until_arrived(Peer& peer, std::size_t count) {
        run_until([&] { return peer.receiver.arrived.size() >= count; });
    }

    static Bytes noise(std::size_t size) {
        std::mt19937 random(size);
        Bytes bytes(size);
        for (std::byte& byte : bytes) {
            byte = static_cast<std::byte>(random());
        }
        return bytes;
    }

    static SocketAddress at(std::string_view ip, const SocketAddress& port_of) {
        return SocketAddress::parse(std::string(ip) + ":0").value().with_port(port_of.port());
    }

    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
    std::unique_ptr<Network> network = make_system_network();
};

}  // namespace alknet::net
