// New connections: tokens, admission, Retry, refusal. Nothing is remembered of a client until it is
// admitted.
#include "endpoint.hpp"

#include <ngtcp2/ngtcp2_crypto.h>

#include <alknet/base/causes.hpp>
#include <array>

namespace alknet::quic {

void EndpointImpl::on_initial(const Arrival& arrival) {
    ServerStart start{};
    // Sockets of migrations come and go with their connection.
    if (options_.server == nullptr || &arrival.socket != sockets_.front().get() ||
        ngtcp2_accept(&start.header, octets(arrival.data), arrival.data.size()) != 0) {
        ++stats_.datagrams_dropped;
        return;
    }
    const auto checked = tokens_.check(start.header, arrival.batch.remote, loop_.wall_now());
    if (checked.verdict == AddressTokens::Verdict::invalid) {
        close_statelessly(arrival, start.header, NGTCP2_INVALID_TOKEN);
        return;
    }
    const bool proven = checked.verdict == AddressTokens::Verdict::proven;
    start.after_retry = proven && checked.type == NGTCP2_TOKEN_TYPE_RETRY;
    start.original_dcid = start.after_retry ? checked.original_dcid : start.header.dcid;
    start.token_type = proven ? checked.type : NGTCP2_TOKEN_TYPE_UNKNOWN;
    start.incoming = {arrival.batch.remote, arrival.batch.local, proven, half_open_};
    if (start.original_dcid.datalen < NGTCP2_MIN_INITIAL_DCIDLEN ||
        connections_.size() >= options_.connections_max || half_open_ >= options_.half_open_max) {
        ++stats_.datagrams_dropped;
        return;
    }
    if (stopping_) {
        close_statelessly(arrival, start.header, NGTCP2_CONNECTION_REFUSED);
        return;
    }
    switch (options_.server->admit(start.incoming)) {
        case Admission::accept:
            begin_connection(arrival, start);
            break;
        case Admission::retry:
            if (start.after_retry) {  // a client may be asked only once
                close_statelessly(arrival, start.header, NGTCP2_CONNECTION_REFUSED);
            } else {
                send_retry(arrival, start.header);
            }
            break;
        case Admission::refuse:
            close_statelessly(arrival, start.header, NGTCP2_CONNECTION_REFUSED);
            break;
        case Admission::ignore:
            ++stats_.datagrams_dropped;
            break;
    }
}

void EndpointImpl::begin_connection(const Arrival& arrival, const ServerStart& start) {
    auto connection = std::make_shared<ConnectionImpl>(*this, ++serial_, arrival.socket,
                                                       options_.server->transport_options(), true);
    add(connection);
    ++half_open_;
    const auto started =
        connection->start_server(start, options_.server->tls_context(), *options_.server);
    if (!started) {
        connection->drop(started.error());
        return;
    }
    connection->receive(arrival.data, arrival.batch, arrival.socket);
}

void EndpointImpl::send_retry(const Arrival& arrival, const ngtcp2_pkt_hd& header) {
    const ngtcp2_cid id = draw_connection_id({options_.loop_index, options_.loop_count});
    const Bytes token = tokens_.make_retry(header, id, arrival.batch.remote, loop_.wall_now());
    std::array<std::byte, NGTCP2_MAX_UDP_PAYLOAD_SIZE> packet;
    const auto size = ngtcp2_crypto_write_retry(octets(MutableBytes(packet)), packet.size(),
                                                header.version, &header.scid, &id, &header.dcid,
                                                octets(BytesView(token)), token.size());
    if (size > 0 && !token.empty()) {
        ++stats_.retries_sent;
        answer(arrival, BytesView(packet).first(static_cast<std::size_t>(size)), "quic.retry");
    }
}

void EndpointImpl::close_statelessly(const Arrival& arrival, const ngtcp2_pkt_hd& header,
                                     std::uint64_t code) {
    ++stats_.datagrams_dropped;
    std::array<std::byte, NGTCP2_MAX_UDP_PAYLOAD_SIZE> packet;
    const auto size = ngtcp2_crypto_write_connection_close(
        octets(MutableBytes(packet)), packet.size(), header.version, &header.scid, &header.dcid,
        code, nullptr, 0);
    if (size > 0) {
        answer(arrival, BytesView(packet).first(static_cast<std::size_t>(size)),
               code == NGTCP2_INVALID_TOKEN ? "quic.token_invalid" : "quic.refused");
    }
}

}  // namespace alknet::quic
