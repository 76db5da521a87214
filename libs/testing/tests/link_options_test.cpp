#include <gtest/gtest.h>
#include <alknet/testing/lossy_link.hpp>

namespace alknet::sim {
namespace {

TEST(LinkOptions, EveryOneCanBeSet) {
    const auto options = parse_link_options(
        "delay=1s loss=0.01 burst=0.5 burst_for=40ms rate=10M queue=100 udp_rate=64k udp_burst=9 "
        "mtu=1124 mtu_told=yes udp=reject udp_flow=16384 tcp=443,3128 stranger=10.0.0.2,10.0.0.3");
    ASSERT_TRUE(options) << options.error().message();
    EXPECT_EQ(options->delay, std::chrono::seconds(1));
    EXPECT_EQ(options->loss, 0.01);
    EXPECT_EQ(options->burst, 0.5);
    EXPECT_EQ(options->burst_for, std::chrono::milliseconds(40));
    EXPECT_EQ(options->bits_per_second, 10'000'000U);
    EXPECT_EQ(options->queue_bytes, 100U);
    EXPECT_EQ(options->udp_bits_per_second, 64'000U);
    EXPECT_EQ(options->udp_burst_bytes, 9U);
    EXPECT_EQ(options->mtu_bytes, 1124U);
    EXPECT_TRUE(options->mtu_told);
    EXPECT_EQ(options->udp, LossyLinkOptions::Udp::reject);
    EXPECT_EQ(options->udp_flow_bytes, 16384U);
    EXPECT_EQ(options->tcp_ports, (std::vector<std::uint16_t>{443, 3128}));
    ASSERT_TRUE(options->stranger);
    EXPECT_EQ(options->stranger->second.ip_text(), "10.0.0.3");
}

TEST(LinkOptions, NothingIsAPerfectLink) {
    const auto options = parse_link_options("  ");
    ASSERT_TRUE(options);
    EXPECT_EQ(options->delay, Duration::zero());
    EXPECT_EQ(options->udp, LossyLinkOptions::Udp::pass);
}

TEST(LinkOptions, RefusesWhatItDoesNotKnow) {
    for (const char* bad :
         {"delay", "delay=5", "delay=xs", "loss=2", "loss=-1", "loss=", "rate=1G", "queue=-1",
          "mtu=1k", "mtu_told=1", "udp=maybe", "tcp=", "tcp=99999", "tcp=1;2", "stranger=10.0.0.1",
          "stranger=10.0.0.1,fd00::1", "stranger=here,there", "colour=red"}) {
        EXPECT_FALSE(parse_link_options(bad)) << bad;
    }
}

}  // namespace
}  // namespace alknet::sim
