#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/doctor/bench.hpp>
#include <alknet/doctor/handler.hpp>
#include <alknet/doctor/report.hpp>
#include <alknet/doctor/system_probe.hpp>

#include "client.hpp"
#include "commands.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

using doctor::BenchResult;
using doctor::Flow;
using doctor::LimitedBy;
using doctor::Limiting;
using doctor::Way;

/// What TCP is given to show whether it carries more, when nothing but a guess asks for it.
constexpr Duration kGlance = std::chrono::seconds(3);

struct Phase {
    bool up = false;
    bool down = false;
};

struct Finding {
    std::string direction;
    Flow flow;
    Limiting limiting{};
    double tcp_rate = 0;  // octets a second, if that was compared
};

struct Benching {
    const CommandLine& line;
    const BenchOptions& options;
    Client& client;
    Target target;
    ConnectionInfo info{};
    std::optional<Rung> rung{};
    std::optional<PathKey> path{};  // as what the first dial remembers it
    std::uint32_t rtt_us = 0;
    std::vector<Finding> findings{};
};

double mbit(double bytes_per_second) {
    return bytes_per_second * 8 / 1e6;
}

std::vector<Phase> phases(const BenchOptions& options) {
    if (!options.up && !options.down && !options.both) {
        return {{.down = true}, {.up = true}};
    }
    std::vector<Phase> all;
    if (options.down) {
        all.push_back({.down = true});
    }
    if (options.up) {
        all.push_back({.up = true});
    }
    if (options.both) {
        all.push_back({.up = true, .down = true});
    }
    return all;
}

// The first dial finds the way, and the others go the same.
result<DialOptions> options_of(const Benching& bench, std::optional<Rung> rung) {
    ALKNET_TRY(DialOptions options,
               dial_options(bench.options.wishes, bench.target, {std::string(doctor::kBenchAlpn)}));
    options.transport.handshake_timeout = bench.options.timeout;
    if (rung) {
        options.prefer.reset();
        options.quic = is_quic(*rung);
        options.proxy = *rung == Rung::proxy;
        options.tcp = !options.quic && !options.proxy;
        const bool v6 = *rung == Rung::quic_v6 || *rung == Rung::tcp_v6;
        options.v6 = options.proxy || v6;
        options.v4 = options.proxy || !v6;
    }
    return options;
}

std::string way_name(Rung rung) {
    // Both count the same ways in the same order.
    return std::string(to_string(static_cast<Way>(rung)));
}

result<void> print_head(const Benching& bench) {
    if (bench.line.json) {
        return {};
    }
    return print_line(fmt::format("{} at {} over {}", doctor::kBenchAlpn,
                                  bench.info.remote.to_string(), way_name(*bench.rung)));
}

std::string rate_text(std::string_view direction, const Flow& flow) {
    return fmt::format("{:<5} {:9.2f} Mbit/s", direction, mbit(flow.bytes_per_second()));
}

void print_progress(const BenchResult& result) {
    std::string text;
    for (const auto& [name, flow] :
         {std::pair("down", &result.down), std::pair("up", &result.up)}) {
        if (*flow) {
            text += (text.empty() ? "  " : "   ") + rate_text(name, **flow);
        }
    }
    (void)print_line(text);  // the end of the measurement tells of a failure
}

result<void> print_finding(const Benching& bench, const Finding& finding) {
    if (bench.line.json) {
        return {};
    }
    std::string text = fmt::format(
        "{}, {:.1f} MiB in {:.1f} s\n  limited by {}\n", rate_text(finding.direction, finding.flow),
        static_cast<double>(finding.flow.bytes) / (1 << 20),
        static_cast<double>(finding.flow.us) / 1e6, finding.limiting.what);
    if (!finding.limiting.next.empty()) {
        text += "  next: " + finding.limiting.next + "\n";
    }
    return print_text(text);
}

Json end_json(const doctor::FlowEnd& end) {
    if (end.us == 0) {
        return {};
    }
    const auto share = [&](std::uint64_t us) {
        return static_cast<double>(us) / static_cast<double>(end.us);
    };
    return Json::object({{"cpu", share(end.cpu_us)},
                         {"waiting", share(end.waited_us)},
                         {"packets_sent", end.packets_sent},
                         {"packets_lost", end.packets_lost},
                         {"udp_drops", end.udp_drops},
                         {"rtt_ms", end.rtt_us == 0 ? Json() : Json(end.rtt_us / 1000.0)}});
}

Json finding_json(const Finding& finding) {
    return Json::object(
        {{"direction", finding.direction},
         {"bytes", finding.flow.bytes},
         {"ms", static_cast<double>(finding.flow.us) / 1000},
         {"mbit_per_second", mbit(finding.flow.bytes_per_second())},
         {"complete", finding.flow.complete},
         {"limited_by", to_string(finding.limiting.by)},
         {"what", finding.limiting.what},
         {"next", finding.limiting.next},
         {"tcp_mbit_per_second", finding.tcp_rate > 0 ? Json(mbit(finding.tcp_rate)) : Json()},
         {"sender", end_json(finding.flow.sender)},
         {"receiver", end_json(finding.flow.receiver)}});
}

result<void> print_json(const Benching& bench) {
    Json::Array flows;
    for (const Finding& finding : bench.findings) {
        flows.push_back(finding_json(finding));
    }
    return print_line(
        Json::object({{"address", bench.target.address.to_string()},
                      {"remote", bench.info.remote.to_string()},
                      {"way", way_name(*bench.rung)},
                      {"rtt_ms", bench.rtt_us == 0 ? Json() : Json(bench.rtt_us / 1000.0)},
                      {"flows", std::move(flows)}})
            .text());
}

Limiting limiting(const Benching& bench, const Finding& finding, bool up) {
    const quic::TransportOptions usual;
    const bool quic = is_quic(*bench.rung);
    return doctor::limit_of({.flow = finding.flow,
                             .up = up,
                             .quic = quic,
                             .idle_rtt_us = bench.rtt_us,
                             .window_bytes = quic ? usual.stream_window_bytes_max : 0,
                             .other_rate = finding.tcp_rate});
}

// A node that does not know us closes without a word: a code over QUIC, an end over TCP.
error explain_refusal(const Benching& bench, error why) {
    const bool answered = bench.rtt_us != 0;
    const bool wordless =
        (why.is(causes::kClosed) && why.code() == close_code::kOk) || why.is(causes::kReset);
    error explained = explain_close(std::move(why));
    if (!answered && explained.is(causes::kLimit)) {
        return error(causes::kLimit, "the node serves this to few at a time", explained.code());
    }
    if (answered || !(wordless || explained.is(causes::kAuthRequired))) {
        return explained;
    }
    return error(causes::kAuthRequired,
                 std::string(doctor::kBenchAlpn) + " is for peers that the node knows" +
                     (wordless ? ", and few of them at a time" : ""),
                 explained.code());
}

struct Order {
    Phase phase;
    std::optional<Rung> rung;  // nullopt: whichever the dial finds
    Duration time{};
    bool quiet = false;
};

struct Measured {
    std::optional<Dialled> way;
    BenchResult result;
};

// What was measured stands in `into`, whether it ends well or not.
task<result<void>> measure(Benching& bench, Order order, Measured& into) {
    Client& client = bench.client;
    ALKNET_CO_TRY(DialOptions dialling, options_of(bench, order.rung));
    ALKNET_CO_TRY(into.way,
                  co_await client.dialer().dial_way(bench.target.address, std::move(dialling)));
    if (!bench.rung) {
        bench.rung = into.way->rung;
        bench.path = into.way->path;
        bench.info = into.way->connection->info();
        ALKNET_CO_CHECK(print_head(bench));
    }
    doctor::BenchOptions options;
    options.up = order.phase.up;
    options.down = order.phase.down;
    options.time = order.time;
    options.udp_drops = doctor::udp_drops;
    if (!order.quiet && !bench.line.json) {
        options.progress = print_progress;
    }
    const std::shared_ptr<Connection> connection = into.way->connection;
    auto measured =
        co_await doctor::bench(client.loop(), connection, std::move(options), into.result);
    connection->close(close_code::kOk, {});
    if (measured && order.phase.up != order.phase.down) {
        // The later dials may not go every way, and still measure the same path.
        into.way->path = bench.path;
        const Flow& flow = order.phase.up ? *into.result.up : *into.result.down;
        client.dialer().report(*into.way, flow.bytes, order.time);
    }
    co_return measured;
}

// Whether TCP carries more on the same path: where QUIC loses much, as long as it was measured, so
// that later dials know; where nothing else explains the rate, for a moment.
task<result<void>> compare(Benching& bench, Finding& finding, bool up) {
    const LimitedBy by = finding.limiting.by;
    const bool path = by == LimitedBy::path || by == LimitedBy::full_path;
    const bool asked =
        bench.options.wishes.only == Via::any && bench.target.ways.tcp && is_quic(*bench.rung);
    if (!asked || (!path && by != LimitedBy::loss)) {
        co_return result<void>();
    }
    const Duration whole = std::chrono::seconds(bench.options.seconds);
    const bool v6 = *bench.rung == Rung::quic_v6;
    const Order order{.phase = {.up = up, .down = !up},
                      .rung = v6 ? Rung::tcp_v6 : Rung::tcp_v4,
                      .time = path ? std::min(whole, kGlance) : whole,
                      .quiet = true};
    Measured measured;
    const auto outcome = co_await measure(bench, order, measured);
    if (!outcome && outcome.error().is(causes::kCancelled)) {
        co_return outcome;
    }
    const std::optional<Flow>& flow = up ? measured.result.up : measured.result.down;
    if (outcome && flow) {  // that TCP does not work is not what is asked here
        finding.tcp_rate = flow->bytes_per_second();
        finding.limiting = limiting(bench, finding, up);
    }
    co_return result<void>();
}

task<result<void>> run_phase(Benching& bench, Phase phase) {
    Measured measured;
    const Order order{
        .phase = phase, .rung = bench.rung, .time = std::chrono::seconds(bench.options.seconds)};
    auto outcome = co_await measure(bench, order, measured);
    if (bench.rtt_us == 0) {
        bench.rtt_us = measured.result.rtt_us;
    }
    const bool both = phase.up && phase.down;
    for (const bool up : {false, true}) {
        const std::optional<Flow>& flow = up ? measured.result.up : measured.result.down;
        if (!flow) {
            continue;
        }
        Finding finding{.direction = up ? "up" : "down", .flow = *flow};
        finding.limiting = limiting(bench, finding, up);
        if (outcome && !both) {
            outcome = co_await compare(bench, finding, up);
        }
        bench.findings.push_back(finding);
        const auto printed = print_finding(bench, finding);
        outcome = outcome && !printed ? printed : outcome;
    }
    co_return outcome;
}

task<result<void>> run_all(Benching& bench) {
    result<void> outcome;
    for (const Phase phase : phases(bench.options)) {
        outcome = co_await run_phase(bench, phase);
        if (!outcome) {
            break;
        }
    }
    if (bench.line.json && !bench.findings.empty()) {
        ALKNET_CO_CHECK(print_json(bench));
    }
    co_return outcome;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const BenchOptions& options) {
    ALKNET_TRY(auto client, Client::create(line, Client::As::owner, options.wishes.tofu));
    ALKNET_TRY(auto target, resolve_target(options.address, client->peers()));
    Benching bench{
        .line = line, .options = options, .client = *client, .target = std::move(target)};
    Asked asked{.target = bench.target,
                .wishes = options.wishes,
                .service = std::string(doctor::kBenchAlpn)};
    if (auto outcome = client->run(run_all(bench), std::move(asked)); !outcome) {
        return unexpected(explain_refusal(bench, std::move(outcome).error()));
    }
    return ExitCode::ok;
}

}  // namespace alknet::app
