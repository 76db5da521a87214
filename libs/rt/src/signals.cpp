#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <alknet/base/os_error.hpp>
#include <alknet/rt/signals.hpp>
#include <cerrno>

namespace alknet {

result<std::unique_ptr<Signals>> Signals::open(Loop& loop, std::span<const int> numbers) {
    sigset_t wanted;
    sigset_t before;
    sigemptyset(&wanted);
    for (const int number : numbers) {
        if (sigaddset(&wanted, number) != 0) {
            return os_fail("sigaddset", errno, std::to_string(number));
        }
    }
    UniqueFd fd(signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!fd) {
        return os_fail("signalfd", errno);
    }
    if (const int failure = pthread_sigmask(SIG_BLOCK, &wanted, &before); failure != 0) {
        return os_fail("pthread_sigmask", failure);
    }
    std::unique_ptr<Signals> signals(new Signals(loop, std::move(fd), before));
    ALKNET_CHECK(signals->readiness_.watch(signals->fd_.get()));
    return signals;
}

Signals::Signals(Loop& loop, UniqueFd fd, const sigset_t& before)
    : fd_(std::move(fd)), readiness_(loop), before_(before) {}

Signals::~Signals() {
    // One that came and is still blocked would strike as soon as the mask is back.
    signalfd_siginfo info{};
    while (read(fd_.get(), &info, sizeof info) == sizeof info) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

task<result<int>> Signals::next() {
    for (;;) {
        signalfd_siginfo info{};
        const ssize_t got = read(fd_.get(), &info, sizeof info);
        if (got == sizeof info) {
            co_return static_cast<int>(info.ssi_signo);
        }
        if (errno != EAGAIN && errno != EINTR) {
            co_return os_fail("read signalfd", errno);
        }
        readiness_.would_block_reading();
        ALKNET_CO_CHECK(co_await readiness_.readable());
    }
}

}  // namespace alknet
