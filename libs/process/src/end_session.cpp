#include "end_session.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/number.hpp>
#include <alknet/base/unique_fd.hpp>
#include <array>
#include <csignal>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::process {

namespace {

// What starts others faster than it is found is held by its limits, and not by patience here.
constexpr int kRoundsMax = 64;
constexpr std::size_t kStatBytes = 512;

struct ClosesDirectory {
    void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

// NUMBER (NAME) STATE PARENT GROUP SESSION …, where NAME may have anything in it.
std::optional<pid_t> session_of(pid_t id) {
    const std::string path = "/proc/" + std::to_string(id) + "/stat";
    const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, kStatBytes> buffer{};
    const ssize_t size = file ? read(file.get(), buffer.data(), buffer.size()) : -1;
    std::string_view text(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string_view::npos) {
        return std::nullopt;
    }
    text.remove_prefix(name_end + 1);
    constexpr std::size_t kSessionField = 4;  // behind the name, counted from 1
    std::string_view field;
    for (std::size_t i = 0; i < kSessionField; ++i) {
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
        field = text.substr(0, text.find(' '));
        text.remove_prefix(field.size());
        if (i == 0 && (field == "Z" || field == "X")) {
            return std::nullopt;  // dead already
        }
    }
    return parse_number<pid_t>(field);
}

bool is_of(std::span<const pid_t> sessions, pid_t id) {
    const auto session = session_of(id);
    return session && std::ranges::find(sessions, *session) != sessions.end();
}

// Looked at through a descriptor, which means this process and never a later one of its number.
bool kill_if_of(std::span<const pid_t> sessions, pid_t id) {
    if (!is_of(sessions, id)) {
        return false;
    }
    const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, id, 0)));
    return process && is_of(sessions, id) &&
           syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) == 0;
}

bool kill_round(std::span<const pid_t> sessions, std::vector<pid_t>& killed) {
    const std::unique_ptr<DIR, ClosesDirectory> all(opendir("/proc"));
    bool found = false;
    for (const dirent* one = nullptr; all && (one = readdir(all.get())) != nullptr;) {
        const auto id = parse_number<pid_t>(std::string_view(&one->d_name[0]));
        if (id && std::ranges::find(killed, *id) == killed.end() && kill_if_of(sessions, *id)) {
            killed.push_back(*id);
            found = true;
        }
    }
    return found;
}

void kill_all(std::span<const pid_t> sessions, std::vector<pid_t> killed) {
    for (int round = 0; round < kRoundsMax && kill_round(sessions, killed); ++round) {
    }
}

}  // namespace

void end_session(pid_t leader) noexcept {
    (void)kill(-leader, SIGKILL);
    kill_all(std::span(&leader, 1), {leader});
}

void end_sessions(std::span<const pid_t> sessions) noexcept {
    if (!sessions.empty()) {
        kill_all(sessions, {});
    }
}

}  // namespace alknet::process
