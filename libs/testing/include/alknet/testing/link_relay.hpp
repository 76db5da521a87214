// A LossyLink between two TUN devices, each in a network namespace of its own, so that unchanged
// programs talk over it. Needs root, or CAP_SYS_ADMIN and CAP_NET_ADMIN.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/testing/lossy_link.hpp>
#include <memory>
#include <string>

namespace alknet::sim {

/// Makes the TUN device `name` in the network namespace that `ip netns` knows as `space`. It has no
/// address and is down; it goes when the descriptor is closed. Not for programs with threads: this
/// one enters the namespace for a moment. Errors: kIo.
[[nodiscard]] result<UniqueFd> open_tun(const std::string& space, const std::string& name);

class LinkRelay final {
public:
    /// `a` and `b` are TUN devices, whose packets the relay reads and writes. Errors: kIo.
    static result<std::unique_ptr<LinkRelay>> create(Loop& loop, UniqueFd a, UniqueFd b,
                                                     LossyLink link);
    LinkRelay(const LinkRelay&) = delete;
    LinkRelay& operator=(const LinkRelay&) = delete;
    ~LinkRelay();

    /// Relays until it is cancelled. Errors: kIo, kCancelled.
    task<result<void>> run();
    [[nodiscard]] LossyLink& link() noexcept { return link_; }

private:
    class Device;
    LinkRelay(Loop& loop, LossyLink link);
    task<result<void>> pump(Device& device, LossyLink::Side side);
    void deliver();

    Loop& loop_;
    LossyLink link_;
    std::unique_ptr<Device> a_;
    std::unique_ptr<Device> b_;
    Timer timer_;
};

}  // namespace alknet::sim
