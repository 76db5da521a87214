#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/rt/poller.hpp>
#include <array>
#include <cerrno>
#include <ctime>

namespace alknet {

namespace {

constexpr std::size_t kEventsPerPoll = 64;
constexpr std::uint32_t kReadable = EPOLLIN | EPOLLRDHUP | EPOLLET;

class EpollPoller final : public Poller {
public:
    EpollPoller(int epoll_fd, int wake_fd) noexcept : epoll_fd_(epoll_fd), wake_fd_(wake_fd) {}
    ~EpollPoller() override {
        close(wake_fd_);
        close(epoll_fd_);
    }

    result<void> watch_wake() { return control(EPOLL_CTL_ADD, wake_fd_, EPOLLIN, this); }

    result<void> add(int fd, FdEvents& events) override {
        return control(EPOLL_CTL_ADD, fd, kReadable | EPOLLOUT, &events);
    }

    void tell_writable(int fd, FdEvents& events, bool wanted) noexcept override {
        const std::uint32_t interest = wanted ? kReadable | EPOLLOUT : kReadable;
        // It only fails for a descriptor that was never added.
        ALKNET_ASSERT(control(EPOLL_CTL_MOD, fd, interest, &events).has_value());
    }

    void remove(int fd, FdEvents& events) noexcept override {
        epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
        // What this poll has fetched and not yet dispatched must not reach a dead object.
        for (std::size_t i = 0; i < fetched_; ++i) {
            if (batch_[i].data.ptr == &events) {
                batch_[i].data.ptr = nullptr;
            }
        }
    }

    void wait(std::optional<Duration> timeout) override {
        const int count = fetch(timeout);
        fetched_ = count > 0 ? static_cast<std::size_t>(count) : 0;
    }

    void dispatch() override {
        for (std::size_t i = 0; i < fetched_; ++i) {
            const epoll_event event = batch_[i];
            if (event.data.ptr == this) {
                std::uint64_t wakes = 0;
                (void)!read(wake_fd_, &wakes, sizeof wakes);
            } else if (event.data.ptr != nullptr) {
                constexpr std::uint32_t kBoth = EPOLLERR | EPOLLHUP;
                const bool readable = (event.events & (EPOLLIN | EPOLLRDHUP | kBoth)) != 0;
                const bool writable = (event.events & (EPOLLOUT | kBoth)) != 0;
                static_cast<FdEvents*>(event.data.ptr)->on_fd_events(readable, writable);
            }
        }
        fetched_ = 0;
    }

    void wake() noexcept override {
        const std::uint64_t one = 1;
        (void)!write(wake_fd_, &one, sizeof one);
    }

private:
    result<void> control(int operation, int fd, std::uint32_t interest, void* target) {
        epoll_event event{};
        event.events = interest;
        event.data.ptr = target;
        if (epoll_ctl(epoll_fd_, operation, fd, &event) != 0) {
            return os_fail("epoll_ctl", errno);
        }
        return {};
    }

    /// Pacing needs finer timeouts than a millisecond, which only epoll_pwait2 has.
    int fetch(std::optional<Duration> timeout) noexcept {
        const int room = static_cast<int>(batch_.size());
        if (precise_) {
            const auto rest = std::clamp(timeout.value_or(kLongest), Duration::zero(), kLongest);
            const auto seconds = std::chrono::floor<std::chrono::seconds>(rest);
            const timespec limit{.tv_sec = seconds.count(), .tv_nsec = (rest - seconds).count()};
            const int count =
                epoll_pwait2(epoll_fd_, batch_.data(), room, timeout ? &limit : nullptr, nullptr);
            if (count >= 0 || (errno != ENOSYS && errno != EPERM)) {
                return count;
            }
            precise_ = false;  // an old kernel, or a sandbox that does not know the call
        }
        return epoll_wait(epoll_fd_, batch_.data(), room, milliseconds(timeout));
    }

    /// Rounds up: waking before a timer is due would spin.
    static int milliseconds(std::optional<Duration> timeout) noexcept {
        if (!timeout) {
            return -1;
        }
        const auto rest = std::clamp(*timeout, Duration::zero(), kLongest);
        return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(rest).count());
    }

    static constexpr Duration kLongest = std::chrono::hours(1);

    int epoll_fd_;
    int wake_fd_;
    std::array<epoll_event, kEventsPerPoll> batch_{};
    std::size_t fetched_ = 0;
    bool precise_ = true;
};

}  // namespace

result<std::unique_ptr<Poller>> make_epoll_poller() {
    const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll_fd < 0 || wake_fd < 0) {
        const int number = errno;
        close(epoll_fd);
        close(wake_fd);
        return os_fail("epoll_create1 or eventfd", number);
    }
    auto poller = std::make_unique<EpollPoller>(epoll_fd, wake_fd);
    ALKNET_CHECK(poller->watch_wake());
    return poller;
}

}  // namespace alknet
