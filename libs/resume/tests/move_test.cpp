// A stream that moves without having been lost: up to a better way, and away from one that is slow.
#include <alknet/core/climb.hpp>
#include <utility>

#include "harness.hpp"

namespace alknet::resume {
namespace {

/// A stream of the echo service, and what it is used through.
struct Talk {
    std::unique_ptr<ResumableClient> client;
    std::shared_ptr<Connection> connection;
    std::unique_ptr<BiStream> stream;
    std::uint32_t said = 0;

    task<result<void>> open() {
        ALKNET_CO_TRY(connection, co_await client->open(std::string(kEchoAlpn)));
        ALKNET_CO_TRY(stream, co_await connection->open_bi());
        co_return result<void>{};
    }
    task<result<void>> hear(Bytes expected) {
        Bytes heard(expected.size());
        for (std::size_t size = 0; size < heard.size();) {
            ALKNET_CO_TRY(const std::size_t part,
                          co_await stream->read(MutableBytes(heard).subspan(size)));
            size += part;
        }
        EXPECT_EQ(heard, expected);
        co_return result<void>{};
    }
    task<result<void>> talk(std::size_t bytes = 1000) {
        const Bytes words = noise(bytes, ++said);
        ALKNET_CO_CHECK(co_await stream->write(words));
        co_return co_await hear(words);
    }
    task<void> end() {
        stream.reset();
        co_await client->shutdown(seconds(5));
    }
};

ALKNET_CO_TEST(ResumableMove, GoesUpAsSoonAsThereIsABetterWay) {
    Harness node(loop);
    node.rung = Rung::tcp_v4;
    Talk talk{.client = node.client(), .connection = {}, .stream = {}};
    ALKNET_CO_ASSERT_OK(co_await talk.open());
    ALKNET_CO_ASSERT_OK(co_await talk.talk());
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(minutes(2)));
    EXPECT_GE(node.better_asked.size(), 3U);
    EXPECT_TRUE(node.resumptions.empty());

    // As much on the way as both rings and the connection take.
    const Bytes words = noise(1 << 20, 77);
    TaskScope saying(loop);
    saying.spawn(talk.stream->write(words), "say");
    node.rung = Rung::quic_v4;
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(41)));
    ALKNET_CO_ASSERT(node.resumptions.size() == 1);
    EXPECT_TRUE(node.resumptions[0].moved);
    EXPECT_EQ(node.resumptions[0].gap, Duration::zero());
    ALKNET_CO_ASSERT_OK(co_await talk.hear(words));
    ALKNET_CO_ASSERT_OK(co_await saying.join());
    ALKNET_CO_ASSERT_OK(co_await talk.talk());
    EXPECT_EQ(node.handler->streams(), 1U);

    // Nothing is better than QUIC.
    const std::size_t asked = node.better_asked.size();
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(hours(1)));
    EXPECT_EQ(node.better_asked.size(), asked);
    co_await talk.end();
    co_await node.end();
}

ALKNET_CO_TEST(ResumableMove, AsksLessOftenLaterAndAtOnceInANewNetwork) {
    Harness node(loop);
    node.rung = Rung::tcp_v4;
    Talk talk{.client = node.client(), .connection = {}, .stream = {}};
    const TimePoint began = loop.now();
    ALKNET_CO_ASSERT_OK(co_await talk.open());
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(hours(2)));
    const auto& asked = node.better_asked;
    ALKNET_CO_ASSERT(asked.size() > ClimbSchedule::kEarly + 10);
    EXPECT_LE(asked[0] - began, seconds(40));
    for (std::size_t i = 1; i < asked.size(); ++i) {
        const Duration gap = asked[i] - asked[i - 1];
        EXPECT_GE(gap, i < ClimbSchedule::kEarly ? seconds(30) : seconds(40)) << i;
        EXPECT_LE(gap, i < ClimbSchedule::kEarly ? seconds(40) : minutes(5)) << i;
    }
    const std::size_t before = asked.size();
    const TimePoint changed = loop.now();
    talk.client->probe();
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(41)));
    ALKNET_CO_ASSERT(asked.size() >= before + 2);
    EXPECT_EQ(asked[before], changed);  // and soon again
    ALKNET_CO_ASSERT_OK(co_await talk.talk());
    EXPECT_TRUE(node.resumptions.empty());
    co_await talk.end();
    co_await node.end();
}

task<result<bool>> tell(bool answered, std::size_t& knocks) {
    ++knocks;
    co_return answered;
}

ALKNET_CO_TEST(ResumableMove, KnocksBetweenLateAttemptsAndGoesUpWhenAnswered) {
    Harness node(loop);
    node.rung = Rung::tcp_v4;
    std::size_t knocks = 0;
    bool answered = false;
    ResumeClientOptions options;
    options.knock = [&] { return tell(answered, knocks); };
    Talk talk{.client = node.client(std::move(options)), .connection = {}, .stream = {}};
    ALKNET_CO_ASSERT_OK(co_await talk.open());
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(minutes(5)));
    EXPECT_EQ(knocks, 0U);  // attempts are as frequent then
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(minutes(55)));
    knocks = 0;
    const std::size_t asked = node.better_asked.size();
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(hours(1)));
    EXPECT_GE(knocks, 70U);
    EXPECT_LE(knocks, 120U);
    EXPECT_LE(node.better_asked.size() - asked, 18U);

    node.rung = Rung::quic_v4;
    answered = true;
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(ClimbSchedule::kKnockMax));
    ALKNET_CO_ASSERT(node.resumptions.size() == 1);
    EXPECT_TRUE(node.resumptions[0].moved);
    co_await talk.end();
    co_await node.end();
}

ALKNET_CO_TEST(ResumableMove, BelievesNoKnocksThatOnlyKnocksGetThrough) {
    Harness node(loop);
    node.rung = Rung::tcp_v4;
    std::size_t knocks = 0;
    ResumeClientOptions options;
    options.knock = [&] { return tell(true, knocks); };
    Talk talk{.client = node.client(std::move(options)), .connection = {}, .stream = {}};
    ALKNET_CO_ASSERT_OK(co_await talk.open());
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(hours(1)));
    knocks = 0;
    const std::size_t asked = node.better_asked.size();
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(hours(1)));
    // One, the attempt that it leads to, and a whole pause of 200 s to 5 min without any.
    EXPECT_GE(knocks, 8U);
    EXPECT_LE(knocks, 16U);
    EXPECT_LE(node.better_asked.size() - asked, 32U);
    co_await talk.end();
    co_await node.end();
}

ALKNET_CO_TEST(ResumableMove, AWayThatOnlySeemedBetterIsLeftAloneForAWhile) {
    Harness node(loop);
    node.rung = Rung::tcp_v4;
    Talk talk{.client = node.client(), .connection = {}, .stream = {}};
    ALKNET_CO_ASSERT_OK(co_await talk.open());
    ALKNET_CO_ASSERT_OK(co_await talk.talk());
    node.rung = Rung::quic_v4;
    node.born_silent = 1;
    while (node.attempts < 2) {
        ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    }
    node.rung = Rung::tcp_v4;
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(6)));
    ALKNET_CO_ASSERT(node.resumptions.size() == 1);
    EXPECT_FALSE(node.resumptions[0].moved);  // it was lost there
    ALKNET_CO_ASSERT_OK(co_await talk.talk());
    const std::size_t asked = node.better_asked.size();
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(190)));
    EXPECT_EQ(node.better_asked.size(), asked);
    co_await talk.end();
    co_await node.end();
}

ALKNET_CO_TEST(ResumableMove, LeavesAWayThatIsMuchSlowerThanAnother) {
    Harness node(loop);
    std::vector<std::pair<Rung, std::uint64_t>> reports;
    ResumeClientOptions options;
    options.report = [&](const Dialled& way, std::uint64_t bytes, Duration time) {
        EXPECT_GE(time, PathMemory::kGoodputTimeMin);
        reports.emplace_back(way.rung, bytes);
    };
    bool demoted = false;
    options.demoted = [&](const Dialled& way) { return demoted && is_quic(way.rung); };
    Talk talk{.client = node.client(options), .connection = {}, .stream = {}};
    ALKNET_CO_ASSERT_OK(co_await talk.open());
    for (int i = 0; i < 115; ++i) {
        ALKNET_CO_ASSERT_OK(co_await talk.talk(20'000));
        ALKNET_CO_ASSERT_OK(co_await loop.sleep(milliseconds(100)));
    }
    ALKNET_CO_ASSERT(reports.size() == 1);
    EXPECT_EQ(reports[0].first, Rung::quic_v4);
    EXPECT_GT(reports[0].second, 3'500'000U);  // both directions
    EXPECT_TRUE(node.resumptions.empty());

    demoted = true;
    node.rung = Rung::tcp_v4;
    for (int i = 0; i < 115; ++i) {
        ALKNET_CO_ASSERT_OK(co_await talk.talk(20'000));
        ALKNET_CO_ASSERT_OK(co_await loop.sleep(milliseconds(100)));
    }
    ALKNET_CO_ASSERT(node.resumptions.size() == 1);
    EXPECT_TRUE(node.resumptions[0].moved);
    co_await talk.end();
    co_await node.end();
}

ALKNET_CO_TEST(ResumableMove, StaysWhereTheOtherWayIsOfTheSameKind) {
    Harness node(loop);
    ResumeClientOptions options;
    options.report = [](const Dialled&, std::uint64_t, Duration) {};
    options.demoted = [](const Dialled&) { return true; };
    Talk talk{.client = node.client(options), .connection = {}, .stream = {}};
    ALKNET_CO_ASSERT_OK(co_await talk.open());
    for (int i = 0; i < 250; ++i) {
        ALKNET_CO_ASSERT_OK(co_await talk.talk(20'000));
        ALKNET_CO_ASSERT_OK(co_await loop.sleep(milliseconds(100)));
    }
    EXPECT_GE(node.attempts, 3U);
    EXPECT_TRUE(node.resumptions.empty());
    co_await talk.end();
    co_await node.end();
}

ALKNET_CO_TEST(ResumableMove, AnAttemptThatBeganInTheOldNetworkBeginsAgain) {
    Harness node(loop);
    Talk talk{.client = node.client(), .connection = {}, .stream = {}};
    ALKNET_CO_ASSERT_OK(co_await talk.open());
    ALKNET_CO_ASSERT_OK(co_await talk.talk());
    node.born_silent = 1;
    node.cut();
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    ALKNET_CO_ASSERT(node.attempts == 2);
    const TimePoint changed = loop.now();
    talk.client->probe();
    ALKNET_CO_ASSERT_OK(co_await talk.talk());
    EXPECT_LE(loop.now() - changed, seconds(1));
    co_await talk.end();
    co_await node.end();
}

}  // namespace
}  // namespace alknet::resume
