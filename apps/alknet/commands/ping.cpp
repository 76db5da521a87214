#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/doctor/examine.hpp>
#include <alknet/rt/combine.hpp>
#include <array>

#include "client.hpp"
#include "commands.hpp"
#include "output.hpp"
#include "pair_text.hpp"
#include "statistics.hpp"

namespace alknet::app {

namespace {

constexpr std::size_t kPayloadBytes = 16;

struct Ping {
    const CommandLine& line;
    const PingOptions& options;
    Client& client;
    Target target;
    Duration handshake{};
    quic::Congestion congestion = quic::Congestion::bbr;
    std::vector<Duration> round_trips;
};

double milliseconds(Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

/// `pin`, `ca` or `known`, and the same for people.
std::pair<std::string_view, std::string_view> verified_by(const Target& target,
                                                          const PeerIdentity& peer) {
    if (target.address.id) {
        return {"pin", "its node id"};
    }
    if (peer.verified_by_ca) {
        return {"ca", "certificate authorities"};
    }
    return target.verify ? std::pair<std::string_view, std::string_view>("pin", "its certificate")
                         : std::pair<std::string_view, std::string_view>(
                               "known", "what it was when it was first trusted");
}

result<void> print_connection(const Ping& ping, const ConnectionInfo& info) {
    if (ping.line.json) {
        return {};
    }
    std::string protocols = info.tls_version + " " + info.cipher;
    if (!info.quic_version.empty()) {
        protocols = "QUIC " + info.quic_version + " " + protocols;
    }
    return print_text(
        fmt::format("{} at {} over {}: {}\n"
                    "peer {} (verified by {})\n"
                    "handshake {:.2f} ms\n",
                    info.alpn, info.remote.to_string(), to_string(info.transport), protocols,
                    info.peer.fingerprint(), verified_by(ping.target, info.peer).second,
                    milliseconds(ping.handshake)));
}

result<void> print_summary(const Ping& ping, const ConnectionInfo& info) {
    const Summary summary = summarize(ping.round_trips);
    if (!ping.line.json) {
        return print_line(fmt::format(
            "{} round trip{}: min {:.2f}, median {:.2f}, p90 {:.2f}, p99 {:.2f}, max {:.2f} ms",
            summary.count, summary.count == 1 ? "" : "s", milliseconds(summary.min),
            milliseconds(summary.p50), milliseconds(summary.p90), milliseconds(summary.p99),
            milliseconds(summary.max)));
    }
    const std::string_view congestion = ping.congestion == quic::Congestion::bbr ? "bbr" : "cubic";
    const Json quic = info.quic_version.empty() ? Json() : Json(info.quic_version);
    return print_line(
        Json::object({{"address", ping.target.address.to_string()},
                      {"remote", info.remote.to_string()},
                      {"transport", to_string(info.transport)},
                      {"alpn", info.alpn},
                      {"peer", info.peer.fingerprint()},
                      {"verified_by", verified_by(ping.target, info.peer).first},
                      {"tls_version", info.tls_version},
                      {"cipher", info.cipher},
                      {"quic_version", quic},
                      {"congestion", info.quic_version.empty() ? Json() : Json(congestion)},
                      {"trace_id", info.trace_id},
                      {"handshake_ms", milliseconds(ping.handshake)},
                      {"rtt_ms", Json::object({{"count", std::uint64_t{summary.count}},
                                               {"min", milliseconds(summary.min)},
                                               {"mean", milliseconds(summary.mean)},
                                               {"p50", milliseconds(summary.p50)},
                                               {"p90", milliseconds(summary.p90)},
                                               {"p99", milliseconds(summary.p99)},
                                               {"max", milliseconds(summary.max)}})}})
            .text());
}

// Writes a few octets and waits until the same have come back.
task<result<void>> round_trip(BiStream& stream, std::uint32_t sequence) {
    std::array<std::byte, kPayloadBytes> sent{};
    for (std::size_t i = 0; i < sent.size(); ++i) {
        sent[i] = static_cast<std::byte>(sequence >> (8 * (i % 4)));
    }
    ALKNET_CO_CHECK(co_await stream.write(sent));
    std::array<std::byte, kPayloadBytes> received{};
    for (std::size_t size = 0; size < received.size();) {
        ALKNET_CO_TRY(const std::size_t got,
                      co_await stream.read(MutableBytes(received).subspan(size)));
        if (got == 0) {
            co_return fail(causes::kProtocol, "the echo ended before it was complete");
        }
        size += got;
    }
    if (received != sent) {
        co_return fail(causes::kProtocol, "the echo is not what was sent");
    }
    co_return result<void>();
}

task<result<void>> round_trips(Ping& ping, BiStream& stream) {
    Loop& loop = ping.client.loop();
    for (std::uint32_t i = 0; i < ping.options.count; ++i) {
        if (i != 0) {
            ALKNET_CO_CHECK(co_await loop.sleep(ping.options.interval));
        }
        const TimePoint began = loop.refresh_now();
        ALKNET_CO_CHECK(co_await with_timeout(ping.options.timeout, round_trip(stream, i)));
        ping.round_trips.push_back(loop.refresh_now() - began);
        if (!ping.line.json) {
            ALKNET_CO_CHECK(print_line(fmt::format("{} bytes back, {}: {:.2f} ms", kPayloadBytes,
                                                   i + 1, milliseconds(ping.round_trips.back()))));
        }
    }
    co_return co_await stream.finish();
}

task<result<void>> measure(Ping& ping) {
    Loop& loop = ping.client.loop();
    ALKNET_CO_TRY(DialOptions options,
                  dial_options(ping.options.wishes, ping.target, {std::string(kEchoAlpn)}));
    options.transport.handshake_timeout = ping.options.timeout;
    ping.congestion = options.transport.congestion;
    const TimePoint began = loop.refresh_now();
    ALKNET_CO_TRY(auto connection,
                  co_await ping.client.dialer().dial(ping.target.address, std::move(options)));
    ping.handshake = loop.refresh_now() - began;
    ALKNET_CO_CHECK(print_connection(ping, connection->info()));
    ALKNET_CO_TRY(auto stream, co_await with_timeout(ping.options.timeout, connection->open_bi()));
    const auto measured = co_await round_trips(ping, *stream);
    // An interrupted measurement says what it has found so far.
    if (measured || (measured.error().is(causes::kCancelled) && !ping.round_trips.empty())) {
        ALKNET_CO_CHECK(print_summary(ping, connection->info()));
    }
    connection->close(close_code::kOk, "");
    co_return measured;
}

// A line for each way. Fails if none of them works.
task<result<void>> measure_all(Ping& ping) {
    doctor::ExamineOptions examine;
    ALKNET_CO_CHECK(ping.client.add_known(ping.target));
    examine.address = ping.target.address;
    examine.verify = ping.target.verify;
    examine.service = std::string(kEchoAlpn);
    examine.timeout = ping.options.timeout;
    examine.depth = doctor::Depth::echo;
    ALKNET_CO_TRY(const DialOptions allowed,
                  dial_options(ping.options.wishes, ping.target, {std::string(kEchoAlpn)}));
    examine.quic = allowed.quic;
    examine.tcp = allowed.tcp;
    examine.proxy = allowed.proxy;
    examine.proxies = net::ProxySettings::from_environment();
    if (ping.options.wishes.only == Via::proxy &&
        !examine.proxies
             .proxy_for(ping.target.address.host, ping.target.address.port.value_or(kDefaultPort))
             .value_or(std::nullopt)) {
        co_return fail(causes::kUsage, "neither HTTPS_PROXY nor ALL_PROXY names a proxy for this");
    }
    ALKNET_CO_TRY(const auto pair,
                  co_await doctor::examine(ping.client.loop(), ping.client.network(),
                                           ping.client.dialer(), std::move(examine)));
    if (ping.line.json) {
        ALKNET_CO_CHECK(print_line(Json::object({{"address", ping.target.address.to_string()},
                                                 {"ways", ways_json(pair.ways)}})
                                       .text()));
    } else {
        ALKNET_CO_CHECK(print_text(ways_text(pair.ways)));
    }
    const bool works = std::ranges::any_of(pair.ways, [](const doctor::WayReport& way) {
        return way.outcome == doctor::Outcome::connected;
    });
    if (!works && pair.not_resolved) {
        co_return fail(causes::kResolve, *pair.not_resolved);
    }
    if (!works) {
        co_return fail(causes::kUnreachable, "by none of the ways");
    }
    co_return result<void>();
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const PingOptions& options) {
    ALKNET_TRY(auto client, Client::create(line, Client::As::owner, options.wishes.tofu));
    ALKNET_TRY(auto target, resolve_target(options.address, client->peers()));
    Ping ping{.line = line,
              .options = options,
              .client = *client,
              .target = std::move(target),
              .round_trips = {}};
    Asked asked{.target = ping.target, .wishes = options.wishes, .service = std::string(kEchoAlpn)};
    auto work = options.all_transports ? measure_all(ping) : measure(ping);
    if (auto outcome = client->run(std::move(work), std::move(asked)); !outcome) {
        return unexpected(explain_close(std::move(outcome).error()));
    }
    return ExitCode::ok;
}

}  // namespace alknet::app
