// Streams and datagrams of a connection, and their credit.
#include "connection.hpp"
#include "endpoint.hpp"
#include "stream_handle.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/mutation.hpp>

namespace alknet::quic {

namespace {

/// A writer is always let in when the connection holds less than this, whatever waits to be read.
constexpr std::size_t kSendBytesFloor = 64 << 10;

/// What a datagram costs in a packet besides its octets: first octet, packet number, tag, frame
/// type and length. The destination connection id comes on top.
constexpr std::size_t kFrameHeaderMax = 1 + 2;
constexpr std::size_t kDatagramOverhead = 1 + 4 + 16 + kFrameHeaderMax;

}  // namespace

task<result<void>> BiHandle::finish() {
    co_return stream_->finish();
}

task<result<void>> SendHandle::finish() {
    co_return stream_->finish();
}

// ---- opening and accepting ----

std::shared_ptr<Stream> ConnectionImpl::add_stream(std::int64_t id, bool remote) {
    Stream::Kind kind = Stream::Kind::bidi;
    if (ngtcp2_is_bidi_stream(id) == 0) {
        kind = remote ? Stream::Kind::receive_only : Stream::Kind::send_only;
    }
    const ReceiveWindow window(options_.stream_window_bytes, stream_window_max_, loop_.now());
    auto stream = std::make_shared<Stream>(*this, id, kind, remote, window, *chunks_);
    ngtcp2_conn_set_stream_user_data(conn_.get(), id, stream.get());
    streams_.emplace(id, stream);
    ++stats_.streams_total;
    return stream;
}

Stream* ConnectionImpl::find_stream(std::int64_t id) noexcept {
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : found->second.get();
}

void ConnectionImpl::on_stream_open(std::int64_t id) {
    const bool bidi = ngtcp2_is_bidi_stream(id) != 0;
    auto stream = add_stream(id, true);
    StreamKind& streams = kind(bidi);
    streams.incoming.push_back(std::move(stream));
    streams.acceptors.wake_one();
}

void ConnectionImpl::on_stream_close(std::int64_t id, std::optional<std::uint64_t> code) {
    const auto found = streams_.find(id);
    if (found != streams_.end()) {
        const auto stream = std::move(found->second);
        streams_.erase(found);
        stream->on_closed(code);
    }
}

void ConnectionImpl::stream_ended(Stream& stream) noexcept {
    if (!stream.remote() || !stream.closed() || !stream.released() || ended_) {
        return;
    }
    ++kind(stream.bidi()).finished;
    grant_streams(stream.bidi());
}

void ConnectionImpl::grant_streams(bool bidi) noexcept {
    StreamKind& streams = kind(bidi);
    if (conn_ == nullptr || streams.granted >= streams.finished + streams.limit) {
        return;
    }
    const std::uint64_t more = streams.finished + streams.limit - streams.granted;
    streams.granted += more;
    if (ALKNET_MUTATION(lose_stream_count)) {
        return;
    }
    if (bidi) {
        ngtcp2_conn_extend_max_streams_bidi(conn_.get(), more);
    } else {
        ngtcp2_conn_extend_max_streams_uni(conn_.get(), more);
    }
    request_flush();
}

void ConnectionImpl::set_stream_limits(std::uint64_t bidi, std::uint64_t uni) {
    bidi_.limit = bidi;
    uni_.limit = uni;
    grant_streams(true);
    grant_streams(false);
}

/// For one coroutine that waits, not for two: most connections have one that does.
template <class Handle, class Result>
task<result<std::unique_ptr<Result>>> ConnectionImpl::accept_stream(bool bidi) {
    const auto handle = handle_.lock();
    StreamKind& streams = kind(bidi);
    while (streams.incoming.empty()) {
        ALKNET_CO_CHECK(alive());
        ALKNET_CO_CHECK(co_await streams.acceptors.wait());
    }
    auto stream = std::move(streams.incoming.front());
    streams.incoming.pop_front();
    co_return std::make_unique<Handle>(handle, std::move(stream));
}

task<result<std::shared_ptr<Stream>>> ConnectionImpl::open_stream(bool bidi) {
    StreamKind& streams = kind(bidi);
    for (;;) {
        ALKNET_CO_CHECK(alive());
        std::int64_t id = -1;
        const int outcome = bidi ? ngtcp2_conn_open_bidi_stream(conn_.get(), &id, nullptr)
                                 : ngtcp2_conn_open_uni_stream(conn_.get(), &id, nullptr);
        if (outcome == 0) {
            auto stream = add_stream(id, false);
            // Announced even if nothing is written: the peer may be the one to speak first.
            queue_stream(*stream);
            co_return stream;
        }
        if (outcome != NGTCP2_ERR_STREAM_ID_BLOCKED) {
            co_return alknet::fail(causes::kInternal, ngtcp2_strerror(outcome));
        }
        ALKNET_CO_CHECK(co_await streams.openers.wait());
    }
}

task<result<std::unique_ptr<BiStream>>> ConnectionImpl::accept_bi() {
    return accept_stream<BiHandle, BiStream>(true);
}

task<result<std::unique_ptr<BiStream>>> ConnectionImpl::open_bi() {
    const auto handle = handle_.lock();
    ALKNET_CO_TRY(auto stream, co_await open_stream(true));
    co_return std::make_unique<BiHandle>(handle, std::move(stream));
}

task<result<std::unique_ptr<RecvStream>>> ConnectionImpl::accept_uni() {
    return accept_stream<RecvHandle, RecvStream>(false);
}

task<result<std::unique_ptr<SendStream>>> ConnectionImpl::open_uni() {
    const auto handle = handle_.lock();
    ALKNET_CO_TRY(auto stream, co_await open_stream(false));
    co_return std::make_unique<SendHandle>(handle, std::move(stream));
}

// ---- receiving ----

void ConnectionImpl::consumed(Stream& stream, ReceiveWindow& window, std::size_t count) {
    received_unread_ -= count;
    if (conn_ == nullptr) {
        return;
    }
    const std::uint64_t limit = stream.alone() ? kAloneWindowMax : stream_window_max_;
    window.set_limit(std::min(limit, stream_window_max_));
    const std::uint64_t stream_credit =
        count + window.consumed(count, loop_.now(), [this] { return round_trip(); });
    if (!ALKNET_MUTATION(lose_stream_credit)) {
        (void)ngtcp2_conn_extend_max_stream_offset(conn_.get(), stream.id(), stream_credit);
    }
    const bool stream_due = window.due(count);
    const bool due = !stream.alone() && give_credit(count);
    if (due || stream_due) {
        request_flush();
    }
}

Duration ConnectionImpl::round_trip() const noexcept {
    ngtcp2_conn_info info{};
    ngtcp2_conn_get_conn_info(conn_.get(), &info);
    return Duration(static_cast<Duration::rep>(info.smoothed_rtt));
}

bool ConnectionImpl::give_credit(std::size_t count) noexcept {
    const std::uint64_t credit =
        count + window_.consumed(count, loop_.now(), [this] { return round_trip(); });
    if (!ALKNET_MUTATION(lose_connection_credit)) {
        ngtcp2_conn_extend_max_offset(conn_.get(), credit);
    }
    return window_.due(count);
}

void ConnectionImpl::set_aside(std::size_t count) noexcept {
    if (count > 0 && conn_ != nullptr && give_credit(count)) {
        request_flush();
    }
}

void ConnectionImpl::discarded(const Stream& stream, std::size_t count) noexcept {
    received_unread_ -= count;
    if (count > 0 && conn_ != nullptr && !stream.alone()) {
        ngtcp2_conn_extend_max_offset(conn_.get(), count);
        if (window_.due(count)) {
            request_flush();
        }
    }
}

void ConnectionImpl::shutdown_read(std::int64_t id, std::uint64_t code) noexcept {
    if (conn_ != nullptr) {
        (void)ngtcp2_conn_shutdown_stream_read(conn_.get(), 0, id, code);
        request_flush();
    }
}

void ConnectionImpl::set_window_limits(std::uint64_t connection_bytes, std::uint64_t stream_bytes) {
    window_.set_limit(connection_bytes);
    stream_window_max_ = stream_bytes;
    send_bytes_max_ = connection_bytes;
}

// ---- sending ----

std::size_t ConnectionImpl::send_room(Stream& stream) noexcept {
    const std::uint64_t own = stream.unsent();
    const std::uint64_t most = unsent_max(stream);
    const std::uint64_t stream_room = own < most ? most - own : 0;
    const std::uint64_t bound = std::max<std::uint64_t>(send_bytes_max_, kSendBytesFloor);
    const std::uint64_t room = sent_unacknowledged_ < bound ? bound - sent_unacknowledged_ : 0;
    if (room == 0 && !static_cast<ListHook<BudgetTag>&>(stream).linked()) {
        waiting_for_budget_.push_back(stream);
    }
    return static_cast<std::size_t>(std::min(stream_room, room));
}

std::uint64_t ConnectionImpl::unsent_max(const Stream& stream) const noexcept {
    return stream.alone() ? std::min(kAloneUnsentMax, options_.unsent_bytes_max)
                          : options_.unsent_bytes_max;
}

bool ConnectionImpl::wants_more(const Stream& stream) const noexcept {
    return stream.unsent() <= unsent_max(stream) / 2;
}

void ConnectionImpl::written(std::size_t count) noexcept {
    sent_unacknowledged_ += count;
}

void ConnectionImpl::freed(std::size_t count) noexcept {
    sent_unacknowledged_ -= count;
    if (count == 0) {
        return;
    }
    while (Stream* stream = waiting_for_budget_.pop_front()) {
        stream->wake_writer();
    }
}

void ConnectionImpl::queue_stream(Stream& stream) noexcept {
    if (conn_ == nullptr || (ended_ && !(phase_ == Phase::lingering && stream.finished()))) {
        return;
    }
    if (!static_cast<ListHook<SendTag>&>(stream).linked()) {
        sendable_.push_back(stream);
    }
    request_flush();
}

void ConnectionImpl::shutdown_write(std::int64_t id, std::uint64_t code) noexcept {
    if (conn_ != nullptr) {
        (void)ngtcp2_conn_shutdown_stream_write(conn_.get(), 0, id, code);
        request_flush();
    }
}

// ---- datagrams ----

std::size_t ConnectionImpl::datagram_bytes_max() const noexcept {
    if (conn_ == nullptr) {
        return 0;
    }
    const ngtcp2_transport_params* peer = ngtcp2_conn_get_remote_transport_params(conn_.get());
    if (peer == nullptr || peer->max_datagram_frame_size <= kFrameHeaderMax) {
        return 0;
    }
    const std::size_t overhead = kDatagramOverhead + ngtcp2_conn_get_dcid(conn_.get())->datalen;
    const std::size_t path =
        progress_.limit(ngtcp2_conn_get_path_max_tx_udp_payload_size(conn_.get()), loop_.now());
    return static_cast<std::size_t>(
        std::min<std::uint64_t>(path - overhead, peer->max_datagram_frame_size - kFrameHeaderMax));
}

result<void> ConnectionImpl::send_datagram(BytesView data) {
    ALKNET_CHECK(alive());
    const std::size_t largest = datagram_bytes_max();
    if (largest == 0) {
        return alknet::fail(causes::kNotSupported, "the peer takes no datagrams");
    }
    if (data.size() > largest) {
        return alknet::fail(causes::kLimit, "larger than datagram_bytes_max");
    }
    if (!datagrams_out_.push(data)) {
        return alknet::fail(causes::kLimit, "datagram_queue_max");
    }
    request_flush();
    return {};
}

task<result<Bytes>> ConnectionImpl::recv_datagram() {
    while (datagrams_in_.empty()) {
        ALKNET_CO_CHECK(alive());
        ALKNET_CO_CHECK(co_await datagram_waiters_.wait());
    }
    co_return datagrams_in_.pop();
}

void ConnectionImpl::drop_oversized_datagrams() {
    // The path may have become narrower since they were queued.
    const std::size_t largest = datagrams_out_.empty() ? 0 : datagram_bytes_max();
    while (!datagrams_out_.empty() && datagrams_out_.front().size() > largest) {
        (void)datagrams_out_.pop();
    }
}

}  // namespace alknet::quic
