// The frames of one WebSocket connection (RFC 6455 sections 5 to 8), around wslay: octets in,
// messages and octets out; no clock, no stream, no task. Masks, fragments, UTF-8, the order of
// closing and the answers to pings are wslay's; limits are set here.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/http/websocket.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::http {

struct WebSocketSessionOptions {
    WebSocketRole role = WebSocketRole::server;
    std::size_t message_bytes_max = 1 << 20;
    /// Fills with octets that nobody can guess: masks of clients.
    std::function<void(MutableBytes)> random{};
};

class WebSocketSession {
public:
    virtual ~WebSocketSession() = default;

    /// Errors: kInternal where wslay has no memory.
    static result<std::unique_ptr<WebSocketSession>> create(WebSocketSessionOptions options);

    /// Takes all of it. What comes after the end is not looked at.
    virtual void receive(BytesView octets) = 0;
    /// What has come, in its order.
    virtual std::optional<WebSocketMessage> next_message() = 0;
    [[nodiscard]] virtual bool has_message() const noexcept = 0;
    /// Why nothing more is read, once that is so.
    [[nodiscard]] virtual const std::optional<WebSocketEnd>& end() const noexcept = 0;

    /// Errors: kClosed after a good-bye; kProtocol for text that is no UTF-8.
    virtual result<void> send(std::string_view data, bool text) = 0;
    virtual void ping() = 0;
    virtual void close(std::uint16_t code, std::string_view reason) = 0;
    /// What is to be sent next. Empty: nothing.
    virtual Bytes take_output() = 0;
    /// The good-bye has been given out: nothing more can be sent.
    [[nodiscard]] virtual bool sent_all() const noexcept = 0;
};

}  // namespace alknet::http
