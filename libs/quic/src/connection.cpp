#include "connection.hpp"

#include "connection_callbacks.hpp"
#include "endpoint.hpp"
#include "keep_alive.hpp"
#include "native_address.hpp"

#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <sodium.h>

#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/mutation.hpp>
#include <utility>

namespace alknet::quic {

namespace {

/// Length of a client's first destination id, which is random (RFC 9000 section 7.2).
constexpr std::size_t kFirstIdBytes = 16;

/// Sockets of earlier migrations on which late packets are still taken.
constexpr std::size_t kSocketsKept = 2;

/// Who says nothing for so long has nothing to say.
constexpr Duration kSilence = std::chrono::seconds(1);

ngtcp2_conn* conn_of(ngtcp2_crypto_conn_ref* ref) noexcept {
    return static_cast<ngtcp2_conn*>(ref->user_data);
}

}  // namespace

ConnectionImpl::ConnectionImpl(EndpointImpl& endpoint, std::uint64_t serial, LocalSocket& socket,
                               TransportOptions options, bool server)
    : endpoint_(&endpoint),
      serial_(serial),
      loop_(endpoint.loop()),
      socket_(&socket),
      options_(std::move(options)),
      chunks_(endpoint.chunks()),
      server_(server),
      timer_(loop_, [this] { on_timer(); }),
      window_(options_.connection_window_bytes, options_.connection_window_bytes_max, loop_.now()),
      stream_window_max_(options_.stream_window_bytes_max),
      send_bytes_max_(options_.connection_window_bytes_max),
      datagrams_in_(options_.datagram_queue_max),
      datagrams_out_(options_.datagram_queue_max) {
    info_.transport = Transport::quic;
    info_.server_side = server;
    bidi_.limit = bidi_.granted = options_.streams_bidi_max;
    uni_.limit = uni_.granted = options_.streams_uni_max;
    ngtcp2_path_storage_zero(&path_);
}

ConnectionImpl::~ConnectionImpl() = default;

ngtcp2_tstamp ConnectionImpl::now() const noexcept {
    return to_native(loop_.now());
}

// ---- beginning ----

void ConnectionImpl::write_trace(void* user, std::uint32_t, const void* data,
                                 std::size_t size) noexcept {
    const auto& connection = *static_cast<const ConnectionImpl*>(user);
    connection.qlog_->write(view_octets(static_cast<const std::uint8_t*>(data), size));
}

void ConnectionImpl::prepare(Settings& settings, BytesView trace_name) {
    if (!options_.qlog_directory.empty()) {
        qlog_ = Qlog::open(options_.qlog_directory, trace_name, server_);
        if (qlog_ != nullptr) {
            settings.settings.qlog_write = write_trace;
        }
    }
}

result<void> ConnectionImpl::adopt(int outcome, ngtcp2_conn* conn) {
    if (outcome != 0) {
        return alknet::fail(causes::kInternal, ngtcp2_strerror(outcome));
    }
    conn_.reset(conn);
    conn_ref_.get_conn = conn_of;
    conn_ref_.user_data = conn;
    gnutls_session_t native = session_->native();
    gnutls_session_set_ptr(native, &conn_ref_);
    const int configured = server_ ? ngtcp2_crypto_gnutls_configure_server_session(native)
                                   : ngtcp2_crypto_gnutls_configure_client_session(native);
    if (configured != 0) {
        return alknet::fail(causes::kInternal, "the TLS session could not be prepared for QUIC");
    }
    ngtcp2_conn_set_tls_native_handle(conn, native);
    refresh_path();
    return {};
}

result<void> ConnectionImpl::start_server(const ServerStart& start,
                                          std::shared_ptr<const tls::TlsContext> context,
                                          tls::AlpnSelector& selector) {
    incoming_ = start.incoming;
    info_.local = incoming_.local;
    info_.remote = incoming_.remote;
    ALKNET_TRY(session_, tls::Session::server(std::move(context), tls::Carrier::quic, selector));

    Settings settings(options_, now());
    prepare(settings, view(start.original_dcid));
    if (start.token_type != NGTCP2_TOKEN_TYPE_UNKNOWN) {
        settings.settings.token = start.header.token;
        settings.settings.tokenlen = start.header.tokenlen;
        settings.settings.token_type = start.token_type;
    }
    settings.params.original_dcid = start.original_dcid;
    settings.params.original_dcid_present = 1;
    if (start.after_retry) {
        settings.params.retry_scid = start.header.dcid;
        settings.params.retry_scid_present = 1;
    }
    const ngtcp2_cid own = endpoint_->add_route(*this);
    own_ids_.push_back(own);
    const ResetToken token = endpoint_->reset_token(own);
    std::ranges::copy(token, reinterpret_cast<std::byte*>(settings.params.stateless_reset_token));
    settings.params.stateless_reset_token_present = 1;
    // The id that the client chose leads here for good, so that a late copy of its first packet
    // does not begin a second connection.
    if (endpoint_->routes().add(view(start.header.dcid), *this)) {
        own_ids_.push_back(start.header.dcid);
    }

    const NativePath path(incoming_.local, incoming_.remote);
    const ngtcp2_callbacks callbacks = make_callbacks(true);
    ngtcp2_conn* conn = nullptr;
    const int outcome =
        ngtcp2_conn_server_new(&conn, &start.header.scid, &own, path.get(), start.header.version,
                               &callbacks, &settings.settings, &settings.params, nullptr, this);
    return adopt(outcome, conn);
}

result<void> ConnectionImpl::start_client(const SocketAddress& remote, tls::ClientOptions tls,
                                          std::uint32_t version, std::uint32_t original_version) {
    info_.local = socket_->address();
    info_.remote = remote;
    ALKNET_TRY(session_, tls::Session::client(std::move(tls), tls::Carrier::quic));

    ngtcp2_cid first{};
    first.datalen = kFirstIdBytes;
    randombytes_buf(first.data, first.datalen);
    Settings settings(options_, now());
    prepare(settings, view(first));
    const Bytes token = session_->take_address_token();
    if (!token.empty()) {
        settings.settings.token = octets(BytesView(token));
        settings.settings.tokenlen = token.size();
    }
    settings.settings.original_version = original_version;
    first_version_ = version != 0 ? version : settings.first_version();
    const ngtcp2_cid own = endpoint_->add_route(*this);
    own_ids_.push_back(own);

    const NativePath path(info_.local, remote);
    const ngtcp2_callbacks callbacks = make_callbacks(false);
    ngtcp2_conn* conn = nullptr;
    const int outcome =
        ngtcp2_conn_client_new(&conn, &first, &own, path.get(), first_version_, &callbacks,
                               &settings.settings, &settings.params, nullptr, this);
    ALKNET_CHECK(adopt(outcome, conn));
    request_flush();
    return {};
}

// ---- what comes in ----

void ConnectionImpl::receive(BytesView packet, const net::DatagramBatch& batch,
                             LocalSocket& socket) {
    const auto self = shared_from_this();
    if (phase_ == Phase::closing) {
        if (closing_packet_.answers(packet.size())) {
            (void)send(closing_packet_.view());
        }
        return;
    }
    if (conn_ == nullptr || (batch.remote != remote_ && ALKNET_MUTATION(ignore_new_address))) {
        return;
    }
    // A client's socket may be bound to the wildcard address; its path keeps that as its name. A
    // server must answer from the very address that it was spoken to at.
    const NativePath path(server_ ? batch.local : socket.address(), batch.remote);
    ngtcp2_pkt_info info{};
    info.ecn = batch.ecn & NGTCP2_ECN_MASK;
    heard_ = true;
    if (info_.local.is_any()) {
        info_.local = batch.local;
    }
    acknowledge_soon();
    int outcome = 0;
    {
        const OpeningScope scope(*this);
        outcome = ngtcp2_conn_read_pkt(conn_.get(), path.get(), &info, octets(packet),
                                       packet.size(), now());
    }
    note_progress();
    after_io(outcome);
    if (conn_ != nullptr) {
        request_flush();
    }
}

void ConnectionImpl::on_unreachable(const SocketAddress& remote) {
    if (phase_ == Phase::handshake && !server_ && !heard_ && remote == remote_) {
        drop(error(causes::kUnreachable, remote.to_string()));
    }
}

void ConnectionImpl::on_timer() {
    const auto self = shared_from_this();
    switch (phase_) {
        case Phase::closing:
        case Phase::draining:
            gone();
            return;
        case Phase::gone:
            return;
        default:
            break;
    }
    if (phase_ == Phase::lingering && loop_.now() >= linger_until_) {
        close_pending_ = true;
    } else if (loop_.now() >= progress_.deadline(options_.idle_timeout)) {
        give_up();
    } else {
        after_io(ngtcp2_conn_handle_expiry(conn_.get(), now()));
    }
    if (conn_ != nullptr) {
        request_flush();
    }
}

void ConnectionImpl::arm_timer() {
    if (ALKNET_MUTATION(forget_timer)) {
        timer_.disarm();
        return;
    }
    const ngtcp2_tstamp expiry = ngtcp2_conn_get_expiry(conn_.get());
    TimePoint when = expiry == UINT64_MAX ? TimePoint::max() : from_native(expiry);
    when = std::min(when, progress_.deadline(options_.idle_timeout));
    if (phase_ == Phase::lingering) {
        when = std::min(when, linger_until_);
    }
    if (when == TimePoint::max()) {
        timer_.disarm();
    } else {
        timer_.arm(when);
    }
}

/// Zero: none.
void ConnectionImpl::set_keep_alive(Duration interval) noexcept {
    const auto count = std::max(interval, Duration::zero()).count();
    ngtcp2_conn_set_keep_alive_timeout(conn_.get(), static_cast<ngtcp2_duration>(count));
}

/// For the path and the peer of now.
void ConnectionImpl::renew_keep_alive() noexcept {
    const auto idle = ngtcp2_conn_get_remote_transport_params(conn_.get())->max_idle_timeout;
    set_keep_alive(keep_alive_interval({.wanted = options_.keep_alive,
                                        .own_idle = options_.idle_timeout,
                                        .peer_idle = Duration(static_cast<Duration::rep>(idle))},
                                       one_link_));
}

/// What comes after a silence is most likely a keep-alive. It is acknowledged in the turn that it
/// wakes the loop for, which would otherwise wake up once more a little later to do that. The peer
/// was promised no more than that an acknowledgement is not later than max_ack_delay.
void ConnectionImpl::acknowledge_soon() noexcept {
    const bool silent = loop_.now() - std::exchange(heard_at_, loop_.now()) >= kSilence;
    const ngtcp2_transport_params* params = ngtcp2_conn_get_local_transport_params(conn_.get());
    const_cast<ngtcp2_transport_params*>(params)->max_ack_delay =
        silent && phase_ == Phase::open ? 0 : NGTCP2_DEFAULT_MAX_ACK_DELAY;
}

void ConnectionImpl::request_flush() noexcept {
    loop_.request_flush(*this);
}

void ConnectionImpl::after_io(int outcome) {
    settle();
    if (outcome != 0 && conn_ != nullptr) {
        fail(outcome);
    }
}

void ConnectionImpl::settle() {
    if (phase_ == Phase::handshake && handshake_done_ && !refused_) {
        on_established();
    }
    for (const StopSending& stop : stops_) {
        if (Stream* stream = find_stream(stop.stream)) {
            stream->on_peer_stop(stop.code);
        }
    }
    stops_.clear();
    if (phase_ == Phase::lingering && all_delivered()) {
        close_pending_ = true;
    }
    if (ngtcp2_path_eq(ngtcp2_conn_get_path(conn_.get()), &path_.path) == 0) {
        refresh_path();
    }
}

void ConnectionImpl::refresh_path() {
    const ngtcp2_path* path = ngtcp2_conn_get_path(conn_.get());
    ngtcp2_path_copy(&path_.path, path);
    progress_.forget_path();
    const SocketAddress before = std::exchange(remote_, to_address(path->remote));
    if (phase_ == Phase::open) {
        one_link_ = false;  // of a path that has changed once nothing is taken for granted
        renew_keep_alive();
        endpoint_->log().info("conn.path", {{"remote_addr", remote_.to_string()},
                                            {"before", before.to_string()},
                                            {"trace", info_.trace_id}});
    }
}

// ---- the end of the handshake ----

int ConnectionImpl::finish_handshake() noexcept {
    auto established = session_->finish();
    if (!established) {
        refused_ = std::move(established).error();
        return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    const auto local = info_.local;
    const auto remote = info_.remote;
    info_ = std::move(established->info);
    info_.transport = Transport::quic;
    info_.server_side = server_;
    info_.local = local;
    info_.remote = remote;
    info_.quic_version = version_name(ngtcp2_conn_get_negotiated_version(conn_.get()));
    exporter_ = std::move(established->exporter);
    handshake_done_ = true;
    if (server_) {
        session_->send_ticket();
        const Bytes token = endpoint_->tokens().make_new_token(remote_, loop_.wall_now());
        if (!token.empty()) {
            (void)ngtcp2_conn_submit_new_token(conn_.get(), octets(BytesView(token)), token.size());
        }
    }
    return 0;
}

void ConnectionImpl::on_established() {
    phase_ = Phase::open;
    one_link_ = on_one_link(info_.local, remote_);
    renew_keep_alive();
    if (server_) {
        // A quarter of an idle connection's memory. Nothing of TLS comes from a client any more
        // (RFC 9001 sections 4.4 and 6); the exporter's secret was kept.
        ngtcp2_conn_set_tls_native_handle(conn_.get(), nullptr);
        session_.reset();
    }
    handshake_waiters_.wake_all();
    endpoint_->handshake_ended(*this, {});
}

task<result<void>> ConnectionImpl::wait_handshake() {
    while (phase_ == Phase::handshake && !ended_) {
        ALKNET_CO_CHECK(co_await handshake_waiters_.wait());
    }
    co_return result<void>{};
}

std::shared_ptr<Connection> ConnectionImpl::make_handle() {
    // The deleter lives as long as `handle_`, which is part of what it holds: so it lets go when
    // it is called.
    auto handle = std::shared_ptr<Connection>(
        this, [self = shared_from_this()](Connection*) mutable noexcept {
            const auto last = std::move(self);
            last->close(close_code::kOk, {});
        });
    handle_ = handle;
    return handle;
}

// ---- what the application may do ----

result<void> ConnectionImpl::alive() const {
    if (ended_) {
        return std::unexpected(*ended_);
    }
    return {};
}

ConnectionStats ConnectionImpl::stats() const noexcept {
    ConnectionStats stats = stats_;
    stats.streams_open = streams_.size();
    stats.buffered_bytes =
        received_unread_ + sent_unacknowledged_ + datagrams_in_.octets() + datagrams_out_.octets();
    if (conn_ != nullptr) {
        ngtcp2_conn_info info{};
        ngtcp2_conn_get_conn_info(conn_.get(), &info);
        stats.smoothed_rtt = Duration(static_cast<Duration::rep>(info.smoothed_rtt));
        for (const auto& [id, stream] : streams_) {
            stats.packets_lost += ngtcp2_conn_get_stream_loss_count(conn_.get(), id);
        }
    }
    return stats;
}

result<void> ConnectionImpl::export_keying_material(std::string_view label, BytesView context,
                                                    MutableBytes out) const {
    if (exporter_ == nullptr) {
        return alknet::fail(causes::kNotSupported);
    }
    return exporter_->export_keying_material(label, context, out);
}

result<void> ConnectionImpl::initiate_key_update() {
    ALKNET_CHECK(alive());
    // ngtcp2 aborts when it is asked before the handshake has ended, and makes the next keys only
    // when it writes.
    if (ngtcp2_conn_get_handshake_completed(conn_.get()) != 0 && unsent_packets_.empty()) {
        write_packets();
        ALKNET_CHECK(alive());
    }
    if (ngtcp2_conn_get_handshake_completed(conn_.get()) == 0 ||
        ngtcp2_conn_initiate_key_update(conn_.get(), now()) != 0) {
        return alknet::fail(causes::kLimit, "the last key update is not confirmed yet");
    }
    // ngtcp2 is ready for the peer's next update when something that it sent since its own is
    // acknowledged. Acknowledgements never are, and a peer whose simultaneous update is confirmed
    // would be locked out by its next one: so a PING goes out with the new keys.
    set_keep_alive(Duration(1));
    update_unsent_ = true;
    request_flush();
    return {};
}

result<void> ConnectionImpl::migrate(std::unique_ptr<net::UdpSocket> socket) {
    ALKNET_CHECK(alive());
    if (server_) {
        return alknet::fail(causes::kNotSupported, "only the side that dialled migrates");
    }
    LocalSocket& added = endpoint_->add_socket(std::move(socket));
    const NativePath path(added.address(), remote_);
    const int outcome = ngtcp2_conn_initiate_immediate_migration(conn_.get(), path.get(), now());
    if (outcome != 0) {
        endpoint_->remove_socket(added);
        return outcome == NGTCP2_ERR_CONN_ID_BLOCKED || outcome == NGTCP2_ERR_INVALID_STATE
                   ? alknet::fail(causes::kLimit, ngtcp2_strerror(outcome))
                   : alknet::fail(causes::kInternal, ngtcp2_strerror(outcome));
    }
    extra_sockets_.push_back(&added);
    // What waits for the old path's socket is lost, as on the way: that socket may be given up
    // before it takes packets again.
    unsent_packets_.clear();
    ListHook<BlockedTag>::unlink();
    refresh_path();
    retire_sockets(kSocketsKept);
    request_flush();
    return {};
}

void ConnectionImpl::retire_sockets(std::size_t keep) noexcept {
    while (extra_sockets_.size() > keep) {
        endpoint_->remove_socket(*extra_sockets_.front());
        extra_sockets_.erase(extra_sockets_.begin());
    }
}

}  // namespace alknet::quic
