#include <alknet/base/causes.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <alknet/rt/loop.hpp>

namespace alknet {

FdReadiness::~FdReadiness() {
    if (fd_ >= 0) {
        loop_.poller().remove(fd_, *this);
    }
}

result<void> FdReadiness::watch(int fd) {
    ALKNET_ASSERT(fd_ < 0);
    ALKNET_CHECK(loop_.poller().add(fd, *this));
    fd_ = fd;
    readable_.set();
    writable_.set();
    return {};
}

void FdReadiness::unwatch() noexcept {
    if (fd_ >= 0) {
        loop_.poller().remove(fd_, *this);
        fd_ = -1;
        readable_.set();
        writable_.set();
    }
}

task<result<void>> FdReadiness::wait_for(Event& event) {
    ALKNET_CO_CHECK(co_await event.wait());
    if (fd_ < 0) {
        co_return fail(causes::kClosed);
    }
    co_return result<void>{};
}

task<result<void>> FdReadiness::readable() {
    return wait_for(readable_);
}
task<result<void>> FdReadiness::writable() {
    return wait_for(writable_);
}

void FdReadiness::on_fd_events(bool readable, bool writable) noexcept {
    if (readable) {
        readable_.set();
    }
    if (writable) {
        writable_.set();
    }
}

}  // namespace alknet
