#include "notify.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <alknet/base/number.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/unique_fd.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace alknet::app {

namespace {

std::string_view variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

std::optional<std::int64_t> number(std::string_view text) {
    const auto value = parse_number<std::int64_t>(text);
    return value && *value > 0 ? value : std::nullopt;
}

std::optional<Duration> watchdog_of_this_process() {
    const auto period = number(variable("WATCHDOG_USEC"));
    const auto process = number(variable("WATCHDOG_PID"));
    if (!period || *period > std::chrono::microseconds(std::chrono::hours(24)).count() ||
        (process && *process != ::getpid())) {
        return std::nullopt;
    }
    return std::chrono::microseconds(*period);
}

}  // namespace

Notifier Notifier::from_environment() {
    return {std::string(variable("NOTIFY_SOCKET")), watchdog_of_this_process()};
}

result<void> Notifier::ready(std::string_view status) const {
    return send("READY=1\nSTATUS=" + std::string(status));
}

result<void> Notifier::reloading(TimePoint now) const {
    const auto since_boot =
        std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
    return send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(since_boot.count()));
}

result<void> Notifier::stopping() const {
    return send("STOPPING=1");
}

result<void> Notifier::alive() const {
    return send("WATCHDOG=1");
}

result<void> Notifier::send(const std::string& message) const {
    if (socket_.empty()) {
        return {};
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_.size() >= sizeof(address.sun_path)) {
        return os_fail("connect", ENAMETOOLONG, "NOTIFY_SOCKET");
    }
    std::memcpy(address.sun_path, socket_.data(), socket_.size());
    if (address.sun_path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
    if (!fd || ::sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                        reinterpret_cast<const sockaddr*>(&address), size) < 0) {
        return os_fail("sendto", errno, "NOTIFY_SOCKET");
    }
    return {};
}

}  // namespace alknet::app
