#include "stream.hpp"

#include "connection.hpp"

#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/mutation.hpp>
#include <utility>

namespace alknet::quic {

// ---- receiving ----

task<result<std::size_t>> Stream::read(MutableBytes into) {
    ALKNET_ASSERT(!into.empty() && receives());
    for (;;) {
        if (stopped_) {
            co_return fail(causes::kReset, "reading was stopped");
        }
        if (!received_.empty()) {
            const std::size_t count = received_.take(into);
            connection_.consumed(*this, window_, count);
            co_return count;
        }
        if (peer_reset_) {
            co_return fail(causes::kReset, {}, *peer_reset_);
        }
        if (fin_received_) {
            co_return std::size_t{0};
        }
        ALKNET_CO_CHECK(connection_.alive());
        ALKNET_CO_CHECK(co_await readable_.wait());
    }
}

void Stream::stand_alone() noexcept {
    if (!std::exchange(alone_, true)) {
        connection_.set_aside(received_.size());
    }
}

std::size_t Stream::drop_received() noexcept {
    const std::size_t count = received_.size();
    received_.clear();
    return count;
}

void Stream::stop(std::uint64_t code) noexcept {
    if (!receives() || stopped_) {
        return;
    }
    stopped_ = true;
    const std::size_t unread = drop_received();
    connection_.discarded(*this, unread);
    if (!closed_ && !fin_received_ && !peer_reset_) {
        connection_.shutdown_read(id_, code);
    }
    readable_.wake_all();
}

void Stream::on_data(BytesView data, bool fin) {
    if (ALKNET_MUTATION(lose_chunk)) {
        data = {};
    }
    connection_.received(data.size());
    if (alone_) {
        connection_.set_aside(data.size());
    }
    if (stopped_) {
        connection_.discarded(*this, data.size());
    } else {
        received_.append(data);
        if (ALKNET_MUTATION(double_chunk)) {
            received_.append(data);
            connection_.received(data.size());
        }
    }
    fin_received_ = fin_received_ || fin;
    readable_.wake_all();
}

void Stream::on_peer_reset(std::uint64_t code) noexcept {
    // What was not read yet is lost with the rest (RFC 9000 section 3.2 allows it).
    connection_.discarded(*this, drop_received());
    peer_reset_ = code;
    readable_.wake_all();
}

// ---- sending ----

task<result<void>> Stream::write(BytesView data) {
    ALKNET_ASSERT(sends() && !finished_);
    for (;;) {
        if (peer_stop_) {
            co_return fail(causes::kReset, {}, *peer_stop_);
        }
        if (reset_) {
            co_return fail(causes::kReset, "the stream was reset here");
        }
        ALKNET_CO_CHECK(connection_.alive());
        if (data.empty()) {
            co_return result<void>{};
        }
        const std::size_t room = std::min(connection_.send_room(*this), data.size());
        if (room > 0) {
            out_.append(data.first(room));
            connection_.written(room);
            data = data.subspan(room);
            queue();
            continue;
        }
        ALKNET_CO_CHECK(co_await writable_.wait());
    }
}

result<void> Stream::finish() {
    ALKNET_ASSERT(sends());
    if (peer_stop_) {
        return fail(causes::kReset, {}, *peer_stop_);
    }
    if (reset_) {
        return fail(causes::kReset, "the stream was reset here");
    }
    ALKNET_CHECK(connection_.alive());
    if (!finished_ && !ALKNET_MUTATION(lose_end)) {
        finished_ = true;
        queue();
    }
    return {};
}

void Stream::reset(std::uint64_t code) noexcept {
    if (!sends() || reset_ || closed_ || (finished_ && delivered())) {
        return;
    }
    reset_ = true;
    drop_outgoing();
    connection_.shutdown_write(id_, code);
    writable_.wake_all();
}

task<result<void>> Stream::wait_stopped() {
    while (!peer_stop_ && !reset_) {
        ALKNET_CO_CHECK(connection_.alive());
        ALKNET_CO_CHECK(co_await writable_.wait());
    }
    co_return fail(causes::kReset, {}, peer_stop_.value_or(0));
}

void Stream::drop_outgoing() noexcept {
    // ngtcp2 does not look at the data of a stream again that is being reset.
    connection_.freed(out_.abandon());
    ListHook<SendTag>::unlink();
    ListHook<BudgetTag>::unlink();
}

void Stream::queue() noexcept {
    if (!blocked_ && has_outgoing()) {
        connection_.queue_stream(*this);
    }
}

void Stream::on_peer_stop(std::uint64_t code) noexcept {
    if (!sends() || peer_stop_ || (finished_ && delivered())) {
        return;
    }
    peer_stop_ = code;  // ngtcp2 answers with RESET_STREAM by itself
    drop_outgoing();
    writable_.wake_all();
}

void Stream::on_acknowledged(std::uint64_t end, bool progress) noexcept {
    connection_.freed(out_.acknowledge(end));
    if (fin_sent_ && (!progress || (!fin_alone_ && out_.buffered() == 0))) {
        fin_acknowledged_ = true;
    }
    writable_.wake_all();
}

void Stream::on_more_credit() noexcept {
    blocked_ = false;
    queue();
}

Stream::Outgoing Stream::outgoing(std::span<BytesView> into) const noexcept {
    Outgoing next;
    next.views = out_.peek(into);
    std::size_t octets = 0;
    for (const BytesView& view : into.first(next.views)) {
        octets += view.size();
    }
    next.fin = finished_ && octets == out_.unsent();
    return next;
}

void Stream::sent(std::size_t octets, bool fin) noexcept {
    announced_ = true;
    if (ALKNET_MUTATION(spoil_retransmission)) {
        out_.spoil(octets);
    }
    out_.mark_sent(octets);
    if (connection_.wants_more(*this)) {
        writable_.wake_all();
    }
    if (fin && !fin_sent_ && out_.unsent() == 0) {
        fin_sent_ = true;
        fin_alone_ = octets == 0;
    }
}

bool Stream::has_outgoing() const noexcept {
    if (!sends() || reset_ || peer_stop_ || closed_) {
        return false;
    }
    return out_.unsent() > 0 || (finished_ && !fin_sent_) || (!announced_ && !remote_);
}

bool Stream::delivered() const noexcept {
    return !sends() || !finished_ || reset_ || peer_stop_ || closed_ ||
           (fin_acknowledged_ && out_.buffered() == 0);
}

// ---- the end ----

void Stream::release() noexcept {
    released_ = true;
    if (!finished_) {
        reset(0);
    }
    stop(0);
    connection_.stream_ended(*this);
}

void Stream::on_closed(std::optional<std::uint64_t> code) noexcept {
    closed_ = true;
    if (receives() && !fin_received_ && !peer_reset_) {
        peer_reset_ = code.value_or(0);
    }
    if (sends() && !finished_ && !reset_ && !peer_stop_) {
        peer_stop_ = code.value_or(0);
    }
    connection_.freed(out_.abandon());
    ListHook<SendTag>::unlink();
    ListHook<BudgetTag>::unlink();
    readable_.wake_all();
    writable_.wake_all();
    connection_.stream_ended(*this);
}

void Stream::on_connection_end() noexcept {
    readable_.wake_all();
    writable_.wake_all();
}

void Stream::on_state_freed() noexcept {
    closed_ = true;
    silence();
    connection_.freed(out_.abandon());
}

void Stream::silence() noexcept {
    // The octets stay: packets in flight point to them.
    ListHook<SendTag>::unlink();
    ListHook<BudgetTag>::unlink();
}

}  // namespace alknet::quic
