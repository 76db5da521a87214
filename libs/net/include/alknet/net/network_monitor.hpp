// NetworkMonitor: tells that this machine's network has changed, so that whoever has connections
// can ask whether they live, and try again what did not work before.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <memory>

namespace alknet::net {

/// Where news of the network come from.
class NetworkNews {
public:
    virtual ~NetworkNews() = default;
    /// Ends when a link, an address or a route has come, gone or changed since the last time; one
    /// who waits. Now and then it ends for nothing. Errors: kCancelled, then nothing was taken;
    /// kIo for good.
    virtual task<result<void>> next() = 0;
};

/// The kernel's (netlink). Errors: kIo where there is none, as in some sandboxes.
[[nodiscard]] result<std::unique_ptr<NetworkNews>> make_system_network_news(Loop& loop);

class NetworkMonitor final {
public:
    /// News come in bursts: a change is told after so long without more of them …
    static constexpr Duration kQuiet = std::chrono::milliseconds(200);
    /// … and after so long at the latest.
    static constexpr Duration kPatience = std::chrono::seconds(1);

    /// `loop` outlives it.
    NetworkMonitor(Loop& loop, std::unique_ptr<NetworkNews> news)
        : loop_(loop), news_(std::move(news)) {}

    /// The next change. What happens while nobody awaits is told at the next await. Errors: those
    /// of NetworkNews::next.
    task<result<void>> changed();

private:
    Loop& loop_;
    std::unique_ptr<NetworkNews> news_;
};

}  // namespace alknet::net
