// What a client asks of a `session` channel (RFC 4254 section 6), and what it is told at the end.
// Sans-I/O.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/process/terminal.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::ssh {

inline constexpr std::size_t kCommandBytesMax = 64 << 10;
inline constexpr std::size_t kTermBytesMax = 64;
inline constexpr std::size_t kTerminalModesMax = 128;
inline constexpr std::size_t kVariableBytesMax = 4 << 10;  // of a name and its value
inline constexpr std::size_t kVariablesMax = 64;

struct TerminalRequest {
    std::string term;  // for TERM; empty: it is no name of a terminal
    process::TerminalOptions options;

    /// Errors of all of these: kProtocol.
    static result<TerminalRequest> parse(BytesView body);
};

struct Variable {
    std::string name;
    std::string value;

    static result<Variable> parse(BytesView body);
    /// LANG and LC_…, with values in printable ASCII: nothing that a loader or a shell heeds.
    [[nodiscard]] bool may_pass() const noexcept;
};

/// nullopt: it is too long, or has an octet 0, and nobody can run that.
[[nodiscard]] result<std::optional<std::string_view>> parse_command(BytesView body);
[[nodiscard]] result<process::WindowSize> parse_window(BytesView body);
/// The signal that it names; nullopt: none that can be sent.
[[nodiscard]] result<std::optional<int>> parse_signal(BytesView body);

/// The request that tells of an end.
struct ExitRequest {
    std::string_view type;
    Bytes body;
};
[[nodiscard]] ExitRequest exit_status(std::uint32_t code);
[[nodiscard]] ExitRequest exit_signal(int number);

}  // namespace alknet::ssh
