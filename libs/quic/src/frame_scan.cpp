#include "frame_scan.hpp"

#include <algorithm>

namespace alknet::quic {

namespace {

constexpr std::uint64_t kPadding = 0x00;
constexpr std::uint64_t kPing = 0x01;
constexpr std::uint64_t kAck = 0x02;
constexpr std::uint64_t kAckEcn = 0x03;
constexpr std::uint64_t kResetStream = 0x04;
constexpr std::uint64_t kStopSending = 0x05;
constexpr std::uint64_t kCrypto = 0x06;
constexpr std::uint64_t kNewToken = 0x07;
constexpr std::uint64_t kStreamFirst = 0x08;
constexpr std::uint64_t kStreamLast = 0x0f;
constexpr std::uint64_t kMaxData = 0x10;
constexpr std::uint64_t kMaxStreamData = 0x11;
constexpr std::uint64_t kMaxStreamsBidi = 0x12;
constexpr std::uint64_t kMaxStreamsUni = 0x13;
constexpr std::uint64_t kDataBlocked = 0x14;
constexpr std::uint64_t kStreamDataBlocked = 0x15;
constexpr std::uint64_t kStreamsBlockedBidi = 0x16;
constexpr std::uint64_t kStreamsBlockedUni = 0x17;
constexpr std::uint64_t kNewConnectionId = 0x18;
constexpr std::uint64_t kRetireConnectionId = 0x19;
constexpr std::uint64_t kPathChallenge = 0x1a;
constexpr std::uint64_t kPathResponse = 0x1b;
constexpr std::uint64_t kHandshakeDone = 0x1e;
constexpr std::uint64_t kDatagramLength = 0x31;

}  // namespace

bool FrameScan::integer(std::uint64_t& value) noexcept {
    if (left_.empty()) {
        return false;
    }
    const auto first = std::to_integer<std::uint8_t>(left_.front());
    const std::size_t size = std::size_t{1} << (first >> 6);
    if (left_.size() < size) {
        return false;
    }
    value = first & 0x3fU;
    for (const std::byte octet : left_.subspan(1, size - 1)) {
        value = value << 8 | std::to_integer<std::uint64_t>(octet);
    }
    left_ = left_.subspan(size);
    return true;
}

bool FrameScan::skip(std::size_t count) noexcept {
    if (left_.size() < count) {
        return false;
    }
    left_ = left_.subspan(count);
    return true;
}

bool FrameScan::skip_integers(int count) noexcept {
    std::uint64_t ignored = 0;
    for (int i = 0; i < count; ++i) {
        if (!integer(ignored)) {
            return false;
        }
    }
    return true;
}

bool FrameScan::skip_counted() noexcept {
    std::uint64_t count = 0;
    return integer(count) && count <= left_.size() && skip(static_cast<std::size_t>(count));
}

bool FrameScan::skip_ack(bool ecn) noexcept {
    std::uint64_t ranges = 0;
    if (!skip_integers(2) || !integer(ranges) || !skip_integers(1)) {
        return false;
    }
    for (; ranges > 0; --ranges) {
        if (!skip_integers(2)) {
            return false;
        }
    }
    return !ecn || skip_integers(3);
}

bool FrameScan::skip_stream(std::uint64_t type) noexcept {
    const bool has_offset = (type & 0x04) != 0;
    const bool has_length = (type & 0x02) != 0;
    if (!skip_integers(has_offset ? 2 : 1)) {
        return false;
    }
    return has_length ? skip_counted() : skip(left_.size());
}

bool FrameScan::skip_new_connection_id() noexcept {
    constexpr std::size_t kTokenBytes = 16;
    if (!skip_integers(2) || left_.empty()) {
        return false;
    }
    return skip(1 + std::to_integer<std::size_t>(left_.front()) + kTokenBytes);
}

bool FrameScan::skip_frame(std::uint64_t type) noexcept {
    if (type >= kStreamFirst && type <= kStreamLast) {
        return skip_stream(type);
    }
    switch (type) {
        case kPadding:  // comes by the thousand
            return skip(static_cast<std::size_t>(
                std::ranges::find_if(left_, [](std::byte octet) { return octet != std::byte{0}; }) -
                left_.begin()));
        case kPing:
        case kHandshakeDone:
            return true;
        case kAck:
        case kAckEcn:
            return skip_ack(type == kAckEcn);
        case kResetStream:
            return skip_integers(3);
        case kCrypto:
            return skip_integers(1) && skip_counted();
        case kNewToken:
        case kDatagramLength:
            return skip_counted();
        case kMaxData:
        case kMaxStreamsBidi:
        case kMaxStreamsUni:
        case kDataBlocked:
        case kStreamsBlockedBidi:
        case kStreamsBlockedUni:
        case kRetireConnectionId:
            return skip_integers(1);
        case kMaxStreamData:
        case kStreamDataBlocked:
            return skip_integers(2);
        case kNewConnectionId:
            return skip_new_connection_id();
        case kPathChallenge:
        case kPathResponse:
            return skip(8);
        default:  // a close, a datagram to the end of the packet, or unknown: nothing matters after
                  // it
            return false;
    }
}

std::optional<StopSending> FrameScan::next() noexcept {
    std::uint64_t type = 0;
    while (integer(type)) {
        if (type == kStopSending) {
            std::uint64_t stream = 0;
            StopSending found;
            if (!integer(stream) || !integer(found.code)) {
                break;
            }
            found.stream = static_cast<std::int64_t>(stream);
            return found;
        }
        if (!skip_frame(type)) {
            break;
        }
    }
    left_ = {};
    return std::nullopt;
}

}  // namespace alknet::quic
