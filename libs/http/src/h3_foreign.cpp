// What an extension has of an HTTP/3 connection: its streams and its datagrams.
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <array>
#include <utility>

#include "h3_connection.hpp"
#include "h3_varint.hpp"

namespace alknet::http {

// Until the number at its front is whole, which a client may take header_timeout for.
task<result<void>> H3Connection::read_opening(RecvStream& stream, H3Opening& opening) {
    const TimePoint until = time_after(loop_.now(), options_.limits.connection.header_timeout);
    std::array<std::byte, 512> buffer{};
    while (!opening.type && !opening.ended) {
        ALKNET_CO_TRY(const std::size_t count,
                      co_await with_timeout(until - loop_.now(), stream.read(buffer)));
        opening.ended = count == 0;
        opening.octets.insert(opening.octets.end(), buffer.begin(),
                              buffer.begin() + static_cast<std::ptrdiff_t>(count));
        BytesView rest = opening.octets;
        opening.type = take_varint(rest);
        opening.type_size = opening.octets.size() - rest.size();
    }
    co_return result<void>();
}

// True: it was the extension's, or nothing at all, and is over.
task<bool> H3Connection::hand_over_bidi(std::unique_ptr<BiStream>& stream, H3Opening& opening) {
    if (!co_await read_opening(*stream, opening)) {
        stream->stop(h3_code::kRequestCancelled);
        stream->reset(h3_code::kRequestCancelled);
        co_return true;
    }
    if (!opening.type || !extension_->takes_bidi(*opening.type)) {
        co_return false;
    }
    (void)co_await extension_->serve_bidi(*this, *opening.type, std::move(stream),
                                          opening.behind_type());
    co_return true;
}

task<bool> H3Connection::hand_over_uni(std::int64_t id, H3Opening& opening) {
    const auto kept = others_.find(id);
    if (!co_await read_opening(*kept->second, opening)) {
        co_return true;
    }
    if (!opening.type || !extension_->takes_uni(*opening.type)) {
        co_return false;
    }
    std::unique_ptr<RecvStream> stream = std::move(kept->second);
    others_.erase(kept);
    (void)co_await extension_->serve_uni(*this, *opening.type, std::move(stream),
                                         opening.behind_type());
    co_return true;
}

bool H3Connection::takes_datagrams() const noexcept {
    return extension_ != nullptr && extension_->wants_datagrams() && session_->takes_datagrams() &&
           connection_.datagram_bytes_max() > 0;
}

result<void> H3Connection::send_datagram(std::uint64_t stream, BytesView payload) {
    if (!takes_datagrams()) {
        return fail(causes::kNotSupported, "datagrams of HTTP/3");
    }
    Bytes octets;
    append_varint(octets, stream / 4);
    octets.insert(octets.end(), payload.begin(), payload.end());
    return connection_.send_datagram(octets);
}

task<result<void>> H3Connection::receive_datagrams() {
    while (extension_ != nullptr && extension_->wants_datagrams()) {
        auto datagram = co_await connection_.recv_datagram();
        if (!datagram && datagram.error().is(causes::kNotSupported)) {
            break;
        }
        ALKNET_CO_CHECK(datagram);
        BytesView rest = *datagram;
        const auto quarter = take_varint(rest);
        if (!quarter || *quarter >= std::uint64_t{1} << 60) {
            bad_datagram_ = true;
            co_return result<void>();
        }
        extension_->on_datagram(*this, *quarter * 4, rest);
    }
    Event never;
    co_return co_await never.wait();
}

}  // namespace alknet::http
