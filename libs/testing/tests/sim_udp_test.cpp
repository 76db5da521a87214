#include <algorithm>
#include <set>

#include "sim_fixture.hpp"

namespace alknet::sim {
namespace {

using SimUdp = SimPair;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr int kMany = 5'000;

TEST_F(SimUdp, ADatagramArrivesAfterTheDelayOfItsLink) {
    bind_both();
    const TimePoint sent = world.now();
    ASSERT_EQ(send(*left_socket, right.v4(kPort), "hello"), net::SendStatus::sent);
    ASSERT_TRUE(world.run_until([&] { return !right_inbox.entries.empty(); }, ms(1000)));
    EXPECT_EQ(world.now() - sent, LinkOptions{}.delay);
    EXPECT_EQ(right_inbox.entries[0].text, "hello");
    EXPECT_EQ(right_inbox.entries[0].from, left.v4(kPort));
    EXPECT_EQ(right_inbox.entries[0].to, right.v4(kPort));
    EXPECT_THAT(left_inbox.entries, IsEmpty());
}

TEST_F(SimUdp, AnEmptyDatagramIsADatagram) {
    bind_both();
    ASSERT_EQ(send(*left_socket, right.v4(kPort), ""), net::SendStatus::sent);
    world.run_for(ms(100));
    EXPECT_THAT(right_inbox.texts(), ElementsAre(""));
}

TEST_F(SimUdp, WildcardSocketsLearnTheExactLocalAddress) {
    const SocketAddress second = right.add_v4_address();
    left_socket = bind(*left_process, SocketAddress::v4({}, 0), left_inbox);
    right_socket = bind(*right_process, SocketAddress::v4({}, kPort), right_inbox);
    send(*left_socket, second.with_port(kPort), "a");
    world.run_for(ms(100));
    ASSERT_EQ(right_inbox.entries.size(), 1u);
    EXPECT_EQ(right_inbox.entries[0].to, second.with_port(kPort));

    net::DatagramBatch answer;
    answer.data = as_bytes("b");
    answer.local = right_inbox.entries[0].to;
    answer.remote = right_inbox.entries[0].from;
    right_socket->send(answer);
    world.run_for(ms(100));
    ASSERT_EQ(left_inbox.entries.size(), 1u);
    EXPECT_EQ(left_inbox.entries[0].from, second.with_port(kPort));
}

TEST_F(SimUdp, Ipv6AndLoopbackWork) {
    left_socket = bind(*left_process, left.v6(kPort), left_inbox);
    right_socket = bind(*right_process, SocketAddress::v6({}, kPort), right_inbox);
    const SocketAddress loopback = SocketAddress::v4({127, 0, 0, 1}, 9);
    const auto own = bind(*left_process, loopback, left_inbox);
    send(*left_socket, right.v6(kPort), "six");
    send(*own, loopback, "self");
    world.run_for(ms(100));
    EXPECT_THAT(right_inbox.texts(), ElementsAre("six"));
    EXPECT_THAT(left_inbox.texts(), ElementsAre("self"));
}

TEST_F(SimUdp, TheIpv6WildcardTakesIpv4Too) {
    left_socket = bind(*left_process, left.v4(kPort), left_inbox);
    right_socket = bind(*right_process, SocketAddress::v6({}, kPort), right_inbox);
    send(*left_socket, right.v4(kPort), "four");
    world.run_for(ms(100));
    ASSERT_EQ(right_inbox.entries.size(), 1u);
    EXPECT_EQ(right_inbox.entries[0].to, right.v4(kPort));
    send(*right_socket, right_inbox.entries[0].from, "back");
    world.run_for(ms(100));
    EXPECT_THAT(left_inbox.texts(), ElementsAre("back"));
    EXPECT_EQ(left_inbox.entries[0].from, right.v4(kPort));
}

TEST_F(SimUdp, AMiddleboxLetsSoManyOctetsPassAndNoMore) {
    bind_both();
    LinkOptions link;
    link.udp_bytes_max = 10;
    world.set_link(left, right, link);
    for (const char* text : {"12345", "123456", "12345", "1"}) {
        send(*left_socket, right.v4(kPort), text);
    }
    world.run_for(ms(100));
    EXPECT_THAT(right_inbox.texts(), ElementsAre("12345", "12345"));
    world.set_link(left, right, link);  // anew
    send(*left_socket, right.v4(kPort), "again");
    world.run_for(ms(100));
    EXPECT_THAT(right_inbox.texts(), ElementsAre("12345", "12345", "again"));
}

TEST_F(SimUdp, AFirewallCanRejectInsteadOfDropping) {
    bind_both();
    LinkOptions link;
    link.udp_rejected = true;
    world.set_link(left, right, link);
    send(*left_socket, right.v4(kPort), "no way");
    world.run_for(ms(100));
    EXPECT_THAT(right_inbox.entries, IsEmpty());
    EXPECT_THAT(left_inbox.unreachable, ElementsAre(right.v4(kPort)));
}

TEST_F(SimUdp, AClosedPortIsToldToTheSender) {
    left_socket = bind(*left_process, left.v4(kPort), left_inbox);
    send(*left_socket, right.v4(kPort), "anybody?");
    world.run_for(ms(100));
    EXPECT_THAT(left_inbox.unreachable, ElementsAre(right.v4(kPort)));
    for (int i = 0; i < 100; ++i) {
        send(*left_socket, right.v4(kPort), "anybody?");
    }
    world.run_for(ms(100));
    EXPECT_EQ(left_inbox.unreachable.size(), 1u + kRefusalsMax);
}

TEST_F(SimUdp, ASecondBindOfTheSameAddressFails) {
    bind_both();
    EXPECT_FALSE(left_process->network()->bind_udp(left_process->loop(), left.v4(kPort), {}));
    EXPECT_FALSE(left_process->network()->bind_udp(left_process->loop(), right.v4(1), {}));
    left_socket.reset();
    EXPECT_TRUE(left_process->network()->bind_udp(left_process->loop(), left.v4(kPort), {}));
}

TEST_F(SimUdp, ABatchIsSentAndReceivedInSegments) {
    bind_both();
    ASSERT_EQ(send(*left_socket, right.v4(kPort), "aaabbbcc", 3), net::SendStatus::sent);
    world.run_for(ms(100));
    EXPECT_THAT(right_inbox.texts(), ElementsAre("aaa", "bbb", "cc"));
    EXPECT_EQ(right_inbox.batch_count, 1);
    EXPECT_EQ(world.stats().datagrams_sent, 3u);
}

TEST_F(SimUdp, WithoutOffloadThereIsOneDatagramInABatch) {
    left.set_offload(false);
    right.set_offload(false);
    bind_both();
    EXPECT_EQ(left_socket->segments_max(), 1u);
    EXPECT_EQ(send(*left_socket, right.v4(kPort), "aaabbb", 3), net::SendStatus::failed);
    EXPECT_EQ(world.stats().sends_invalid, 1u);
    send(*left_socket, right.v4(kPort), "aaa");
    send(*left_socket, right.v4(kPort), "bbb");
    world.run_for(ms(100));
    EXPECT_EQ(right_inbox.batch_count, 2);
}

TEST_F(SimUdp, ABatchHasAtMostItsLimits) {
    bind_both();
    const std::string segments(kSegmentsMax + 1, 'x');
    EXPECT_EQ(send(*left_socket, right.v4(kPort), segments, 1), net::SendStatus::failed);
    const std::string bytes(kBatchBytesMax + 1, 'x');
    EXPECT_EQ(send(*left_socket, right.v4(kPort), bytes, 1400), net::SendStatus::failed);
    EXPECT_EQ(world.stats().sends_invalid, 2u);
    EXPECT_EQ(send(*left_socket, right.v4(kPort), segments.substr(1), 1), net::SendStatus::sent);
}

TEST_F(SimUdp, WhatIsTooLargeIsRefusedHereOrVanishesThere) {
    bind_both();
    EXPECT_EQ(send(*left_socket, right.v4(kPort), std::string(1473, 'x')),
              net::SendStatus::too_large);
    LinkOptions narrow;
    narrow.udp_payload_bytes_max = 1300;
    world.set_link(left, right, narrow);
    EXPECT_EQ(send(*left_socket, right.v4(kPort), std::string(1301, 'x')), net::SendStatus::sent);
    EXPECT_EQ(send(*left_socket, right.v4(kPort), std::string(1300, 'y')), net::SendStatus::sent);
    world.run_for(ms(100));
    EXPECT_THAT(right_inbox.texts(), ElementsAre(std::string(1300, 'y')));
}

TEST_F(SimUdp, LossStrikesTheShareThatWasAskedFor) {
    bind_both();
    world.set_all_links({.loss = 0.2});
    for (int i = 0; i < kMany; ++i) {
        send(*left_socket, right.v4(kPort), "x");
    }
    world.run_for(ms(100));
    EXPECT_NEAR(static_cast<double>(right_inbox.entries.size()), kMany * 0.8, kMany * 0.02);
    EXPECT_EQ(world.stats().datagrams_lost + right_inbox.entries.size(), std::size_t{kMany});
}

TEST_F(SimUdp, JitterKeepsTheOrderAndReorderingDoesNot) {
    bind_both();
    world.set_all_links({.jitter = ms(50)});
    const auto send_all = [&] {
        right_inbox.entries.clear();
        for (int i = 0; i < 500; ++i) {
            send(*left_socket, right.v4(kPort), std::to_string(1000 + i));
        }
        world.run_for(ms(1000));
        EXPECT_EQ(right_inbox.entries.size(), 500u);
    };
    send_all();
    EXPECT_TRUE(std::ranges::is_sorted(right_inbox.texts()));
    world.set_all_links({.reorder = 0.1});
    send_all();
    EXPECT_FALSE(std::ranges::is_sorted(right_inbox.texts()));
}

TEST_F(SimUdp, DuplicatesAndFlippedBitsHappenAsOftenAsAskedFor) {
    bind_both();
    world.set_all_links({.duplicate = 0.1, .corrupt = 0.1});
    for (int i = 0; i < kMany; ++i) {
        send(*left_socket, right.v4(kPort), "sixteen octets..");
    }
    world.run_for(ms(100));
    const auto received = static_cast<double>(right_inbox.entries.size());
    EXPECT_NEAR(received, kMany * 1.1, kMany * 0.02);
    const std::vector<std::string> texts = right_inbox.texts();
    const auto intact = std::ranges::count(texts, "sixteen octets..");
    EXPECT_NEAR(static_cast<double>(intact), received * 0.9, kMany * 0.02);
}

TEST_F(SimUdp, ALinkHasABandwidthAndAQueue) {
    bind_both();
    LinkOptions slow{.bits_per_second = 8'000'000};  // a byte a microsecond
    slow.queue_bytes = 10'000;
    world.set_all_links(slow);
    for (int i = 0; i < 20; ++i) {
        send(*left_socket, right.v4(kPort), std::string(1000, 'x'));
    }
    const TimePoint sent = world.now();
    world.run_until([&] { return right_inbox.entries.size() == 11; }, ms(1000));
    EXPECT_EQ(world.now() - sent, slow.delay + ms(11));
    world.run_for(ms(1000));
    EXPECT_EQ(right_inbox.entries.size(), 11u);  // ten in the queue and one under way
}

TEST_F(SimUdp, CongestionIsMarkedForThoseWhoTakePart) {
    bind_both();
    world.set_all_links({.congestion = 1});
    send(*left_socket, right.v4(kPort), "capable", 0, 2);
    send(*left_socket, right.v4(kPort), "not", 0, 0);
    world.run_for(ms(100));
    ASSERT_EQ(right_inbox.entries.size(), 2u);
    EXPECT_EQ(right_inbox.entries[0].ecn, 3);
    EXPECT_EQ(right_inbox.entries[1].ecn, 0);
}

TEST_F(SimUdp, ACutHoldsUntilItIsHealed) {
    bind_both();
    world.set_cut(left, right, true);
    send(*left_socket, right.v4(kPort), "lost");
    world.run_for(ms(100));
    world.set_cut(left, right, false);
    send(*left_socket, right.v4(kPort), "arrives");
    world.run_for(ms(100));
    EXPECT_THAT(right_inbox.texts(), ElementsAre("arrives"));
}

TEST_F(SimUdp, ABlockedSocketBecomesWritable) {
    bind_both();
    left.set_send_blocked(1);
    EXPECT_EQ(send(*left_socket, right.v4(kPort), "x"), net::SendStatus::would_block);
    left.set_send_blocked(0);
    EXPECT_EQ(send(*left_socket, right.v4(kPort), "x"), net::SendStatus::would_block);
    ASSERT_TRUE(world.run_until([&] { return left_inbox.writable == 1; }, ms(100)));
    EXPECT_EQ(send(*left_socket, right.v4(kPort), "x"), net::SendStatus::sent);
}

TEST_F(SimUdp, TheReceiveBufferIsBoundedWhileTheProcessIsPaused) {
    right_socket = bind(*right_process, right.v4(kPort), right_inbox, {.buffer_bytes = 2000});
    left_socket = bind(*left_process, left.v4(kPort), left_inbox);
    right.pause();
    for (int i = 0; i < 5; ++i) {
        send(*left_socket, right.v4(kPort), std::string(500, static_cast<char>('a' + i)));
    }
    world.run_for(ms(100));
    EXPECT_THAT(right_inbox.entries, IsEmpty());
    right.resume();
    world.run_for(ms(100));
    EXPECT_EQ(right_inbox.entries.size(), 4u);
    EXPECT_EQ(world.stats().datagrams_over_limit, 1u);
}

TEST_F(SimUdp, TheWorldHoldsABoundedNumberOfPackets) {
    bind_both();
    for (std::size_t i = 0; i <= kPacketsInFlightMax; ++i) {
        send(*left_socket, right.v4(kPort), "");
    }
    EXPECT_EQ(world.stats().datagrams_over_limit, 1u);
    world.run_for(ms(100));
    EXPECT_EQ(right_inbox.entries.size(), kPacketsInFlightMax);
}

TEST_F(SimUdp, BehindANatOnlyTheCurrentMappingIsReached) {
    bind_both();
    left.put_behind_nat();
    send(*left_socket, right.v4(kPort), "one");
    world.run_for(ms(100));
    ASSERT_EQ(right_inbox.entries.size(), 1u);
    const SocketAddress mapping = right_inbox.entries[0].from;
    EXPECT_NE(mapping, left.v4(kPort));
    send(*right_socket, mapping, "back");
    send(*right_socket, left.v4(kPort), "not routed");
    send(*right_socket, mapping.with_port(1), "not mapped");
    world.run_for(ms(100));
    EXPECT_THAT(left_inbox.texts(), ElementsAre("back"));
    EXPECT_EQ(left_inbox.entries[0].to, left.v4(kPort));

    for (const auto change : {SimHost::NatChange::port, SimHost::NatChange::address}) {
        const SocketAddress before = right_inbox.entries.back().from;
        left.rebind_nat(change);
        send(*right_socket, before, "too late");
        send(*left_socket, right.v4(kPort), "two");
        world.run_for(ms(100));
        const SocketAddress after = right_inbox.entries.back().from;
        EXPECT_NE(before, after);
        EXPECT_EQ(before.ip() == after.ip(), change == SimHost::NatChange::port);
        EXPECT_EQ(left_inbox.entries.size(), 1u);
    }
}

TEST_F(SimUdp, ASleepingHostHearsNothing) {
    bind_both();
    right.suspend();
    send(*left_socket, right.v4(kPort), "unheard");
    world.run_for(ms(100));
    right.wake(SimHost::MonotonicInSleep::stops);
    send(*left_socket, right.v4(kPort), "heard");
    world.run_for(ms(100));
    EXPECT_THAT(right_inbox.texts(), ElementsAre("heard"));
}

TEST_F(SimUdp, ADetachedProcessIsSilentAndItsPortIsFree) {
    bind_both();
    right_process->detach();
    EXPECT_FALSE(right_process->network()->bind_udp(right_process->loop(), right.v4(0), {}));
    const auto successor = right.start();
    Inbox inbox;
    const auto socket = bind(*successor, right.v4(kPort), inbox);
    EXPECT_EQ(send(*right_socket, left.v4(kPort), "ghost"), net::SendStatus::sent);
    send(*left_socket, right.v4(kPort), "to the living");
    world.run_for(ms(100));
    EXPECT_THAT(left_inbox.entries, IsEmpty());
    EXPECT_THAT(right_inbox.entries, IsEmpty());
    EXPECT_THAT(inbox.texts(), ElementsAre("to the living"));
    EXPECT_EQ(right_process->sockets(), 1u);
}

/// Destroys its socket while it is told of the first datagrams.
class Suicide final : public net::UdpSocket::Receiver {
public:
    void on_datagrams(std::span<const net::DatagramBatch>) noexcept override {
        ++calls;
        socket.reset();
    }
    void on_writable() noexcept override { socket.reset(); }
    std::unique_ptr<net::UdpSocket> socket;
    int calls = 0;
};

TEST_F(SimUdp, AReceiverMayDestroyItsSocket) {
    left_socket = bind(*left_process, left.v4(kPort), left_inbox);
    Suicide receiver;
    receiver.socket =
        *right_process->network()->bind_udp(right_process->loop(), right.v4(kPort), {});
    receiver.socket->set_receiver(&receiver);
    for (int i = 0; i < 100; ++i) {
        send(*left_socket, right.v4(kPort), std::to_string(i));
    }
    world.run_for(ms(100));
    EXPECT_EQ(receiver.calls, 1);
    EXPECT_EQ(right_process->sockets(), 0u);
}

}  // namespace
}  // namespace alknet::sim
