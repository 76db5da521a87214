#include "forward_request.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/ssh/limits.hpp>
#include <limits>

#include "messages.hpp"

namespace alknet::ssh {

result<std::optional<ListenRequest>> ListenRequest::parse(std::string_view type, BytesView body) {
    constexpr std::string_view kCancel = "cancel-";
    ListenRequest request{.host = {}, .path = {}};
    request.cancels = type.starts_with(kCancel);
    type.remove_prefix(request.cancels ? kCancel.size() : 0);
    request.for_socket = type == "streamlocal-forward@openssh.com";
    if (!request.for_socket && type != "tcpip-forward") {
        return std::nullopt;
    }
    WireReader in(body);
    const std::string_view where = take_text(in);
    const auto port = request.for_socket ? 0 : in.number<std::uint32_t>();
    const std::size_t most = request.for_socket ? kSocketPathBytesMax : kHostBytesMax;
    if (!in.complete() || where.size() > most || port > std::numeric_limits<std::uint16_t>::max()) {
        return fail(causes::kProtocol, "a malformed global request");
    }
    (request.for_socket ? request.path : request.host) = where;
    request.port = static_cast<std::uint16_t>(port);
    return request;
}

result<std::string> parse_direct_socket(BytesView body) {
    WireReader in(body);
    const std::string_view path = take_text(in);
    (void)take_text(in);
    (void)in.number<std::uint32_t>();
    if (!in.complete() || path.size() > kSocketPathBytesMax) {
        return fail(causes::kProtocol, "a malformed channel to a socket");
    }
    return std::string(path);
}

Bytes forwarded_socket(std::string_view path) {
    WireWriter out;
    put_text(out, path);
    put_text(out, "");
    return out.take();
}

}  // namespace alknet::ssh
