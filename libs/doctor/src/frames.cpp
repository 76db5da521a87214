#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/doctor/frames.hpp>

#include "wire.hpp"

namespace alknet::doctor {

Bytes encode_frame(FrameType type, BytesView body) {
    Writer out;
    out.number(static_cast<std::uint8_t>(type));
    out.number(static_cast<std::uint32_t>(body.size()));
    out.append(body);
    return out.take();
}

Bytes encode(const Seen& seen) {
    Writer body;
    body.address(seen.observed);
    body.number(seen.unix_ms);
    body.number(seen.beginnings);
    body.number(seen.datagrams);
    return encode_frame(FrameType::seen, body.take());
}

Bytes encode(const Counted& counted, FrameType type) {
    Writer body;
    body.number(counted.bytes);
    body.number(counted.microseconds);
    body.number(counted.cpu_microseconds);
    body.number(counted.waited_microseconds);
    body.number(static_cast<std::uint8_t>(counted.given ? 1 : 0));
    body.number(counted.packets_sent);
    body.number(counted.packets_lost);
    body.number(counted.udp_drops);
    body.number(counted.rtt_us);
    return encode_frame(type, body.take());
}

Bytes encode(const Download& download) {
    Writer body;
    body.number(download.bytes);
    body.number(download.milliseconds);
    return encode_frame(FrameType::download, body.take());
}

result<Seen> decode_seen(BytesView body) {
    Reader in(body);
    Seen seen;
    seen.observed = in.address();
    seen.unix_ms = in.number<std::int64_t>();
    seen.beginnings = in.number<std::uint64_t>();
    seen.datagrams = in.number<std::uint32_t>();
    if (!in.ok()) {
        return fail(causes::kProtocol, "a malformed answer to look");
    }
    return seen;
}

result<Counted> decode_counted(BytesView body) {
    Reader in(body);
    Counted counted;
    counted.bytes = in.number<std::uint64_t>();
    counted.microseconds = in.number<std::uint64_t>();
    counted.cpu_microseconds = in.number<std::uint64_t>();
    counted.waited_microseconds = in.number<std::uint64_t>();
    if (in.ok() && !in.empty()) {
        counted.given = in.number<std::uint8_t>() == 1;
        counted.packets_sent = in.number<std::uint64_t>();
        counted.packets_lost = in.number<std::uint64_t>();
        counted.udp_drops = in.number<std::uint64_t>();
        counted.rtt_us = in.number<std::uint32_t>();
    }
    if (!in.ok()) {
        return fail(causes::kProtocol, "a malformed count");
    }
    return counted;
}

result<Download> decode_download(BytesView body) {
    Reader in(body);
    Download download;
    download.bytes = in.number<std::uint64_t>();
    download.milliseconds = in.number<std::uint32_t>();
    if (!in.ok()) {
        return fail(causes::kProtocol, "a malformed order");
    }
    return download;
}

MutableBytes FrameReader::room() {
    constexpr std::size_t kSize = kFrameHeaderBytes + kFrameBodyBytesMax + kPieceBytesMax;
    buffer_.resize(kSize);
    if (begin_ != 0) {
        std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
                  buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
        end_ -= begin_;
        begin_ = 0;
    }
    return MutableBytes(buffer_).subspan(end_, std::min(kPieceBytesMax, kSize - end_));
}

result<std::optional<Frame>> FrameReader::next() {
    const BytesView there = BytesView(buffer_).subspan(begin_, end_ - begin_);
    if (there.size() < kFrameHeaderBytes) {
        return std::nullopt;
    }
    Reader in(there);
    const auto type = in.number<std::uint8_t>();
    const auto size = in.number<std::uint32_t>();
    if (type == 0 || type > static_cast<std::uint8_t>(FrameType::report)) {
        return fail(causes::kProtocol, "a frame of an unknown type");
    }
    if (size > kFrameBodyBytesMax) {
        return fail(causes::kProtocol, "a frame has at most 32 KiB");
    }
    if (there.size() - kFrameHeaderBytes < size) {
        return std::nullopt;
    }
    begin_ += kFrameHeaderBytes + size;
    return Frame{.type = static_cast<FrameType>(type), .body = in.take(size)};
}

}  // namespace alknet::doctor
