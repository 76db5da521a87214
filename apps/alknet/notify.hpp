// What a service tells systemd (sd_notify(3)): that it is ready, reloads, stops, and still lives.
// Without NOTIFY_SOCKET in the environment every call does nothing.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/rt/time.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::app {

class Notifier {
public:
    /// NOTIFY_SOCKET is a path, or an abstract address that begins with @; WATCHDOG_USEC counts
    /// only for this process, where WATCHDOG_PID says for which.
    static Notifier from_environment();
    Notifier(std::string socket, std::optional<Duration> watchdog)
        : socket_(std::move(socket)), watchdog_(watchdog) {}

    /// Errors of all: kIo. Never blocks.
    [[nodiscard]] result<void> ready(std::string_view status) const;
    /// `ready` must follow. `now` is CLOCK_MONOTONIC.
    [[nodiscard]] result<void> reloading(TimePoint now) const;
    [[nodiscard]] result<void> stopping() const;
    [[nodiscard]] result<void> alive() const;

    /// `alive` has to be called at least this often, better twice as often; nullopt: never.
    [[nodiscard]] std::optional<Duration> watchdog() const noexcept { return watchdog_; }

private:
    [[nodiscard]] result<void> send(const std::string& message) const;

    std::string socket_;
    std::optional<Duration> watchdog_;
};

}  // namespace alknet::app
