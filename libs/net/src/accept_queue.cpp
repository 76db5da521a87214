#include "accept_queue.hpp"

#include <sys/socket.h>
#include <alknet/base/os_error.hpp>
#include <alknet/rt/loop.hpp>
#include <cerrno>

namespace alknet::net {

namespace {

// 16 connections between two turns of the loop.
constexpr std::size_t kConnectionCost = TurnBudget::kBytes / 16;

bool is_shortage(int number) noexcept {
    return number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM;
}

}  // namespace

result<void> AcceptQueue::listen() {
    if (::listen(fd_.get(), kBacklog) != 0) {
        return os_fail("listen", errno);
    }
    return readiness_.watch(fd_.get());
}

task<result<UniqueFd>> AcceptQueue::accept() {
    if (back_off_) {
        ALKNET_CO_CHECK(co_await loop_.sleep(kBackOff));
        back_off_ = false;
    }
    for (;;) {
        if (budget_.spent()) {
            ALKNET_CO_CHECK(co_await budget_.renew(loop_));
        }
        budget_.spend(kConnectionCost);
        UniqueFd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (fd) {
            co_return fd;
        }
        const int number = errno;
        if (is_shortage(number)) {
            back_off_ = true;
            co_return os_fail("accept", number);
        }
        // Anything else but EAGAIN is the fate of one connection that died in the queue.
        if (number == EAGAIN) {
            readiness_.would_block_reading();
            ALKNET_CO_CHECK(co_await readiness_.readable());
        }
    }
}

}  // namespace alknet::net
