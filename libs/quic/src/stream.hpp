// Stream: the state of one QUIC stream. The connection holds it while ngtcp2 knows the stream; the
// handle that the application holds (stream_handle.hpp) keeps it and the connection alive. Neither
// half is ever a queue without a bound: what is received is bounded by the credit that was granted,
// what is sent by the stream's and the connection's send limits.
#pragma once

#include "receive_window.hpp"
#include "send_buffer.hpp"

#include <alknet/base/result.hpp>
#include <alknet/rt/intrusive_list.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/wait.hpp>
#include <cstdint>
#include <memory>
#include <optional>

namespace alknet::quic {

class ConnectionImpl;

/// Of a stream that stands alone, received and unsent: many of them fit into what a connection has.
inline constexpr std::uint64_t kAloneWindowMax = 4 << 20;
inline constexpr std::uint64_t kAloneUnsentMax = 256 << 10;

struct SendTag;    // streams that have something for the next packet
struct BudgetTag;  // streams whose writer waits for the connection's send limit

class Stream final : public ListHook<SendTag>, public ListHook<BudgetTag> {
public:
    enum class Kind : std::uint8_t { bidi, send_only, receive_only };

    Stream(ConnectionImpl& connection, std::int64_t id, Kind kind, bool remote,
           ReceiveWindow window, ChunkPool& pool)
        : connection_(connection),
          id_(id),
          kind_(kind),
          remote_(remote),
          window_(window),
          received_(pool),
          out_(pool) {}
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    [[nodiscard]] std::int64_t id() const noexcept { return id_; }
    [[nodiscard]] bool bidi() const noexcept { return kind_ == Kind::bidi; }
    [[nodiscard]] bool remote() const noexcept { return remote_; }

    // For the handle; see RecvStream and SendStream. The caller keeps the stream alive.
    task<result<std::size_t>> read(MutableBytes into);
    void stop(std::uint64_t code) noexcept;
    task<result<void>> write(BytesView data);
    result<void> finish();
    void reset(std::uint64_t code) noexcept;
    task<result<void>> wait_stopped();
    void stand_alone() noexcept;
    /// The application has let go.
    void release() noexcept;

    // From ngtcp2's callbacks: no call into ngtcp2 here.
    void on_data(BytesView data, bool fin);
    void on_peer_reset(std::uint64_t code) noexcept;
    void on_peer_stop(std::uint64_t code) noexcept;
    /// The peer has everything below `end`. `progress` is false when only an end of data was
    /// acknowledged.
    void on_acknowledged(std::uint64_t end, bool progress) noexcept;
    void on_more_credit() noexcept;
    /// ngtcp2 has forgotten the stream.
    void on_closed(std::optional<std::uint64_t> code) noexcept;

    /// The connection has ended for the application: every wait ends.
    void on_connection_end() noexcept;
    /// ngtcp2's state is gone: nothing will be sent any more.
    void on_state_freed() noexcept;
    /// Nothing more of an unfinished stream is to be sent, and nothing is told to the peer.
    void silence() noexcept;
    [[nodiscard]] bool finished() const noexcept { return finished_; }

    // For the packet writer.
    struct Outgoing {
        std::size_t views = 0;
        bool fin = false;
    };
    /// Fills `into` with what goes into the next packet.
    Outgoing outgoing(std::span<BytesView> into) const noexcept;
    void sent(std::size_t octets, bool fin) noexcept;
    [[nodiscard]] bool has_outgoing() const noexcept;
    /// Stream credit is used up: not to be asked again before `on_more_credit`.
    void set_blocked() noexcept { blocked_ = true; }

    /// Everything that was written, and its end, has been acknowledged; or nothing was to be.
    [[nodiscard]] bool delivered() const noexcept;
    [[nodiscard]] std::size_t received_unread() const noexcept { return received_.size(); }
    [[nodiscard]] std::size_t unsent() const noexcept { return out_.unsent(); }
    [[nodiscard]] bool closed() const noexcept { return closed_; }
    [[nodiscard]] bool released() const noexcept { return released_; }
    /// What it receives gets its credit of the connection back at once, and not when it is read.
    [[nodiscard]] bool alone() const noexcept { return alone_; }

    void wake_writer() noexcept { writable_.wake_all(); }

private:
    [[nodiscard]] bool sends() const noexcept { return kind_ != Kind::receive_only; }
    [[nodiscard]] bool receives() const noexcept { return kind_ != Kind::send_only; }
    std::size_t drop_received() noexcept;
    void drop_outgoing() noexcept;
    void queue() noexcept;

    ConnectionImpl& connection_;
    std::int64_t id_;
    Kind kind_;
    bool remote_;
    bool closed_ = false;
    bool released_ = false;

    ReceiveWindow window_;
    ChunkQueue received_;
    bool fin_received_ = false;
    bool stopped_ = false;
    bool alone_ = false;
    std::optional<std::uint64_t> peer_reset_;
    WaitList readable_;

    SendBuffer out_;
    bool announced_ = false;  // a frame of this stream was sent: the peer can accept it
    bool finished_ = false;   // no more writes
    bool fin_sent_ = false;
    bool fin_alone_ = false;  // it went in a frame without data
    bool fin_acknowledged_ = false;
    bool reset_ = false;
    bool blocked_ = false;
    std::optional<std::uint64_t> peer_stop_;
    WaitList writable_;
};

}  // namespace alknet::quic
