#include "program_request.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <array>
#include <csignal>
#include <limits>

#include "messages.hpp"

namespace alknet::ssh {

namespace {

struct Signal {
    std::string_view name;
    int number;
};
constexpr std::array kSignals = {
    Signal{"ABRT", SIGABRT}, Signal{"ALRM", SIGALRM}, Signal{"FPE", SIGFPE},
    Signal{"HUP", SIGHUP},   Signal{"ILL", SIGILL},   Signal{"INT", SIGINT},
    Signal{"KILL", SIGKILL}, Signal{"PIPE", SIGPIPE}, Signal{"QUIT", SIGQUIT},
    Signal{"SEGV", SIGSEGV}, Signal{"TERM", SIGTERM}, Signal{"USR1", SIGUSR1},
    Signal{"USR2", SIGUSR2},
};

std::unexpected<error> malformed() {
    return fail(causes::kProtocol, "a malformed request of a channel");
}

std::uint16_t clamped(std::uint32_t value) noexcept {
    constexpr std::uint32_t kMost = std::numeric_limits<std::uint16_t>::max();
    return static_cast<std::uint16_t>(std::min(value, kMost));
}

process::WindowSize take_window(WireReader& in) noexcept {
    process::WindowSize window;
    window.columns = clamped(in.number<std::uint32_t>());
    window.rows = clamped(in.number<std::uint32_t>());
    window.width = clamped(in.number<std::uint32_t>());
    window.height = clamped(in.number<std::uint32_t>());
    return window;
}

bool is_terminal_name(std::string_view text) noexcept {
    return text.size() <= kTermBytesMax && std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || c == '.' || c == '+';
           });
}

// A list of numbers with their values, until 0 or one that is not of this form (section 8).
std::vector<process::TerminalMode> take_modes(BytesView encoded) {
    constexpr std::uint8_t kNoneFrom = 160;
    WireReader in(encoded);
    std::vector<process::TerminalMode> modes;
    while (modes.size() < kTerminalModesMax) {
        const auto number = in.number<std::uint8_t>();
        const auto value = in.number<std::uint32_t>();
        if (!in.ok() || number == 0 || number >= kNoneFrom) {
            break;
        }
        modes.push_back({.number = number, .value = value});
    }
    return modes;
}

}  // namespace

result<TerminalRequest> TerminalRequest::parse(BytesView body) {
    WireReader in(body);
    TerminalRequest request;
    const std::string_view term = take_text(in);
    request.options.window = take_window(in);
    const BytesView modes = take_string(in);
    if (!in.complete()) {
        return malformed();
    }
    if (is_terminal_name(term)) {
        request.term = term;
    }
    request.options.modes = take_modes(modes);
    return request;
}

result<Variable> Variable::parse(BytesView body) {
    WireReader in(body);
    const std::string_view name = take_text(in);
    const std::string_view value = take_text(in);
    if (!in.complete()) {
        return malformed();
    }
    if (name.size() + value.size() > kVariableBytesMax) {
        return Variable();  // which may not pass
    }
    return Variable{.name = std::string(name), .value = std::string(value)};
}

bool Variable::may_pass() const noexcept {
    constexpr std::string_view kLocale = "LC_";
    const bool locale =
        name.starts_with(kLocale) && name.size() > kLocale.size() &&
        std::ranges::all_of(name, [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; });
    const bool plain = std::ranges::all_of(value, [](char c) { return c >= ' ' && c <= '~'; });
    return (locale || name == "LANG") && plain;
}

result<std::optional<std::string_view>> parse_command(BytesView body) {
    WireReader in(body);
    const std::string_view command = take_text(in);
    if (!in.complete()) {
        return malformed();
    }
    const bool fits = command.size() <= kCommandBytesMax;
    return fits && command.find('\0') == std::string_view::npos ? std::optional(command)
                                                                : std::nullopt;
}

result<process::WindowSize> parse_window(BytesView body) {
    WireReader in(body);
    const process::WindowSize window = take_window(in);
    if (!in.complete()) {
        return malformed();
    }
    return window;
}

result<std::optional<int>> parse_signal(BytesView body) {
    WireReader in(body);
    const std::string_view name = take_text(in);
    if (!in.complete()) {
        return malformed();
    }
    const auto* const found = std::ranges::find(kSignals, name, &Signal::name);
    return found == kSignals.end() ? std::nullopt : std::optional(found->number);
}

ExitRequest exit_status(std::uint32_t code) {
    WireWriter out;
    out.number(code);
    return {.type = "exit-status", .body = out.take()};
}

ExitRequest exit_signal(int number) {
    const auto* const found = std::ranges::find(kSignals, number, &Signal::number);
    WireWriter out;
    put_text(out, found == kSignals.end() ? "SIG" + std::to_string(number) + "@alk.dev"
                                          : std::string(found->name));
    put_bool(out, false);  // there are no core files
    put_text(out, "");
    put_text(out, "");
    return {.type = "exit-signal", .body = out.take()};
}

}  // namespace alknet::ssh
