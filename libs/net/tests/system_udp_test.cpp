#include "system_udp.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <alknet/base/causes.hpp>

#include "system_socket.hpp"
#include "udp_fixture.hpp"

namespace alknet::net {
namespace {

using SystemUdpTest = UdpTest;

/// The sockets that IPv4 and IPv6 peers talk to, and the addresses they talk to and from.
struct Path {
    std::string_view bound, target, peer;
};
constexpr std::array kPaths = {
    Path{"127.0.0.1:0", "127.0.0.1", "127.0.0.1:0"},
    Path{"0.0.0.0:0", "127.0.0.2", "127.0.0.3:0"},
    Path{"[::1]:0", "[::1]", "[::1]:0"},
    Path{"[::]:0", "[::1]", "[::1]:0"},
    Path{"[::]:0", "127.0.0.2", "127.0.0.3:0"},
};

TEST_F(SystemUdpTest, TellsExactAddressesAndAnswersFromThem) {
    for (const Path& path : kPaths) {
        const auto server = bind(path.bound);
        const auto client = bind(path.peer);
        const SocketAddress target = at(path.target, server->address());
        const Bytes question = noise(500);
        EXPECT_EQ(client->socket->send({.data = question, .remote = target}), SendStatus::sent);
        run_until_arrived(*server, 1);
        const Arrived& asked = server->receiver.arrived[0];
        EXPECT_EQ(asked.data, question);
        EXPECT_EQ(asked.local, target);
        EXPECT_EQ(asked.remote, client->address());
        EXPECT_EQ(asked.ecn, 0);

        const Bytes answer = noise(700);
        EXPECT_EQ(
            server->socket->send({.data = answer, .local = asked.local, .remote = asked.remote}),
            SendStatus::sent);
        run_until_arrived(*client, 1);
        EXPECT_EQ(client->receiver.arrived[0].data, answer);
        EXPECT_EQ(client->receiver.arrived[0].remote, target);
        EXPECT_EQ(client->receiver.arrived[0].local, client->address());
    }
}

TEST_F(SystemUdpTest, CarriesEcnBothWays) {
    for (const Path& path : kPaths) {
        const auto server = bind(path.bound);
        const auto client = bind(path.peer);
        const SocketAddress target = at(path.target, server->address());
        const Bytes data = noise(10);
        for (std::uint8_t ecn = 0; ecn < 4; ++ecn) {
            EXPECT_EQ(client->socket->send({.data = data, .remote = target, .ecn = ecn}),
                      SendStatus::sent);
            run_until_arrived(*server, ecn + 1U);
            EXPECT_EQ(server->receiver.arrived[ecn].ecn, ecn) << path.bound;
            EXPECT_EQ(server->socket->send(
                          {.data = data, .local = target, .remote = client->address(), .ecn = ecn}),
                      SendStatus::sent);
            run_until_arrived(*client, ecn + 1U);
            EXPECT_EQ(client->receiver.arrived[ecn].ecn, ecn) << path.bound;
        }
    }
}

/// `bytes` cut into datagrams arrived as they were cut.
void expect_pieces(const std::vector<Arrived>& arrived, BytesView bytes, std::size_t segment) {
    ASSERT_EQ(arrived.size(), (bytes.size() + segment - 1) / segment);
    for (std::size_t i = 0; i < arrived.size(); ++i) {
        const BytesView rest = bytes.subspan(i * segment);
        EXPECT_EQ(arrived[i].data, to_bytes(rest.first(std::min(segment, rest.size())))) << i;
    }
}

TEST_F(SystemUdpTest, LetsTheKernelCutABatch) {
    for (const Path& path : kPaths) {
        for (const bool merge : {true, false}) {
            const auto server = bind(path.bound, {.offload = merge});
            const auto client = bind(path.peer);
            ASSERT_EQ(client->socket->segments_max(), 64U);
            const Bytes bytes = noise(45 * 1452 - 700);
            EXPECT_EQ(client->socket->send({.data = bytes,
                                            .segment_bytes = 1452,
                                            .remote = at(path.target, server->address()),
                                            .ecn = 2}),
                      SendStatus::sent);
            EXPECT_EQ(client->socket->stats().calls_sending, 1U);
            EXPECT_EQ(client->socket->stats().datagrams_sent, 45U);
            EXPECT_EQ(client->socket->stats().bytes_sent, bytes.size());
            run_until_arrived(*server, 45);
            expect_pieces(server->receiver.arrived, bytes, 1452);
            EXPECT_EQ(server->receiver.arrived[44].ecn, 2);
            EXPECT_EQ(server->socket->stats().datagrams_received, 45U);
            EXPECT_EQ(server->socket->stats().bytes_received, bytes.size());
        }
    }
}

TEST_F(SystemUdpTest, CutsABatchItselfWithoutOffload) {
    const auto server = bind("127.0.0.1:0");
    const auto client = bind("127.0.0.1:0", {.offload = false});
    EXPECT_EQ(client->socket->segments_max(), 1U);
    const Bytes bytes = noise(20 * 1200 + 1);
    EXPECT_EQ(
        client->socket->send({.data = bytes, .segment_bytes = 1200, .remote = server->address()}),
        SendStatus::sent);
    run_until_arrived(*server, 21);
    expect_pieces(server->receiver.arrived, bytes, 1200);
    EXPECT_EQ(client->socket->stats().datagrams_sent, 21U);
    EXPECT_EQ(client->socket->stats().bytes_sent, bytes.size());
}

TEST_F(SystemUdpTest, CutsABatchItselfThatIsTooMuchForTheKernel) {
    const auto server = bind("127.0.0.1:0");
    const auto client = bind("127.0.0.1:0");
    const Bytes many = noise(65 * 100);
    EXPECT_EQ(
        client->socket->send({.data = many, .segment_bytes = 100, .remote = server->address()}),
        SendStatus::sent);
    run_until_arrived(*server, 65);
    expect_pieces(server->receiver.arrived, many, 100);
    server->receiver.arrived.clear();
    const Bytes large = noise(UdpSocket::kBatchBytesMax + 1);
    EXPECT_EQ(
        client->socket->send({.data = large, .segment_bytes = 2000, .remote = server->address()}),
        SendStatus::sent);
    run_until_arrived(*server, 33);
    expect_pieces(server->receiver.arrived, large, 2000);
    EXPECT_EQ(client->socket->segments_max(), 64U);
}

TEST_F(SystemUdpTest, GivesUpOffloadWhenTheKernelRefusesIt) {
    const auto server = bind("127.0.0.1:0");
    const auto any = SocketAddress::parse("127.0.0.1:0").value();
    UniqueFd fd = open_socket(any, SOCK_DGRAM).value();
    ASSERT_TRUE(bind_socket(fd.get(), any));
    // Without checksums the kernel cuts nothing.
    ASSERT_TRUE(set_option(fd.get(), SOL_SOCKET, SO_NO_CHECK, 1));
    const auto client = SystemUdpSocket::adopt(*loop, std::move(fd), {}).value();
    ASSERT_EQ(client->segments_max(), 64U);
    const Bytes bytes = noise(3000);
    EXPECT_EQ(client->send({.data = bytes, .segment_bytes = 1000, .remote = server->address()}),
              SendStatus::sent);
    EXPECT_EQ(client->segments_max(), 1U);
    run_until_arrived(*server, 3);
    expect_pieces(server->receiver.arrived, bytes, 1000);
}

TEST_F(SystemUdpTest, SendsManyBatchesInFewCalls) {
    const auto server = bind("0.0.0.0:0");
    const auto client = bind("127.0.0.1:0");
    std::vector<Bytes> payloads;
    std::vector<DatagramBatch> batches;
    for (std::size_t i = 0; i < 40; ++i) {
        payloads.push_back(noise(10 + i));
    }
    for (const Bytes& payload : payloads) {
        batches.push_back({.data = payload, .remote = at("127.0.0.1", server->address())});
    }
    // One that must be cut here, in their midst.
    const Bytes uncut = noise(70 * 10);
    batches.insert(
        batches.begin() + 20,
        {.data = uncut, .segment_bytes = 10, .remote = at("127.0.0.1", server->address())});
    const SendOutcome outcome = client->socket->send_all(batches);
    EXPECT_EQ(outcome.sent, 41U);
    EXPECT_EQ(outcome.status, SendStatus::sent);
    EXPECT_LE(client->socket->stats().calls_sending, 9U);
    run_until_arrived(*server, 110);
    EXPECT_EQ(server->receiver.arrived[0].data, payloads[0]);
    EXPECT_EQ(server->receiver.arrived[109].data, payloads[39]);
}

TEST_F(SystemUdpTest, StopsAtTheFirstBatchThatCannotGo) {
    const auto server = bind("127.0.0.1:0");
    const auto client = bind("127.0.0.1:0");
    const Bytes small = noise(10);
    const Bytes huge = noise(65'508);
    const std::array<DatagramBatch, 3> batches = {
        DatagramBatch{.data = small, .remote = server->address()},
        DatagramBatch{.data = huge, .remote = server->address()},
        DatagramBatch{.data = small, .remote = server->address()}};
    const SendOutcome outcome = client->socket->send_all(batches);
    EXPECT_EQ(outcome.sent, 1U);
    EXPECT_EQ(outcome.status, SendStatus::too_large);
    EXPECT_EQ(client->socket->send(batches[2]), SendStatus::sent);
    run_until_arrived(*server, 2);
}

TEST_F(SystemUdpTest, CarriesTheSmallestAndTheLargestDatagram) {
    const auto server = bind("127.0.0.1:0");
    const auto client = bind("127.0.0.1:0");
    const Bytes largest = noise(65'507);
    EXPECT_EQ(client->socket->send({.data = {}, .remote = server->address()}), SendStatus::sent);
    EXPECT_EQ(client->socket->send({.data = largest, .remote = server->address()}),
              SendStatus::sent);
    run_until_arrived(*server, 2);
    EXPECT_TRUE(server->receiver.arrived[0].data.empty());
    EXPECT_EQ(server->receiver.arrived[1].data, largest);
}

TEST_F(SystemUdpTest, TellsOfAClosedPortAndGoesOn) {
    for (const Path& path : kPaths) {
        const auto client = bind(path.bound);
        const auto third = bind(path.peer);
        auto gone = bind(path.peer);
        const SocketAddress address = gone->address();
        gone.reset();
        const Bytes data = noise(10);
        EXPECT_EQ(client->socket->send({.data = data, .remote = address}), SendStatus::sent);
        // The error of the first must not befall the second.
        EXPECT_EQ(client->socket->send({.data = data, .remote = third->address()}),
                  SendStatus::sent);
        run_until([&] { return !client->receiver.unreachable.empty(); });
        EXPECT_EQ(client->receiver.unreachable, std::vector{address}) << path.bound;
        run_until_arrived(*third, 1);
        EXPECT_EQ(client->socket->stats().unreachable, 1U);
        EXPECT_EQ(client->socket->stats().send_failures, 0U);
    }
}

TEST_F(SystemUdpTest, RemembersABoundedNumberOfUnreachablePeers) {
    const auto client = bind("127.0.0.1:0");
    std::vector<SocketAddress> closed;
    for (std::size_t i = 0; i < SystemUdpSocket::kUnreachableMax + 5; ++i) {
        closed.push_back(bind("127.0.0.1:0")->address());
    }
    const Bytes data = noise(1);
    for (const SocketAddress& address : closed) {
        EXPECT_EQ(client->socket->send({.data = data, .remote = address}), SendStatus::sent);
    }
    // One turn tells all that is remembered.
    run_until([&] { return !client->receiver.unreachable.empty(); });
    EXPECT_EQ(client->receiver.unreachable.size(), SystemUdpSocket::kUnreachableMax);
    EXPECT_GE(client->socket->stats().unreachable, closed.size() - 1);
}

TEST_F(SystemUdpTest, SaysAtOnceThatAFamilyIsOutOfReach) {
    const auto client = bind("[::1]:0");
    const SocketAddress v4 = SocketAddress::parse("127.0.0.1:9").value();
    const Bytes data = noise(1);
    EXPECT_EQ(client->socket->send({.data = data, .remote = v4}), SendStatus::failed);
    EXPECT_EQ(client->socket->stats().send_failures, 1U);
    EXPECT_TRUE(client->receiver.unreachable.empty());  // never from within send
    run_until([&] { return !client->receiver.unreachable.empty(); });
    EXPECT_EQ(client->receiver.unreachable, std::vector{v4});
}

TEST_F(SystemUdpTest, FailsToSendFromAnAddressThatIsNotItsOwn) {
    const auto client = bind("0.0.0.0:0");
    const auto server = bind("127.0.0.1:0");
    const Bytes data = noise(2000);
    for (const std::size_t segment : {0, 1000}) {
        EXPECT_EQ(client->socket->send({.data = data,
                                        .segment_bytes = segment,
                                        .local = SocketAddress::v4({192, 0, 2, 1}, 1),
                                        .remote = server->address()}),
                  SendStatus::failed);
    }
    EXPECT_EQ(client->socket->segments_max(), 64U);
}

TEST_F(SystemUdpTest, SharesTheLoopDuringAFlood) {
    const auto server = bind("127.0.0.1:0", {.offload = false});
    const auto client = bind("127.0.0.1:0");
    constexpr std::size_t kPerTurn =
        SystemUdpSocket::kReceivesPerTurn * SystemUdpSocket::kReceiveMessages;
    constexpr std::size_t kFlood = 3 * kPerTurn + 1;
    const Bytes data = noise(100);
    loop->turn(false);  // what the new sockets have to say
    for (std::size_t i = 0; i < kFlood; ++i) {
        ASSERT_EQ(client->socket->send({.data = data, .remote = server->address()}),
                  SendStatus::sent);
    }
    std::size_t before = 0;
    std::size_t turns = 0;
    run_until([&] {
        const std::size_t now = server->receiver.arrived.size();
        EXPECT_LE(now - before, kPerTurn);
        before = now;
        ++turns;
        return now == kFlood;
    });
    EXPECT_GE(turns, 4U);
}

TEST_F(SystemUdpTest, DeliversWhatCameBeforeItsReceiver) {
    const auto server = bind("127.0.0.1:0");
    const auto client = bind("127.0.0.1:0");
    server->socket->set_receiver(nullptr);
    const Bytes data = noise(10);
    EXPECT_EQ(client->socket->send({.data = data, .remote = server->address()}), SendStatus::sent);
    for (int i = 0; i < 3; ++i) {
        loop->turn(false);
    }
    EXPECT_EQ(server->receiver.calls, 0U);
    server->socket->set_receiver(&server->receiver);
    run_until_arrived(*server, 1);
}

TEST_F(SystemUdpTest, MayBeDestroyedByItsReceiver) {
    const auto client = bind("127.0.0.1:0");
    const Bytes data = noise(10);
    const auto server = bind("127.0.0.1:0");
    const SocketAddress address = server->address();
    server->receiver.then = [&] { server->socket.reset(); };
    EXPECT_EQ(client->socket->send({.data = data, .remote = address}), SendStatus::sent);
    run_until([&] { return server->socket == nullptr; });

    client->receiver.then = [&] { client->socket.reset(); };
    EXPECT_EQ(client->socket->send({.data = data, .remote = address}), SendStatus::sent);
    run_until([&] { return client->socket == nullptr; });
    EXPECT_EQ(client->receiver.unreachable, std::vector{address});
}

/// A datagram socket whose peer is the test: it fills up, which loopback never does.
class BlockingUdpTest : public UdpTest {
protected:
    void SetUp() override {
        std::array<int, 2> fds{};
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds.data()), 0);
        other = UniqueFd(fds[1]);
        socket = SystemUdpSocket::adopt(*loop, UniqueFd(fds[0]), {}).value();
        socket->set_receiver(&receiver);
    }
    std::size_t fill() {
        std::size_t sent = 0;
        while (socket->send({.data = data}) == SendStatus::sent) {
            ++sent;
        }
        return sent;
    }
    void drain() const {
        std::array<std::byte, 100> into{};
        while (recv(other.get(), into.data(), into.size(), 0) > 0) {
        }
    }

    const Bytes data = noise(10);
    UniqueFd other;
    CollectingReceiver receiver;
    std::unique_ptr<UdpSocket> socket;
};

TEST_F(BlockingUdpTest, SaysWouldBlockAndThenWritable) {
    EXPECT_GT(fill(), 0U);
    const std::array<DatagramBatch, 2> batches = {DatagramBatch{.data = data}, {.data = data}};
    const SendOutcome outcome = socket->send_all(batches);
    EXPECT_EQ(outcome.sent, 0U);
    EXPECT_EQ(outcome.status, SendStatus::would_block);
    EXPECT_EQ(receiver.writable, 0U);
    drain();
    run_until([&] { return receiver.writable > 0; });
    EXPECT_EQ(receiver.writable, 1U);
    EXPECT_EQ(socket->send({.data = data}), SendStatus::sent);
    EXPECT_EQ(socket->stats().send_failures, 0U);
}

TEST_F(BlockingUdpTest, GivesABatchBackWholeOrNotAtAll) {
    const std::size_t room = fill();
    drain();
    run_until([&] { return receiver.writable > 0; });
    // More datagrams than there is room for: the rest is lost, and not said to be blocked.
    const Bytes bytes = noise((room + 20) * 10);
    EXPECT_EQ(socket->send({.data = bytes, .segment_bytes = 10}), SendStatus::sent);
    EXPECT_GT(socket->stats().send_failures, 0U);
    EXPECT_EQ(socket->send({.data = bytes, .segment_bytes = 10}), SendStatus::would_block);
}

TEST_F(BlockingUdpTest, MayBeDestroyedWhenItGetsWritable) {
    fill();
    receiver.then = [&] { socket.reset(); };
    drain();
    run_until([&] { return socket == nullptr; });
}

TEST_F(BlockingUdpTest, DropsWhatHasNoAddress) {
    ASSERT_EQ(::send(other.get(), data.data(), data.size(), 0), 10);
    run_until([&] { return socket->stats().dropped > 0; });
    EXPECT_EQ(receiver.calls, 0U);
}

/// A socket that knows nothing better than `send`, and sends so many.
class PlainSocket final : public UdpSocket {
public:
    explicit PlainSocket(std::size_t room) : room_(room) {}
    void set_receiver(Receiver*) noexcept override {}
    SendStatus send(const DatagramBatch&) noexcept override {
        return room_-- > 0 ? SendStatus::sent : SendStatus::would_block;
    }
    [[nodiscard]] SocketAddress local_address() const noexcept override { return {}; }
    [[nodiscard]] std::size_t segments_max() const noexcept override { return 1; }

private:
    std::size_t room_;
};

TEST(UdpSocket, SendsOneAfterAnotherByDefault) {
    const std::array<DatagramBatch, 3> batches{};
    PlainSocket enough(3);
    EXPECT_EQ(enough.send_all(batches).sent, 3U);
    PlainSocket little(2);
    const SendOutcome outcome = little.send_all(batches);
    EXPECT_EQ(outcome.sent, 2U);
    EXPECT_EQ(outcome.status, SendStatus::would_block);
    EXPECT_EQ(enough.stats().datagrams_sent, 0U);
}

TEST_F(SystemUdpTest, NamesTheAddressThatIsInUse) {
    const auto first = bind("127.0.0.1:0");
    const auto second = network->bind_udp(*loop, first->address(), {});
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is(causes::kAddressInUse));
    EXPECT_EQ(second.error().detail(), first->address().to_string());
}

TEST_F(SystemUdpTest, SharesAPortWhenAskedTo) {
    const auto first = bind("127.0.0.1:0", {.share = {.index = 0, .count = 2}});
    const UdpOptions further{.share = {.index = 1, .count = 2}};
    EXPECT_TRUE(network->bind_udp(*loop, first->address(), further));
    // The first of another program's is noticed all the same.
    const UdpOptions foreign{.share = {.index = 0, .count = 2}};
    const auto second = network->bind_udp(*loop, first->address(), foreign);
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is(causes::kAddressInUse));
}

TEST_F(SystemUdpTest, ASharedPortIsSteeredByTheConnectionId) {
    constexpr std::uint32_t kCount = 3;
    std::vector<std::unique_ptr<Peer>> sharing;
    std::string address = "127.0.0.1:0";
    for (std::uint32_t i = 0; i < kCount; ++i) {
        sharing.push_back(bind(address, {.share = {.index = i, .count = kCount}}));
        address = sharing.front()->address().to_string();
    }
    // The eighth octet of the id, in a short header and in a long one, whatever the sender's port.
    constexpr std::size_t kShortAt = 1 + 7;
    constexpr std::size_t kLongAt = 6 + 7;
    std::size_t sent = 0;
    for (std::uint8_t last = 0; last < 30; ++last) {
        const auto sender = bind("127.0.0.1:0");
        for (const bool is_long : {false, true}) {
            Bytes datagram(20, std::byte{0x55});
            datagram[0] = is_long ? std::byte{0xc0} : std::byte{0x40};
            datagram[is_long ? kLongAt : kShortAt] = std::byte{last};
            DatagramBatch batch;
            batch.data = datagram;
            batch.remote = sharing.front()->address();
            ASSERT_EQ(sender->socket->send(batch), SendStatus::sent);
            ++sent;
        }
    }
    run_until([&] {
        std::size_t arrived = 0;
        for (const auto& peer : sharing) {
            arrived += peer->receiver.arrived.size();
        }
        return arrived == sent;
    });
    for (std::uint32_t i = 0; i < kCount; ++i) {
        for (const Arrived& one : sharing[i]->receiver.arrived) {
            const bool is_long = (one.data[0] & std::byte{0x80}) != std::byte{0};
            const auto octet = static_cast<std::uint32_t>(one.data[is_long ? kLongAt : kShortAt]);
            EXPECT_EQ(octet % kCount, i);
        }
    }
}

TEST_F(SystemUdpTest, ASpecificIpv6AddressLeavesIpv4Alone) {
    const auto v6 = bind("[::1]:0");
    EXPECT_TRUE(network->bind_udp(*loop, at("127.0.0.1", v6->address()), {}));
    const auto dual = bind("[::]:0");
    const auto taken = network->bind_udp(*loop, at("0.0.0.0", dual->address()), {});
    ASSERT_FALSE(taken);
    EXPECT_TRUE(taken.error().is(causes::kAddressInUse));
}

TEST_F(SystemUdpTest, CannotBindWhatIsNoAddressOfThisMachine) {
    const auto foreign = network->bind_udp(*loop, SocketAddress::v4({192, 0, 2, 1}, 0), {});
    ASSERT_FALSE(foreign);
    EXPECT_TRUE(foreign.error().is(causes::kIo));
    const auto none = network->bind_udp(*loop, SocketAddress(), {});
    ASSERT_FALSE(none);
    EXPECT_TRUE(none.error().is(causes::kAddressInvalid));
}

}  // namespace
}  // namespace alknet::net
