// What the two ends of a diagnosis tell each other, and how it is written
// (docs/protocol/doctor.md). Sans-I/O. A report is bounded in every part; what is unknown in one
// from a newer program is skipped, what is malformed is refused as a whole.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/doctor/check.hpp>
#include <alknet/net/socket_address.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::doctor {

/// What a peer needs for alknet/doctor and for alknet/bench, unless a configuration names another
/// scope.
inline constexpr std::string_view kDiagnoseScope = "node:diagnose";
inline constexpr std::string_view kBenchScope = "node:bench";

/// The ways to a node, the best first.
enum class Way : std::uint8_t { quic_v6, quic_v4, tcp_v6, tcp_v4, proxy };
inline constexpr std::size_t kWays = 5;
[[nodiscard]] std::string_view to_string(Way way) noexcept;
[[nodiscard]] constexpr bool is_quic(Way way) noexcept {
    return way <= Way::quic_v4;
}
[[nodiscard]] constexpr bool is_v6(Way way) noexcept {
    return way == Way::quic_v6 || way == Way::tcp_v6;
}

/// How a dial ended.
enum class Outcome : std::uint8_t {
    not_tried,   // no address of this kind, or not asked for
    connected,   // the node proved its key
    silent,      // no answer in time
    refused,     // the network said that nobody is there
    no_service,  // whoever answered does not offer the service
    wrong_key,   // another key than the pinned one
    unverified,  // a certificate that does not verify, or no means to verify
    tls,         // TLS failed otherwise
    reset,       // cut in the handshake
    no_route,    // this machine cannot send there
    stranger,    // the node does not let us: the service is for peers that may use it
    other,
    proxy_down,     // the proxy itself does not answer
    proxy_auth,     // it wants other credentials
    proxy_refused,  // it does not connect there
};
inline constexpr std::uint8_t kOutcomes = 15;
[[nodiscard]] std::string_view to_string(Outcome outcome) noexcept;

/// Who answered a dial, as far as it showed itself without proof.
enum class Answerer : std::uint8_t { nobody, the_node, another_key, a_certificate };

/// One way, as one end found it. Times in microseconds, 0 for unknown.
struct WayReport {
    Way way = Way::quic_v6;
    Outcome outcome = Outcome::not_tried;
    Answerer answerer = Answerer::nobody;
    SocketAddress remote;    // where it was dialled; of the proxy, if it is the way
    SocketAddress local;     // from where, as this machine sees it
    SocketAddress observed;  // from where, as the other end sees it
    std::uint32_t handshake_us = 0;
    std::uint32_t rtt_us = 0;
    std::uint32_t datagrams_sent = 0;     // one after the other, slowly
    std::uint32_t datagrams_arrived = 0;  // of those, there
    std::uint32_t datagrams_back = 0;     // of those, here again
    std::uint32_t up_bytes = 0;           // of kBulkBytes, what arrived in time
    std::uint32_t up_us = 0;
    std::uint32_t down_bytes = 0;
    std::uint32_t down_us = 0;
    std::uint32_t payload_small = 0;  // a small datagram was answered: its size, else 0
    std::uint32_t payload_max = 0;    // the largest datagram that was answered
    std::string detail;               // an error's text

    bool operator==(const WayReport&) const = default;
};

/// How much is sent in each direction to see whether a way carries more than a handshake.
inline constexpr std::uint32_t kBulkBytes = 256 << 10;

struct Report {
    static constexpr std::uint8_t kVersion = 1;
    static constexpr std::size_t kBytesMax = 32 << 10;  // encoded
    static constexpr std::size_t kChecksMax = 24;
    static constexpr std::size_t kWaysMax = 8;
    static constexpr std::size_t kTextBytesMax = 200;  // of each text

    std::string program;            // "alknet 0.1.0"
    std::int64_t unix_ms = 0;       // the clock
    std::uint64_t beginnings = 0;   // QUIC beginnings that came from the other's address
    std::uint16_t listens_udp = 0;  // where a running node of this end listens; 0: nowhere
    std::uint16_t listens_tcp = 0;
    std::vector<Check> checks;    // warnings and failures, without what was found
    std::vector<WayReport> ways;  // dialled by this end

    bool operator==(const Report&) const = default;
};

/// Longer texts and lists are cut to what a report may hold, which is less than kBytesMax.
[[nodiscard]] Bytes encode_report(const Report& report);
/// Errors: kProtocol.
[[nodiscard]] result<Report> decode_report(BytesView bytes);

/// The checks that somebody else should know: warnings and failures, without their values.
[[nodiscard]] std::vector<Check> checks_to_tell(const std::vector<Check>& checks);

}  // namespace alknet::doctor
