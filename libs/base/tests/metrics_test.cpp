#include <gtest/gtest.h>
#include <alknet/base/assert.hpp>
#include <alknet/base/metrics.hpp>
#include <limits>
#include <thread>

namespace alknet {
namespace {

TEST(Metrics, TheTextIsTheExpositionFormat) {
    Metrics metrics;
    metrics.counter("alknet_packets_total", "Packets.\nAll of them \\ \"").add(3);
    metrics.gauge("alknet_connections", "Open connections.").set(-2);
    auto& by_alpn = metrics.counters("alknet_opened_total", "Opened.", {"alpn", "transport"});
    by_alpn.with({"x/1", "quic"}).add();
    by_alpn.with({"a\"b\\c\nd\xff", "tcp"}).add(5);
    EXPECT_EQ(metrics.text(),
              "# HELP alknet_connections Open connections.\n"
              "# TYPE alknet_connections gauge\n"
              "alknet_connections -2\n"
              "# HELP alknet_opened_total Opened.\n"
              "# TYPE alknet_opened_total counter\n"
              "alknet_opened_total{alpn=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\",transport=\"tcp\"} 5\n"
              "alknet_opened_total{alpn=\"x/1\",transport=\"quic\"} 1\n"
              "# HELP alknet_packets_total Packets.\\nAll of them \\\\ \"\n"
              "# TYPE alknet_packets_total counter\n"
              "alknet_packets_total 3\n");
}

TEST(Metrics, HistogramsCountUpwards) {
    Metrics metrics;
    const std::array bounds = {0.5, 1.0, 2.5};
    auto& family = metrics.histograms("alknet_rtt_seconds", "RTT.", {"transport"}, bounds);
    Histogram& rtt = family.with({"quic"});
    for (const double value :
         {0.25, 0.5, 0.75, 2.5, 100.0, std::numeric_limits<double>::quiet_NaN()}) {
        rtt.observe(value);
    }
    EXPECT_EQ(rtt.count(), 5U);
    EXPECT_EQ(metrics.text(),
              "# HELP alknet_rtt_seconds RTT.\n"
              "# TYPE alknet_rtt_seconds histogram\n"
              "alknet_rtt_seconds_bucket{transport=\"quic\",le=\"0.5\"} 2\n"
              "alknet_rtt_seconds_bucket{transport=\"quic\",le=\"1\"} 3\n"
              "alknet_rtt_seconds_bucket{transport=\"quic\",le=\"2.5\"} 4\n"
              "alknet_rtt_seconds_bucket{transport=\"quic\",le=\"+Inf\"} 5\n"
              "alknet_rtt_seconds_sum{transport=\"quic\"} 104\n"
              "alknet_rtt_seconds_count{transport=\"quic\"} 5\n");
    EXPECT_EQ(metrics.histogram("alknet_plain_seconds", "Plain.").count(), 0U);
    EXPECT_NE(metrics.text().find("alknet_plain_seconds_bucket{le=\"0.0005\"} 0\n"),
              std::string::npos);
}

TEST(Metrics, TheListSaysWhatTheTextDoes) {
    Metrics metrics;
    auto& opened = metrics.counters("alknet_opened_total", "Opened.", {"alpn", "transport"});
    opened.with({"x/1", "tcp"}).add(2);
    opened.with({"x/1", "quic"}).add(5);
    metrics.gauge("alknet_open", "Open.").set(-3);
    Histogram& rtt = metrics.histogram("alknet_rtt_seconds", "RTT.", std::array{0.5, 1.0});
    for (const double value : {0.25, 0.75, 0.75, 9.0}) {
        rtt.observe(value);
    }
    const auto all = metrics.list();
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].name, "alknet_open");
    EXPECT_EQ(all[0].type, "gauge");
    EXPECT_EQ(all[0].series.at(0).value, -3);
    EXPECT_EQ(all[1].help, "Opened.");
    EXPECT_EQ(all[1].labels, (std::vector<std::string>{"alpn", "transport"}));
    ASSERT_EQ(all[1].series.size(), 2U);
    EXPECT_EQ(all[1].series[0].values, (std::vector<std::string>{"x/1", "quic"}));
    EXPECT_EQ(all[1].series[0].value, 5);
    EXPECT_EQ(all[2].type, "histogram");
    EXPECT_EQ(all[2].bounds, (std::vector<double>{0.5, 1.0}));
    EXPECT_EQ(all[2].series.at(0).buckets, (std::vector<std::uint64_t>{1, 2, 1}));
    EXPECT_EQ(all[2].series[0].count, 4U);
    EXPECT_EQ(all[2].series[0].sum, 10.75);
    EXPECT_EQ(metrics.list("alknet_open").size(), 2U);
    EXPECT_TRUE(metrics.list("no").empty());
}

TEST(Metrics, TheSameNameGivesTheSameMetric) {
    Metrics metrics;
    Counter& first = metrics.counter("alknet_a_total", "A.");
    EXPECT_EQ(&metrics.counter("alknet_a_total", "A."), &first);
    auto& family = metrics.gauges("alknet_b", "B.", {"x"});
    EXPECT_EQ(&metrics.gauges("alknet_b", "B.", {"x"}), &family);
    EXPECT_EQ(&family.with({"1"}), &family.with({"1"}));
    EXPECT_NE(&family.with({"1"}), &family.with({"2"}));
}

TEST(Metrics, AMemberTooManyIsCountedAsOther) {
    Metrics metrics;
    auto& family = metrics.counters("alknet_c_total", "C.", {"peer"}, 2);
    Counter& a = family.with({"a"});
    Counter& b = family.with({"b"});
    Counter& c = family.with({"c"});
    EXPECT_EQ(&family.with({"d"}), &c);
    EXPECT_EQ(&family.with({"other"}), &c);
    EXPECT_EQ(&family.with({"a"}), &a);
    EXPECT_EQ(&family.with({"b"}), &b);
    c.add(7);
    EXPECT_NE(metrics.text().find("alknet_c_total{peer=\"other\"} 7\n"), std::string::npos);

    auto& many = metrics.counters("alknet_d_total", "D.", {"peer"});
    for (std::size_t i = 0; i < 2 * Metrics::kSeriesMax; ++i) {
        many.with({std::to_string(i)}).add();
    }
    EXPECT_EQ(many.with({"other"}).value(), Metrics::kSeriesMax);
}

TEST(Metrics, MisuseIsABug) {
    Metrics metrics;
    metrics.counter("alknet_a_total", "A.");
    EXPECT_THROW(metrics.gauge("alknet_a_total", "A."), bug);
    EXPECT_THROW(metrics.counters("alknet_a_total", "A.", {"x"}), bug);
    for (const std::string_view name : {"", "9a", "a-b", "a b", "a\n"}) {
        EXPECT_THROW(metrics.counter(name, "."), bug) << name;
    }
    for (const std::string_view label : {"", "9a", "__a", "a:b", "le"}) {
        EXPECT_THROW(metrics.counters("alknet_l_total", ".", {label}), bug) << label;
    }
    auto& family = metrics.counters("alknet_e_total", "E.", {"x", "y"});
    EXPECT_THROW(family.with({"1"}), bug);
    const std::array falling = {2.0, 1.0};
    EXPECT_THROW(metrics.histogram("alknet_h", "H.", falling), bug);
}

TEST(Metrics, ThreadsCountTogether) {
    Metrics metrics;
    constexpr int kThreads = 4;
    constexpr int kRounds = 2000;
    auto& family = metrics.counters("alknet_t_total", "T.", {"x"});
    auto& seconds = metrics.histogram("alknet_t_seconds", "T.");
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < kRounds; ++i) {
                family.with({i % 2 == 0 ? "even" : "odd"}).add();
                seconds.observe(0.5);
                if (i % 500 == 0) {
                    (void)metrics.text();
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(family.with({"even"}).value() + family.with({"odd"}).value(), kThreads * kRounds);
    EXPECT_EQ(seconds.count(), kThreads * kRounds);
    EXPECT_EQ(seconds.sum(), 0.5 * kThreads * kRounds);
}

}  // namespace
}  // namespace alknet
