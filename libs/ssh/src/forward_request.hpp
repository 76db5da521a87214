// What a client asks for that forwards (RFC 4254 section 7, and OpenSSH's PROTOCOL for unix
// sockets). Sans-I/O.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::ssh {

inline constexpr std::string_view kDirectTcp = "direct-tcpip";
inline constexpr std::string_view kDirectSocket = "direct-streamlocal@openssh.com";
inline constexpr std::string_view kForwardedTcp = "forwarded-tcpip";
inline constexpr std::string_view kAgentChannel = "auth-agent@openssh.com";
inline constexpr std::string_view kForwardedSocket = "forwarded-streamlocal@openssh.com";

/// That the node listens, or does not any more.
struct ListenRequest {
    bool cancels = false;
    bool for_socket = false;
    std::string host;  // of a port
    std::uint16_t port = 0;
    std::string path;  // of a socket: any octets

    /// nullopt: it is something else. Errors of both: kProtocol.
    static result<std::optional<ListenRequest>> parse(std::string_view type, BytesView body);
    bool operator==(const ListenRequest&) const = default;
};

/// The path of a channel to a socket: any octets.
[[nodiscard]] result<std::string> parse_direct_socket(BytesView body);
/// What tells of one that has come to a socket.
[[nodiscard]] Bytes forwarded_socket(std::string_view path);

}  // namespace alknet::ssh
