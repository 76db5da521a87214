#include "directions.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/mutation.hpp>

namespace alknet::resume {

namespace {

/// A receiver tells its position at once when it has moved by this part of its ring.
constexpr std::uint64_t kTellParts = 4;

}  // namespace

// ---- sending ----

std::size_t Sending::write(BytesView data) {
    if (ending_ != Ending::open) {
        return 0;
    }
    const std::size_t taken = ring_.append(data, ring_bytes_);
    written_ += taken;
    return taken;
}

void Sending::finish() noexcept {
    if (ending_ == Ending::open) {
        ending_ = Ending::finished;
    }
}

void Sending::reset(std::uint64_t code) noexcept {
    if (delivered() || ending_ == Ending::reset) {
        return;
    }
    ending_ = Ending::reset;
    code_ = code;
    ring_.clear();
    // A FIN may be on its way: then the peer has had the end by the time this comes.
    next_ = std::min(next_, written_);
}

result<void> Sending::attach(const Position& peer) {
    if (peer.received < acknowledged_ || peer.received > sent_) {
        return fail(causes::kProtocol, "a position that was given up, or never reached");
    }
    drop_until(peer.received);
    limit_ = std::max(limit_, peer.limit);
    next_ = ALKNET_MUTATION(forget_unacknowledged) ? sent_ : peer.received;
    return {};
}

result<void> Sending::acknowledged(const Position& peer) {
    if (peer.received < acknowledged_ || peer.received > sent_) {
        return fail(causes::kProtocol, "an acknowledgement of what was not sent, or a smaller one");
    }
    drop_until(peer.received);
    limit_ = std::max(limit_, peer.limit);
    return {};
}

void Sending::drop_until(std::uint64_t position) noexcept {
    const std::uint64_t octets = std::min(position, written_) - std::min(acknowledged_, written_);
    if (ending_ != Ending::reset) {
        ring_.drop_front(octets);
    }
    acknowledged_ = position;
    next_ = std::max(next_, position);  // the peer may know of what only an older transport sent
}

void Sending::sent_until(std::uint64_t position) noexcept {
    next_ = position;
    sent_ = std::max(sent_, position);
}

void Sending::produce(Bytes& into, std::size_t size_max) {
    if (ending_ == Ending::reset) {
        if (next_ <= written_) {
            append_frame(into, Reset{written_, code_});
            sent_until(written_ + 1);
        }
        return;
    }
    while (next_ < std::min(written_, limit_) && into.size() < size_max) {
        const BytesView piece = ring_.peek(next_ - acknowledged_);
        const std::uint64_t size =
            std::min<std::uint64_t>({piece.size(), kDataBytesMax, limit_ - next_});
        append_frame(into, Data{next_, piece.first(size)});
        sent_until(next_ + size);
    }
    if (ending_ == Ending::finished && next_ == written_) {
        append_frame(into, Fin{written_});
        sent_until(written_ + 1);
    }
}

// ---- receiving ----

std::size_t Receiving::read(MutableBytes into) noexcept {
    std::size_t size = 0;
    while (size < into.size() && ring_.size() > 0) {
        const BytesView piece = ring_.peek(0);
        const std::size_t part = std::min(piece.size(), into.size() - size);
        std::copy_n(piece.begin(), part, into.begin() + std::ptrdiff_t(size));
        ring_.drop_front(part);
        size += part;
    }
    read_ += size;
    return size;
}

void Receiving::stop() noexcept {
    stopped_ = true;
    read_ += ring_.size();
    ring_.clear();
}

result<void> Receiving::data(std::uint64_t offset, BytesView octets) {
    if (ending_ != Ending::open || offset != received_) {
        return fail(causes::kProtocol, "data out of order, or behind the end");
    }
    if (octets.size() > told_.limit - received_) {
        return fail(causes::kProtocol, "more data than was allowed");
    }
    if (stopped_) {
        read_ += octets.size();
    } else {
        ring_.append(octets, ring_bytes_);
    }
    received_ += octets.size();
    return {};
}

result<void> Receiving::fin(std::uint64_t offset) {
    if (ending_ != Ending::open || offset != received_) {
        return fail(causes::kProtocol, "an end out of order, or twice");
    }
    ending_ = Ending::finished;
    ++received_;
    return {};
}

result<void> Receiving::reset(std::uint64_t offset, std::uint64_t code) {
    if (ending_ == Ending::finished && offset + 1 == received_) {
        return {};  // all had come before the peer gave up
    }
    if (ending_ != Ending::open || offset < received_) {
        return fail(causes::kProtocol, "a reset out of order, or behind the end");
    }
    ending_ = Ending::reset;
    code_ = code;
    received_ = offset + 1;
    ring_.clear();
    return {};
}

bool Receiving::urgent() const noexcept {
    const std::uint64_t step = std::max<std::uint64_t>(ring_bytes_ / kTellParts, 1);
    if (received_ - told_.received >= step) {
        return true;
    }
    if (ending_ != Ending::open) {
        return news();
    }
    return position().limit - told_.limit >= step;
}

}  // namespace alknet::resume
