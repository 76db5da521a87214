#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/link_relay.hpp>
#include <array>
#include <cerrno>
#include <cstring>

namespace alknet::sim {

namespace {

constexpr std::size_t kPacketBytesMax = 65'536;
constexpr int kReadsPerTurn = 64;

result<UniqueFd> open_file(const std::string& path, int flags) {
    UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
    if (!fd) {
        return os_fail("open", errno, path);
    }
    return fd;
}

result<UniqueFd> make_device(const std::string& name) {
    ALKNET_TRY(UniqueFd device, open_file("/dev/net/tun", O_RDWR | O_NONBLOCK));
    ifreq request{};
    if (name.size() >= sizeof request.ifr_name) {
        return fail(causes::kUsage, "'" + name + "' is too long for the name of a device");
    }
    std::memcpy(request.ifr_name, name.data(), name.size());
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (::ioctl(device.get(), TUNSETIFF, &request) != 0) {
        return os_fail("TUNSETIFF", errno, name);
    }
    return device;
}

}  // namespace

result<UniqueFd> open_tun(const std::string& space, const std::string& name) {
    ALKNET_TRY(const UniqueFd home, open_file("/proc/self/ns/net", O_RDONLY));
    ALKNET_TRY(const UniqueFd inside, open_file("/run/netns/" + space, O_RDONLY));
    if (::setns(inside.get(), CLONE_NEWNET) != 0) {
        return os_fail("entering the network namespace (needs root)", errno, space);
    }
    auto device = make_device(name);
    if (::setns(home.get(), CLONE_NEWNET) != 0) {
        return os_fail("leaving the network namespace", errno, space);
    }
    return device;
}

class LinkRelay::Device {
public:
    Device(Loop& loop, UniqueFd fd) : fd_(std::move(fd)), readiness_(loop) {}

    result<void> watch() { return readiness_.watch(fd_.get()); }

    /// 0: nothing there now.
    result<std::size_t> read(MutableBytes into) {
        const ssize_t count = ::read(fd_.get(), into.data(), into.size());
        if (count >= 0) {
            return static_cast<std::size_t>(count);
        }
        if (errno == EAGAIN) {
            readiness_.would_block_reading();
            return std::size_t{0};
        }
        return os_fail("read", errno, "TUN device");
    }

    /// Fails only if the device is down or its memory is used up: the packet is lost, as on a line.
    void write(BytesView packet) const noexcept {
        [[maybe_unused]] const ssize_t count = ::write(fd_.get(), packet.data(), packet.size());
    }

    task<result<void>> readable() { return readiness_.readable(); }

private:
    UniqueFd fd_;
    FdReadiness readiness_;  // before the descriptor goes
};

LinkRelay::LinkRelay(Loop& loop, LossyLink link)
    : loop_(loop), link_(std::move(link)), timer_(loop, [this] { deliver(); }) {}

LinkRelay::~LinkRelay() = default;

result<std::unique_ptr<LinkRelay>> LinkRelay::create(Loop& loop, UniqueFd a, UniqueFd b,
                                                     LossyLink link) {
    std::unique_ptr<LinkRelay> relay(new LinkRelay(loop, std::move(link)));
    relay->a_ = std::make_unique<Device>(loop, std::move(a));
    relay->b_ = std::make_unique<Device>(loop, std::move(b));
    ALKNET_CHECK(relay->a_->watch());
    ALKNET_CHECK(relay->b_->watch());
    return relay;
}

task<result<void>> LinkRelay::run() {
    TaskScope scope(loop_);
    scope.spawn(pump(*a_, LossyLink::Side::a), "link a");
    scope.spawn(pump(*b_, LossyLink::Side::b), "link b");
    auto outcome = co_await scope.join();
    timer_.disarm();
    co_return outcome;
}

task<result<void>> LinkRelay::pump(Device& device, LossyLink::Side side) {
    Bytes buffer(kPacketBytesMax);
    for (;;) {
        ALKNET_CO_CHECK(co_await device.readable());
        for (int reads = 0; reads < kReadsPerTurn; ++reads) {
            ALKNET_CO_TRY(const std::size_t count, device.read(buffer));
            if (count == 0) {
                break;
            }
            link_.send(side, to_bytes(BytesView(buffer).first(count)), loop_.now());
        }
        deliver();
        co_await loop_.yield();
    }
}

void LinkRelay::deliver() {
    while (auto arrival = link_.receive(loop_.refresh_now())) {
        const Device& to = arrival->at == LossyLink::Side::a ? *a_ : *b_;
        to.write(arrival->packet);
    }
    if (const auto next = link_.next_arrival()) {
        timer_.arm(*next);
    } else {
        timer_.disarm();
    }
}

}  // namespace alknet::sim
