#include "output.hpp"

#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/utf8.hpp>
#include <cerrno>
#include <string>

namespace alknet::app {

namespace {

result<void> write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EPIPE && fd == STDOUT_FILENO) {
            return fail(causes::kOutputClosed);
        }
        if (written < 0 && errno != EINTR) {
            return os_fail("write", errno, fd == STDOUT_FILENO ? "standard output" : "");
        }
        text.remove_prefix(static_cast<std::size_t>(written < 0 ? 0 : written));
    }
    return {};
}

}  // namespace

result<void> print_text(std::string_view text) {
    return write_all(STDOUT_FILENO, text);
}

result<void> print_line(std::string_view line) {
    return print_text(std::string(line) + "\n");
}

void print_error(const error& failure, bool json) {
    const Cause& cause = failure.cause();
    std::string text;
    if (json) {
        text = Json::object({{"error", Json::object({{"id", cause.id},
                                                     {"what", cause.what},
                                                     {"detail", failure.detail()},
                                                     {"next", cause.next}})}})
                   .text() +
               "\n";
    } else {
        // What the other side gives as its reason begins with the same words.
        std::string_view detail = failure.detail();
        if (detail == cause.what) {
            detail = {};
        } else if (detail.starts_with(std::string(cause.what) + ": ")) {
            detail.remove_prefix(cause.what.size() + 2);
        }
        text.append("error: ").append(cause.what);
        if (!detail.empty()) {
            text.append(": ").append(printable(detail));
        }
        text.append("\n");
        if (!cause.next.empty()) {
            text.append("next: ").append(cause.next).append("\n");
        }
    }
    // There is nobody left to tell if this fails.
    (void)write_all(STDERR_FILENO, text);
}

std::string printable(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const CodePoint point = first_code_point(text);
        const bool shown = point.valid && !is_unprintable(point.value);
        out.append(shown ? text.substr(0, point.size) : std::string_view("?"));
        text.remove_prefix(point.size);
    }
    return out;
}

}  // namespace alknet::app
