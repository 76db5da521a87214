// ConnectionImpl: one QUIC connection: ngtcp2's state, the TLS session, the streams.
//
//   handshake -> open -> lingering? -> closing | draining -> gone
//
// Lingering: the application has closed with code 0 and what it had finished is still being
// delivered. Closing: our CONNECTION_CLOSE is out and is repeated to stragglers. Draining: the
// peer's came in, or a stateless reset. Both last three PTO; ngtcp2's state is freed when they
// begin. `ended` is what the application sees, from the moment it or the peer has closed.
//
// The endpoint owns the connection until it is gone; the application's handle keeps the object (not
// ngtcp2's state) alive beyond that. ngtcp2's callbacks only note what happened; `settle` acts on
// it after ngtcp2 has returned. Packets are written by the flush hook at the end of a turn.
#pragma once

#include "closing_packet.hpp"
#include "connection_id.hpp"
#include "datagram_queue.hpp"
#include "fifo.hpp"
#include "frame_scan.hpp"
#include "progress.hpp"
#include "qlog.hpp"
#include "receive_window.hpp"
#include "settings.hpp"
#include "stateless_reset.hpp"
#include "stream.hpp"

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include <alknet/quic/endpoint.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/tls/session.hpp>
#include <map>
#include <memory>
#include <vector>

namespace alknet::quic {

class EndpointImpl;
class LocalSocket;

struct BlockedTag;  // connections that wait for their socket to become writable

/// What a server needs to begin with.
struct ServerStart {
    ngtcp2_pkt_hd header;
    ngtcp2_cid original_dcid;  // header.dcid, or the one from before a Retry
    bool after_retry = false;
    ngtcp2_token_type token_type = NGTCP2_TOKEN_TYPE_UNKNOWN;
    Incoming incoming;
};

class ConnectionImpl final : public Connection,
                             public std::enable_shared_from_this<ConnectionImpl>,
                             public ListHook<BlockedTag>,
                             private FlushHook {
public:
    enum class Phase : std::uint8_t { handshake, open, lingering, closing, draining, gone };

    /// `serial` is the endpoint's name for it.
    ConnectionImpl(EndpointImpl& endpoint, std::uint64_t serial, LocalSocket& socket,
                   TransportOptions options, bool server);
    ~ConnectionImpl() override;

    // ---- for the endpoint ----
    /// Errors: kInternal, those of tls::Session::server.
    result<void> start_server(const ServerStart& start,
                              std::shared_ptr<const tls::TlsContext> context,
                              tls::AlpnSelector& selector);
    /// `original_version` is not 0 when this reacts to a Version Negotiation packet.
    result<void> start_client(const SocketAddress& remote, tls::ClientOptions tls,
                              std::uint32_t version, std::uint32_t original_version);
    void receive(BytesView packet, const net::DatagramBatch& batch, LocalSocket& socket);
    /// The network says that nobody is there. Believed only before the peer has answered.
    void on_unreachable(const SocketAddress& remote);
    /// The socket takes packets again.
    void on_writable();
    /// The endpoint dies: everything is dropped silently.
    void detach() noexcept;
    /// Does not wait for the delivery of finished streams longer than three PTO.
    void cut_lingering() noexcept;
    /// Ends at once, without a word to the peer.
    void drop(error why);
    /// What the application gets: closes the connection when it is dropped.
    std::shared_ptr<Connection> make_handle();
    /// Waits for the end of the handshake, good or bad. Errors: kCancelled.
    task<result<void>> wait_handshake();
    /// The version of ours that a server named in a Version Negotiation packet; 0: none.
    [[nodiscard]] std::uint32_t negotiable_version() const noexcept { return negotiable_version_; }
    /// The version of a client's first flight.
    [[nodiscard]] std::uint32_t first_version() const noexcept { return first_version_; }
    [[nodiscard]] Phase phase() const noexcept { return phase_; }
    [[nodiscard]] std::uint64_t serial() const noexcept { return serial_; }
    [[nodiscard]] bool server() const noexcept { return server_; }
    [[nodiscard]] const Incoming& incoming() const noexcept { return incoming_; }

    // ---- alknet::Connection ----
    task<result<std::unique_ptr<BiStream>>> accept_bi() override;
    task<result<std::unique_ptr<BiStream>>> open_bi() override;
    task<result<std::unique_ptr<RecvStream>>> accept_uni() override;
    task<result<std::unique_ptr<SendStream>>> open_uni() override;
    result<void> send_datagram(BytesView data) override;
    task<result<Bytes>> recv_datagram() override;
    [[nodiscard]] std::size_t datagram_bytes_max() const noexcept override;
    void close(std::uint64_t code, std::string_view reason) noexcept override;
    [[nodiscard]] Cancel& closed() noexcept override { return closed_; }
    [[nodiscard]] std::optional<error> close_reason() const override { return ended_; }
    task<result<void>> wait_closed() override;
    [[nodiscard]] const ConnectionInfo& info() const noexcept override { return info_; }
    [[nodiscard]] SocketAddress remote() const noexcept override { return remote_; }
    [[nodiscard]] ConnectionStats stats() const noexcept override;
    result<void> export_keying_material(std::string_view label, BytesView context,
                                        MutableBytes out) const override;

    // ---- quic::Connection ----
    result<void> initiate_key_update() override;
    result<void> migrate(std::unique_ptr<net::UdpSocket> socket) override;
    void set_stream_limits(std::uint64_t bidi, std::uint64_t uni) override;
    void set_window_limits(std::uint64_t connection_bytes, std::uint64_t stream_bytes) override;

    // ---- for its streams ----
    /// The reason why it ended, if it has.
    [[nodiscard]] result<void> alive() const;
    /// The reader took `count` octets: credit goes back.
    void consumed(Stream& stream, ReceiveWindow& window, std::size_t count);
    /// `count` octets of it will never be read.
    void discarded(const Stream& stream, std::size_t count) noexcept;
    /// `count` octets are there, unread, of a stream that stands alone.
    void set_aside(std::size_t count) noexcept;
    void received(std::size_t count) noexcept { received_unread_ += count; }
    void shutdown_read(std::int64_t id, std::uint64_t code) noexcept;
    void shutdown_write(std::int64_t id, std::uint64_t code) noexcept;
    /// How many octets its writer may add now; when none, it is woken later.
    [[nodiscard]] std::size_t send_room(Stream& stream) noexcept;
    /// Whether its writer should go on: half of what it may have waiting has gone, so that it
    /// writes large pieces and not one for each packet.
    [[nodiscard]] bool wants_more(const Stream& stream) const noexcept;
    void written(std::size_t count) noexcept;
    void freed(std::size_t count) noexcept;
    void queue_stream(Stream& stream) noexcept;
    /// One of the two conditions under which a remote stream makes room for another holds now.
    void stream_ended(Stream& stream) noexcept;

private:
    friend struct Callbacks;
    [[nodiscard]] Duration round_trip() const noexcept;
    [[nodiscard]] std::uint64_t unsent_max(const Stream& stream) const noexcept;
    /// Of the connection, for `count` octets. True: the peer should hear of it soon.
    bool give_credit(std::size_t count) noexcept;

    struct ConnDelete {
        void operator()(ngtcp2_conn* conn) const noexcept { ngtcp2_conn_del(conn); }
    };
    /// Streams of one kind.
    struct StreamKind {
        Fifo<std::shared_ptr<Stream>> incoming;  // not accepted yet; bounded by the credit
        WaitList acceptors;
        WaitList openers;
        std::uint64_t limit = 0;     // that the peer may have open at a time
        std::uint64_t granted = 0;   // in all, since the beginning
        std::uint64_t finished = 0;  // in all
    };

    // connection.cpp
    [[nodiscard]] ngtcp2_tstamp now() const noexcept;
    static void write_trace(void* user, std::uint32_t flags, const void* data,
                            std::size_t size) noexcept;
    void prepare(Settings& settings, BytesView trace_name);
    result<void> adopt(int outcome, ngtcp2_conn* conn);
    void on_timer();
    void refresh_path();
    void arm_timer();
    void set_keep_alive(Duration interval) noexcept;
    void renew_keep_alive() noexcept;
    void acknowledge_soon() noexcept;
    void request_flush() noexcept;
    void after_io(int outcome);
    void settle();
    void on_established();
    int finish_handshake() noexcept;
    void retire_sockets(std::size_t keep) noexcept;

    // connection_close.cpp
    void fail(int outcome);
    void end(error why) noexcept;
    void send_close(const ngtcp2_ccerr& close);
    void send_own_close();
    void give_up();
    void enter(Phase phase, Duration period);
    void drain(error why);
    void begin_lingering();
    void gone();
    void free_state() noexcept;
    [[nodiscard]] error peer_close() const;
    [[nodiscard]] bool all_delivered() const noexcept;
    [[nodiscard]] Duration closing_period() const noexcept;

    // connection_write.cpp
    void flush() noexcept override;
    void write_packets();
    ngtcp2_ssize write_packet(MutableBytes into, ngtcp2_path* path, ngtcp2_pkt_info* info);
    enum class Step : std::uint8_t { more, packet };
    Step write_datagram(MutableBytes into, ngtcp2_path* path, ngtcp2_pkt_info* info,
                        ngtcp2_ssize& outcome);
    Step write_stream(MutableBytes into, ngtcp2_path* path, ngtcp2_pkt_info* info,
                      ngtcp2_ssize& outcome);
    bool send(const net::DatagramBatch& batch);
    void drop_oversized_datagrams();
    /// The largest packet of now.
    [[nodiscard]] std::size_t packet_max() noexcept;
    void note_progress() noexcept;

    // connection_streams.cpp
    StreamKind& kind(bool bidi) noexcept { return bidi ? bidi_ : uni_; }
    std::shared_ptr<Stream> add_stream(std::int64_t id, bool remote);
    [[nodiscard]] Stream* find_stream(std::int64_t id) noexcept;
    template <class Handle, class Result>
    task<result<std::unique_ptr<Result>>> accept_stream(bool bidi);
    task<result<std::shared_ptr<Stream>>> open_stream(bool bidi);
    void grant_streams(bool bidi) noexcept;
    void on_stream_open(std::int64_t id);
    void on_stream_close(std::int64_t id, std::optional<std::uint64_t> code);

    EndpointImpl* endpoint_;
    std::uint64_t serial_;
    Loop& loop_;
    LocalSocket* socket_;
    TransportOptions options_;
    std::shared_ptr<ChunkPool> chunks_;  // of the streams' buffers
    bool server_;
    Phase phase_ = Phase::handshake;
    Incoming incoming_;

    std::unique_ptr<Qlog> qlog_;  // these two before conn_: it writes to them until it is gone
    std::unique_ptr<tls::Session> session_;
    std::unique_ptr<ngtcp2_conn, ConnDelete> conn_;
    ngtcp2_crypto_conn_ref conn_ref_{};
    std::unique_ptr<const tls::Exporter> exporter_;
    ConnectionInfo info_;
    SocketAddress remote_;
    ngtcp2_path_storage path_{};               // of which remote_ is the other end
    std::vector<ngtcp2_cid> own_ids_;          // that lead here
    std::vector<ResetToken> peer_tokens_;      // by which the peer may reset us
    std::vector<LocalSocket*> extra_sockets_;  // from migrations, the latest last
    Timer timer_;
    Progress progress_;

    std::weak_ptr<Connection> handle_;
    std::optional<error> ended_;
    Cancel closed_;
    WaitList end_waiters_;
    WaitList handshake_waiters_;
    bool handshake_done_ = false;     // noted by a callback
    bool flight_sent_ = false;        // ours that ends the handshake
    bool update_unsent_ = false;      // nothing to acknowledge was sent with our new keys
    bool reset_received_ = false;     // noted by a callback
    std::optional<error> refused_;    // our own verdict on the peer, noted by a callback
    std::vector<StopSending> stops_;  // noted while a datagram is read
    bool heard_ = false;              // anything at all from the peer
    TimePoint heard_at_;              // the last of it
    bool one_link_ = false;           // nothing on the path translates addresses
    std::uint32_t first_version_ = 0;
    std::uint32_t negotiable_version_ = 0;

    std::uint64_t close_code_ = 0;
    std::string close_text_;
    bool close_pending_ = false;
    TimePoint linger_until_;
    ClosingPacket closing_packet_;

    std::map<std::int64_t, std::shared_ptr<Stream>> streams_;
    StreamKind bidi_;
    StreamKind uni_;
    IntrusiveList<Stream, SendTag> sendable_;
    IntrusiveList<Stream, BudgetTag> waiting_for_budget_;
    ReceiveWindow window_;
    std::uint64_t stream_window_max_;
    std::uint64_t send_bytes_max_;
    std::uint64_t received_unread_ = 0;
    std::uint64_t sent_unacknowledged_ = 0;

    DatagramQueue datagrams_in_;
    DatagramQueue datagrams_out_;
    WaitList datagram_waiters_;

    Bytes unsent_packets_;  // a batch that the socket did not take
    net::DatagramBatch unsent_batch_;
    ConnectionStats stats_;
};

}  // namespace alknet::quic
