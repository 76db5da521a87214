#include <algorithm>
#include <cstring>

#include "tcp.hpp"

namespace alknet::sim {

namespace {

// When the way is cut or the receiver asleep, a segment is tried again this much later.
constexpr Duration kRetry = std::chrono::milliseconds(200);

}  // namespace

std::size_t TcpLink::write(std::size_t from, BytesView data) {
    Side& sender = sides_[from];
    const std::size_t count = std::min(data.size(), kTcpWindowBytes - sender.outstanding);
    if (count > 0) {
        sender.outstanding += count;
        transmit(from, {.data = to_bytes(data.first(count))});
    }
    return count;
}

std::size_t TcpLink::read(std::size_t at, MutableBytes into) {
    Side& reader = sides_[at];
    const std::size_t count = std::min(into.size(), reader.readable());
    if (count == 0) {
        return 0;
    }
    std::memcpy(into.data(), reader.received.data() + reader.read_offset, count);
    reader.read_offset += count;
    if (reader.readable() == 0) {
        reader.received.clear();
        reader.read_offset = 0;
    }
    give_credit(at, count);
    return count;
}

void TcpLink::give_credit(std::size_t reader, std::size_t bytes) {
    const std::size_t writer = 1 - reader;
    const TimePoint arrives = fabric_.tcp_arrival(*sides_[reader].host, *sides_[writer].host, 0);
    fabric_.at(arrives, [self = shared_from_this(), writer, bytes] {
        Side& side = self->sides_[writer];
        side.outstanding -= std::min(side.outstanding, bytes);
        if (side.end != nullptr) {
            side.end->wake();
        }
    });
}

void TcpLink::finish(std::size_t from) {
    if (!sides_[from].fin_sent && !sides_[from].broken) {
        sides_[from].fin_sent = true;
        transmit(from, {.kind = Segment::Kind::fin});
    }
}

void TcpLink::reset_from(std::size_t from) {
    if (!sides_[from].broken) {
        way_[from].clear();
        transmit(from, {.kind = Segment::Kind::reset});
        break_side(from);
    }
}

void TcpLink::close(std::size_t at) {
    Side& side = sides_[at];
    side.end = nullptr;
    side.closed = true;
    if (side.broken) {
        return;
    }
    if (side.readable() > 0 || !side.fin_sent) {
        reset_from(at);
    }
}

void TcpLink::go_deaf(std::size_t at) {
    Side& side = sides_[at];
    side.deaf = true;
    const std::size_t dropped = side.readable();
    side.received.clear();
    side.read_offset = 0;
    if (dropped > 0) {
        give_credit(at, dropped);
    }
}

void TcpLink::break_both() {
    break_side(0);
    break_side(1);
}

void TcpLink::break_side(std::size_t index) {
    Side& side = sides_[index];
    side.broken = true;
    if (side.end != nullptr) {
        side.end->wake();
    }
}

bool TcpLink::joins(const SimHost& a, const SimHost& b) const noexcept {
    return (sides_[0].host == &a && sides_[1].host == &b) ||
           (sides_[0].host == &b && sides_[1].host == &a);
}

void TcpLink::transmit(std::size_t from, Segment segment) {
    const Side& sender = sides_[from];
    const Side& receiver = sides_[1 - from];
    fabric_.hash_packet(sender.address, receiver.address, segment.data);
    fabric_.trace("tcp send", sender.address, receiver.address, segment.data.size());
    segment.arrives =
        std::max(fabric_.tcp_arrival(*sender.host, *receiver.host, segment.data.size()),
                 last_arrival_[from]);
    last_arrival_[from] = segment.arrives;
    way_[from].push_back(std::move(segment));
    schedule(from);
}

/// One event at a time for each direction, so that the order holds whatever delays there are.
void TcpLink::schedule(std::size_t from) {
    if (scheduled_[from] || way_[from].empty()) {
        return;
    }
    scheduled_[from] = true;
    fabric_.at(way_[from].front().arrives, [self = shared_from_this(), from] {
        self->scheduled_[from] = false;
        self->arrive(from);
    });
}

void TcpLink::arrive(std::size_t from) {
    if (way_[from].empty()) {
        return;
    }
    const std::size_t to = 1 - from;
    Segment& first = way_[from].front();
    if (first.arrives > fabric_.now) {
        schedule(from);
        return;
    }
    SimHost& sender = *sides_[from].host;
    SimHost& receiver = *sides_[to].host;
    if (fabric_.link(sender, receiver).options.cut || receiver.asleep()) {
        first.arrives = fabric_.now + kRetry;
        schedule(from);
        return;
    }
    Segment segment = std::move(first);
    way_[from].pop_front();
    deliver(to, segment);
    schedule(from);
}

void TcpLink::deliver(std::size_t to, Segment& segment) {
    Side& receiver = sides_[to];
    if (receiver.broken) {
        return;
    }
    fabric_.trace("tcp deliver", sides_[1 - to].address, receiver.address, segment.data.size());
    switch (segment.kind) {
        case Segment::Kind::reset:
            break_side(to);
            return;
        case Segment::Kind::fin:
            receiver.fin_received = true;
            break;
        case Segment::Kind::data:
            fabric_.stats.tcp_bytes_delivered += segment.data.size();
            if (receiver.closed) {
                reset_from(to);
                return;
            }
            if (receiver.deaf) {
                give_credit(to, segment.data.size());
                return;
            }
            receiver.received.insert(receiver.received.end(), segment.data.begin(),
                                     segment.data.end());
            break;
    }
    if (receiver.end != nullptr) {
        receiver.end->wake();
    }
}

}  // namespace alknet::sim
