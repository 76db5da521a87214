#include "socket_table.hpp"

#include <alknet/base/number.hpp>
#include <array>
#include <cstring>

namespace alknet::doctor {

namespace {

constexpr std::string_view kListening = "0A";
constexpr std::size_t kLocalColumn = 1;
constexpr std::size_t kStateColumn = 3;
constexpr std::size_t kInodeColumn = 9;

// The next line, which is taken off.
std::string_view take_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

// The next word, which is taken off; empty at the end.
std::string_view take_word(std::string_view& line) {
    const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
    line.remove_prefix(begin);
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(end);
    return word;
}

// The columns of one line; those that are not there are empty.
std::array<std::string_view, kInodeColumn + 1> columns(std::string_view line) {
    std::array<std::string_view, kInodeColumn + 1> all{};
    for (std::string_view& column : all) {
        const std::size_t begin = line.find_first_not_of(' ');
        if (begin == std::string_view::npos) {
            break;
        }
        line.remove_prefix(begin);
        const std::size_t end = std::min(line.find(' '), line.size());
        column = line.substr(0, end);
        line.remove_prefix(end);
    }
    return all;
}

}  // namespace

std::optional<SocketAddress> parse_table_address(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon != 8 && colon != 32) {
        return std::nullopt;
    }
    const auto port = parse_number<std::uint16_t>(text.substr(colon + 1), 16);
    std::array<std::uint8_t, 16> ip{};
    for (std::size_t at = 0; at < colon; at += 8) {
        const auto word = parse_number<std::uint32_t>(text.substr(at, 8), 16);
        if (!word) {
            return std::nullopt;
        }
        std::memcpy(ip.data() + at / 2, &*word, sizeof(*word));
    }
    if (!port) {
        return std::nullopt;
    }
    if (colon == 8) {
        return SocketAddress::v4({ip[0], ip[1], ip[2], ip[3]}, *port);
    }
    return SocketAddress::v6(ip, *port);
}

std::uint64_t parse_udp_drops(std::string_view text) {
    std::string_view names;
    while (!text.empty()) {
        std::string_view line = take_line(text);
        const std::string_view first = take_word(line);
        if (first == "Udp6RcvbufErrors") {
            return parse_number<std::uint64_t>(take_word(line)).value_or(0);
        }
        if (first == "Udp:" && names.empty()) {
            names = line;
            continue;
        }
        while (first == "Udp:" && !names.empty()) {
            const std::string_view number = take_word(line);
            if (take_word(names) == "RcvbufErrors") {
                return parse_number<std::uint64_t>(number).value_or(0);
            }
        }
    }
    return 0;
}

std::vector<BoundSocket> parse_socket_table(std::string_view text, Transport transport) {
    std::vector<BoundSocket> sockets;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const auto column = columns(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto local = parse_table_address(column[kLocalColumn]);
        const auto inode = parse_number<std::uint64_t>(column[kInodeColumn]);
        const bool counts = transport != Transport::tcp || column[kStateColumn] == kListening;
        if (local && inode && counts) {
            sockets.push_back({.local = *local, .inode = *inode});
        }
    }
    return sockets;
}

bool in_the_way(const SocketAddress& held, const SocketAddress& wanted) noexcept {
    if (held.port() != wanted.port()) {
        return false;
    }
    if (held.family() == wanted.family()) {
        return held.is_any() || wanted.is_any() || held.ip() == wanted.ip();
    }
    // An IPv6 socket for all addresses takes IPv4 along.
    const SocketAddress& v6 = held.family() == SocketAddress::Family::v6 ? held : wanted;
    return v6.is_any();
}

std::optional<std::uint64_t> parse_socket_link(std::string_view text) noexcept {
    constexpr std::string_view kBegin = "socket:[";
    if (!text.starts_with(kBegin) || !text.ends_with(']')) {
        return std::nullopt;
    }
    text.remove_prefix(kBegin.size());
    text.remove_suffix(1);
    return parse_number<std::uint64_t>(text);
}

}  // namespace alknet::doctor
