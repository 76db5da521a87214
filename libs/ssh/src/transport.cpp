// Buffers and packets; the key exchange is in transport_exchange.cpp.
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/ssh/transport.hpp>
#include <utility>

#include "messages.hpp"
#include "printable.hpp"
#include "transport_state.hpp"

namespace alknet::ssh {

namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kHeaderBytes = 5;  // and the octet that tells the padding
constexpr std::size_t kPaddingMin = 4;
constexpr std::size_t kPaddingMax = 255;
constexpr std::size_t kTagBytesMax = 64;
constexpr std::size_t kOverhead = kHeaderBytes + kPaddingMax + kTagBytesMax;

void put_length(MutableBytes packet, std::size_t length) noexcept {
    for (std::size_t i = 0; i < kLengthBytes; ++i) {
        packet[i] = static_cast<std::byte>(length >> (8 * (kLengthBytes - 1 - i)));
    }
}

}  // namespace

Transport::Transport(TransportOptions options)
    : options_(std::move(options)),
      own_ident_("SSH-2.0-" + std::string(options_.software)),
      in_cipher_(make_plain_cipher()),
      out_cipher_(make_plain_cipher()) {
    ALKNET_ASSERT(!is_server() || options_.host_key != nullptr);
    const std::string line = own_ident_ + "\r\n";
    ALKNET_ASSERT(line.size() <= kIdentBytesMax);
    out_.buffer = to_bytes(as_bytes(line));
    out_.size = line.size();
    begin_exchange();
}

Transport::~Transport() {
    crypto::wipe(in_);
}

void Transport::fill_random(MutableBytes into) const {
    if (options_.random) {
        options_.random(into);
    } else {
        crypto::fill_random(into);
    }
}

// The peer's octets.

MutableBytes Transport::room() {
    if (in_begin_ == in_end_) {
        in_begin_ = in_end_ = 0;
        if (!in_was_full_ && in_.size() > kReadBytesMin) {
            crypto::wipe(in_);
            in_ = Bytes();
        }
    } else if (in_begin_ > 0) {
        std::copy(in_.begin() + static_cast<std::ptrdiff_t>(in_begin_),
                  in_.begin() + static_cast<std::ptrdiff_t>(in_end_), in_.begin());
        in_end_ -= std::exchange(in_begin_, 0);
    }
    if (in_.size() < kReadBytesMin) {
        in_.resize(kReadBytesMin);
    } else if (in_end_ == in_.size() || (in_was_full_ && in_.size() < kReadBytesMax)) {
        in_.resize(in_.size() * 2);
    }
    return MutableBytes(in_).subspan(in_end_);
}

void Transport::filled(std::size_t size) {
    ALKNET_ASSERT(size <= in_.size() - in_end_);
    in_end_ += size;
    in_was_full_ = in_end_ == in_.size();
}

result<bool> Transport::read_ident() {
    const std::string_view have = as_text(BytesView(in_).subspan(in_begin_, in_end_ - in_begin_));
    const std::size_t end = have.find('\n');
    if (std::min(end, have.size()) >= kIdentBytesMax) {
        return fail(causes::kLimit, "the line that names the program is too long");
    }
    if (end == std::string_view::npos) {
        return false;
    }
    std::string_view line = have.substr(0, end);
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    in_begin_ += end + 1;
    if (line.starts_with("SSH-2.0-") || (!is_server() && line.starts_with("SSH-1.99-"))) {
        if (line.find('\0') != std::string_view::npos) {
            return fail(causes::kProtocol, "the line that names the program");
        }
        peer_ident_ = line;
        return true;
    }
    // A server may say something else first (RFC 4253 section 4.2).
    if (is_server() || line.starts_with("SSH-")) {
        return fail(causes::kProtocol, "this is not SSH 2: " + printable(line));
    }
    if (++ident_lines_ > kIdentLinesMax) {
        return fail(causes::kLimit, "too many lines before the one that names the program");
    }
    return true;
}

result<void> Transport::read_length() {
    const PacketCipher::Shape& shape = in_cipher_->shape();
    const MutableBytes lead = MutableBytes(in_).subspan(in_begin_, shape.lead_bytes);
    const std::size_t length = in_cipher_->length(in_sequence_, lead);
    if (length > packet_bytes_max_) {
        return fail(causes::kLimit, "a packet is too large");
    }
    const std::size_t counted = length + (shape.length_apart ? 0 : kLengthBytes);
    if (counted % shape.block_bytes != 0 || length < 1 + 1 + kPaddingMin ||
        length + kLengthBytes < shape.lead_bytes) {
        return fail(causes::kProtocol, "the length of a packet");
    }
    packet_bytes_ = kLengthBytes + length;
    return {};
}

result<std::optional<BytesView>> Transport::read_packet() {
    const PacketCipher::Shape& shape = in_cipher_->shape();
    if (!packet_bytes_ && in_end_ - in_begin_ >= shape.lead_bytes) {
        ALKNET_CHECK(read_length());
    }
    if (!packet_bytes_ || in_end_ - in_begin_ < *packet_bytes_ + shape.tag_bytes) {
        return std::optional<BytesView>();
    }
    const MutableBytes packet = MutableBytes(in_).subspan(in_begin_, *packet_bytes_);
    const BytesView tag = BytesView(in_).subspan(in_begin_ + packet.size(), shape.tag_bytes);
    if (!in_cipher_->open(in_sequence_, packet, tag)) {
        return fail(causes::kProtocol, "a packet was changed on its way");
    }
    in_begin_ += packet.size() + tag.size();
    packet_bytes_.reset();
    ++in_sequence_;
    ++in_packets_;
    ++in_key_packets_;
    in_bytes_ += packet.size();
    if (!keyed_ && in_packets_ > kPacketsBeforeKeysMax) {
        return fail(causes::kLimit, "too many packets before there are keys");
    }
    const std::size_t padding = static_cast<std::uint8_t>(packet[kLengthBytes]);
    if (padding < kPaddingMin || kHeaderBytes + padding >= packet.size()) {
        return fail(causes::kProtocol, "the padding of a packet");
    }
    return std::optional<BytesView>(
        packet.subspan(kHeaderBytes, packet.size() - kHeaderBytes - padding));
}

result<std::optional<BytesView>> Transport::next() {
    while (peer_ident_.empty()) {
        ALKNET_TRY(const bool line, read_ident());
        if (!line) {
            return std::optional<BytesView>();
        }
    }
    for (;;) {
        ALKNET_TRY(const std::optional<BytesView> payload, read_packet());
        if (!payload) {
            return std::optional<BytesView>();
        }
        ALKNET_TRY(const bool for_above, dispatch(*payload));
        if (in_bytes_ > kRekeyPatience * options_.rekey_bytes ||
            in_key_packets_ > kRekeyPackets + kPacketsBeforeKeysMax) {
            return fail(causes::kLimit, "the peer gives no new keys");
        }
        count_and_rekey();
        if (for_above) {
            return payload;
        }
    }
}

// Messages that are ours are done here; true for those of the layers above.
result<bool> Transport::dispatch(BytesView payload) {
    const Message message = message_of(payload);
    const bool peer_exchanging = exchange_ != nullptr && !exchange_->peer_init.empty();
    const bool of_a_method = message >= Message::ecdh_init && message < Message::userauth_request;
    if (of_a_method && exchange_ != nullptr && std::exchange(exchange_->drop_guess, false)) {
        return false;  // it guessed another method than the one that was agreed on
    }
    switch (message) {
        case Message::kexinit:
            ALKNET_CHECK(take_kexinit(payload));
            return false;
        case Message::ecdh_init:
            ALKNET_CHECK(take_ecdh_init(payload));
            return false;
        case Message::ecdh_reply:
            ALKNET_CHECK(take_ecdh_reply(payload));
            return false;
        case Message::newkeys:
            ALKNET_CHECK(take_newkeys());
            return false;
        case Message::disconnect:
        case Message::ignore:
        case Message::unimplemented:
        case Message::debug:
            return take_control(payload);
        default:
            break;
    }
    if (!keyed_ || peer_exchanging) {
        return fail(causes::kProtocol, "a message in the middle of a key exchange");
    }
    ALKNET_CHECK(check_safe());
    if (message == Message::ext_info || message == Message::pong) {
        return false;  // says nothing that we need
    }
    if (message == Message::ping) {
        WireReader in(payload.subspan(1));
        const BytesView data = take_string(in);
        if (!in.complete()) {
            return fail(causes::kProtocol, "a malformed ping");
        }
        WireWriter pong = begin_message(Message::pong);
        put_string(pong, data);
        ALKNET_CHECK(send(pong.view()));
        return false;
    }
    return true;
}

result<bool> Transport::take_control(BytesView payload) {
    if (message_of(payload) == Message::disconnect) {
        WireReader in(payload.subspan(1));
        (void)in.number<std::uint32_t>();
        const std::string_view text = take_text(in);
        return fail(causes::kClosed, "the other end says: " + printable(text));
    }
    // Before the first keys, nothing but the exchange itself (strict key exchange).
    if (strict_ && !keyed_) {
        return fail(causes::kProtocol, "a message that strict key exchange forbids");
    }
    return false;
}

// Ours.

MutableBytes Transport::begin(std::size_t size) {
    ALKNET_ASSERT(ready() && building_ == 0 && size > 0);
    building_ = size;
    const std::size_t needed = out_.size + size + kOverhead;
    if (out_.buffer.size() < needed) {
        if (out_.buffer.empty()) {
            out_.buffer = std::exchange(spare_, {});
        }
        if (out_.buffer.size() < needed) {
            out_.buffer.resize(std::max(needed, out_.buffer.size() * 2));
        }
    }
    return MutableBytes(out_.buffer).subspan(out_.size + kHeaderBytes, size);
}

void Transport::commit(std::size_t size) {
    ALKNET_ASSERT(building_ >= size);
    building_ = 0;
    if (size == 0) {
        return;
    }
    const PacketCipher::Shape& shape = out_cipher_->shape();
    const std::size_t unpadded = kHeaderBytes + size;
    const std::size_t counted = unpadded - (shape.length_apart ? kLengthBytes : 0);
    std::size_t padding = shape.block_bytes - counted % shape.block_bytes;
    padding += padding < kPaddingMin ? shape.block_bytes : 0;
    const MutableBytes packet = MutableBytes(out_.buffer).subspan(out_.size, unpadded + padding);
    put_length(packet, packet.size() - kLengthBytes);
    packet[kLengthBytes] = static_cast<std::byte>(padding);
    // Zeros: what makes them unreadable is the cipher, and before there is one nothing is secret.
    std::ranges::fill(packet.subspan(unpadded), std::byte{0});
    out_cipher_->seal(
        out_sequence_, packet,
        MutableBytes(out_.buffer).subspan(out_.size + packet.size(), shape.tag_bytes));
    out_.size += packet.size() + shape.tag_bytes;
    ++out_sequence_;
    ++out_key_packets_;
    out_bytes_ += packet.size();
    if (ready()) {
        count_and_rekey();
    }
}

void Transport::seal_now(BytesView message) {
    const bool was_keyed = std::exchange(keyed_, true);
    const bool was_blocked = std::exchange(sending_blocked_, false);
    std::ranges::copy(message, begin(message.size()).begin());
    sending_blocked_ = true;  // no new exchange out of the middle of one
    commit(message.size());
    keyed_ = was_keyed;
    sending_blocked_ = was_blocked;
}

result<void> Transport::send(BytesView message) {
    if (disconnected_) {
        return {};
    }
    if (ready()) {
        std::ranges::copy(message, begin(message.size()).begin());
        commit(message.size());
        return {};
    }
    held_bytes_ += message.size();
    if (held_bytes_ > kHeldBytesMax) {
        return fail(causes::kLimit, "too much waits for new keys");
    }
    held_.push_back(to_bytes(message));
    return {};
}

Transport::Sealed Transport::take_out() noexcept {
    return std::exchange(out_, {});
}

void Transport::give_back(Sealed sealed) noexcept {
    if (out_.size > 0) {  // an idle connection keeps nothing
        spare_ = std::move(sealed.buffer);
    }
}

void Transport::disconnect(Disconnect reason, std::string_view text) {
    if (disconnected_) {
        return;
    }
    WireWriter out = begin_message(Message::disconnect);
    out.number(static_cast<std::uint32_t>(reason));
    put_text(out, text);
    put_text(out, "");
    seal_now(out.view());
    disconnected_ = true;
    sending_blocked_ = true;
}

result<void> Transport::unimplemented() {
    WireWriter out = begin_message(Message::unimplemented);
    out.number(sequence());
    return send(out.view());
}

void Transport::count_and_rekey() {
    const bool due = in_bytes_ >= options_.rekey_bytes || out_bytes_ >= options_.rekey_bytes ||
                     in_key_packets_ >= kRekeyPackets || out_key_packets_ >= kRekeyPackets;
    if (due && keyed_) {
        rekey();
    }
}

void Transport::rekey() {
    if (keyed_ && exchange_ == nullptr && !disconnected_) {
        begin_exchange();
    }
}

}  // namespace alknet::ssh
