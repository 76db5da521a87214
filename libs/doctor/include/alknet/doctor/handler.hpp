// DoctorHandler: the other half of a diagnosis and of a measurement (docs/protocol/doctor.md). It
// is for known peers alone: register it with `identity_required`.
#pragma once

#include <alknet/core/dial.hpp>
#include <alknet/core/handler.hpp>
#include <alknet/doctor/frames.hpp>
#include <alknet/doctor/report.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::doctor {

inline constexpr std::string_view kDoctorAlpn = "alknet/doctor";
inline constexpr std::string_view kBenchAlpn = "alknet/bench";

struct DoctorHandlerOptions {
    std::string alpn = std::string(kDoctorAlpn);
    std::string program;  // for the report
    /// The findings of this end, not blocking; may be empty.
    std::function<std::vector<Check>()> checks;
    /// QUIC beginnings that came from the address; may be empty. See Endpoint::beginnings_from.
    std::function<std::uint64_t(const SocketAddress&)> beginnings;
    /// With what the peer's node is dialled back, on the handler's loop; null: it is not.
    std::shared_ptr<Dialer> dialer;
    /// Whether a peer may be dialled that way, on any loop; empty: it may.
    std::function<bool(const PeerIdentity& peer, Way way)> may_dial;
    Duration dial_back_timeout = std::chrono::seconds(3);
    /// Bounds of one connection.
    std::uint64_t bytes_max = 8 << 20;  // sent on order, taken, and of datagrams that come
    Duration duration_max = std::chrono::seconds(60);
    std::size_t looks_max = 100;   // answered
    std::size_t reports_max = 2;   // answered: each is a look at this machine, and two dials
    std::size_t orders_max = 100;  // of octets
    /// Served at a time, of everybody and of one peer.
    std::size_t connections_max = 16;
    std::size_t connections_each_max = 8;
    /// In microseconds, that this thread has run or was ready to; empty: as the system counts it.
    std::function<std::uint64_t()> processor_time;
    /// Datagrams that this machine has thrown away as buffers were full; may be empty.
    std::function<std::uint64_t()> udp_drops;
};

/// What is served as alknet/bench: more octets, for longer, fewer at a time.
[[nodiscard]] DoctorHandlerOptions bench_handler_options();

class DoctorHandler final : public ProtocolHandler {
public:
    explicit DoctorHandler(DoctorHandlerOptions options) : options_(std::move(options)) {}

    [[nodiscard]] std::vector<std::string> alpns() const override { return {options_.alpn}; }
    /// Errors: kAuthRequired without an identity; kLimit, which names the bound that struck;
    /// kProtocol.
    task<result<void>> handle(std::shared_ptr<Connection> connection, AuthContext auth) override;
    /// With what the peer's node is dialled back from now on.
    void set_tls(std::shared_ptr<const tls::TlsContext> tls);
    /// Also of the dialer.
    task<void> shutdown() override;

private:
    struct Patient;
    struct Meter;
    task<result<void>> serve(Patient& patient);
    task<result<void>> answer_all(Patient& patient);
    task<result<void>> answer(Patient& patient, Frame frame);
    task<result<void>> look(Patient& patient);
    task<result<void>> take(Patient& patient, std::size_t first);
    task<result<void>> order(Patient& patient, BytesView body);
    task<result<void>> give(Patient& patient, Download order);
    task<result<void>> exchange(Patient& patient, BytesView body);
    [[nodiscard]] Meter meter(const Patient& patient) const;
    task<WayReport> dial_back(const Patient& patient, Way way, std::uint16_t port);

    DoctorHandlerOptions options_;
    std::size_t running_ = 0;
    std::map<std::string, std::size_t> running_of_;  // by the peer's id
};

/// How a dial's error reads as an outcome.
[[nodiscard]] Outcome outcome_of(const error& why) noexcept;

}  // namespace alknet::doctor
