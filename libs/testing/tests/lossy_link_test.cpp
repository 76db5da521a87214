#include "link_packets.hpp"

#include <gtest/gtest.h>
#include <alknet/testing/lossy_link.hpp>

namespace alknet::sim {
namespace {

using namespace std::chrono_literals;
using Side = LossyLink::Side;

constexpr TimePoint kStart{1h};

class LossyLinkTest : public testing::Test {
protected:
    static LossyLink make(const char* options, std::uint64_t seed = 1) {
        return {seed, parse_link_options(options).value()};
    }

    [[nodiscard]] Bytes udp(std::size_t payload = 100) const {
        return make_packet(client_, server_, payload);
    }
    [[nodiscard]] Bytes answer(std::size_t payload = 100) const {
        return make_packet(server_, client_, payload);
    }
    [[nodiscard]] Bytes tcp(std::uint16_t port) const {
        return make_packet(client_, server_.with_port(port), 100, kTcpNumber);
    }

    static std::size_t arrivals(LossyLink& link, TimePoint until) {
        std::size_t count = 0;
        while (link.receive(until)) {
            ++count;
        }
        return count;
    }

    const SocketAddress client_ = at("10.0.0.1:1111");
    const SocketAddress server_ = at("10.0.0.2:443");
};

TEST_F(LossyLinkTest, CarriesAfterItsDelayToTheOtherSide) {
    LossyLink link = make("delay=50ms");
    link.send(Side::a, udp(), kStart);
    link.send(Side::b, answer(), kStart + 1ms);
    EXPECT_EQ(link.next_arrival(), kStart + 50ms);
    EXPECT_FALSE(link.receive(kStart + 49ms));
    const auto there = link.receive(kStart + 51ms);
    ASSERT_TRUE(there);
    EXPECT_EQ(there->at, Side::b);
    EXPECT_EQ(there->packet, udp());
    const auto back = link.receive(kStart + 51ms);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->at, Side::a);
    EXPECT_FALSE(link.next_arrival());
}

TEST_F(LossyLinkTest, WhatIsNotIpVanishes) {
    LossyLink link = make("");
    link.send(Side::a, Bytes(3), kStart);
    EXPECT_FALSE(link.next_arrival());
}

TEST_F(LossyLinkTest, AShorterDelayKeepsTheOrder) {
    LossyLink link = make("delay=50ms");
    link.send(Side::a, udp(1), kStart);
    link.set_options({});
    link.send(Side::a, udp(2), kStart);
    EXPECT_EQ(link.receive(kStart + 50ms)->packet, udp(1));
    EXPECT_EQ(link.receive(kStart + 50ms)->packet, udp(2));
}

TEST_F(LossyLinkTest, LosesItsShareAndTheSameForTheSameSeed) {
    const auto count = [this](std::uint64_t seed) {
        LossyLink link = make("loss=0.1", seed);
        std::vector<bool> fate;
        for (int i = 0; i < 10'000; ++i) {
            link.send(Side::a, udp(), kStart);
            fate.push_back(link.receive(kStart).has_value());
        }
        EXPECT_NEAR(static_cast<double>(link.stats().lost), 1000, 150);
        return fate;
    };
    EXPECT_EQ(count(7), count(7));
    EXPECT_NE(count(7), count(8));
}

TEST_F(LossyLinkTest, ABurstLosesEverythingForAWhileInOneDirection) {
    LossyLink link = make("burst=1 burst_for=40ms");
    link.send(Side::a, udp(), kStart);
    link.set_options(parse_link_options("burst_for=40ms").value());
    link.send(Side::a, udp(), kStart + 39ms);
    link.send(Side::b, answer(), kStart + 39ms);
    link.send(Side::a, udp(), kStart + 40ms);
    EXPECT_EQ(link.stats().lost, 2U);
    EXPECT_EQ(arrivals(link, kStart + 40ms), 2U);
}

TEST_F(LossyLinkTest, ARateSpacesPacketsAndTheQueueOverflows) {
    LossyLink link = make("rate=1M queue=1500");
    for (int i = 0; i < 20; ++i) {
        link.send(Side::a, udp(222), kStart);  // 250 octets: 2 ms each
    }
    EXPECT_EQ(link.stats().overflowed, 20U - 7U);  // one on the line, six in the queue
    EXPECT_EQ(arrivals(link, kStart + 2ms), 1U);
    EXPECT_EQ(arrivals(link, kStart + 13ms), 5U);
    EXPECT_EQ(arrivals(link, kStart + 14ms), 1U);
}

TEST_F(LossyLinkTest, APolicerDropsAndForgivesWithTime) {
    LossyLink link = make("udp_rate=1M udp_burst=1000");
    for (int i = 0; i < 8; ++i) {
        link.send(Side::a, udp(222), kStart);
    }
    EXPECT_EQ(link.stats().policed, 4U);
    link.send(Side::a, udp(222), kStart + 2ms);
    link.send(Side::a, udp(222), kStart + 2ms);
    EXPECT_EQ(link.stats().policed, 5U);
    link.send(Side::a, tcp(443), kStart + 2ms);
    link.send(Side::b, answer(), kStart + 2ms);
    EXPECT_EQ(arrivals(link, kStart + 2ms), 7U);
}

TEST_F(LossyLinkTest, UdpIsDroppedOrRejected) {
    LossyLink link = make("udp=drop delay=50ms");
    link.send(Side::a, udp(), kStart);
    link.send(Side::b, answer(), kStart);
    EXPECT_FALSE(link.next_arrival());
    link.set_options(parse_link_options("udp=reject delay=50ms").value());
    link.send(Side::a, udp(), kStart);
    const auto refusal = link.receive(kStart);
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->at, Side::a);
    EXPECT_EQ(refusal->packet, make_icmp_error(udp(), IcmpError::port_unreachable));
    EXPECT_EQ(link.stats().forbidden, 3U);
}

TEST_F(LossyLinkTest, AFlowEndsAfterItsOctetsBothWaysCounted) {
    LossyLink link = make("udp_flow=300");
    link.send(Side::a, udp(), kStart);  // 128 octets
    link.send(Side::b, answer(), kStart);
    link.send(Side::a, udp(), kStart);
    link.send(Side::b, answer(), kStart);
    EXPECT_EQ(arrivals(link, kStart), 2U);
    link.send(Side::a, make_packet(client_.with_port(2), server_, 100), kStart);
    EXPECT_EQ(arrivals(link, kStart), 1U);
}

TEST_F(LossyLinkTest, FlowsAreLimited) {
    LossyLink link = make("udp_flow=300");
    for (std::size_t i = 0; i <= kLinkFlowsMax; ++i) {
        const auto port = static_cast<std::uint16_t>(i + 1);
        link.send(Side::a, make_packet(client_.with_port(port), server_, 1), kStart);
    }
    EXPECT_EQ(arrivals(link, kStart), kLinkFlowsMax);
}

TEST_F(LossyLinkTest, PacketsUnderWayAreLimited) {
    LossyLink link = make("delay=1s");
    for (std::size_t i = 0; i <= kLinkPacketsMax; ++i) {
        link.send(Side::a, udp(1), kStart);
    }
    link.set_options(parse_link_options("udp=reject").value());
    link.send(Side::a, udp(1), kStart);
    EXPECT_EQ(link.stats().overflowed, 2U);
    EXPECT_EQ(arrivals(link, kStart + 1s), kLinkPacketsMax);
}

TEST_F(LossyLinkTest, LargePacketsVanishOrAreAnswered) {
    LossyLink link = make("mtu=1124");
    link.send(Side::a, udp(1124 - 28), kStart);
    EXPECT_EQ(arrivals(link, kStart), 1U);
    link.send(Side::a, udp(1125 - 28), kStart);
    EXPECT_FALSE(link.next_arrival());
    link.set_options(parse_link_options("mtu=1124 mtu_told=yes").value());
    link.send(Side::a, udp(1125 - 28), kStart);
    EXPECT_EQ(link.receive(kStart)->at, Side::a);
    EXPECT_EQ(link.stats().too_big, 2U);
    EXPECT_EQ(link.stats().largest_udp_payload, 1125U - 28U);
}

TEST_F(LossyLinkTest, TcpIsConfinedToPortsOfTheFarSide) {
    LossyLink link = make("tcp=443,3128");
    link.send(Side::a, tcp(443), kStart);
    link.send(Side::a, tcp(22), kStart);
    link.send(Side::b, make_packet(server_, client_, 0, kTcpNumber), kStart);
    link.send(Side::b, make_packet(server_.with_port(22), client_, 0, kTcpNumber), kStart);
    link.send(Side::a, udp(), kStart);
    EXPECT_EQ(arrivals(link, kStart), 3U);
    EXPECT_EQ(link.stats().forbidden, 2U);
}

TEST_F(LossyLinkTest, AStrangerAnswersInTheNameOfTheOther) {
    LossyLink link = make("stranger=10.0.0.2,10.0.0.3");
    const SocketAddress stranger = at("10.0.0.3:443");
    link.send(Side::a, udp(), kStart);
    EXPECT_EQ(link.receive(kStart)->packet, make_packet(client_, stranger, 100));
    link.send(Side::b, make_packet(stranger, client_, 100), kStart);
    EXPECT_EQ(link.receive(kStart)->packet, answer());
    link.send(Side::a, tcp(443), kStart);
    EXPECT_EQ(link.receive(kStart)->packet, tcp(443));
}

}  // namespace
}  // namespace alknet::sim
