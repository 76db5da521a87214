#include <alknet/base/causes.hpp>
#include <alknet/core/memory_connection.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/wait.hpp>
#include <array>
#include <deque>

#include "either_cancel.hpp"

namespace alknet {

namespace {

/// What one end has.
struct Side {
    ConnectionInfo info;
    Cancel closed;
    Event ended;
    std::optional<error> reason;
    std::deque<std::unique_ptr<BiStream>> incoming_bi;
    std::deque<std::unique_ptr<RecvStream>> incoming_uni;
    WaitList arrived;
    std::deque<Bytes> datagrams;
    WaitList datagram_arrived;
    std::uint64_t opened_bi = 0;  // by this end, and still open
    std::uint64_t opened_uni = 0;
    std::uint64_t opened_total = 0;
    WaitList credit;
    ConnectionStats stats;
};

struct Link {
    MemoryConnectionOptions options;
    std::array<Side, 2> sides;  // client, server

    void close(std::uint64_t code, std::string_view reason) noexcept;
};

void Link::close(std::uint64_t code, std::string_view reason) noexcept {
    if (sides[0].reason) {
        return;
    }
    for (Side& side : sides) {
        side.reason.emplace(causes::kClosed, std::string(reason), code);
    }
    for (Side& side : sides) {
        // Streams that nobody took hold this link.
        const auto bi = std::move(side.incoming_bi);
        const auto uni = std::move(side.incoming_uni);
        side.incoming_bi.clear();
        side.incoming_uni.clear();
        side.datagrams.clear();
        side.closed.request();
        side.ended.set();
        side.arrived.wake_all();
        side.datagram_arrived.wake_all();
        side.credit.wake_all();
    }
}

/// A stream's place among those that its opener may have open; both ends of it share one.
class Slot {
public:
    Slot(std::shared_ptr<Link> link, std::size_t opener, bool bidirectional)
        : link_(std::move(link)), opener_(opener), bidirectional_(bidirectional) {
        ++count();
        for (Side& side : link_->sides) {
            ++side.stats.streams_open;
            ++side.stats.streams_total;
        }
    }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot() {
        --count();
        for (Side& side : link_->sides) {
            --side.stats.streams_open;
        }
        link_->sides[opener_].credit.wake_all();
    }

    [[nodiscard]] Link& link() const noexcept { return *link_; }

private:
    [[nodiscard]] std::uint64_t& count() const noexcept {
        Side& side = link_->sides[opener_];
        return bidirectional_ ? side.opened_bi : side.opened_uni;
    }

    std::shared_ptr<Link> link_;
    std::size_t opener_;
    bool bidirectional_;
};

/// One end of a stream; a unidirectional one is given out as half of this.
class MemoryEnd final : public BiStream {
public:
    MemoryEnd(std::unique_ptr<ByteStream> pipe, std::shared_ptr<Slot> slot, std::size_t side,
              std::uint64_t id)
        : slot_(std::move(slot)), pipe_(std::move(pipe)), side_(side), id_(id) {}

    task<result<std::size_t>> read(MutableBytes into) override {
        if (const auto& reason = side().reason) {
            co_return unexpected(*reason);
        }
        const TaskContext context = co_await current_context();
        EitherCancel either(context.cancel, side().closed);
        const auto got = co_await pipe_->read(into).under(either.token());
        if (!got) {
            co_return unexpected(explained(got.error()));
        }
        side().stats.bytes_received += *got;
        co_return *got;
    }

    task<result<void>> write(BytesView data) override {
        if (const auto& reason = side().reason) {
            co_return unexpected(*reason);
        }
        const TaskContext context = co_await current_context();
        EitherCancel either(context.cancel, side().closed);
        const auto written = co_await pipe_->write(data).under(either.token());
        if (!written) {
            co_return unexpected(explained(written.error()));
        }
        side().stats.bytes_sent += data.size();
        co_return result<void>{};
    }

    task<result<void>> finish() override {
        if (const auto& reason = side().reason) {
            co_return unexpected(*reason);
        }
        co_return co_await pipe_->finish();
    }
    task<result<void>> wait_stopped() override {
        const TaskContext context = co_await current_context();
        EitherCancel either(context.cancel, side().closed);
        const auto stopped = co_await pipe_->wait_stopped().under(either.token());
        co_return unexpected(explained(stopped.error()));
    }
    void reset(std::uint64_t code) noexcept override { pipe_->reset(code); }
    void stop(std::uint64_t code) noexcept override { pipe_->stop(code); }
    [[nodiscard]] std::uint64_t id() const noexcept override { return id_; }

private:
    [[nodiscard]] Side& side() const noexcept { return slot_->link().sides[side_]; }
    [[nodiscard]] error explained(const error& why) const {
        return side().reason ? *side().reason : why;
    }

    std::shared_ptr<Slot> slot_;
    std::unique_ptr<ByteStream> pipe_;  // ends before the slot is given back
    std::size_t side_;
    std::uint64_t id_;
};

class MemoryConnection final : public Connection {
public:
    MemoryConnection(std::shared_ptr<Link> link, std::size_t side)
        : link_(std::move(link)), index_(side) {}
    MemoryConnection(const MemoryConnection&) = delete;
    MemoryConnection& operator=(const MemoryConnection&) = delete;
    ~MemoryConnection() override { link_->close(close_code::kOk, {}); }

    task<result<std::unique_ptr<BiStream>>> accept_bi() override {
        co_return co_await take(&Side::incoming_bi);
    }
    task<result<std::unique_ptr<RecvStream>>> accept_uni() override {
        co_return co_await take(&Side::incoming_uni);
    }
    task<result<std::unique_ptr<BiStream>>> open_bi() override {
        ALKNET_CO_CHECK(co_await credit(&Side::opened_bi, link_->options.streams_bidi_max));
        auto [mine, theirs] = make_ends(true);
        peer().incoming_bi.push_back(std::move(theirs));
        peer().arrived.wake_all();
        co_return std::move(mine);
    }
    task<result<std::unique_ptr<SendStream>>> open_uni() override {
        ALKNET_CO_CHECK(co_await credit(&Side::opened_uni, link_->options.streams_uni_max));
        auto [mine, theirs] = make_ends(false);
        peer().incoming_uni.push_back(std::move(theirs));
        peer().arrived.wake_all();
        co_return std::move(mine);
    }

    result<void> send_datagram(BytesView data) override;
    task<result<Bytes>> recv_datagram() override;
    [[nodiscard]] std::size_t datagram_bytes_max() const noexcept override {
        return link_->options.datagram_bytes_max;
    }

    void close(std::uint64_t code, std::string_view reason) noexcept override {
        link_->close(code, reason);
    }
    [[nodiscard]] Cancel& closed() noexcept override { return mine().closed; }
    [[nodiscard]] std::optional<error> close_reason() const override { return mine().reason; }
    task<result<void>> wait_closed() override { return mine().ended.wait(); }

    [[nodiscard]] const ConnectionInfo& info() const noexcept override { return mine().info; }
    [[nodiscard]] SocketAddress remote() const noexcept override { return mine().info.remote; }
    [[nodiscard]] ConnectionStats stats() const noexcept override { return mine().stats; }
    result<void> export_keying_material(std::string_view label, BytesView context,
                                        MutableBytes out) const override {
        return link_->options.exporter
                   ? link_->options.exporter(label, context, out)
                   : fail(causes::kNotSupported, "there is no TLS on this connection");
    }

private:
    [[nodiscard]] Side& mine() const noexcept { return link_->sides[index_]; }
    [[nodiscard]] Side& peer() const noexcept { return link_->sides[1 - index_]; }

    template <class Stream>
    task<result<std::unique_ptr<Stream>>> take(std::deque<std::unique_ptr<Stream>> Side::* queue);
    task<result<void>> credit(std::uint64_t Side::* opened, std::uint64_t most);
    std::pair<std::unique_ptr<MemoryEnd>, std::unique_ptr<MemoryEnd>> make_ends(bool bidirectional);

    std::shared_ptr<Link> link_;
    std::size_t index_;
};

template <class Stream>
task<result<std::unique_ptr<Stream>>> MemoryConnection::take(
    std::deque<std::unique_ptr<Stream>> Side::* queue) {
    Side& side = mine();
    while (!side.reason && (side.*queue).empty()) {
        ALKNET_CO_CHECK(co_await side.arrived.wait());
    }
    if (side.reason) {
        co_return unexpected(*side.reason);
    }
    std::unique_ptr<Stream> stream = std::move((side.*queue).front());
    (side.*queue).pop_front();
    co_return std::move(stream);
}

task<result<void>> MemoryConnection::credit(std::uint64_t Side::* opened, std::uint64_t most) {
    Side& side = mine();
    while (!side.reason && side.*opened >= most) {
        ALKNET_CO_CHECK(co_await side.credit.wait());
    }
    if (side.reason) {
        co_return unexpected(*side.reason);
    }
    co_return result<void>{};
}

std::pair<std::unique_ptr<MemoryEnd>, std::unique_ptr<MemoryEnd>> MemoryConnection::make_ends(
    bool bidirectional) {
    // As on QUIC (RFC 9000 section 2.1): the low bits tell who opened it and which kind it is.
    const std::uint64_t id = mine().opened_total++ * 4 + index_ + (bidirectional ? 0 : 2);
    net::MemoryStreamOptions forth;
    net::MemoryStreamOptions back;
    forth.buffer_bytes = link_->options.stream_buffer_bytes;
    back.buffer_bytes = bidirectional ? link_->options.stream_buffer_bytes : 1;
    auto [near, far] = net::make_memory_streams(forth, back);
    auto slot = std::make_shared<Slot>(link_, index_, bidirectional);
    return {std::make_unique<MemoryEnd>(std::move(near), slot, index_, id),
            std::make_unique<MemoryEnd>(std::move(far), slot, 1 - index_, id)};
}

result<void> MemoryConnection::send_datagram(BytesView data) {
    const MemoryConnectionOptions& options = link_->options;
    if (mine().reason) {
        return unexpected(*mine().reason);
    }
    if (options.datagram_bytes_max == 0) {
        return fail(causes::kNotSupported, "datagrams");
    }
    if (data.size() > options.datagram_bytes_max) {
        return fail(causes::kLimit, "the datagram is too large");
    }
    if (peer().datagrams.size() >= options.datagram_queue_max) {
        return fail(causes::kLimit, "the datagram queue is full");
    }
    peer().datagrams.push_back(to_bytes(data));
    mine().stats.bytes_sent += data.size();
    peer().datagram_arrived.wake_one();
    return {};
}

task<result<Bytes>> MemoryConnection::recv_datagram() {
    Side& side = mine();
    if (link_->options.datagram_bytes_max == 0) {
        co_return fail(causes::kNotSupported, "datagrams");
    }
    while (!side.reason && side.datagrams.empty()) {
        ALKNET_CO_CHECK(co_await side.datagram_arrived.wait());
    }
    if (side.reason) {
        co_return unexpected(*side.reason);
    }
    Bytes datagram = std::move(side.datagrams.front());
    side.datagrams.pop_front();
    side.stats.bytes_received += datagram.size();
    co_return datagram;
}

ConnectionInfo info_for(const MemoryConnectionOptions& options, bool server_side) {
    ConnectionInfo info;
    info.alpn = options.alpn;
    info.transport = options.transport;
    info.server_side = server_side;
    info.peer = server_side ? options.client : options.server;
    info.local = server_side ? options.server_address : options.client_address;
    info.remote = server_side ? options.client_address : options.server_address;
    info.trace_id = options.trace_id;
    info.http3_beside = options.http3_beside;
    return info;
}

}  // namespace

MemoryConnectionPair make_memory_connection_pair(MemoryConnectionOptions options) {
    auto link = std::make_shared<Link>();
    link->sides[0].info = info_for(options, false);
    link->sides[1].info = info_for(options, true);
    link->options = std::move(options);
    return {.client = std::make_shared<MemoryConnection>(link, 0),
            .server = std::make_shared<MemoryConnection>(link, 1)};
}

}  // namespace alknet
