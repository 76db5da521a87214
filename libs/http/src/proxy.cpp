#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/http/proxy.hpp>
#include <alknet/http/websocket.hpp>
#include <array>
#include <optional>
#include <utility>

#include "proxy_fields.hpp"
#include "upstream_exchange.hpp"

namespace alknet::http {

namespace {

constexpr std::string_view kTryLater = "Try again later, or tell the owner of this site.";

Response refuse_path(const RequestHead& head) {
    return page(head, 400, "This address could be read in different ways.",
                "Write it without dots and slashes that lead nowhere.");
}

// What both ends of the handshake need; the rest is the upstream's to judge.
std::optional<Response> refuse_upgrade(const RequestHead& head) {
    if (!is_websocket_request(head)) {
        return std::nullopt;
    }
    // What it brought along would stand before the other end's answer, as a request of its own.
    const bool upgrade = head.version == Version::http11 && head.method == "GET" &&
                         head.fields.count("sec-websocket-key") == 1;
    const bool good = !head.has_body() && (upgrade || !head.protocol.empty());
    return good ? std::nullopt
                : std::optional(page(head, 400, "This is no request for a WebSocket.",
                                     "RFC 6455 section 4.1 says what one has."));
}

// What the client may know of it; the log has the reason. Of a client that has gone nothing is
// said.
result<Response> failed(const Request& request, const ProxyRoute& route, const error& why) {
    if (why.is(errc::cancelled)) {
        return unexpected(why);
    }
    route.reach.log.warn("http.upstream_failed", {{"host", request.head.authority},
                                                  {"reason", why.cause().id},
                                                  {"detail", why.detail()},
                                                  {"trace", request.trace_id}});
    if (why.is(errc::timeout)) {
        return page(request.head, 504, "The server behind this site does not answer.", kTryLater);
    }
    if (why.is(errc::limit)) {
        return page(request.head, 503, "Too many are waiting for the server behind this site.",
                    kTryLater);
    }
    return page(request.head, 502, "The server behind this site cannot be used.", kTryLater);
}

// Beginning with a "/".
std::string_view path_for(const ProxyOptions& options, const RequestHead& head) {
    if (options.strip_prefix.empty()) {
        return head.path;
    }
    const std::size_t prefix = match_prefix(options.strip_prefix, head.path);
    return std::string_view(head.path).substr(prefix);
}

// Both handshakes are the node's: the client's may be one of HTTP/2.
result<Response> switched(const Request& request, const ResponseHead& answer, std::string_view key,
                          std::unique_ptr<UpstreamExchange> exchange) {
    if (!answer.fields.find("sec-websocket-accept") ||
        answer.fields.find("sec-websocket-accept") != websocket_accept(key)) {
        return fail(causes::kProtocol, "the upstream did not see what it was asked");
    }
    Response response;
    response.status = 101;
    response.fields = passed_back(answer.fields);
    response.fields.remove("sec-websocket-accept");
    if (const auto theirs = request.head.fields.find("sec-websocket-key");
        theirs && request.head.protocol.empty()) {
        response.fields.add("sec-websocket-accept", websocket_accept(*theirs));
    }
    response.tunnel = [shared = std::shared_ptr<UpstreamExchange>(std::move(exchange))](
                          BiStream& client) { return shared->relay(client); };
    return response;
}

// Empty: it asks for no WebSocket.
std::string key_for(const RequestHead& head) {
    if (!is_websocket_request(head)) {
        return {};
    }
    std::array<std::byte, 16> octets{};
    crypto::fill_random(octets);
    return base64_encode(octets);
}

task<result<Response>> pass_on(std::shared_ptr<ProxyRoute> route, Request& request) {
    const RequestHead& head = request.head;
    if (!is_unambiguous(head.path) || !is_token(head.method)) {
        co_return refuse_path(head);
    }
    if (auto refused = refuse_upgrade(head)) {
        co_return *std::move(refused);
    }
    const TaskContext context = co_await current_context();
    auto exchange =
        std::make_unique<UpstreamExchange>(route, request, *context.loop, context.cancel);
    if (const auto connected = co_await exchange->connect(); !connected) {
        co_return failed(request, *route, connected.error());
    }
    const std::string host = route->options.upstream.authority();
    const std::string key = key_for(head);
    auto answer = co_await exchange->begin(
        upstream_head(head, {.path = path_for(route->options, head),
                             .host = host,
                             .client = request.auth.remote,
                             .websocket_key = key,
                             .without_token = request.by_token.has_value()}));
    if (exchange->request_failure()) {
        co_return unexpected(*exchange->request_failure());
    }
    if (!answer) {
        co_return failed(request, *route, answer.error());
    }
    if (answer->status == 101) {
        auto response = key.empty() ? fail(causes::kProtocol, "101 was not asked for")
                                    : switched(request, *answer, key, std::move(exchange));
        co_return response ? std::move(response) : failed(request, *route, response.error());
    }
    Response response;
    response.status = answer->status;
    response.fields = passed_back(answer->fields);
    response.source_size = answer->content_length;
    response.source = std::move(exchange);
    co_return response;
}

}  // namespace

std::string Upstream::authority() const {
    if (!socket.empty()) {
        return "localhost";
    }
    const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
    return port == 80 ? name : name + ":" + std::to_string(port);
}

Handler make_proxy(ProxyOptions options, Reach reach) {
    return [route = std::make_shared<ProxyRoute>(std::move(options), std::move(reach))](
               Request& request) { return pass_on(route, request); };
}

}  // namespace alknet::http
