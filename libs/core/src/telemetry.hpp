// Telemetry: what the endpoint tells people about connections, in the log and in metrics. The
// events and the metrics are described in docs/metrics.md; fail2ban reads the former, so their
// names and fields do not change.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/metrics.hpp>
#include <alknet/base/result.hpp>
#include <alknet/core/auth.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/quic/endpoint.hpp>
#include <alknet/rt/loop.hpp>
#include <array>
#include <memory>
#include <string_view>

#include "counters.hpp"

namespace alknet {

/// How an attempt to authenticate ended.
enum class AuthResult : std::uint8_t { known, unknown, anonymous, failed };
[[nodiscard]] std::string_view to_string(AuthResult result) noexcept;

/// In which way a handler did not return well.
enum class HandlerFailure : std::uint8_t { error, exception, stuck };
[[nodiscard]] std::string_view to_string(HandlerFailure failure) noexcept;

class Telemetry {
public:
    /// A limit that strikes again is logged this often; the metric counts each time.
    static constexpr Duration kLimitLogInterval = std::chrono::seconds(1);

    Telemetry(Loop& loop, Log log, std::shared_ptr<Metrics> metrics);

    void admitted(Transport transport, quic::Admission verdict);
    void limit_hit(Limit limit, const SocketAddress& remote);
    void handshake_ok(Transport transport, Duration took);
    /// `validated`: the address is proven; only then may anybody be banned for it.
    void handshake_failed(Transport transport, const SocketAddress& remote, bool validated,
                          const error& why);
    void accept_failed(Transport transport, const error& why);
    void half_open(const Counters& counters);

    void opened(const ConnectionInfo& info);
    void auth_attempt(const AuthContext& auth, AuthResult result);
    void handler_failed(const ConnectionInfo& info, HandlerFailure kind, const error& why);
    void closed(const Connection& connection, Duration lasted);

    [[nodiscard]] const Log& log() const noexcept { return log_; }

private:
    struct Struck {
        TimePoint logged;
        bool ever = false;
        std::uint64_t suppressed = 0;
    };

    Loop& loop_;
    Log log_;
    std::shared_ptr<Metrics> metrics_;
    std::array<Struck, kLimitKinds> struck_{};
    MetricFamily<Counter>& admissions_;
    MetricFamily<Counter>& limit_hits_;
    MetricFamily<Counter>& handshakes_;
    MetricFamily<Histogram>& handshake_seconds_;
    MetricFamily<Counter>& accept_errors_;
    Gauge& half_open_;
    MetricFamily<Gauge>& connections_;
    MetricFamily<Counter>& connections_opened_;
    MetricFamily<Counter>& connections_closed_;
    MetricFamily<Counter>& connection_bytes_;
    MetricFamily<Histogram>& connection_seconds_;
    MetricFamily<Counter>& auth_attempts_;
    MetricFamily<Counter>& handler_failures_;
};

}  // namespace alknet
