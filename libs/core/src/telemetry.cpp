#include "telemetry.hpp"

#include <alknet/base/causes.hpp>
#include <string>

namespace alknet {

namespace {

constexpr std::array kLifetimeBuckets = {0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 86400.0};
constexpr std::uint64_t kNamedCodes = 9;  // of docs/protocol/close-codes.md

double seconds(Duration duration) noexcept {
    return std::chrono::duration<double>(duration).count();
}

std::string_view to_string(quic::Admission verdict) noexcept {
    switch (verdict) {
        case quic::Admission::accept:
            return "accept";
        case quic::Admission::retry:
            return "retry";
        case quic::Admission::refuse:
            return "refuse";
        case quic::Admission::ignore:
            return "ignore";
    }
    return "unknown";
}

std::uint64_t code_of(const Connection& connection) {
    const std::optional<error> reason = connection.close_reason();
    return reason ? reason->code() : 0;
}

}  // namespace

std::string_view to_string(AuthResult result) noexcept {
    switch (result) {
        case AuthResult::known:
            return "known";
        case AuthResult::unknown:
            return "unknown";
        case AuthResult::anonymous:
            return "anonymous";
        case AuthResult::failed:
            return "failed";
    }
    return "unknown";
}

std::string_view to_string(HandlerFailure failure) noexcept {
    switch (failure) {
        case HandlerFailure::error:
            return "error";
        case HandlerFailure::exception:
            return "exception";
        case HandlerFailure::stuck:
            return "stuck";
    }
    return "unknown";
}

Telemetry::Telemetry(Loop& loop, Log log, std::shared_ptr<Metrics> metrics)
    : loop_(loop),
      log_(std::move(log)),
      metrics_(std::move(metrics)),
      admissions_(metrics_->counters("alknet_admissions_total",
                                     "Newcomers by what was decided before the handshake",
                                     {"transport", "verdict"})),
      limit_hits_(metrics_->counters("alknet_limit_hits_total",
                                     "Times a limit struck, by its configuration key", {"limit"})),
      handshakes_(metrics_->counters("alknet_handshakes_total", "TLS handshakes that ended",
                                     {"transport", "result"})),
      handshake_seconds_(metrics_->histograms("alknet_handshake_seconds",
                                              "Time of handshakes that ended well", {"transport"})),
      accept_errors_(metrics_->counters("alknet_accept_errors_total", "Errors of listening sockets",
                                        {"transport"})),
      half_open_(metrics_->gauge("alknet_half_open", "Handshakes in progress")),
      connections_(metrics_->gauges("alknet_connections", "Connections whose handshake has ended",
                                    {"alpn", "transport"})),
      connections_opened_(metrics_->counters("alknet_connections_opened_total",
                                             "Connections opened", {"alpn", "transport"})),
      connections_closed_(metrics_->counters("alknet_connections_closed_total",
                                             "Connections closed, by close code",
                                             {"alpn", "transport", "code"})),
      connection_bytes_(metrics_->counters("alknet_connection_bytes_total",
                                           "Payload of connections that have ended",
                                           {"alpn", "transport", "direction"})),
      connection_seconds_(metrics_->histograms("alknet_connection_seconds",
                                               "Lifetime of connections", {"alpn", "transport"},
                                               kLifetimeBuckets)),
      auth_attempts_(metrics_->counters("alknet_auth_attempts_total",
                                        "Identities looked up, by result", {"alpn", "result"})),
      handler_failures_(metrics_->counters("alknet_handler_failures_total",
                                           "Handlers that did not return well", {"alpn", "kind"})) {
}

void Telemetry::admitted(Transport transport, quic::Admission verdict) {
    admissions_.with({alknet::to_string(transport), to_string(verdict)}).add();
}

void Telemetry::limit_hit(Limit limit, const SocketAddress& remote) {
    const std::string_view key = limit_key(limit);
    limit_hits_.with({key}).add();
    Struck& struck = struck_[static_cast<std::size_t>(limit)];
    const TimePoint now = loop_.now();
    if (struck.ever && now - struck.logged < kLimitLogInterval) {
        ++struck.suppressed;
        return;
    }
    log_.warn(
        "limit.hit",
        {{"limit", key}, {"remote_addr", remote.to_string()}, {"suppressed", struck.suppressed}});
    struck = {.logged = now, .ever = true, .suppressed = 0};
}

void Telemetry::handshake_ok(Transport transport, Duration took) {
    handshakes_.with({alknet::to_string(transport), "ok"}).add();
    handshake_seconds_.with({alknet::to_string(transport)}).observe(seconds(took));
}

void Telemetry::handshake_failed(Transport transport, const SocketAddress& remote, bool validated,
                                 const error& why) {
    handshakes_.with({alknet::to_string(transport), "failed"}).add();
    log_.info("handshake.failed", {{"remote_addr", remote.to_string()},
                                   {"transport", alknet::to_string(transport)},
                                   {"validated", validated},
                                   {"reason", why.cause().id},
                                   {"detail", why.detail()}});
}

void Telemetry::accept_failed(Transport transport, const error& why) {
    accept_errors_.with({alknet::to_string(transport)}).add();
    log_.error("accept.failed", {{"transport", alknet::to_string(transport)},
                                 {"reason", why.cause().id},
                                 {"detail", why.detail()}});
}

void Telemetry::half_open(const Counters& counters) {
    counters.show_half_open(half_open_);
}

void Telemetry::opened(const ConnectionInfo& info) {
    const std::string_view transport = alknet::to_string(info.transport);
    connections_.with({info.alpn, transport}).add();
    connections_opened_.with({info.alpn, transport}).add();
    log_.info("conn.open", {{"remote_addr", info.remote.to_string()},
                            {"transport", transport},
                            {"alpn", info.alpn},
                            {"resumed", info.peer.resumed},
                            {"trace", info.trace_id}});
}

void Telemetry::auth_attempt(const AuthContext& auth, AuthResult result) {
    auth_attempts_.with({auth.alpn, to_string(result)}).add();
    log_.info("auth.attempt", {{"remote_addr", auth.remote.to_string()},
                               {"alpn", auth.alpn},
                               {"key_fingerprint", auth.peer.fingerprint()},
                               {"result", to_string(result)}});
}

void Telemetry::handler_failed(const ConnectionInfo& info, HandlerFailure kind, const error& why) {
    handler_failures_.with({info.alpn, to_string(kind)}).add();
    log_.error("handler.failed", {{"remote_addr", info.remote.to_string()},
                                  {"alpn", info.alpn},
                                  {"kind", to_string(kind)},
                                  {"reason", why.cause().id},
                                  {"detail", why.detail()},
                                  {"trace", info.trace_id}});
}

void Telemetry::closed(const Connection& connection, Duration lasted) {
    const ConnectionInfo& info = connection.info();
    const ConnectionStats stats = connection.stats();
    const std::string_view transport = alknet::to_string(info.transport);
    const std::uint64_t code = code_of(connection);
    const std::string code_label = code < kNamedCodes ? std::to_string(code) : "other";
    connections_.with({info.alpn, transport}).sub();
    connections_closed_.with({info.alpn, transport, code_label}).add();
    connection_bytes_.with({info.alpn, transport, "sent"}).add(stats.bytes_sent);
    connection_bytes_.with({info.alpn, transport, "received"}).add(stats.bytes_received);
    connection_seconds_.with({info.alpn, transport}).observe(seconds(lasted));
    const std::optional<error> reason = connection.close_reason();
    const bool idle = reason && reason->is(causes::kIdleTimeout);
    if (idle) {
        limit_hit(Limit::idle_timeout, connection.remote());
    }
    log_.info("conn.close", {{"remote_addr", connection.remote().to_string()},
                             {"transport", transport},
                             {"alpn", info.alpn},
                             {"duration", seconds(lasted)},
                             {"code", code},
                             {"reason", reason ? reason->cause().id : std::string_view()},
                             {"bytes", stats.bytes_sent + stats.bytes_received},
                             {"trace", info.trace_id}});
}

}  // namespace alknet
