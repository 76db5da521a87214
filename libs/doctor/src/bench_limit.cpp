#include <fmt/format.h>
#include <algorithm>
#include <alknet/doctor/bench.hpp>
#include <alknet/doctor/local_checks.hpp>
#include <array>

namespace alknet::doctor {

namespace {

constexpr std::uint64_t kMeasuredUsMin = 200'000;
constexpr std::uint64_t kMeasuredBytesMin = 64 << 10;
constexpr double kBusy = 0.75;     // of a thread's time
constexpr double kHalfBusy = 0.5;  // enough to explain why TCP, which costs less, carries more
constexpr double kIdle = 0.1;      // of a flow's time waiting for the transport
constexpr double kLoss = 0.01;     // of packets
constexpr double kDropped = 1e-3;  // of packets
constexpr double kOfWindow = 0.7;
constexpr double kPoliced = 0.5;  // of TCP's rate, as in PathMemory
constexpr std::uint64_t kQueueUs = 10'000;
constexpr std::uint64_t kRoundsToGrow = 20;

double part(std::uint64_t of, std::uint64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(of) / static_cast<double>(whole);
}

struct Sides {
    explicit Sides(const FlowFacts& facts)
        : flow(facts.flow),
          here(facts.up ? flow.sender : flow.receiver),
          there(facts.up ? flow.receiver : flow.sender),
          loss(part(flow.sender.packets_lost, flow.sender.packets_sent)),
          rtt_us(std::max(flow.sender.rtt_us, facts.idle_rtt_us)) {}

    const Flow& flow;
    const FlowEnd& here;
    const FlowEnd& there;
    double loss;
    std::uint32_t rtt_us;  // while it lasted
};

std::string sysctl(bool here) {
    return fmt::format("{}sysctl -w net.core.rmem_max={}",
                       here ? "" : "there: ", kUdpBufferBytesWanted);
}

std::optional<Limiting> judge_buffer(const FlowFacts& facts, const Sides& sides) {
    const FlowEnd& receiver = sides.flow.receiver;
    const std::uint64_t packets = sides.flow.sender.packets_sent;
    const bool dropped = receiver.udp_drops != 0 && part(receiver.udp_drops, packets) >= kDropped;
    if (!facts.quic || !dropped) {
        return std::nullopt;
    }
    const bool here = !facts.up;
    return Limiting{
        .by = here ? LimitedBy::this_buffer : LimitedBy::that_buffer,
        .what = fmt::format("{} machine has thrown {} of {} UDP packets away, because its receive "
                            "buffer was full",
                            here ? "this" : "that", receiver.udp_drops, packets),
        .next = sysctl(here)};
}

bool much_slower_than_tcp(const FlowFacts& facts) {
    return facts.quic && facts.flow.bytes_per_second() < kPoliced * facts.other_rate;
}

std::optional<Limiting> judge_processors(const FlowFacts& facts, const Sides& sides) {
    const double here = part(sides.here.cpu_us, sides.here.us);
    const double there = part(sides.there.cpu_us, sides.there.us);
    if (std::max(here, there) < (much_slower_than_tcp(facts) ? kHalfBusy : kBusy)) {
        return std::nullopt;
    }
    const bool ours = here >= there;
    return Limiting{
        .by = ours ? LimitedBy::this_cpu : LimitedBy::that_cpu,
        .what = fmt::format(
            "{} end's CPU: its thread runs, or waits for a processor, {:.0f} % of the time",
            ours ? "this" : "that", 100 * std::max(here, there)),
        .next = "one connection uses one processor; several connections use several"};
}

std::optional<Limiting> judge_path_loss(const FlowFacts& facts, const Sides& sides) {
    const double rate = sides.flow.bytes_per_second();
    if (much_slower_than_tcp(facts)) {
        return Limiting{.by = LimitedBy::policing,
                        .what = fmt::format("somebody on the way holds UDP back: over TCP {:.1f} "
                                            "times as much passes",
                                            facts.other_rate / std::max(rate, 1.0)),
                        .next = "use TLS over TCP there: --transport tcp"};
    }
    if (sides.loss >= kLoss) {
        return Limiting{
            .by = LimitedBy::loss,
            .what = fmt::format("the path loses {:.1f} % of the packets, with round trips of "
                                "{:.1f} ms",
                                100 * sides.loss, static_cast<double>(sides.rtt_us) / 1000),
            .next = facts.other_rate > 0 ? "try a cable, or another network on this side"
                                         : "see whether TCP carries more: --transport tcp"};
    }
    return std::nullopt;
}

std::optional<Limiting> judge_window(const FlowFacts& facts, const Sides& sides) {
    const double under_way = sides.flow.bytes_per_second() * sides.rtt_us / 1e6;
    if (facts.window_bytes == 0 ||
        under_way < kOfWindow * static_cast<double>(facts.window_bytes)) {
        return std::nullopt;
    }
    return Limiting{
        .by = LimitedBy::flow_control,
        .what = fmt::format("flow control: {:.1f} MiB are under way, with round trips "
                            "of {:.1f} ms, and {:.1f} MiB may be",
                            under_way / (1 << 20), static_cast<double>(sides.rtt_us) / 1000,
                            static_cast<double>(facts.window_bytes) / (1 << 20)),
        .next = "several streams at once carry more than one"};
}

// An end that never waits for the other is what the other waits for.
std::optional<Limiting> judge_programs(const FlowFacts& facts, const Sides& sides) {
    const auto idle = [](const FlowEnd& end) {
        return end.us != 0 && part(end.waited_us, end.us) < kIdle;
    };
    const bool receiver = idle(sides.flow.receiver);
    if (!receiver && !idle(sides.flow.sender)) {
        return std::nullopt;
    }
    const bool here = receiver != facts.up;
    return Limiting{.by = here ? LimitedBy::this_program : LimitedBy::that_program,
                    .what = fmt::format("the {}: {} end never waits for octets{}",
                                        receiver ? "receiver" : "sender", here ? "this" : "that",
                                        receiver ? "" : " to be taken"),
                    .next = here ? "see what else this machine does: top"
                                 : "see what else that machine does: top"};
}

Limiting judge_path(const FlowFacts& facts, const Sides& sides) {
    const double ms = static_cast<double>(sides.rtt_us) / 1000;
    if (sides.flow.us < kRoundsToGrow * sides.rtt_us) {
        return {.by = LimitedBy::congestion_window,
                .what = fmt::format("the congestion window had no time to grow: the round trip is "
                                    "{:.1f} ms",
                                    ms),
                .next = "measure longer: --seconds"};
    }
    if (sides.rtt_us > 2ULL * facts.idle_rtt_us + kQueueUs) {
        return {.by = LimitedBy::full_path,
                .what = fmt::format("the path is full: packets queue in front of it, and the round "
                                    "trip grows from {:.1f} to {:.1f} ms",
                                    static_cast<double>(facts.idle_rtt_us) / 1000, ms),
                .next = {}};
    }
    return {.by = LimitedBy::path,
            .what = fmt::format("the path: both ends wait for it, with round trips of {:.1f} ms "
                                "and {:.2f} % loss",
                                ms, 100 * sides.loss),
            .next = {}};
}

constexpr std::array<std::string_view, kLimits> kNames = {
    "unknown",           "this-cpu",     "that-cpu", "this-buffer", "that-buffer",
    "this-program",      "that-program", "policing", "loss",        "flow-control",
    "congestion-window", "full-path",    "path"};

}  // namespace

std::string_view to_string(LimitedBy limit) noexcept {
    return kNames.at(static_cast<std::size_t>(limit));
}

Limiting limit_of(const FlowFacts& facts) {
    const Sides sides(facts);
    if (facts.flow.us < kMeasuredUsMin || facts.flow.bytes < kMeasuredBytesMin) {
        return {.by = LimitedBy::unknown,
                .what = "too little arrived to tell",
                .next = "see what does not work: alknet doctor ADDRESS"};
    }
    // What is seen as a fact comes before what is concluded.
    if (auto found = judge_buffer(facts, sides)) {
        return std::move(*found);
    }
    if (auto found = judge_processors(facts, sides)) {
        return std::move(*found);
    }
    if (auto found = judge_path_loss(facts, sides)) {
        return std::move(*found);
    }
    if (auto found = judge_window(facts, sides)) {
        return std::move(*found);
    }
    if (auto found = judge_programs(facts, sides)) {
        return std::move(*found);
    }
    return judge_path(facts, sides);
}

}  // namespace alknet::doctor
