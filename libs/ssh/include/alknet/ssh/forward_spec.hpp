// What is forwarded where, as OpenSSH's -L, -R, -D and -W have it. Sans-I/O.
#pragma once

#include <alknet/base/result.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::ssh {

/// A port of a host, or a unix socket.
struct ForwardEnd {
    std::string path;  // of a socket; empty: a port
    std::string host;  // without brackets; where one listens: empty for all addresses
    std::uint16_t port = 0;

    [[nodiscard]] bool is_socket() const noexcept { return !path.empty(); }
    [[nodiscard]] std::string to_string() const;
    bool operator==(const ForwardEnd&) const = default;
};

struct ForwardSpec {
    static constexpr std::size_t kTextBytesMax = 1024;
    static constexpr std::size_t kSocketBytesMax = 512;

    enum class Kind : std::uint8_t {
        local,    // -L: listens here, connects there
        remote,   // -R: listens there, connects here
        dynamic,  // -D: listens here, for programs that say where in SOCKS
    };
    Kind kind = Kind::local;
    ForwardEnd listen;
    ForwardEnd target{};  // of a dynamic one nothing

    /// `[BIND:]PORT:HOST:PORT`, or sockets in the place of either half; of a dynamic one
    /// `[BIND:]PORT`. A socket's path has a slash. BIND is `*` or nothing for all addresses;
    /// without it (no colon) localhost. IPv6 addresses stand in brackets; `\` takes its meaning
    /// from the next character. Errors: kUsage.
    static result<ForwardSpec> parse(Kind kind, std::string_view text);
    /// `-L 127.0.0.1:80 -> host:80`.
    [[nodiscard]] std::string to_string() const;
    bool operator==(const ForwardSpec&) const = default;
};

/// `HOST:PORT`, or a socket's path. Errors: kUsage.
result<ForwardEnd> parse_target(std::string_view text);

}  // namespace alknet::ssh
