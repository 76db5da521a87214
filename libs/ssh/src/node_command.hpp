// What the node answers by itself where a client asks for a command: its operations, for those who
// have nothing but ssh. Sans-I/O.
#pragma once

#include <alknet/base/result.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::ssh {

/// `help`, `ops` or `call OPERATION [INPUT]`, INPUT being JSON, or `-` for what comes on standard
/// input. Nothing is quoted: what follows OPERATION is the input, as it stands there.
struct NodeCommand {
    enum class Kind : std::uint8_t { help, ops, call };
    Kind kind = Kind::help;
    std::string operation;  // of a call: as it was said, without a slash before it
    std::string input;      // of a call; empty: none

    /// nullopt: it is another command. Errors: kUsage, if it is one and cannot be understood.
    static result<std::optional<NodeCommand>> parse(std::string_view text);
    [[nodiscard]] bool reads_input() const noexcept { return input == "-"; }
    bool operator==(const NodeCommand&) const = default;
};

}  // namespace alknet::ssh
