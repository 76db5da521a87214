#include "signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>
#include <alknet/base/os_error.hpp>
#include <cerrno>
#include <csignal>

namespace alknet::app {

static sigset_t set_of(std::initializer_list<int> signals) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : signals) {
        sigaddset(&set, signal);
    }
    return set;
}

result<void> Signals::block(std::initializer_list<int> signals) {
    const sigset_t set = set_of(signals);
    if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) {
        return os_fail("sigprocmask", errno);
    }
    return {};
}

result<std::unique_ptr<Signals>> Signals::open(Loop& loop, std::initializer_list<int> signals) {
    std::unique_ptr<Signals> all(new Signals(loop));
    const sigset_t set = set_of(signals);
    all->fd_.reset(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!all->fd_) {
        return os_fail("signalfd", errno);
    }
    ALKNET_CHECK(all->ready_.watch(all->fd_.get()));
    return all;
}

task<result<int>> Signals::next() {
    for (;;) {
        signalfd_siginfo info{};
        const ssize_t got = ::read(fd_.get(), &info, sizeof(info));
        if (got == static_cast<ssize_t>(sizeof(info))) {
            co_return static_cast<int>(info.ssi_signo);
        }
        if (got < 0 && errno == EAGAIN) {
            ready_.would_block_reading();
            ALKNET_CO_CHECK(co_await ready_.readable());
        } else if (errno != EINTR) {
            co_return os_fail("read", errno, "signals");
        }
    }
}

}  // namespace alknet::app
