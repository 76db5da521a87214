// Preloaded by clock_test.py: the program's clock on the wall is off by as many seconds as the file
// $ALKNET_TEST_CLOCK says, which may change while it runs. Other clocks are as they are.
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include <array>
#include <charconv>
#include <cstdlib>
#include <ctime>

namespace {

std::time_t offset() noexcept {
    const char* const file = std::getenv("ALKNET_TEST_CLOCK");
    const int fd = file == nullptr ? -1 : ::open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    std::array<char, 32> text{};
    const ssize_t size = ::read(fd, text.data(), text.size());
    (void)::close(fd);
    long seconds = 0;
    if (size > 0) {
        (void)std::from_chars(text.data(), text.data() + size, seconds);
    }
    return seconds;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* into) noexcept {
    const long result = ::syscall(SYS_clock_gettime, clock, into);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        into->tv_sec += offset();
    }
    return static_cast<int>(result);
}

int gettimeofday(timeval* into, void* /*zone*/) noexcept {
    timespec now{};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    into->tv_sec = now.tv_sec;
    into->tv_usec = now.tv_nsec / 1000;
    return 0;
}

std::time_t time(std::time_t* into) noexcept {
    timespec now{};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (into != nullptr) {
        *into = now.tv_sec;
    }
    return now.tv_sec;
}

}  // extern "C"
