// Which identity listens where: what a client left open that nobody hears from any more is not in
// the way of the same identity's next connection. Of all loops.
#pragma once

#include <alknet/ssh/forward_place.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace alknet::ssh {

/// Thread-safe.
class Listeners final : public std::enable_shared_from_this<Listeners> {
public:
    Listeners() = default;
    Listeners(const Listeners&) = delete;
    Listeners& operator=(const Listeners&) = delete;

    /// Until what this gives is gone. `challenge` is called on any thread, when somebody of the
    /// same identity wants the address.
    [[nodiscard]] std::shared_ptr<const void> add(const ForwardPlace& bound,
                                                  const std::string& identity,
                                                  std::function<void()> challenge);
    /// Has whoever listens there show that it is there, if it is this identity. Otherwise false.
    bool challenge(const ForwardPlace& wanted, const std::string& identity) const;

private:
    struct Entry {
        SocketAddress bound;
        std::string path;  // of a socket
        std::string identity;
        std::function<void()> challenge;
    };
    mutable std::mutex mutex_;
    std::map<std::uint64_t, Entry> entries_;
    std::uint64_t drawn_ = 0;
};

}  // namespace alknet::ssh
