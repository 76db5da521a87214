#include "settings.hpp"

#include <algorithm>

namespace alknet::quic {

namespace {

/// Spare connection ids for the peer's migrations; each one that is used up is replaced.
constexpr std::uint64_t kActiveConnectionIds = 4;
/// What paths commonly carry, tried from the largest: Ethernet with IPv6, a PPPoE link, tunnels.
constexpr std::array<std::uint16_t, 4> kProbes = {1452, 1444, 1400, 1332};

/// The bounds of RFC 9000 sections 4.6 and 16.
constexpr std::uint64_t kStreamsMax = std::uint64_t{1} << 60;
constexpr std::uint64_t kIntegerMax = NGTCP2_MAX_VARINT;

ngtcp2_duration to_native(Duration duration) noexcept {
    return static_cast<ngtcp2_duration>(std::max(duration, Duration::zero()).count());
}

ngtcp2_cc_algo to_native(Congestion congestion) noexcept {
    return congestion == Congestion::bbr ? NGTCP2_CC_ALGO_BBR : NGTCP2_CC_ALGO_CUBIC;
}

}  // namespace

std::uint32_t to_native(Version version) noexcept {
    return version == Version::v1 ? NGTCP2_PROTO_VER_V1 : NGTCP2_PROTO_VER_V2;
}

std::string version_name(std::uint32_t version) {
    switch (version) {
        case NGTCP2_PROTO_VER_V1:
            return "v1";
        case NGTCP2_PROTO_VER_V2:
            return "v2";
        default:
            return {};
    }
}

Settings::Settings(const TransportOptions& options, ngtcp2_tstamp now) {
    for (const Version version : options.versions) {
        versions_.push_back(quic::to_native(version));
    }
    if (versions_.empty()) {
        versions_.push_back(NGTCP2_PROTO_VER_V1);
    }
    const auto largest = static_cast<std::uint16_t>(
        std::clamp<std::size_t>(options.udp_payload_bytes_max, NGTCP2_MAX_UDP_PAYLOAD_SIZE,
                                NGTCP2_DEFAULT_MAX_RECV_UDP_PAYLOAD_SIZE));
    if (largest > NGTCP2_MAX_UDP_PAYLOAD_SIZE) {
        probes_.push_back(largest);
    }
    std::ranges::copy_if(kProbes, std::back_inserter(probes_),
                         [largest](std::uint16_t probe) { return probe < largest; });

    ngtcp2_settings_default(&settings);
    settings.initial_ts = now;
    settings.cc_algo = to_native(options.congestion);
    settings.max_tx_udp_payload_size = largest;
    settings.handshake_timeout = to_native(options.handshake_timeout);
    settings.preferred_versions = versions_.data();
    settings.preferred_versionslen = versions_.size();
    settings.available_versions = versions_.data();
    settings.available_versionslen = versions_.size();
    settings.no_pmtud = probes_.empty() ? 1 : 0;
    settings.pmtud_probes = probes_.data();
    settings.pmtud_probeslen = probes_.size();

    ngtcp2_transport_params_default(&params);
    params.initial_max_streams_bidi = std::min(options.streams_bidi_max, kStreamsMax);
    params.initial_max_streams_uni = std::min(options.streams_uni_max, kStreamsMax);
    const std::uint64_t stream_window = std::min(options.stream_window_bytes, kIntegerMax);
    params.initial_max_stream_data_bidi_local = stream_window;
    params.initial_max_stream_data_bidi_remote = stream_window;
    params.initial_max_stream_data_uni = stream_window;
    params.initial_max_data = std::min(options.connection_window_bytes, kIntegerMax);
    params.max_idle_timeout = to_native(options.idle_timeout);
    params.active_connection_id_limit = kActiveConnectionIds;
    params.max_datagram_frame_size = options.offer_datagrams ? 65535 : 0;
    params.grease_quic_bit = 1;
}

std::uint32_t Settings::first_version() const noexcept {
    const bool speaks_v1 = std::ranges::find(versions_, NGTCP2_PROTO_VER_V1) != versions_.end();
    return speaks_v1 ? NGTCP2_PROTO_VER_V1 : versions_.front();
}

}  // namespace alknet::quic
