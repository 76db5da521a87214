#include "trust.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <cerrno>
#include <cstdio>
#include <set>
#include <string>

#include "output.hpp"

namespace alknet::app {

namespace {

constexpr std::size_t kAnswerBytesMax = 256;

/// Not standard input, which may be what a pipe carries. Invalid if this process has none.
UniqueFd open_terminal() {
    return UniqueFd(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
}

/// One line; empty at the end of the input. A terminal gives whole lines.
task<result<std::string>> read_line(Loop& loop, int terminal) {
    FdReadiness readiness(loop);
    ALKNET_CO_CHECK(readiness.watch(terminal));
    std::string line;
    while (line.size() < kAnswerBytesMax && line.find('\n') == std::string::npos) {
        char buffer[64];
        const ssize_t count = ::read(terminal, buffer, sizeof(buffer));
        if (count == 0) {
            break;
        }
        if (count > 0) {
            line.append(buffer, static_cast<std::size_t>(count));
        } else if (errno == EAGAIN) {
            readiness.would_block_reading();
            ALKNET_CO_CHECK(co_await readiness.readable());
        } else if (errno != EINTR) {
            co_return os_fail("read", errno, "/dev/tty");
        }
    }
    co_return line.substr(0, line.find('\n'));
}

task<result<bool>> ask(Loop& loop, TrustQuestion question) {
    const UniqueFd terminal = open_terminal();
    if (!terminal) {
        co_return false;
    }
    const std::string text = fmt::format(
        "{} is not known yet, and no certificate authority vouches for it ({}).\n"
        "It shows {}\n"
        "Compare this with what its owner tells you (alknet id prints it there).\n"
        "Trust it from now on (yes/no)? ",
        question.name, printable(question.unproven), question.shown.to_string());
    if (::write(terminal.get(), text.data(), text.size()) < 0) {
        co_return false;
    }
    ALKNET_CO_TRY(std::string answer, co_await read_line(loop, terminal.get()));
    std::erase(answer, '\r');
    co_return answer == "yes";
}

void tell(const TrustBroken& broken) {
    const bool authorities = broken.known.kind == KnownIdentity::Kind::authorities;
    const std::string known =
        authorities ? "certificate authorities verified it" : broken.known.to_string();
    const std::string text = fmt::format(
        "warning: {} is NOT what it was before\n"
        "  before  {}\n"
        "  now     {}\n"
        "  known   {}, line {}\n"
        "Either it was given another key or certificate, or somebody stands between you and it.\n"
        "Nothing was sent. Ask its owner what alknet id prints there. If the change is right,\n"
        "forget what was known, and trust it anew:\n"
        "  {}\n",
        broken.name, known, printable(broken.shown), broken.file.native(), broken.line,
        broken.remove);
    (void)std::fputs(text.c_str(), stderr);
}

/// As a shell takes it back.
std::string quoted(const std::string& word) {
    const bool plain = std::ranges::all_of(word, [](unsigned char c) {
        return (std::isalnum(c) != 0) || std::string_view("/._-+:@").contains(static_cast<char>(c));
    });
    if (plain && !word.empty()) {
        return word;
    }
    std::string text = "'";
    for (const char c : word) {
        text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return text + "'";
}

}  // namespace

TrustOptions trust_options(Loop& loop, const CommandLine& line, const std::filesystem::path& home,
                           bool tofu) {
    TrustOptions options;
    if (!home.empty()) {
        options.file = home / kKnownNodesFile;
    }
    options.trust_first_use = tofu;
    if (line.home) {
        options.remove_command += " --home " + quoted(line.home->native());
    }
    if (!line.json) {
        // Once, however often it is dialled again.
        options.broken = [told = std::set<std::string>()](const TrustBroken& broken) mutable {
            if (told.insert(broken.name).second) {
                tell(broken);
            }
        };
        if (open_terminal()) {
            options.ask = [&loop](TrustQuestion question) {
                return ask(loop, std::move(question));
            };
        }
    }
    return options;
}

}  // namespace alknet::app
