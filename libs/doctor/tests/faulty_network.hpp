// A Network in which something on the way misbehaves, for one process of the simulated world: what
// the world itself does not do to one transport alone.
#pragma once

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/net/network.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/wait.hpp>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace alknet::doctor::test {

struct NetworkFaults {
    bool tcp_blocked = false;                   // SYNs vanish
    std::optional<SocketAddress> tcp_leads_to;  // a middlebox that ends TCP
    std::optional<SocketAddress> udp_leads_to;  // somebody who answers UDP in the node's place
    double udp_bytes_per_second = 0;            // each direction of each socket; 0: no limit
    std::uint64_t udp_bytes_max = 0;            // of each socket, then nothing; 0: no limit
};

class FaultyUdp final : public net::UdpSocket, private net::UdpSocket::Receiver {
public:
    FaultyUdp(Loop& loop, std::unique_ptr<net::UdpSocket> inner, const NetworkFaults& faults)
        : loop_(loop), inner_(std::move(inner)), faults_(faults) {}
    ~FaultyUdp() override { inner_->set_receiver(nullptr); }

    void set_receiver(net::UdpSocket::Receiver* receiver) noexcept override {
        receiver_ = receiver;
        inner_->set_receiver(receiver == nullptr ? nullptr : this);
    }
    net::SendStatus send(const net::DatagramBatch& batch) noexcept override {
        if (!passes(out_, batch.data.size())) {
            return net::SendStatus::sent;
        }
        net::DatagramBatch redirected = batch;
        if (faults_.udp_leads_to) {
            asked_ = batch.remote;
            redirected.remote = *faults_.udp_leads_to;
        }
        return inner_->send(redirected);
    }
    [[nodiscard]] SocketAddress local_address() const noexcept override {
        return inner_->local_address();
    }
    [[nodiscard]] std::size_t segments_max() const noexcept override { return 1; }

private:
    // A bucket that fills with time (RFC 2697, with one colour).
    struct Bucket {
        double tokens = 8'000;
        TimePoint filled{};
    };

    bool passes(Bucket& bucket, std::size_t bytes) noexcept {
        carried_ += bytes;
        if (faults_.udp_bytes_max != 0 && carried_ > faults_.udp_bytes_max) {
            return false;
        }
        if (faults_.udp_bytes_per_second == 0) {
            return true;
        }
        const double passed = std::chrono::duration<double>(loop_.now() - bucket.filled).count();
        bucket.filled = loop_.now();
        bucket.tokens = std::min(8'000.0, bucket.tokens + passed * faults_.udp_bytes_per_second);
        if (bucket.tokens < static_cast<double>(bytes)) {
            return false;
        }
        bucket.tokens -= static_cast<double>(bytes);
        return true;
    }

    void on_datagrams(std::span<const net::DatagramBatch> batches) noexcept override {
        for (const net::DatagramBatch& batch : batches) {
            net::DatagramBatch seen = batch;
            if (faults_.udp_leads_to) {
                seen.remote = asked_;
            }
            if (receiver_ != nullptr && passes(in_, batch.data.size())) {
                receiver_->on_datagrams(std::span(&seen, 1));
            }
        }
    }
    void on_writable() noexcept override {
        if (receiver_ != nullptr) {
            receiver_->on_writable();
        }
    }
    void on_unreachable(const SocketAddress& remote) noexcept override {
        if (receiver_ != nullptr) {
            receiver_->on_unreachable(remote);
        }
    }

    Loop& loop_;
    std::unique_ptr<net::UdpSocket> inner_;
    const NetworkFaults& faults_;
    net::UdpSocket::Receiver* receiver_ = nullptr;
    SocketAddress asked_;
    std::uint64_t carried_ = 0;
    Bucket out_;
    Bucket in_;
};

class FaultyNetwork final : public net::Network {
public:
    explicit FaultyNetwork(std::shared_ptr<net::Network> inner) : inner_(std::move(inner)) {}

    NetworkFaults faults;

    result<std::unique_ptr<net::UdpSocket>> bind_udp(Loop& loop, const SocketAddress& local,
                                                     const net::UdpOptions& options) override {
        ALKNET_TRY(auto socket, inner_->bind_udp(loop, local, options));
        return std::make_unique<FaultyUdp>(loop, std::move(socket), faults);
    }
    result<std::unique_ptr<net::TcpListener>> listen_tcp(Loop& loop,
                                                         const SocketAddress& local) override {
        return inner_->listen_tcp(loop, local);
    }
    task<result<net::TcpStream>> connect_tcp(Loop& loop, SocketAddress remote) override {
        if (faults.tcp_blocked) {
            Event never;
            ALKNET_CO_CHECK(co_await never.wait());
        }
        co_return co_await inner_->connect_tcp(loop, faults.tcp_leads_to.value_or(remote));
    }
    task<result<std::vector<SocketAddress>>> resolve(Loop& loop, std::string host,
                                                     std::uint16_t port) override {
        return inner_->resolve(loop, std::move(host), port);
    }

private:
    std::shared_ptr<net::Network> inner_;
};

}  // namespace alknet::doctor::test
