// What a terminal that a process is given looks like.
#pragma once

#include <cstdint>
#include <vector>

namespace alknet::process {

struct WindowSize {
    std::uint16_t columns = 80;
    std::uint16_t rows = 24;
    std::uint16_t width = 0;  // in pixels; 0: not known
    std::uint16_t height = 0;

    bool operator==(const WindowSize&) const = default;
};

/// One of those that RFC 4254 section 8 numbers; those that the system does not have are ignored.
struct TerminalMode {
    std::uint8_t number = 0;
    std::uint32_t value = 0;

    bool operator==(const TerminalMode&) const = default;
};

struct TerminalOptions {
    WindowSize window{};
    std::vector<TerminalMode> modes{};  // besides those of a new terminal
};

}  // namespace alknet::process
