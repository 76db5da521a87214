// DoctorHandler: the other half of a diagnosis and of a measurement (docs/protocol/doctor.md). It
// is for known peers alone: register it with `identity_required`.
#pragma once

#include <alknet/core/dial.hpp>
#include <alknet/core/handler.hpp>
#include <alknet/doctor/frames.hpp>
#include <alknet/doctor/report.hpp>
#include <cstdint>
#include <functional>
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
    Duration dial_back_timeout = std::chrono::seconds(3);
    /// Bounds of one connection.
    std::uint64_t bytes_max = 8 << 20;  // sent on order, and taken
    Duration duration_max = std::chrono::seconds(60);
    std::size_t connections_max = 8;  // served at a time
};

/// What is served as alknet/bench: more octets, for longer, fewer at a time.
[[nodiscard]] DoctorHandlerOptions bench_handler_options();

class DoctorHandler final : public ProtocolHandler {
public:
    explicit DoctorHandler(DoctorHandlerOptions options) : options_(std::move(options)) {}

    [[nodiscard]] std::vector<std::string> alpns() const override { return {options_.alpn}; }
    /// Errors: kAuthRequired without an identity; kLimit when connections_max, bytes_max or
    /// duration_max strikes; kProtocol.
    task<result<void>> handle(std::shared_ptr<Connection> connection, AuthContext auth) override;
    /// Also of the dialer.
    task<void> shutdown() override;

private:
    struct Patient;
    task<result<void>> serve(Patient& patient);
    task<result<void>> answer(Patient& patient, BiStream& stream, Frame frame);
    task<result<void>> take(Patient& patient, BiStream& stream, std::size_t first);
    task<result<void>> give(Patient& patient, BiStream& stream, Download order);
    task<result<void>> exchange(Patient& patient, BiStream& stream, BytesView body);
    task<WayReport> dial_back(const Patient& patient, Way way, std::uint16_t port);

    DoctorHandlerOptions options_;
    std::size_t running_ = 0;
};

/// How a dial's error reads as an outcome.
[[nodiscard]] Outcome outcome_of(const error& why) noexcept;

}  // namespace alknet::doctor
