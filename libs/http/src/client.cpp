#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/http/client.hpp>
#include <alknet/http/request_parser.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/loop.hpp>
#include <array>
#include <utility>

#include "request_rules.hpp"

namespace alknet::http {

namespace {

constexpr std::array<std::string_view, 6> kOurs = {"connection", "content-length",    "host",
                                                   "keep-alive", "transfer-encoding", "upgrade"};

bool can_be_said(const ClientRequest& request) {
    const std::size_t mark = request.target.find('?');
    const std::string_view path = std::string_view(request.target).substr(0, mark);
    const std::string_view query =
        mark == std::string::npos ? "" : std::string_view(request.target).substr(mark + 1);
    bool good = is_token(request.method) && is_authority(request.host) && path.starts_with('/') &&
                is_path(path) && is_query(query) &&
                (request.upgrade.empty() || is_token(request.upgrade));
    for (std::size_t i = 0; i < request.fields.size(); ++i) {
        const FieldView field = request.fields[i];
        good = good && is_token(field.name) && is_field_value(field.value);
    }
    return good;
}

// A server may take a request without a length for one whose content is still to come.
bool wants_length(const ClientRequest& request) {
    return !request.content.empty() || (request.method != "GET" && request.method != "HEAD");
}

std::string head_of(const ClientRequest& request) {
    std::string out = request.method;
    out.append(" ").append(request.target).append(" HTTP/1.1\r\nhost: ");
    out.append(request.host).append("\r\n");
    for (std::size_t i = 0; i < request.fields.size(); ++i) {
        const FieldView field = request.fields[i];
        if (std::ranges::find(kOurs, field.name) == kOurs.end()) {
            out.append(field.name).append(": ").append(field.value).append("\r\n");
        }
    }
    if (wants_length(request)) {
        out.append("content-length: ").append(std::to_string(request.content.size()));
        out.append("\r\n");
    }
    if (request.upgrade.empty()) {
        return out.append("connection: close\r\n\r\n");
    }
    out.append("connection: upgrade\r\nupgrade: ").append(request.upgrade);
    return out.append("\r\n\r\n");
}

}  // namespace

ClientExchange::ClientExchange(BiStream& stream, const ClientLimits& limits)
    : stream_(stream), limits_(limits) {}

task<result<void>> ClientExchange::write(BytesView octets) {
    while (!octets.empty()) {
        const BytesView piece = octets.first(std::min(octets.size(), kPieceBytes));
        octets = octets.subspan(piece.size());
        ALKNET_CO_CHECK(co_await with_timeout(limits_.idle_timeout, stream_.write(piece)));
    }
    co_return result<void>();
}

task<result<void>> ClientExchange::receive(Duration limit) {
    ALKNET_CO_TRY(const std::size_t count, co_await with_timeout(limit, stream_.read(buffer_)));
    input_ = BytesView(buffer_).first(count);
    ended_ = count == 0;
    co_return result<void>();
}

task<result<ResponseHead>> ClientExchange::ask(ClientRequest request) {
    if (!can_be_said(request)) {
        co_return fail(causes::kProtocol, "a request that HTTP cannot say");
    }
    const TaskContext context = co_await current_context();
    buffer_.resize(kPieceBytes);
    parser_.emplace(limits_.head, request.method == "HEAD");
    std::string octets = head_of(request);
    octets.append(request.content);
    ALKNET_CO_CHECK(co_await write(as_bytes(octets)));
    const TimePoint until = time_after(context.loop->now(), limits_.answer_timeout);
    for (;;) {
        const MessageStep step = parser_->next(input_);
        if (step.event == MessageEvent::refused) {
            co_return fail(causes::kProtocol, std::string(parser_->refusal().reason));
        }
        if (step.event == MessageEvent::head && !parser_->head().interim()) {
            if (parser_->head().status == 101 && request.upgrade.empty()) {
                co_return fail(causes::kProtocol, "101 was not asked for");
            }
            co_return std::move(parser_->head());
        }
        if (step.event == MessageEvent::head) {
            continue;
        }
        if (ended_) {
            co_return fail(causes::kClosed, "the server ended before its answer");
        }
        ALKNET_CO_CHECK(co_await receive(until - context.loop->now()));
    }
}

task<result<std::size_t>> ClientExchange::read(MutableBytes into) {
    while (content_.empty()) {
        const MessageStep step = parser_->next(input_);
        if (step.event == MessageEvent::data) {
            content_ = step.data;
        } else if (step.event == MessageEvent::end || (ended_ && parser_->ends_with_connection())) {
            co_return 0U;
        } else if (step.event == MessageEvent::refused) {
            co_return fail(causes::kProtocol, std::string(parser_->refusal().reason));
        } else if (ended_) {
            co_return fail(causes::kClosed, "the server ended within its answer");
        } else {
            ALKNET_CO_CHECK(co_await receive(limits_.idle_timeout));
        }
    }
    const std::size_t count = std::min(content_.size(), into.size());
    std::copy_n(content_.begin(), count, into.begin());
    content_ = content_.subspan(count);
    co_return count;
}

Fields ClientExchange::trailers() const {
    return parser_ ? parser_->trailers() : Fields();
}

namespace {

constexpr std::string_view kToken = "websocket";

/// A stream whose first octets were read before.
class BegunStream final : public BiStream {
public:
    BegunStream(BiStream& stream, BytesView begun) : stream_(stream), begun_(begun) {}

    task<result<std::size_t>> read(MutableBytes into) override {
        if (begun_.empty()) {
            co_return co_await stream_.read(into);
        }
        const std::size_t count = std::min(begun_.size(), into.size());
        std::copy_n(begun_.begin(), count, into.begin());
        begun_ = begun_.subspan(count);
        co_return count;
    }
    task<result<void>> write(BytesView data) override { return stream_.write(data); }
    task<result<void>> finish() override { return stream_.finish(); }
    void stop(std::uint64_t code) noexcept override { stream_.stop(code); }
    void reset(std::uint64_t code) noexcept override { stream_.reset(code); }
    [[nodiscard]] std::uint64_t id() const noexcept override { return stream_.id(); }

private:
    BiStream& stream_;
    BytesView begun_;
};

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

// RFC 6455 section 4.1.
result<std::string> accepted(const ResponseHead& head, std::string_view key,
                             const std::vector<std::string>& offered) {
    if (head.status == 401) {
        return fail(causes::kAuthRequired, "the server answered 401");
    }
    if (head.status == 403) {
        return fail(causes::kForbidden, "the server answered 403");
    }
    if (head.status != 101) {
        return fail(causes::kProtocol, "the server answered " + std::to_string(head.status));
    }
    if (!lists(head.fields, "upgrade", kToken) || !lists(head.fields, "connection", "upgrade") ||
        head.fields.joined("sec-websocket-accept") != websocket_accept(key)) {
        return fail(causes::kProtocol, "the server did not see what it was asked");
    }
    if (head.fields.find("sec-websocket-extensions")) {
        return fail(causes::kProtocol, "the server chose an extension that was not offered");
    }
    std::string protocol = head.fields.joined("sec-websocket-protocol");
    if (!protocol.empty() && std::ranges::find(offered, protocol) == offered.end()) {
        return fail(causes::kProtocol, "the server chose a sub-protocol that was not offered");
    }
    return protocol;
}

ClientRequest handshake(WebSocketDial& dial, const std::string& key) {
    ClientRequest request{.target = std::move(dial.target),
                          .host = std::move(dial.host),
                          .fields = std::move(dial.fields),
                          .upgrade = std::string(kToken)};
    request.fields.set("sec-websocket-key", key);
    request.fields.set("sec-websocket-version", "13");
    std::string protocols;
    for (const std::string& one : dial.protocols) {
        protocols.append(protocols.empty() ? "" : ", ").append(one);
    }
    if (!protocols.empty()) {
        request.fields.set("sec-websocket-protocol", protocols);
    }
    return request;
}

}  // namespace

task<result<void>> dial_websocket(BiStream& stream, WebSocketDial dial) {
    std::array<std::byte, 16> octets{};
    crypto::fill_random(octets);
    const std::string key = base64_encode(octets);
    ClientExchange exchange(stream, dial.handshake);
    ALKNET_CO_TRY(const ResponseHead head, co_await exchange.ask(handshake(dial, key)));
    ALKNET_CO_TRY(const std::string protocol, accepted(head, key, dial.protocols));
    const TaskContext context = co_await current_context();
    BegunStream begun(stream, exchange.rest());
    WebSocket socket(*context.loop, begun, WebSocketRole::client, dial.limits);
    co_return co_await socket.run([&](WebSocket& its) { return dial.serve(its, protocol); });
}

}  // namespace alknet::http
