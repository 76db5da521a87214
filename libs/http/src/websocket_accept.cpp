// The opening handshake of WebSockets: RFC 6455 section 4.2, RFC 8441 section 5, RFC 9220.
#include <nettle/sha1.h>
#include <algorithm>
#include <alknet/base/encoding.hpp>
#include <alknet/http/websocket.hpp>
#include <array>
#include <utility>

#include "cross_origin.hpp"

namespace alknet::http {

namespace {

constexpr std::string_view kToken = "websocket";
constexpr std::string_view kVersion = "13";
constexpr std::size_t kKeyBytes = 16;

bool lists(const Fields& fields, std::string_view name, std::string_view wanted) {
    const std::string all = fields.joined(name);
    ListReader list(all);
    while (const auto one = list.next()) {
        if (equal_ignoring_case(*one, wanted)) {
            return true;
        }
    }
    return false;
}

bool has_key(const Fields& fields) {
    const auto key = fields.find("sec-websocket-key");
    const auto octets = key ? base64_decode(*key) : std::nullopt;
    return fields.count("sec-websocket-key") == 1 && octets && octets->size() == kKeyBytes;
}

std::optional<Response> refuse(const RequestHead& head, const WebSocketOptions& options) {
    const bool upgrade = head.protocol.empty();
    if (head.fields.joined("sec-websocket-version") != kVersion) {
        Response response =
            page(head, 426, "This version of WebSocket is not spoken here.", "Use version 13.");
        response.fields.add("sec-websocket-version", kVersion);
        return response;
    }
    if (upgrade && (head.version != Version::http11 || head.method != "GET" || head.has_body() ||
                    !lists(head.fields, "connection", "upgrade") || !has_key(head.fields))) {
        return page(head, 400, "This is no request for a WebSocket.",
                    "RFC 6455 section 4.1 says what one has.");
    }
    if (!may_come_from(head, options.origins)) {
        return page(head, 403, "Pages of that site may not use this WebSocket.",
                    "Open it from a page of this site.");
    }
    return std::nullopt;
}

task<result<void>> serve_tunnel(std::shared_ptr<const WebSocketOptions> options, Request& request,
                                std::string protocol, BiStream& stream) {
    struct Serving {
        static task<result<void>> run(const WebSocketOptions& options, WebSocket& socket,
                                      Request& request, std::string protocol) {
            co_return co_await options.serve(socket, request, std::move(protocol));
        }
    };
    const TaskContext context = co_await current_context();
    WebSocket socket(*context.loop, stream, WebSocketRole::server, options->limits);
    co_return co_await socket.run(
        [&](WebSocket& its) { return Serving::run(*options, its, request, protocol); });
}

}  // namespace

bool is_websocket_request(const RequestHead& head) {
    return head.protocol == kToken ||
           (head.protocol.empty() && lists(head.fields, "upgrade", kToken));
}

std::optional<std::vector<std::string>> offered_protocols(const RequestHead& head) {
    std::vector<std::string> protocols;
    const std::string all = head.fields.joined("sec-websocket-protocol");
    ListReader list(all);
    while (const auto one = list.next()) {
        if (!is_token(*one) || protocols.size() == kProtocolsMax) {
            return std::nullopt;
        }
        protocols.emplace_back(*one);
    }
    return protocols;
}

std::string websocket_accept(std::string_view key) {
    constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    sha1_ctx context{};
    std::array<std::uint8_t, SHA1_DIGEST_SIZE> digest{};
    sha1_init(&context);
    sha1_update(&context, key.size(), octets(as_bytes(key)));
    sha1_update(&context, kGuid.size(), octets(as_bytes(kGuid)));
    sha1_digest(&context, digest.size(), digest.data());
    return base64_encode(view_octets(digest.data(), digest.size()));
}

result<Response> accept_websocket(Request& request, WebSocketOptions options) {
    const RequestHead& head = request.head;
    if (auto refused = refuse(head, options)) {
        return *std::move(refused);
    }
    const auto offered = offered_protocols(head);
    const auto chosen = std::ranges::find_if(options.protocols, [&](const std::string& one) {
        return offered && std::ranges::find(*offered, one) != offered->end();
    });
    const bool none = chosen == options.protocols.end();
    if (!offered || (none && options.protocol_required)) {
        return page(head, 400, "None of these sub-protocols is spoken here.",
                    "Sec-WebSocket-Protocol has to offer the right one.");
    }
    Response response;
    response.status = 101;
    std::string protocol = none ? std::string() : *chosen;
    if (!none) {
        response.fields.add("sec-websocket-protocol", protocol);
    }
    if (head.protocol.empty()) {
        response.fields.add("sec-websocket-accept",
                            websocket_accept(*head.fields.find("sec-websocket-key")));
    }
    response.tunnel = [shared = std::make_shared<const WebSocketOptions>(std::move(options)),
                       &request, protocol](BiStream& stream) {
        return serve_tunnel(shared, request, protocol, stream);
    };
    return response;
}

}  // namespace alknet::http
