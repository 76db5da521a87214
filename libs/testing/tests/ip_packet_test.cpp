#include "link_packets.hpp"

#include <gtest/gtest.h>

namespace alknet::sim {
namespace {

struct Ends {
    const char* client;
    const char* server;
    const char* stranger;
};

class IpPacketTest : public testing::TestWithParam<Ends> {
protected:
    const SocketAddress client_ = at(GetParam().client);
    const SocketAddress server_ = at(GetParam().server);
    const SocketAddress stranger_ = at(GetParam().stranger);
    const bool v6_ = client_.family() == SocketAddress::Family::v6;
    const std::size_t header_ = v6_ ? 40 : 20;
};

INSTANTIATE_TEST_SUITE_P(Families, IpPacketTest,
                         testing::Values(Ends{"10.0.0.1:1111", "10.0.0.2:443", "10.0.0.9:1"},
                                         Ends{"[fd00::1]:1111", "[fd00::2]:443", "[fd00::9]:1"}));

TEST_P(IpPacketTest, NamesTheEndsOfUdpAndTcp) {
    for (const std::uint8_t protocol : {kUdpNumber, kTcpNumber}) {
        const auto ip = parse_ip(make_packet(client_, server_, 100, protocol));
        ASSERT_TRUE(ip);
        EXPECT_EQ(ip->protocol == IpPacket::Protocol::udp, protocol == kUdpNumber);
        EXPECT_EQ(ip->from, client_);
        EXPECT_EQ(ip->to, server_);
        EXPECT_EQ(ip->header_bytes, header_);
    }
}

TEST_P(IpPacketTest, RefusesWhatIsCutOrTooLong) {
    Bytes packet = make_packet(client_, server_, 30);
    for (std::size_t size = 0; size < packet.size(); ++size) {
        EXPECT_FALSE(parse_ip(BytesView(packet).first(size))) << size;
    }
    packet.push_back(std::byte{0});
    EXPECT_FALSE(parse_ip(packet));
}

TEST_P(IpPacketTest, AnswersWithAnErrorThatQuotesThePacket) {
    const Bytes packet = make_packet(client_, server_, 1400);
    const Bytes answer = make_icmp_error(packet, IcmpError::too_big, 1124);
    const auto ip = parse_ip(answer);
    ASSERT_TRUE(ip);
    EXPECT_EQ(ip->from, server_.with_port(0));
    EXPECT_EQ(ip->to, client_.with_port(0));
    EXPECT_EQ(std::to_integer<int>(answer[header_]), v6_ ? 2 : 3);
    EXPECT_EQ(std::to_integer<int>(answer[header_ + 1]), v6_ ? 0 : 4);
    EXPECT_EQ(
        std::to_integer<int>(answer[header_ + 6]) << 8 | std::to_integer<int>(answer[header_ + 7]),
        1124);
    EXPECT_TRUE(std::equal(packet.begin(), packet.begin() + 28, answer.begin() + header_ + 8));
    EXPECT_LE(answer.size(), 1280U);
    EXPECT_EQ(v6_ ? message_check(answer, 58) : plain_sum(BytesView(answer).subspan(header_)),
              0xffffU);
}

TEST_P(IpPacketTest, RefusesAPortAsAHostDoes) {
    const Bytes answer =
        make_icmp_error(make_packet(client_, server_, 40), IcmpError::port_unreachable);
    EXPECT_EQ(std::to_integer<int>(answer[header_]), v6_ ? 1 : 3);
    EXPECT_EQ(std::to_integer<int>(answer[header_ + 1]), v6_ ? 4 : 3);
}

TEST_P(IpPacketTest, RewritesEitherEndAndMendsTheSums) {
    for (const std::size_t payload : {41U, 40U}) {
        Bytes packet = make_packet(client_, server_, payload);
        rewrite_udp_address(packet, IpEnd::destination, stranger_);
        rewrite_udp_address(packet, IpEnd::source, server_);
        const auto ip = parse_ip(packet);
        ASSERT_TRUE(ip);
        EXPECT_EQ(ip->from, server_.with_port(client_.port()));
        EXPECT_EQ(ip->to, stranger_.with_port(server_.port()));
        EXPECT_EQ(message_check(packet, kUdpNumber), 0xffffU);
        if (!v6_) {
            EXPECT_EQ(plain_sum(BytesView(packet).first(20)), 0xffffU);
        }
    }
}

TEST(IpPacket, FragmentsAreNoUdp) {
    Bytes packet = make_packet(at("10.0.0.1:1"), at("10.0.0.2:2"), 8);
    packet[6] = std::byte{0x20};  // more fragments
    const auto ip = parse_ip(packet);
    ASSERT_TRUE(ip);
    EXPECT_EQ(ip->protocol, IpPacket::Protocol::other);
    EXPECT_EQ(ip->from.port(), 0);
}

}  // namespace
}  // namespace alknet::sim
