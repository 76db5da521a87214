// What a proxy changes in the heads that it passes on (RFC 9110 section 7.6, RFC 7239). Sans-I/O.
#pragma once

#include <alknet/http/message.hpp>
#include <alknet/net/socket_address.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace alknet::http {

/// Whether `path` begins with the segments of `prefix`, as every program would read it: 0 if it
/// does not, else the octets of `path` that are the prefix.
/// `prefix` is "/" or "/a/b".
[[nodiscard]] std::size_t match_prefix(std::string_view prefix, std::string_view path);

/// False for a path that programs read in different ways, of which one could lead past a rule about
/// prefixes: dot segments, empty ones, encoded slashes, control characters, what is no UTF-8.
[[nodiscard]] bool is_unambiguous(std::string_view path);

struct PassedOn {
    std::string_view path;             // of the head, or what is left of it
    std::string_view host;             // in place of an authority that is not there
    SocketAddress client;              // none: not known
    std::string_view websocket_key{};  // of an upgrade; empty: it is none
    bool without_token = false;        // it was for the node
};

/// The octets of the request as the upstream gets them, on HTTP/1.1. What the client says about
/// itself in Forwarded and X-Forwarded-* is replaced by what is known; what belongs to one hop is
/// left out.
[[nodiscard]] std::string upstream_head(const RequestHead& head, const PassedOn& on);

/// Those of `from`, fields or trailers of the request, that its upstream gets.
[[nodiscard]] Fields passed_on(const Fields& from, const RequestHead& head, bool without_token);

/// The fields of an upstream's answer that its client gets.
[[nodiscard]] Fields passed_back(const Fields& from);

}  // namespace alknet::http
