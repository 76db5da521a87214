#include <alknet/rt/fd_readiness.hpp>
#include <alknet/rt/loop.hpp>

namespace alknet {

result<void> FdReadiness::watch(int fd) {
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
    }
}

task<result<void>> FdReadiness::readable() {
    return readable_.wait();
}
task<result<void>> FdReadiness::writable() {
    return writable_.wait();
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
