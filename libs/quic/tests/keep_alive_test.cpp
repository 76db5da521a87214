#include "keep_alive.hpp"

#include <gtest/gtest.h>

#include "quic_fixture.hpp"

namespace alknet::quic {
namespace {

using namespace std::chrono_literals;

SocketAddress at(std::string_view text) {
    return SocketAddress::parse(text).value();
}

TEST(KeepAlive, OneLinkIsOneMachineOrOneSubnet) {
    EXPECT_TRUE(on_one_link(at("127.0.0.1:1"), at("127.9.9.9:2")));
    EXPECT_TRUE(on_one_link(at("192.168.1.7:1"), at("192.168.1.200:2")));
    EXPECT_TRUE(on_one_link(at("[2001:db8:0:1::7]:1"), at("[2001:db8:0:1:ffff::]:2")));
    EXPECT_TRUE(on_one_link(at("[::1]:1"), at("[::1]:2")));
    EXPECT_FALSE(on_one_link(at("192.168.1.7:1"), at("192.168.2.7:2")));
    EXPECT_FALSE(on_one_link(at("[2001:db8:0:1::7]:1"), at("[2001:db8:0:2::7]:2")));
    EXPECT_FALSE(on_one_link(at("127.0.0.1:1"), at("[::1]:1")));
    EXPECT_FALSE(on_one_link(at("0.0.0.0:1"), at("0.0.0.7:1"))) << "not known is not near";
    EXPECT_FALSE(on_one_link({}, {}));
}

TEST(KeepAlive, IsHalfOfTheShorterIdleTimeoutAndElsewhereWhatWasWanted) {
    const Silence both{.wanted = 25s, .own_idle = 10min, .peer_idle = 5min};
    EXPECT_EQ(keep_alive_interval(both, true), 150s);
    EXPECT_EQ(keep_alive_interval(both, false), 25s);
    const Silence hasty{.wanted = 25s, .own_idle = 10min, .peer_idle = 20s};
    EXPECT_EQ(keep_alive_interval(hasty, true), 10s);
    EXPECT_EQ(keep_alive_interval(hasty, false), 10s);
    EXPECT_EQ(keep_alive_interval({.wanted = 25s}, true), 25s) << "nobody takes it for dead";
    EXPECT_EQ(keep_alive_interval({.own_idle = 10min, .peer_idle = 5min}, false), Duration::zero());
}

class KeepAliveTest : public QuicTest {
protected:
    void connect_with(Duration own_idle, Duration peer_idle) {
        policy.transport.idle_timeout = peer_idle;
        TransportOptions transport;
        transport.idle_timeout = own_idle;
        transport.keep_alive = 25s;
        start(transport);
        connect();
    }
};

TEST_F(KeepAliveTest, APeerThatGivesUpSoonerIsKeptToo) {
    connect_with(10min, 10s);
    world.run_for(5min);
    EXPECT_FALSE(pair.client->close_reason());
    EXPECT_FALSE(pair.server->close_reason());
}

TEST_F(KeepAliveTest, IsAcknowledgedInTheTurnThatItWakesThePeerFor) {
    connect_with(1min, 1min);
    world.run_for(5s);  // what belongs to the beginning is over
    const std::uint64_t received = server->stats().datagrams_received;
    const std::uint64_t sent = pair.server->stats().packets_sent;
    ASSERT_TRUE(until([&] { return server->stats().datagrams_received > received; }));
    EXPECT_EQ(server->stats().datagrams_received, received + 1);
    EXPECT_EQ(pair.server->stats().packets_sent, sent + 1);
    world.run_for(5s);
    EXPECT_EQ(pair.server->stats().packets_sent, sent + 1);
}

}  // namespace
}  // namespace alknet::quic
