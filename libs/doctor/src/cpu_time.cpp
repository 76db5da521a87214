#include "cpu_time.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <alknet/base/number.hpp>
#include <alknet/base/unique_fd.hpp>
#include <array>
#include <ctime>
#include <string_view>

namespace alknet::doctor {

std::uint64_t parse_run_delay(std::string_view schedstat) noexcept {
    const std::size_t begin = schedstat.find(' ');
    if (begin == std::string_view::npos) {
        return 0;
    }
    schedstat.remove_prefix(begin + 1);
    return parse_number<std::uint64_t>(schedstat.substr(0, schedstat.find(' '))).value_or(0);
}

std::uint64_t cpu_microseconds() noexcept {
    timespec spent{};
    (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    const std::uint64_t ran = static_cast<std::uint64_t>(spent.tv_sec) * 1'000'000 +
                              static_cast<std::uint64_t>(spent.tv_nsec) / 1'000;
    std::array<char, 128> text{};
    const UniqueFd file(::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC));
    const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : 0;
    const auto known = static_cast<std::size_t>(size > 0 ? size : 0);
    return ran + parse_run_delay(std::string_view(text.data(), known)) / 1'000;
}

}  // namespace alknet::doctor
