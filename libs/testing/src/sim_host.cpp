#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>

#include "tcp.hpp"

namespace alknet::sim {

// ---- host ----

SimHost::SimHost(Fabric& fabric, std::string name, std::size_t number)
    : fabric_(fabric),
      name_(std::move(name)),
      number_(number),
      clock_(fabric.now,
             // Any machine has been up for some time, and no two for the same.
             fabric.random.duration(std::chrono::seconds(10), std::chrono::hours(1000)),
             WallTime(std::chrono::seconds(1'800'000'000) +
                      fabric.random.duration({}, std::chrono::seconds(2)))) {
    ALKNET_ASSERT(number < 250);
    const auto last = static_cast<std::uint8_t>(number + 1);
    addresses_.push_back(SocketAddress::v4({10, last, 0, 1}, 0));  // a /24 of its own
    std::array<std::uint8_t, 16> v6{0x20, 0x01, 0x0d, 0xb8};
    v6[7] = last;  // a /64 of its own
    v6[15] = 1;
    addresses_.push_back(SocketAddress::v6(v6, 0));
    for (const SocketAddress& address : addresses_) {
        fabric_.add_route(address, *this);
    }
}

SimHost::~SimHost() = default;

SocketAddress SimHost::v4(std::uint16_t port) const noexcept {
    return addresses_[0].with_port(port);
}

SocketAddress SimHost::v6(std::uint16_t port) const noexcept {
    return addresses_[1].with_port(port);
}

SocketAddress SimHost::add_v4_address() {
    const auto interface = static_cast<std::uint8_t>(addresses_.size() - 1);
    const auto last = static_cast<std::uint8_t>(number_ + 1);
    addresses_.push_back(SocketAddress::v4({10, last, interface, 1}, 0));
    fabric_.add_route(addresses_.back(), *this);
    return addresses_.back();
}

std::unique_ptr<SimProcess> SimHost::start() {
    ALKNET_ASSERT(process_ == nullptr);
    return std::make_unique<SimProcess>(*this);
}

void SimHost::resume() noexcept {
    paused_ = false;
    if (process_ != nullptr) {
        process_->state().touched = true;
    }
}

void SimHost::suspend() noexcept {
    if (!asleep_) {
        asleep_ = true;
        asleep_since_ = fabric_.now;
    }
}

void SimHost::wake(MonotonicInSleep monotonic) noexcept {
    if (asleep_) {
        asleep_ = false;
        if (monotonic == MonotonicInSleep::stops) {
            clock_.monotonic_offset_ -= fabric_.now - asleep_since_;
            clock_.suspended_ += fabric_.now - asleep_since_;
        }
        resume();
    }
}

void SimHost::put_behind_nat() {
    fabric_.enable_nat(*this);
    behind_nat_ = true;
}

void SimHost::rebind_nat(NatChange change) {
    fabric_.forget_mappings(*this, change);
    for (const std::weak_ptr<TcpLink>& weak : fabric_.tcp_links) {
        const std::shared_ptr<TcpLink> link = weak.lock();
        if (link != nullptr && (link->side(0).host == this || link->side(1).host == this)) {
            link->break_both();
        }
    }
}

// ---- process ----

namespace {

/// No descriptors and no waiting: the world runs the loop when there is something to do.
class SimPoller final : public Poller {
public:
    explicit SimPoller(SimProcess& process) noexcept : process_(process) {}
    result<void> add(int, FdEvents&) override {
        return fail(causes::kIo, "a simulated process has no descriptors");
    }
    void remove(int, FdEvents&) noexcept override {}
    void tell_writable(int, FdEvents&, bool) noexcept override {}
    void wait(std::optional<Duration>) override {}
    void dispatch() override {}
    void wake() noexcept override { process_.state().touched = true; }

private:
    SimProcess& process_;
};

}  // namespace

SimProcess::SimProcess(SimHost& host)
    : host_(host),
      state_(std::make_unique<State>()),
      loop_(std::make_unique<Loop>(host.clock_, std::make_unique<SimPoller>(*this))),
      network_(make_sim_network(host.fabric_, *this)) {
    host_.process_ = this;
    host_.fabric_.processes.push_back(this);
}

SimProcess::~SimProcess() {
    detach();
    std::erase(host_.fabric_.processes, this);
}

std::size_t SimProcess::sockets() const noexcept {
    return state_->udp.size() + state_->listeners.size() + state_->streams.size();
}

void SimProcess::detach() {
    if (detached()) {
        return;
    }
    host_.process_ = nullptr;
    for (SimUdpSocket* socket : state_->udp) {
        socket->detach();
    }
    for (SimTcpListener* listener : state_->listeners) {
        listener->detach();
    }
    for (SimTcpEnd* end : state_->streams) {
        end->detach();
    }
}

}  // namespace alknet::sim
