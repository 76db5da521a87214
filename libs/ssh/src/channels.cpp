#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/ssh/channels.hpp>
#include <limits>
#include <utility>

#include "messages.hpp"

namespace alknet::ssh {

struct Channels::Channel {
    enum class State : std::uint8_t { asked, asking, open };  // by the peer; of the peer
    State state = State::asked;
    std::uint32_t peer = 0;  // its number there
    std::uint32_t in_window = kWindowBytes;
    std::uint32_t credit = 0;  // done with, and not given back yet
    std::uint32_t out_window = 0;
    std::uint32_t out_packet = 0;
    std::size_t asked = 0;  // requests whose answers are to come
    bool eof_in = false;
    bool eof_out = false;
    bool closed_in = false;
    bool closed_out = false;
};

namespace {

constexpr std::size_t header_bytes(std::uint32_t stream) noexcept {
    return stream == kPlainData ? 9 : 13;
}
constexpr std::uint32_t kCreditShare = 4;

std::unexpected<error> malformed() {
    return fail(causes::kProtocol, "a malformed message of a channel");
}
std::unexpected<error> unasked() {
    return fail(causes::kProtocol, "an answer to nothing that was asked");
}
std::unexpected<error> unknown_channel() {
    return fail(causes::kProtocol, "a message of a channel that is not there");
}

void put_number(MutableBytes into, std::uint32_t value) noexcept {
    for (std::size_t i = 0; i < 4; ++i) {
        into[i] = static_cast<std::byte>(value >> (8 * (3 - i)));
    }
}

}  // namespace

result<TcpRoute> TcpRoute::parse(BytesView body) {
    WireReader in(body);
    TcpRoute route;
    const std::string_view host = take_text(in);
    const auto port = in.number<std::uint32_t>();
    const std::string_view from = take_text(in);
    const auto from_port = in.number<std::uint32_t>();
    constexpr std::uint32_t kPortMax = std::numeric_limits<std::uint16_t>::max();
    if (!in.complete() || host.size() > kHostBytesMax || from.size() > kHostBytesMax ||
        port > kPortMax || from_port > kPortMax) {
        return malformed();
    }
    route.host = host;
    route.port = static_cast<std::uint16_t>(port);
    route.from_host = from;
    route.from_port = static_cast<std::uint16_t>(from_port);
    return route;
}

Bytes TcpRoute::encode() const {
    WireWriter out;
    put_text(out, host);
    out.number<std::uint32_t>(port);
    put_text(out, from_host);
    out.number<std::uint32_t>(from_port);
    return out.take();
}

Channels::Channels(Transport& transport) noexcept : transport_(transport) {}

Channels::~Channels() = default;

Channels::Channel* Channels::find(ChannelId id) const noexcept {
    return id < slots_.size() ? slots_[id].get() : nullptr;
}

Channels::Channel& Channels::at(ChannelId id) const {
    Channel* const found = find(id);
    ALKNET_ASSERT(found != nullptr);
    return *found;
}

result<Channels::Channel*> Channels::live(ChannelId id) const {
    Channel* const found = find(id);
    if (found == nullptr || found->state != Channel::State::open || found->closed_in) {
        return unknown_channel();
    }
    return found;
}

ChannelId Channels::add(Channel channel) {
    ++open_;
    auto owned = std::make_unique<Channel>(channel);
    if (!free_.empty()) {
        const ChannelId id = free_.back();
        free_.pop_back();
        slots_[id] = std::move(owned);
        return id;
    }
    slots_.push_back(std::move(owned));
    return static_cast<ChannelId>(slots_.size() - 1);
}

void Channels::remove(ChannelId id) noexcept {
    --open_;
    slots_[id] = nullptr;
    free_.push_back(id);
}

result<ChannelEvent> Channels::take(BytesView message) {
    switch (message_of(message)) {
        case Message::global_request:
            return take_global(message);
        case Message::channel_open:
            return take_open(message);
        case Message::channel_open_confirmation:
            return take_answer(message, true);
        case Message::channel_open_failure:
            return take_answer(message, false);
        case Message::channel_window_adjust:
            return take_window(message);
        case Message::channel_data:
            return take_data(message, false);
        case Message::channel_extended_data:
            return take_data(message, true);
        case Message::channel_eof:
            return take_end(message, false);
        case Message::channel_close:
            return take_end(message, true);
        case Message::channel_request:
            return take_request(message);
        case Message::request_success:
        case Message::request_failure:
            return take_global_answer(message);
        case Message::channel_success:
        case Message::channel_failure:
            return take_request_answer(message);
        default:
            break;
    }
    ALKNET_CHECK(transport_.unimplemented());
    return ChannelEvent();
}

result<ChannelEvent> Channels::take_global(BytesView message) {
    WireReader in(message.subspan(1));
    const std::string_view name = take_text(in);
    const bool wants_reply = take_bool(in);
    if (!in.ok()) {
        return malformed();
    }
    return ChannelEvent{.kind = ChannelEvent::Kind::global,
                        .type = name,
                        .body = message.last(message.size() - 1 - 4 - name.size() - 1),
                        .wants_reply = wants_reply};
}

result<ChannelEvent> Channels::take_global_answer(BytesView message) {
    if (asked_.empty()) {
        return unasked();
    }
    const bool wanted = asked_.front();
    asked_.pop_front();
    if (!wanted) {
        return ChannelEvent();
    }
    return ChannelEvent{.kind = ChannelEvent::Kind::global_answered,
                        .body = message.subspan(1),
                        .code = message_of(message) == Message::request_success ? 1U : 0U};
}

result<ChannelEvent> Channels::take_request_answer(BytesView message) {
    WireReader in(message.subspan(1));
    const auto id = in.number<ChannelId>();
    if (!in.complete()) {
        return malformed();
    }
    ALKNET_TRY(Channel* const channel, live(id));
    if (channel->asked == 0) {
        return unasked();
    }
    --channel->asked;
    if (channel->closed_out) {
        return ChannelEvent();
    }
    return ChannelEvent{.kind = ChannelEvent::Kind::answered,
                        .channel = id,
                        .code = message_of(message) == Message::channel_success ? 1U : 0U};
}

result<ChannelEvent> Channels::take_open(BytesView message) {
    WireReader in(message.subspan(1));
    const std::string_view type = take_text(in);
    Channel channel;
    channel.peer = in.number<std::uint32_t>();
    channel.out_window = in.number<std::uint32_t>();
    channel.out_packet = in.number<std::uint32_t>();
    if (!in.ok() || channel.out_packet == 0) {
        return malformed();
    }
    if (open_ >= kChannelsMax) {
        ALKNET_CHECK(refuse_number(channel.peer, OpenFailure::shortage, "too many channels"));
        return ChannelEvent();
    }
    const ChannelId id = add(channel);
    return ChannelEvent{.kind = ChannelEvent::Kind::open,
                        .channel = id,
                        .type = type,
                        .body = message.subspan(1 + 4 + type.size() + 12)};
}

result<ChannelEvent> Channels::take_answer(BytesView message, bool confirmed) {
    WireReader in(message.subspan(1));
    const auto id = in.number<ChannelId>();
    Channel* const channel = find(id);
    if (channel == nullptr || channel->state != Channel::State::asking) {
        return unknown_channel();
    }
    if (!confirmed) {
        const auto code = in.number<std::uint32_t>();
        const std::string_view text = take_text(in);
        (void)take_text(in);
        if (!in.complete()) {
            return malformed();
        }
        remove(id);
        return ChannelEvent{
            .kind = ChannelEvent::Kind::refused, .channel = id, .type = text, .code = code};
    }
    channel->peer = in.number<std::uint32_t>();
    channel->out_window = in.number<std::uint32_t>();
    channel->out_packet = in.number<std::uint32_t>();
    if (!in.ok() || channel->out_packet == 0) {
        return malformed();
    }
    channel->state = Channel::State::open;
    return ChannelEvent{
        .kind = ChannelEvent::Kind::opened, .channel = id, .body = message.subspan(1 + 16)};
}

result<ChannelEvent> Channels::take_window(BytesView message) {
    WireReader in(message.subspan(1));
    const auto id = in.number<ChannelId>();
    const auto more = in.number<std::uint32_t>();
    if (!in.complete()) {
        return malformed();
    }
    ALKNET_TRY(Channel* const channel, live(id));
    if (more > std::numeric_limits<std::uint32_t>::max() - channel->out_window) {
        return fail(causes::kProtocol, "a window above its limit");
    }
    channel->out_window += more;
    if (channel->closed_out) {
        return ChannelEvent();
    }
    return ChannelEvent{.kind = ChannelEvent::Kind::window, .channel = id};
}

result<ChannelEvent> Channels::take_data(BytesView message, bool extended) {
    WireReader in(message.subspan(1));
    const auto id = in.number<ChannelId>();
    const std::uint32_t stream = extended ? in.number<std::uint32_t>() : kPlainData;
    const BytesView data = take_string(in);
    if (!in.complete()) {
        return malformed();
    }
    ALKNET_TRY(Channel* const channel, live(id));
    if (channel->eof_in || data.size() > channel->in_window || data.size() > kChannelPacketBytes) {
        return fail(causes::kProtocol, "data beyond the window or the end of a channel");
    }
    channel->in_window -= static_cast<std::uint32_t>(data.size());
    if (channel->closed_out || data.empty()) {
        return ChannelEvent();
    }
    if (extended && stream == kPlainData) {  // which is none
        ALKNET_CHECK(consumed(id, data.size()));
        return ChannelEvent();
    }
    return ChannelEvent{
        .kind = ChannelEvent::Kind::data, .channel = id, .body = data, .code = stream};
}

result<ChannelEvent> Channels::take_end(BytesView message, bool close) {
    WireReader in(message.subspan(1));
    const auto id = in.number<ChannelId>();
    if (!in.complete()) {
        return malformed();
    }
    ALKNET_TRY(Channel* const channel, live(id));
    if (!close) {
        if (std::exchange(channel->eof_in, true)) {
            return fail(causes::kProtocol, "a second end of a channel's data");
        }
        return channel->closed_out ? ChannelEvent()
                                   : ChannelEvent{.kind = ChannelEvent::Kind::eof, .channel = id};
    }
    channel->closed_in = true;
    if (channel->closed_out) {
        remove(id);
        return ChannelEvent();
    }
    return ChannelEvent{.kind = ChannelEvent::Kind::closed, .channel = id};
}

result<ChannelEvent> Channels::take_request(BytesView message) {
    WireReader in(message.subspan(1));
    const auto id = in.number<ChannelId>();
    const std::string_view type = take_text(in);
    const bool wants_reply = take_bool(in);
    if (!in.ok()) {
        return malformed();
    }
    ALKNET_TRY(Channel* const channel, live(id));
    if (channel->closed_out) {
        return ChannelEvent();
    }
    return ChannelEvent{.kind = ChannelEvent::Kind::request,
                        .channel = id,
                        .type = type,
                        .body = message.subspan(1 + 4 + 4 + type.size() + 1),
                        .wants_reply = wants_reply};
}

result<ChannelId> Channels::open(std::string_view type, BytesView body) {
    if (open_ >= kChannelsMax) {
        return fail(causes::kLimit, "too many channels");
    }
    Channel channel;
    channel.state = Channel::State::asking;
    const ChannelId id = add(channel);
    WireWriter out = begin_message(Message::channel_open);
    put_text(out, type);
    out.number(id);
    out.number(kWindowBytes);
    out.number(kChannelPacketBytes);
    out.append(body);
    ALKNET_CHECK(transport_.send(out.view()));
    return id;
}

result<void> Channels::accept(ChannelId id, BytesView more) {
    Channel& channel = at(id);
    ALKNET_ASSERT(channel.state == Channel::State::asked);
    channel.state = Channel::State::open;
    WireWriter out = begin_message(Message::channel_open_confirmation);
    out.number(channel.peer);
    out.number(id);
    out.number(kWindowBytes);
    out.number(kChannelPacketBytes);
    out.append(more);
    return transport_.send(out.view());
}

result<void> Channels::refuse(ChannelId id, OpenFailure reason, std::string_view text) {
    const Channel& channel = at(id);
    ALKNET_ASSERT(channel.state == Channel::State::asked);
    const std::uint32_t peer = channel.peer;
    remove(id);
    return refuse_number(peer, reason, text);
}

result<void> Channels::refuse_number(std::uint32_t peer, OpenFailure reason,
                                     std::string_view text) {
    WireWriter out = begin_message(Message::channel_open_failure);
    out.number(peer);
    out.number(static_cast<std::uint32_t>(reason));
    put_text(out, text);
    put_text(out, "");
    return transport_.send(out.view());
}

result<void> Channels::send_to(const Channel& channel, std::uint8_t message) {
    WireWriter out = begin_message(static_cast<Message>(message));
    out.number(channel.peer);
    return transport_.send(out.view());
}

result<void> Channels::answer(ChannelId id, bool success) {
    return send_to(at(id), static_cast<std::uint8_t>(success ? Message::channel_success
                                                             : Message::channel_failure));
}

result<void> Channels::answer_global(bool success, BytesView body) {
    WireWriter out = begin_message(success ? Message::request_success : Message::request_failure);
    out.append(success ? body : BytesView());
    return transport_.send(out.view());
}

result<void> Channels::tell(std::string_view name, BytesView body) {
    WireWriter out = begin_message(Message::global_request);
    put_text(out, name);
    put_bool(out, false);
    out.append(body);
    return transport_.send(out.view());
}

result<void> Channels::ask(std::string_view name) {
    WireWriter out = begin_message(Message::global_request);
    put_text(out, name);
    put_bool(out, true);
    asked_.push_back(false);
    return transport_.send(out.view());
}

result<void> Channels::ask_for(std::string_view name, BytesView body) {
    if (asked_.size() >= kQuestionsMax) {
        return fail(causes::kLimit, "too many requests wait for answers");
    }
    WireWriter out = begin_message(Message::global_request);
    put_text(out, name);
    put_bool(out, true);
    out.append(body);
    asked_.push_back(true);
    return transport_.send(out.view());
}

result<void> Channels::request(ChannelId id, std::string_view type, bool wants_reply,
                               BytesView body) {
    Channel& channel = at(id);
    if (channel.closed_out) {
        return {};
    }
    if (wants_reply && channel.asked >= kQuestionsMax) {
        return fail(causes::kLimit, "too many requests wait for answers");
    }
    channel.asked += wants_reply ? 1 : 0;
    WireWriter out = begin_message(Message::channel_request);
    out.number(channel.peer);
    put_text(out, type);
    put_bool(out, wants_reply);
    out.append(body);
    return transport_.send(out.view());
}

std::size_t Channels::sendable(ChannelId id) const noexcept {
    const Channel* const channel = find(id);
    if (channel == nullptr || channel->state != Channel::State::open || channel->eof_out ||
        channel->closed_out || channel->closed_in) {
        return 0;
    }
    return std::min({channel->out_window, channel->out_packet, kDataBytesMax});
}

MutableBytes Channels::begin(ChannelId id, std::size_t size, std::uint32_t stream) {
    ALKNET_ASSERT(size > 0 && size <= sendable(id));
    building_stream_ = stream;
    building_ = transport_.begin(header_bytes(stream) + size);
    return building_.subspan(header_bytes(stream));
}

void Channels::commit(ChannelId id, std::size_t size) {
    const std::size_t header = header_bytes(building_stream_);
    ALKNET_ASSERT(size + header <= building_.size());
    const MutableBytes packet = std::exchange(building_, {});
    if (size == 0) {
        transport_.commit(0);
        return;
    }
    Channel& channel = at(id);
    const bool plain = building_stream_ == kPlainData;
    packet[0] =
        static_cast<std::byte>(plain ? Message::channel_data : Message::channel_extended_data);
    put_number(packet.subspan(1), channel.peer);
    if (!plain) {
        put_number(packet.subspan(5), building_stream_);
    }
    put_number(packet.subspan(header - 4), static_cast<std::uint32_t>(size));
    channel.out_window -= static_cast<std::uint32_t>(size);
    transport_.commit(header + size);
}

result<void> Channels::consumed(ChannelId id, std::size_t size) {
    Channel& channel = at(id);
    channel.credit += static_cast<std::uint32_t>(size);
    if (channel.credit < kWindowBytes / kCreditShare || channel.eof_in || channel.closed_in ||
        channel.closed_out) {
        return {};
    }
    WireWriter out = begin_message(Message::channel_window_adjust);
    out.number(channel.peer);
    out.number(channel.credit);
    channel.in_window += std::exchange(channel.credit, 0);
    return transport_.send(out.view());
}

result<void> Channels::finish(ChannelId id) {
    Channel& channel = at(id);
    if (channel.closed_out || std::exchange(channel.eof_out, true)) {
        return {};
    }
    return send_to(channel, static_cast<std::uint8_t>(Message::channel_eof));
}

result<void> Channels::close(ChannelId id) {
    Channel& channel = at(id);
    ALKNET_ASSERT(channel.state == Channel::State::open);
    if (std::exchange(channel.closed_out, true)) {
        return {};
    }
    const result<void> sent = send_to(channel, static_cast<std::uint8_t>(Message::channel_close));
    if (channel.closed_in) {
        remove(id);
    }
    return sent;
}

}  // namespace alknet::ssh
