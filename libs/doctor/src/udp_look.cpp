#include <sys/random.h>

#include <algorithm>
#include <alknet/base/os_error.hpp>
#include <alknet/doctor/udp_look.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/wait.hpp>
#include <cerrno>
#include <memory>
#include <vector>

namespace alknet::doctor {

namespace {

// One size: a socket, and whether anything came back to it.
class Asker final : public net::UdpSocket::Receiver {
public:
    Asker(std::unique_ptr<net::UdpSocket> socket, std::uint32_t size, WaitList& changed)
        : socket_(std::move(socket)), packet_(size), changed_(changed) {
        socket_->set_receiver(this);
    }
    Asker(const Asker&) = delete;
    Asker& operator=(const Asker&) = delete;
    ~Asker() { socket_->set_receiver(nullptr); }

    result<void> ask(const SocketAddress& remote) {
        if (::getrandom(packet_.data(), packet_.size(), 0) != std::ssize(packet_)) {
            return os_fail("getrandom", errno);
        }
        packet_[0] = std::byte{0x40};  // a short header (RFC 9000 section 17.3)
        net::DatagramBatch batch;
        batch.data = packet_;
        batch.remote = remote;
        (void)socket_->send(batch);
        return {};
    }

    void on_datagrams(std::span<const net::DatagramBatch>) noexcept override {
        answered_ = true;
        changed_.wake_all();
    }
    void on_writable() noexcept override {}
    void on_unreachable(const SocketAddress&) noexcept override {
        refused_ = true;
        changed_.wake_all();
    }

    [[nodiscard]] bool answered() const noexcept { return answered_; }
    [[nodiscard]] bool refused() const noexcept { return refused_; }
    [[nodiscard]] std::uint32_t size() const noexcept {
        return static_cast<std::uint32_t>(packet_.size());
    }

private:
    std::unique_ptr<net::UdpSocket> socket_;
    Bytes packet_;
    WaitList& changed_;
    bool answered_ = false;
    bool refused_ = false;
};

struct Asking {
    WaitList changed;
    std::vector<std::unique_ptr<Asker>> askers;

    [[nodiscard]] bool over() const {
        return std::ranges::all_of(
            askers, [](const auto& one) { return one->answered() || one->refused(); });
    }
};

task<result<void>> wait_for_all(Asking& asking) {
    while (!asking.over()) {
        ALKNET_CO_CHECK(co_await asking.changed.wait());
    }
    co_return result<void>();
}

}  // namespace

task<result<UdpLook>> look_with_udp(Loop& loop, net::Network& network, SocketAddress remote,
                                    Duration timeout) {
    const bool v6 = remote.family() == SocketAddress::Family::v6;
    const SocketAddress any = v6 ? SocketAddress::v6({}, 0) : SocketAddress::v4({}, 0);
    Asking asking;
    for (const std::uint32_t size : kLookBytes) {
        ALKNET_CO_TRY(auto socket, network.bind_udp(loop, any, net::UdpOptions{}));
        asking.askers.push_back(std::make_unique<Asker>(std::move(socket), size, asking.changed));
    }
    for (int i = 0; i < kLookTries && !asking.over(); ++i) {
        for (const auto& asker : asking.askers) {
            if (!asker->answered()) {
                ALKNET_CO_CHECK(asker->ask(remote));
            }
        }
        const auto waited = co_await with_timeout(timeout / kLookTries, wait_for_all(asking));
        if (!waited && !waited.error().is(causes::kTimeout)) {
            co_return unexpected(waited.error());
        }
    }
    UdpLook look;
    for (const auto& asker : asking.askers) {
        look.refused = look.refused || asker->refused();
        if (asker->answered()) {
            look.max = std::max(look.max, asker->size());
        }
    }
    look.small = asking.askers.front()->answered() ? kLookBytes.front() : 0;
    co_return look;
}

}  // namespace alknet::doctor
