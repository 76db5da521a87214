#include <alknet/testing/programs.hpp>

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <alknet/base/unique_fd.hpp>
#include <fstream>
#include <string_view>

namespace alknet::sim {

std::vector<std::string> python(std::string text) {
    return {ALKNET_PYTHON, "-u", "-c", std::move(text)};
}

bool is_running(pid_t id) {
    std::ifstream file("/proc/" + std::to_string(id) + "/stat");
    std::string text;
    std::getline(file, text);
    const std::size_t name_end = text.rfind(')');
    return name_end != std::string::npos && text.substr(name_end + 2, 1) != "Z";
}

void await_end(pid_t id) {
    const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, id, 0)));
    if (!process) {
        return;
    }
    pollfd state{.fd = process.get(), .events = POLLIN, .revents = 0};
    while (poll(&state, 1, -1) <= 0) {
    }
}

}  // namespace alknet::sim
