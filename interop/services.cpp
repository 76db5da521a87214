// The services that foreign clients ask for. `http/1.1` and `h3` answer every request with one
// fixed text, and GET /who with what a proxy said of the client: enough for curl and gtlsclient to
// say that the bytes arrived, and no more of HTTP than that.
#include "interop.hpp"

#include <alknet/base/encoding.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/net/proxy_protocol.hpp>
#include <alknet/rt/scope.hpp>
#include <array>

namespace alknet::interop {

namespace {

constexpr std::string_view kText = "hello from alknet_interop\n";

/// Reads until `ends` says so or the peer has finished.
task<result<std::string>> read_request(BiStream& stream, bool (*ends)(std::string_view)) {
    std::string request;
    std::array<std::byte, 4096> buffer{};
    while (!ends(request) && request.size() < 65536) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(buffer));
        if (count == 0) {
            break;
        }
        request += as_text(BytesView(buffer).first(count));
    }
    co_return request;
}

/// What a proxy has said about the client, a line for each thing.
std::string who(const Connection& connection, const AuthContext& auth) {
    std::string text = "remote " + auth.remote.to_string() + "\n";
    if (const auto& proxy = connection.info().proxy) {
        for (const net::ProxyTlv& tlv : proxy->tlvs) {
            text += "tlv " + std::to_string(tlv.type) + " " + hex_encode(tlv.value) + "\n";
        }
    }
    return text;
}

class FixedHttp1 final : public ProtocolHandler {
public:
    [[nodiscard]] std::vector<std::string> alpns() const override { return {"http/1.1"}; }

    task<result<void>> handle(std::shared_ptr<Connection> connection, AuthContext auth) override {
        ALKNET_CO_TRY(auto stream, co_await connection->accept_bi());
        ALKNET_CO_TRY(const std::string request,
                      co_await read_request(*stream, [](std::string_view so_far) {
                          return so_far.find("\r\n\r\n") != std::string_view::npos;
                      }));
        const std::string body =
            request.starts_with("GET /who ") ? who(*connection, auth) : std::string(kText);
        const std::string answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                                   std::to_string(body.size()) + "\r\n\r\n" + body;
        ALKNET_CO_CHECK(co_await stream->write(as_bytes(answer)));
        ALKNET_CO_CHECK(co_await stream->finish());
        std::array<std::byte, 64> rest{};
        (void)co_await stream->read(rest);
        co_return result<void>{};
    }
};

/// RFC 9114: a control stream with empty SETTINGS, and for each request a HEADERS frame whose field
/// section is `:status: 200` from the static table (RFC 9204 appendix A, entry 25), then DATA.
class FixedHttp3 final : public ProtocolHandler {
public:
    [[nodiscard]] std::vector<std::string> alpns() const override { return {"h3"}; }

    task<result<void>> handle(std::shared_ptr<Connection> connection, AuthContext) override {
        ALKNET_CO_TRY(auto control, co_await connection->open_uni());
        ALKNET_CO_CHECK(co_await control->write(as_bytes(std::string_view("\x00\x04\x00", 3))));
        const TaskContext context = co_await current_context();
        TaskScope scope(*context.loop, context.cancel);
        scope.spawn(drain_uni(*connection, scope), "h3 control");
        result<void> outcome;
        while (outcome) {
            auto stream = co_await connection->accept_bi();
            if (!stream) {
                break;
            }
            outcome = co_await answer(**stream);
        }
        scope.cancel();
        (void)co_await scope.join();
        co_return outcome;
    }

private:
    static task<result<void>> answer(BiStream& stream) {
        ALKNET_CO_CHECK(co_await read_request(stream, [](std::string_view) { return false; }));
        std::string frames("\x01\x03\x00\x00\xd9\x00", 6);
        frames.push_back(static_cast<char>(kText.size()));
        frames += kText;
        ALKNET_CO_CHECK(co_await stream.write(as_bytes(frames)));
        co_return co_await stream.finish();
    }

    static task<void> discard(std::unique_ptr<RecvStream> stream) {
        std::array<std::byte, 4096> buffer{};
        for (;;) {
            const auto count = co_await stream->read(buffer);
            if (!count || *count == 0) {
                co_return;
            }
        }
    }

    static task<void> drain_uni(Connection& connection, TaskScope& scope) {
        for (;;) {
            auto stream = co_await connection.accept_uni();
            if (!stream) {
                co_return;
            }
            scope.spawn(discard(std::move(*stream)), "h3 uni stream");
        }
    }
};

}  // namespace

result<std::shared_ptr<HandlerRegistry>> make_registry() {
    auto registry = std::make_shared<HandlerRegistry>();
    ALKNET_CHECK(registry->add(std::make_shared<EchoHandler>()));
    ALKNET_CHECK(registry->add(std::make_shared<FixedHttp1>()));
    ALKNET_CHECK(registry->add(std::make_shared<FixedHttp3>()));
    return registry;
}

}  // namespace alknet::interop
