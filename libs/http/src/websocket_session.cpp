#include "websocket_session.hpp"

#include <wslay/wslay.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/utf8.hpp>
#include <array>
#include <deque>
#include <utility>

namespace alknet::http {

namespace {

constexpr std::size_t kReasonBytesMax = 123;

constexpr std::byte kCloseFrame{0x88};
constexpr std::byte kMasked{0x80};

// Of whole frames of our own, the octets before the first that is a good-bye.
std::size_t find_close(BytesView frames) {
    std::size_t at = 0;
    while (at + 1 < frames.size() && frames[at] != kCloseFrame) {
        const auto size = std::to_integer<std::uint64_t>(frames[at + 1] & ~kMasked);
        const std::size_t octets = size == 126 ? 2 : size == 127 ? 8 : 0;
        std::uint64_t payload = octets == 0 ? size : 0;
        for (std::size_t i = 0; i < octets; ++i) {
            payload = payload << 8U | std::to_integer<std::uint64_t>(frames[at + 2 + i]);
        }
        const bool masked = (frames[at + 1] & kMasked) != std::byte{0};
        at += 2 + octets + (masked ? 4U : 0U) + static_cast<std::size_t>(payload);
    }
    return std::min(at, frames.size());
}

class Session final : public WebSocketSession {
public:
    explicit Session(WebSocketSessionOptions options) : options_(std::move(options)) {}
    ~Session() override { wslay_event_context_free(native_); }

    result<void> open();
    void receive(BytesView octets) override;
    std::optional<WebSocketMessage> next_message() override;
    [[nodiscard]] bool has_message() const noexcept override { return !messages_.empty(); }
    [[nodiscard]] const std::optional<WebSocketEnd>& end() const noexcept override { return end_; }
    result<void> send(std::string_view data, bool text) override;
    void ping() override { (void)queue(WSLAY_PING, {}); }
    void close(std::uint16_t code, std::string_view reason) override;
    Bytes take_output() override;
    [[nodiscard]] bool sent_all() const noexcept override {
        return wslay_event_get_close_sent(native_) != 0 || failed_;
    }

private:
    static Session& self(void* data) { return *static_cast<Session*>(data); }
    static ssize_t on_read(wslay_event_context_ptr context, std::uint8_t* into, std::size_t size,
                           int flags, void* data);
    static ssize_t on_write(wslay_event_context_ptr context, const std::uint8_t* octets,
                            std::size_t size, int flags, void* data);
    static int on_mask(wslay_event_context_ptr context, std::uint8_t* into, std::size_t size,
                       void* data);
    static void on_frame(wslay_event_context_ptr context,
                         const wslay_event_on_frame_recv_start_arg* frame, void* data);
    static void on_message(wslay_event_context_ptr context,
                           const wslay_event_on_msg_recv_arg* message, void* data);
    int queue(std::uint8_t opcode, std::string_view data);
    void take_end();
    void break_off(std::uint16_t code);
    void append_close(std::uint16_t code);

    const WebSocketSessionOptions options_;
    wslay_event_context_ptr native_ = nullptr;
    BytesView input_;
    Bytes output_;
    std::deque<WebSocketMessage> messages_;
    std::size_t fragments_ = 0;  // of the message that is arriving
    std::optional<WebSocketEnd> end_;
    std::optional<std::uint16_t> broken_;  // which rule, where wslay does not know
    bool by_rule_ = false;
    bool failed_ = false;  // it has no memory: nothing more comes from it
};

result<void> Session::open() {
    const wslay_event_callbacks callbacks{
        .recv_callback = on_read,
        .send_callback = on_write,
        .genmask_callback = on_mask,
        .on_frame_recv_start_callback = on_frame,
        .on_frame_recv_chunk_callback = nullptr,
        .on_frame_recv_end_callback = nullptr,
        .on_msg_recv_callback = on_message,
    };
    const auto init = options_.role == WebSocketRole::server ? wslay_event_context_server_init
                                                             : wslay_event_context_client_init;
    if (init(&native_, &callbacks, this) != 0) {
        return fail(causes::kInternal, "a WebSocket cannot begin");
    }
    wslay_event_config_set_max_recv_msg_length(native_, options_.message_bytes_max);
    return {};
}

void Session::receive(BytesView octets) {
    if (end_) {
        return;
    }
    input_ = octets;
    const int received = wslay_event_recv(native_);
    input_ = {};
    if (received != 0 && !broken_) {
        broken_ = websocket_code::kProtocol;
    }
    if (broken_) {
        break_off(*broken_);
    }
    if (received != 0 || wslay_event_get_read_enabled(native_) == 0) {
        take_end();
    }
}

// A good-bye has set it; else a rule was broken, and wslay says which to the other end.
void Session::take_end() {
    if (!end_) {
        end_ = WebSocketEnd{.code = websocket_code::kProtocol, .reason = {}};
        by_rule_ = true;
    }
}

// Of a frame that is none wslay's good-bye has no code, and of a good-bye that is malformed the
// wrong one.
void Session::break_off(std::uint16_t code) {
    if (wslay_event_get_close_sent(native_) == 0) {
        const std::size_t before = output_.size();
        (void)wslay_event_send(native_);
        output_.resize(before + find_close(BytesView(output_).subspan(before)));
        append_close(code);
    }
    end_ = WebSocketEnd{.code = code, .reason = {}};
}

void Session::append_close(std::uint16_t code) {
    const bool masked = options_.role == WebSocketRole::client;
    std::array<std::byte, 4> mask{};
    output_.push_back(kCloseFrame);
    output_.push_back(std::byte{2} | (masked ? kMasked : std::byte{0}));
    if (masked) {
        options_.random(mask);
        output_.insert(output_.end(), mask.begin(), mask.end());
    }
    output_.push_back(static_cast<std::byte>(code >> 8U) ^ mask[0]);
    output_.push_back(static_cast<std::byte>(code & 0xffU) ^ mask[1]);
}

std::optional<WebSocketMessage> Session::next_message() {
    if (messages_.empty()) {
        return std::nullopt;
    }
    WebSocketMessage message = std::move(messages_.front());
    messages_.pop_front();
    return message;
}

int Session::queue(std::uint8_t opcode, std::string_view data) {
    const wslay_event_msg message{
        .opcode = opcode, .msg = octets(as_bytes(data)), .msg_length = data.size()};
    return wslay_event_queue_msg(native_, &message);
}

result<void> Session::send(std::string_view data, bool text) {
    if (text && !is_valid_utf8(data)) {
        return fail(causes::kProtocol, "text that is no UTF-8");
    }
    const int queued = queue(text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, data);
    return queued == 0 ? result<void>() : fail(causes::kClosed, "the WebSocket has ended");
}

void Session::close(std::uint16_t code, std::string_view reason) {
    std::string_view cut = reason.substr(0, std::min(reason.size(), kReasonBytesMax));
    while (!is_valid_utf8(cut)) {
        cut.remove_suffix(1);
    }
    (void)wslay_event_queue_close(native_, code, octets(as_bytes(cut)), cut.size());
}

Bytes Session::take_output() {
    if (!failed_ && wslay_event_send(native_) != 0) {
        failed_ = true;
        take_end();
    }
    if (by_rule_ && wslay_event_get_close_sent(native_) != 0) {
        end_->code = wslay_event_get_status_code_sent(native_);
    }
    return std::exchange(output_, {});
}

ssize_t Session::on_read(wslay_event_context_ptr context, std::uint8_t* into, std::size_t size, int,
                         void* data) {
    Session& session = self(data);
    const std::size_t count = std::min(size, session.input_.size());
    if (count == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    std::copy_n(session.input_.begin(), count, reinterpret_cast<std::byte*>(into));
    session.input_ = session.input_.subspan(count);
    return static_cast<ssize_t>(count);
}

ssize_t Session::on_write(wslay_event_context_ptr, const std::uint8_t* octets, std::size_t size,
                          int, void* data) {
    Bytes& output = self(data).output_;
    const BytesView written = view_octets(octets, size);
    output.insert(output.end(), written.begin(), written.end());
    return static_cast<ssize_t>(size);
}

int Session::on_mask(wslay_event_context_ptr, std::uint8_t* into, std::size_t size, void* data) {
    self(data).options_.random(MutableBytes(reinterpret_cast<std::byte*>(into), size));
    return 0;
}

// Each of them costs memory besides its octets; empty ones are octets of no message.
void Session::on_frame(wslay_event_context_ptr, const wslay_event_on_frame_recv_start_arg* frame,
                       void* data) {
    Session& session = self(data);
    if (wslay_is_ctrl_frame(frame->opcode) != 0) {
        return;
    }
    session.fragments_ = frame->opcode == WSLAY_CONTINUATION_FRAME ? session.fragments_ + 1 : 1;
    if (session.fragments_ > kFragmentsFree + session.options_.message_bytes_max / kFragmentBytes) {
        session.broken_ = websocket_code::kTooLarge;
    }
}

void Session::on_message(wslay_event_context_ptr, const wslay_event_on_msg_recv_arg* message,
                         void* data) {
    Session& session = self(data);
    const std::string_view text = as_text(view_octets(message->msg, message->msg_length));
    if (message->opcode == WSLAY_CONNECTION_CLOSE) {
        const std::string_view reason = text.substr(std::min<std::size_t>(2, text.size()));
        if (text.size() == 1) {
            session.broken_ = websocket_code::kProtocol;
        } else if (!is_valid_utf8(reason)) {
            session.broken_ = websocket_code::kInvalidText;
        }
        session.end_ = WebSocketEnd{
            .code = message->status_code == 0 ? websocket_code::kNone : message->status_code,
            .reason = to_valid_utf8(reason)};
    } else if (wslay_is_ctrl_frame(message->opcode) == 0 && !session.broken_) {
        session.messages_.push_back(
            {.data = std::string(text), .text = message->opcode == WSLAY_TEXT_FRAME});
    }
}

}  // namespace

result<std::unique_ptr<WebSocketSession>> WebSocketSession::create(
    WebSocketSessionOptions options) {
    auto session = std::make_unique<Session>(std::move(options));
    ALKNET_CHECK(session->open());
    return session;
}

}  // namespace alknet::http
