// Client and node together, over connections that come and go, on virtual time.
#include <alknet/resume/client.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <alknet/testing/random.hpp>

#include "harness.hpp"

namespace alknet::resume {
namespace {

using testing::HasSubstr;

ALKNET_CO_TEST(ResumableClient, CarriesAStream) {
    Harness node(loop);
    auto client = node.client();
    const auto heard = co_await echo_once(loop, *client, noise(100'000));
    ALKNET_CO_ASSERT_OK(heard);
    EXPECT_EQ(*heard, noise(100'000));
    EXPECT_EQ(client->streams(), 0U);
    EXPECT_EQ(node.handler->streams(), 0U);
    EXPECT_EQ(node.attempts, 1U);
    co_await client->shutdown({});
    co_await node.end();
}

/// Octets that one exchange takes in each direction without a cut.
constexpr std::size_t kShort = 200;

ALKNET_CO_TEST(ResumableClient, CutsBehindEveryOctetThere) {
    std::size_t resumed = 0;
    for (std::uint64_t there = 0; there < 700; ++there) {
        Harness node(loop);
        node.cuts = {{.there = there}};
        auto client = node.client();
        const auto heard = co_await echo_once(loop, *client, noise(kShort));
        if (heard) {
            EXPECT_EQ(*heard, noise(kShort)) << there;
            resumed += node.resumptions.size();
        } else {
            EXPECT_LE(there, 40U) << heard.error().message();  // the stream was not open yet
        }
        co_await client->shutdown({});
        co_await node.end();
    }
    EXPECT_GT(resumed, kShort);
}

ALKNET_CO_TEST(ResumableClient, CutsBehindEveryOctetBack) {
    std::size_t resumed = 0;
    for (std::uint64_t back = 0; back < 700; ++back) {
        Harness node(loop);
        node.cuts = {{.back = back}};
        auto client = node.client();
        const auto heard = co_await echo_once(loop, *client, noise(kShort));
        if (heard) {
            EXPECT_EQ(*heard, noise(kShort)) << back;
            resumed += node.resumptions.size();
        } else {
            EXPECT_LE(back, 23U) << heard.error().message();
        }
        co_await client->shutdown({});
        co_await node.end();
    }
    EXPECT_GT(resumed, kShort);
}

ALKNET_CO_TEST(ResumableClient, ManyCutsAtRandom) {
    sim::Random random(3);
    for (int round = 0; round < 60; ++round) {
        Harness node(loop, {.ring_bytes_unauthenticated_max = 1 + random.below(5000)});
        for (int cut = 0; cut < 30; ++cut) {
            node.cuts.push_back(
                {.there = 100 + random.below(4000), .back = 100 + random.below(4000)});
        }
        ResumeClientOptions options;
        options.ring_bytes = 1 + random.below(5000);
        auto client = node.client(options);
        const Bytes data = noise(random.below(60'000), 7);
        const auto heard = co_await echo_once(loop, *client, data);
        ALKNET_CO_ASSERT_OK(heard);
        EXPECT_EQ(*heard, data);
        co_await client->shutdown({});
        co_await node.end();
    }
}

ALKNET_CO_TEST(ResumableClient, NoticesSilence) {
    Harness node(loop);
    auto client = node.client();
    const auto connection = co_await client->open(std::string(kEchoAlpn));
    ALKNET_CO_ASSERT_OK(connection);
    const auto stream = co_await (*connection)->open_bi();
    ALKNET_CO_ASSERT_OK(stream);
    const TimePoint before = loop.now();
    node.silence->on = true;
    const auto heard = co_await exchange(loop, **stream, noise(1000));
    ALKNET_CO_ASSERT_OK(heard);
    EXPECT_EQ(*heard, noise(1000));
    EXPECT_EQ(node.resumptions.size(), 1U);
    const ResumeClientOptions defaults;
    EXPECT_LE(loop.now() - before, defaults.unanswered + defaults.answer_timeout + seconds(2));
    co_await client->shutdown(seconds(5));
    co_await node.end();
}

ALKNET_CO_TEST(ResumableClient, AsksSeldomWhileNobodySpeaks) {
    const ResumeClientOptions defaults;
    for (const Transport transport : {Transport::tcp, Transport::quic}) {
        Harness node(loop);
        node.transport = transport;
        auto client = node.client();
        const auto connection = co_await client->open(std::string(kEchoAlpn));
        ALKNET_CO_ASSERT_OK(connection);
        node.silence->on = true;
        const TimePoint before = loop.now();
        const Duration silent =
            transport == Transport::quic ? defaults.keep_alive_quic : defaults.keep_alive;
        ALKNET_CO_ASSERT_OK(co_await loop.sleep(silent + defaults.answer_timeout - seconds(1)));
        EXPECT_TRUE(node.resumptions.empty());
        while (node.resumptions.empty()) {
            ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
        }
        EXPECT_LE(loop.now() - before, silent + defaults.answer_timeout + seconds(2));
        co_await client->shutdown({});
        co_await node.end();
    }
}

ALKNET_CO_TEST(ResumableClient, LooksAtOnceAfterASleep) {
    Harness node(loop);
    auto client = node.client();
    const auto connection = co_await client->open(std::string(kEchoAlpn));
    ALKNET_CO_ASSERT_OK(connection);
    (void)co_await loop.sleep(seconds(1));
    node.silence->on = true;
    clock.suspend(hours(8));
    const TimePoint woke = loop.now();
    while (node.resumptions.empty()) {
        ALKNET_CO_ASSERT_OK(co_await loop.sleep(milliseconds(100)));
    }
    EXPECT_LE(loop.now() - woke, seconds(5));  // of looking at the clock, and for an answer
    co_await client->shutdown({});
    co_await node.end();
}

ALKNET_CO_TEST(ResumableClient, KeepsAQuietStreamAlive) {
    Harness node(loop);
    auto client = node.client();
    const auto connection = co_await client->open(std::string(kEchoAlpn));
    ALKNET_CO_ASSERT_OK(connection);
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(hours(1)));
    EXPECT_EQ(node.attempts, 1U);
    EXPECT_TRUE(node.resumptions.empty());
    co_await client->shutdown({});
    co_await node.end();
}

ALKNET_CO_TEST(ResumableClient, BacksOffAndGivesUp) {
    Harness node(loop);
    ResumeClientOptions options;
    options.linger = minutes(30);
    auto client = node.client(options);
    const auto connection = co_await client->open(std::string(kEchoAlpn));
    ALKNET_CO_ASSERT_OK(connection);
    const auto stream = co_await (*connection)->open_bi();
    ALKNET_CO_ASSERT_OK(stream);
    const TimePoint lost = loop.now();
    node.unreachable = true;
    node.cut();
    Bytes buffer(10);
    const auto read = co_await (*stream)->read(buffer);
    ALKNET_CO_ASSERT(!read);
    // An unknown key is granted less than it asks for.
    EXPECT_TRUE(read.error().is(causes::kResumeLost)) << read.error().message();
    EXPECT_THAT(read.error().detail(), HasSubstr("the test says so"));
    EXPECT_GE(loop.now() - lost, minutes(10));
    EXPECT_LE(loop.now() - lost, minutes(11));
    EXPECT_GE(node.attempts, 60U);   // one in ten seconds
    EXPECT_LE(node.attempts, 150U);  // with jitter, one in five
    EXPECT_TRUE((*connection)->close_reason()->is(causes::kResumeLost));
    EXPECT_EQ(node.handler->streams(), 0U);
    co_await client->shutdown({});
    co_await node.end();
}

ALKNET_CO_TEST(ResumableClient, IsToldAtOnceThatTheNodeHasForgotten) {
    Harness node(loop);
    Harness restarted(loop);
    bool again = false;
    auto client = ResumableClient::create(
        loop,
        [&](std::optional<Rung> better) {
            return (again ? restarted : node).connect_way(key_of(1), better);
        },
        {});
    const auto connection = co_await client->open(std::string(kEchoAlpn));
    ALKNET_CO_ASSERT_OK(connection);
    const auto stream = co_await (*connection)->open_bi();
    ALKNET_CO_ASSERT_OK(stream);
    again = true;
    const TimePoint lost = loop.now();
    node.cut();
    Bytes buffer(10);
    const auto read = co_await (*stream)->read(buffer);
    ALKNET_CO_ASSERT(!read);
    EXPECT_TRUE(read.error().is(causes::kResumeUnknown)) << read.error().message();
    EXPECT_EQ(loop.now(), lost);
    co_await client->shutdown({});
    co_await node.end();
    co_await restarted.end();
}

ALKNET_CO_TEST(ResumableClient, ProbeTriesAgainAtOnce) {
    Harness node(loop);
    auto client = node.client();
    const auto connection = co_await client->open(std::string(kEchoAlpn));
    ALKNET_CO_ASSERT_OK(connection);
    node.unreachable = true;
    node.cut();
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(minutes(2)));
    node.unreachable = false;
    client->probe();
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(milliseconds(1)));
    ALKNET_CO_ASSERT(node.resumptions.size() == 1);
    EXPECT_GE(node.resumptions[0].gap, minutes(2));
    EXPECT_GT(node.resumptions[0].attempts, 10U);
    EXPECT_EQ(node.resumptions[0].transport, Transport::tcp);
    co_await client->shutdown({});
    co_await node.end();
}

ALKNET_CO_TEST(ResumableClient, OpeningIsTriedOnce) {
    Harness node(loop);
    node.unreachable = true;
    auto client = node.client();
    const auto failed = co_await client->open(std::string(kEchoAlpn));
    ALKNET_CO_ASSERT(!failed);
    EXPECT_TRUE(failed.error().is(causes::kUnreachable));
    EXPECT_EQ(node.attempts, 1U);
    const auto unusable = co_await client->open("");
    ALKNET_CO_ASSERT(!unusable);
    EXPECT_TRUE(unusable.error().is(causes::kAlpnInvalid));
    co_await client->shutdown({});
    const auto late = co_await client->open(std::string(kEchoAlpn));
    ALKNET_CO_ASSERT(!late);
    EXPECT_TRUE(late.error().is(causes::kShuttingDown));
    co_await node.end();
}

ALKNET_CO_TEST(ResumableClient, OneStreamAndNothingElse) {
    Harness node(loop);
    auto client = node.client();
    const auto connection = co_await client->open(std::string(kEchoAlpn));
    ALKNET_CO_ASSERT_OK(connection);
    Connection& c = **connection;
    EXPECT_EQ(c.info().alpn, kEchoAlpn);
    EXPECT_EQ(c.info().peer.fingerprint(), key_of(0xee).fingerprint());
    const auto stream = co_await c.open_bi();
    ALKNET_CO_ASSERT_OK(stream);
    const auto is_unsupported = [](const auto& outcome) {
        return !outcome && outcome.error().is(causes::kNotSupported);
    };
    const auto second = co_await c.open_bi();
    EXPECT_TRUE(is_unsupported(second));
    const auto accepted = co_await c.accept_bi();
    EXPECT_TRUE(is_unsupported(accepted));
    const auto uni = co_await c.open_uni();
    EXPECT_TRUE(is_unsupported(uni));
    const auto accepted_uni = co_await c.accept_uni();
    EXPECT_TRUE(is_unsupported(accepted_uni));
    EXPECT_TRUE(is_unsupported(c.send_datagram(noise(1))));
    const auto datagram = co_await c.recv_datagram();
    EXPECT_TRUE(is_unsupported(datagram));
    Bytes keys(32);
    EXPECT_TRUE(is_unsupported(c.export_keying_material("label", {}, keys)));
    co_await client->shutdown({});
    co_await node.end();
}

ALKNET_CO_TEST(ResumableClient, CloseReachesTheServiceAndFreesTheStream) {
    Harness node(loop);
    auto client = node.client();
    const auto connection = co_await client->open(std::string(kEchoAlpn));
    ALKNET_CO_ASSERT_OK(connection);
    EXPECT_EQ(node.handler->streams(), 1U);
    (*connection)->close(close_code::kOk, "");
    co_await client->shutdown(seconds(1));
    EXPECT_EQ(node.handler->streams(), 0U);
    EXPECT_EQ(client->streams(), 0U);
    co_await node.end();
}

}  // namespace
}  // namespace alknet::resume
