#include <unistd.h>
#include <alknet/base/unique_fd.hpp>
#include <cerrno>

namespace alknet {

void UniqueFd::reset(int fd) noexcept {
    if (fd_ >= 0) {
        const int saved = errno;
        close(fd_);
        errno = saved;
    }
    fd_ = fd;
}

}  // namespace alknet
