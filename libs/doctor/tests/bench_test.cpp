// What a measurement says of the connection: in the simulated world, where the rate of the path is
// known, and what it concludes, as a table.
#include <gtest/gtest.h>
#include <alknet/doctor/bench.hpp>

#include "cpu_time.hpp"
#include "pair_world.hpp"
#include "socket_table.hpp"

namespace alknet::doctor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::PairWorld;

// ---- the table ----

constexpr std::uint64_t kSecond = 1'000'000;

FlowEnd end(double cpu, double waited) {
    return {.us = 10 * kSecond,
            .cpu_us = static_cast<std::uint64_t>(cpu * 10 * kSecond),
            .waited_us = static_cast<std::uint64_t>(waited * 10 * kSecond),
            .packets_sent = 10'000};
}

// A path of 1 MB/s with round trips of 20 ms: nothing else is in the way.
FlowFacts usual() {
    FlowFacts facts;
    facts.flow = {.bytes = 10'000'000,
                  .us = 10 * kSecond,
                  .complete = true,
                  .sender = end(0.1, 0.9),
                  .receiver = end(0.1, 0.9)};
    facts.flow.sender.rtt_us = 21'000;
    facts.idle_rtt_us = 20'000;
    facts.window_bytes = 1 << 20;
    return facts;
}

struct Row {
    const char* name;
    LimitedBy by;
    void (*change)(FlowFacts& facts);
};

constexpr std::array kRows = {
    Row{"the path", LimitedBy::path, [](FlowFacts&) {}},
    Row{"no time", LimitedBy::unknown, [](FlowFacts& f) { f.flow.us = 100'000; }},
    Row{"no octets", LimitedBy::unknown, [](FlowFacts& f) { f.flow.bytes = 1000; }},
    Row{"the sender here", LimitedBy::this_cpu,
        [](FlowFacts& f) { f.flow.sender.cpu_us = 9 * kSecond; }},
    Row{"the receiver there", LimitedBy::that_cpu,
        [](FlowFacts& f) { f.flow.receiver.cpu_us = 9 * kSecond; }},
    Row{"the receiver here", LimitedBy::this_cpu,
        [](FlowFacts& f) {
            f.up = false;
            f.flow.receiver.cpu_us = 9 * kSecond;
        }},
    Row{"the sender there, QUIC being dearer than TCP", LimitedBy::that_cpu,
        [](FlowFacts& f) {
            f.up = false;
            f.flow.sender.cpu_us = 6 * kSecond;
            f.other_rate = 3e6;
        }},
    Row{"buffers there", LimitedBy::that_buffer,
        [](FlowFacts& f) { f.flow.receiver.udp_drops = 100; }},
    Row{"buffers here, before the CPU that they cost", LimitedBy::this_buffer,
        [](FlowFacts& f) {
            f.up = false;
            f.flow.receiver.udp_drops = 100;
            f.flow.receiver.cpu_us = 9 * kSecond;
        }},
    Row{"somebody else's UDP", LimitedBy::path,
        [](FlowFacts& f) {
            f.quic = false;
            f.flow.receiver.udp_drops = 100;
        }},
    Row{"a policer", LimitedBy::policing,
        [](FlowFacts& f) {
            f.other_rate = 3e6;
            f.flow.sender.packets_lost = 1000;
        }},
    Row{"a shaper of UDP", LimitedBy::policing, [](FlowFacts& f) { f.other_rate = 3e6; }},
    Row{"TCP that is a little faster", LimitedBy::path, [](FlowFacts& f) { f.other_rate = 1.9e6; }},
    Row{"loss", LimitedBy::loss, [](FlowFacts& f) { f.flow.sender.packets_lost = 200; }},
    Row{"little loss", LimitedBy::path, [](FlowFacts& f) { f.flow.sender.packets_lost = 50; }},
    Row{"a window", LimitedBy::flow_control,
        [](FlowFacts& f) { f.flow.sender.rtt_us = f.idle_rtt_us = 800'000; }},
    Row{"no time to grow", LimitedBy::congestion_window,
        [](FlowFacts& f) {
            f.window_bytes = 0;
            f.flow.sender.rtt_us = f.idle_rtt_us = 800'000;
        }},
    Row{"a queue", LimitedBy::full_path, [](FlowFacts& f) { f.flow.sender.rtt_us = 90'000; }},
    Row{"a receiver there that does not take", LimitedBy::that_program,
        [](FlowFacts& f) { f.flow.receiver.waited_us = 0; }},
    Row{"a sender here that does not give", LimitedBy::this_program,
        [](FlowFacts& f) { f.flow.sender.waited_us = 0; }},
    Row{"a receiver here that does not take", LimitedBy::this_program,
        [](FlowFacts& f) {
            f.up = false;
            f.flow.receiver.waited_us = 0;
        }},
    Row{"an end of which nothing is known", LimitedBy::path,
        [](FlowFacts& f) { f.flow.receiver = {}; }},
};

TEST(BenchLimit, EachRow) {
    for (const Row& row : kRows) {
        FlowFacts facts = usual();
        row.change(facts);
        const Limiting limiting = limit_of(facts);
        EXPECT_EQ(limiting.by, row.by) << row.name << ": " << to_string(limiting.by);
        EXPECT_FALSE(limiting.what.empty()) << row.name;
    }
}

TEST(BenchLimit, TooSmallABufferIsMendedByOneLine) {
    FlowFacts facts = usual();
    facts.flow.receiver.udp_drops = 100;
    EXPECT_EQ(limit_of(facts).next, "there: sysctl -w net.core.rmem_max=4194304");
    facts.up = false;
    EXPECT_EQ(limit_of(facts).next, "sysctl -w net.core.rmem_max=4194304");
}

// ---- what the kernel counts ----

TEST(BenchCounters, UdpDrops) {
    constexpr std::string_view kSnmp =
        "Tcp: A RcvbufErrors\nTcp: 1 2\nUdp: InDatagrams NoPorts InErrors OutDatagrams "
        "RcvbufErrors SndbufErrors\nUdp: 3034102 8093 5875 2281563 5871 0\nUdpLite: RcvbufErrors\n"
        "UdpLite: 9\n";
    EXPECT_EQ(parse_udp_drops(kSnmp), 5871U);
    EXPECT_EQ(parse_udp_drops("Udp6InErrors \t3\nUdp6RcvbufErrors     \t77\n"), 77U);
    for (const std::string_view text : {"", "Udp:", "Udp: A\nUdp: 1\n", "Udp: RcvbufErrors\n",
                                        "Udp: RcvbufErrors\nUdp: x\n", "Udp6RcvbufErrors"}) {
        EXPECT_EQ(parse_udp_drops(text), 0U) << text;
    }
}

TEST(BenchCounters, RunDelay) {
    EXPECT_EQ(parse_run_delay("123 4567 8\n"), 4567U);
    for (const std::string_view text : {"", "1", "1 ", "1 x 2", " "}) {
        EXPECT_EQ(parse_run_delay(text), 0U) << text;
    }
}

// ---- in the simulated world ----

struct Bench {
    explicit Bench(std::uint64_t seed, sim::LinkOptions link, bool known = true) : pair(seed) {
        pair.world.set_all_links(link);
        DoctorHandlerOptions served = bench_handler_options();
        served.processor_time = [] { return std::uint64_t{0}; };
        pair.there.serve_with({known ? &pair.here : &pair.third}, std::move(served));
        options.processor_time = [] { return std::uint64_t{0}; };
        options.time = seconds(5);
    }

    static task<result<void>> work(Bench& self, bool quic, Cancel* cancel) {
        DialOptions dial;
        dial.alpns = {std::string(kBenchAlpn)};
        dial.quic = quic;
        dial.tcp = !quic;
        const NodeAddress address{.id = self.pair.there.tls->key().id(),
                                  .host = self.pair.there.host.v4(test::kPort).ip_text(),
                                  .port = test::kPort};
        ALKNET_CO_TRY(const auto connection,
                      co_await self.pair.here.dialer->dial(address, std::move(dial)));
        auto measuring =
            bench(self.pair.here.process->loop(), connection, self.options, self.result);
        auto outcome = cancel == nullptr ? co_await std::move(measuring)
                                         : co_await std::move(measuring).under(*cancel);
        connection->close(close_code::kOk, {});
        co_return outcome;
    }
    result<void> run(bool quic = true, Cancel* cancel = nullptr) {
        return pair.run_on(pair.here, work(*this, quic, cancel), std::chrono::minutes(10));
    }

    PairWorld pair;
    BenchOptions options;
    BenchResult result;
};

constexpr double kRate = 8e6 / 8;

sim::LinkOptions path() {
    sim::LinkOptions link;
    link.delay = milliseconds(10);
    link.bits_per_second = 8'000'000;
    return link;
}

TEST(BenchSim, EachDirectionAndBothAtOnce) {
    for (const bool quic : {true, false}) {
        for (const auto& [up, down] :
             {std::pair(true, false), std::pair(false, true), std::pair(true, true)}) {
            Bench bench(7, path());
            bench.options.up = up;
            bench.options.down = down;
            const auto outcome = bench.run(quic);
            ASSERT_TRUE(outcome) << outcome.error().message();
            EXPECT_EQ(bench.result.up.has_value(), up);
            EXPECT_EQ(bench.result.down.has_value(), down);
            EXPECT_GE(bench.result.rtt_us, 20'000U);
            for (const auto& flow : {bench.result.up, bench.result.down}) {
                if (!flow) {
                    continue;
                }
                EXPECT_TRUE(flow->complete);
                EXPECT_NE(flow->receiver.us, 0U);
                EXPECT_NE(flow->sender.us, 0U);
                // No more than the path passes, and not much less.
                EXPECT_LE(flow->bytes_per_second(), kRate * 1.05);
                EXPECT_GE(flow->bytes_per_second(), kRate * 0.5);
            }
        }
    }
}

TEST(BenchSim, CountsWhatArrivesAndNotWhatIsSent) {
    sim::LinkOptions lossy = path();
    lossy.loss = 0.1;
    Bench bench(8, lossy);
    bench.options.down = false;
    ASSERT_TRUE(bench.run());
    const Flow& up = *bench.result.up;
    EXPECT_LE(up.bytes_per_second(), kRate * 1.05);
    EXPECT_GT(up.sender.packets_lost, 0U);
    EXPECT_EQ(limit_of({.flow = up, .idle_rtt_us = bench.result.rtt_us}).by, LimitedBy::loss);
}

TEST(BenchSim, AnInterruptedMeasurementHasWhatWasMeasured) {
    Bench bench(9, path());
    bench.options.time = seconds(100);
    Cancel cancel;
    int told = 0;
    bench.options.progress = [&](const BenchResult& so_far) {
        EXPECT_TRUE(so_far.up && so_far.down);
        if (++told == 3) {
            cancel.request();
        }
    };
    const auto outcome = bench.run(true, &cancel);
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(causes::kCancelled));
    for (const auto& flow : {bench.result.up, bench.result.down}) {
        ASSERT_TRUE(flow);
        EXPECT_FALSE(flow->complete);
        EXPECT_GT(flow->bytes, 500'000U);
    }
}

TEST(BenchSim, ANodeThatVanishesEndsIt) {
    Bench bench(10, path());
    bench.options.down = false;
    bench.options.progress = [&](const BenchResult&) {
        bench.pair.world.set_cut(bench.pair.here.host, bench.pair.there.host, true);
    };
    const auto outcome = bench.run();
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.error().is(causes::kTimeout)) << outcome.error().message();
    EXPECT_GT(bench.result.up->bytes, 0U);
}

TEST(BenchSim, StrangersMeasureNothing) {
    Bench bench(11, path(), false);
    ASSERT_FALSE(bench.run());
    EXPECT_EQ(bench.result.rtt_us, 0U);
    EXPECT_FALSE(bench.result.up);
}

}  // namespace
}  // namespace alknet::doctor
