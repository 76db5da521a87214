// The serving end: who may come back, what is kept for how long, and what a service sees.
#include <alknet/resume/handler.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdio>

#include "harness.hpp"

namespace alknet::resume {
namespace {

using testing::HasSubstr;

/// A client that says frames by hand.
struct Raw {
    std::shared_ptr<Connection> connection;
    std::unique_ptr<BiStream> stream;
    FrameReader reader;

    static task<result<Raw>> connect(Harness& node, PeerIdentity who) {
        Raw raw;
        ALKNET_CO_TRY(raw.connection, co_await node.connect(who));
        ALKNET_CO_TRY(raw.stream, co_await raw.connection->open_bi());
        co_return raw;
    }
    task<result<void>> send(Frame frame) {
        Bytes octets;
        append_frame(octets, frame);
        co_return co_await stream->write(octets);
    }
    /// The octets that come until there is a whole frame.
    task<result<Bytes>> answer() {
        for (;;) {
            ALKNET_CO_TRY(const auto frame, reader.next());
            if (frame) {
                Bytes octets;
                append_frame(octets, *frame);
                co_return octets;
            }
            ALKNET_CO_TRY(const std::size_t size, co_await stream->read(reader.space()));
            if (size == 0) {
                co_return fail(causes::kClosed);
            }
            reader.commit(size);
        }
    }
    static task<result<Bytes>> ask(Harness& node, PeerIdentity who, Frame first) {
        ALKNET_CO_TRY(Raw raw, co_await connect(node, who));
        ALKNET_CO_CHECK(co_await raw.send(std::move(first)));
        co_return co_await raw.answer();
    }
};

Bytes octets_of(const Frame& frame) {
    Bytes octets;
    append_frame(octets, frame);
    return octets;
}

StreamId id_of(std::uint8_t number) {
    StreamId id;
    id.octets.fill(static_cast<std::byte>(number));
    return id;
}

Open open_echo(std::uint8_t id) {
    return {kVersion, id_of(id), 1000, 60, std::string(kEchoAlpn)};
}

task<result<void>> waits_for_the_end(std::shared_ptr<Connection> connection) {
    co_return co_await connection->wait_closed();
}

ALKNET_CO_TEST(ResumeHandler, OnlyTheSameKeyComesBack) {
    Harness node(loop);
    const auto opened = co_await Raw::ask(node, key_of(1), open_echo(7));
    ALKNET_CO_ASSERT_OK(opened);
    EXPECT_EQ(*opened, octets_of(Accept{{.received = 0, .limit = 64 << 10}, 60}));
    EXPECT_EQ(node.handler->lingering(), 0U);  // nobody has run since
    const Resume back{kVersion, id_of(7), {.received = 0, .limit = 1000}};
    const Resume unknown{kVersion, id_of(8), {.received = 0, .limit = 1000}};
    const auto thief = co_await Raw::ask(node, key_of(2), back);
    const auto guess = co_await Raw::ask(node, key_of(2), unknown);
    ALKNET_CO_ASSERT_OK(thief);
    ALKNET_CO_ASSERT_OK(guess);
    EXPECT_EQ(*thief, *guess);
    EXPECT_EQ(*thief, octets_of(Refuse{kUnknownStream, ""}));
    // An id is another's own affair: the thief may open a stream of that id, and gets another.
    const auto own = co_await Raw::ask(node, key_of(2), open_echo(7));
    ALKNET_CO_ASSERT_OK(own);
    EXPECT_EQ(*own, *opened);
    EXPECT_EQ(node.handler->streams(), 2U);
    const auto owner = co_await Raw::ask(node, key_of(1), back);
    ALKNET_CO_ASSERT_OK(owner);
    EXPECT_EQ(*owner, *opened);
    co_await node.end();
}

ALKNET_CO_TEST(ResumeHandler, RefusesThoseWithoutAKey) {
    Harness node(loop);
    const auto answer = co_await Raw::ask(node, {}, open_echo(1));
    ALKNET_CO_ASSERT_OK(answer);
    EXPECT_EQ(*answer, octets_of(Refuse{2, "a resumable stream belongs to a key"}));
    EXPECT_EQ(node.handler->streams(), 0U);
    co_await node.end();
}

ALKNET_CO_TEST(ResumeHandler, TakesACertificateForAKey) {
    Harness node(loop);
    PeerIdentity certified;
    certified.kind = PeerIdentity::Kind::x509;
    const auto answer = co_await Raw::ask(node, certified, open_echo(1));
    ALKNET_CO_ASSERT_OK(answer);
    EXPECT_EQ(*answer, octets_of(Accept{{.received = 0, .limit = 64 << 10}, 60}));
    co_await node.end();
}

ALKNET_CO_TEST(ResumeHandler, RefusesWhatItDoesNotUnderstand) {
    Harness node(loop);
    Open newer = open_echo(1);
    newer.version = 2;
    const auto version = co_await Raw::ask(node, key_of(1), newer);
    ALKNET_CO_ASSERT_OK(version);
    EXPECT_EQ(*version, octets_of(Refuse{5, "version 1 is spoken here"}));
    Open nested = open_echo(1);
    nested.alpn = kResumeAlpn;
    const auto inside = co_await Raw::ask(node, key_of(1), nested);
    ALKNET_CO_ASSERT_OK(inside);
    EXPECT_EQ(*inside, octets_of(Refuse{3, "a resumable stream in another"}));
    Open nothing = open_echo(1);
    nothing.alpn = "alknet/nothing";
    const auto missing = co_await Raw::ask(node, key_of(1), nothing);
    ALKNET_CO_ASSERT_OK(missing);
    EXPECT_EQ(*missing, octets_of(Refuse{1, "alknet/nothing"}));
    const auto first = co_await Raw::ask(node, key_of(1), open_echo(1));
    ALKNET_CO_ASSERT_OK(first);
    const auto again = co_await Raw::ask(node, key_of(1), open_echo(1));
    ALKNET_CO_ASSERT_OK(again);
    EXPECT_EQ(*again, octets_of(Refuse{5, "an id that is in use"}));
    const auto ping = co_await Raw::ask(node, key_of(1), Ping{});
    EXPECT_FALSE(ping);
    co_await node.end();
}

ALKNET_CO_TEST(ResumeHandler, DoesNotWaitForeverForTheFirstFrame) {
    Harness node(loop);
    auto raw = co_await Raw::connect(node, key_of(1));
    ALKNET_CO_ASSERT_OK(raw);
    const TimePoint before = loop.now();
    const auto answer = co_await raw->answer();
    EXPECT_FALSE(answer);
    EXPECT_EQ(loop.now() - before, ResumeHandler::kFirstFrameTimeout);
    co_await node.end();
}

ALKNET_CO_TEST(ResumeHandler, ARuleBrokenLosesTheStream) {
    Harness node(loop);
    const auto service = node.add("test/waits", waits_for_the_end);
    Open wanted = open_echo(1);
    wanted.alpn = "test/waits";
    auto raw = co_await Raw::connect(node, key_of(1));
    ALKNET_CO_ASSERT_OK(raw);
    ALKNET_CO_ASSERT_OK(co_await raw->send(wanted));
    const auto opened = co_await raw->answer();
    ALKNET_CO_ASSERT_OK(opened);
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    EXPECT_EQ(service->running, 1);
    ALKNET_CO_ASSERT_OK(co_await raw->send(Data{1, as_bytes("too far")}));
    const auto answer = co_await raw->answer();
    EXPECT_FALSE(answer);
    EXPECT_EQ(node.handler->streams(), 0U);
    EXPECT_EQ(service->running, 0);
    co_await node.end();
}

ALKNET_CO_TEST(ResumeHandler, APositionThatCannotBeLosesTheStream) {
    Harness node(loop);
    const auto opened = co_await Raw::ask(node, key_of(1), open_echo(1));
    ALKNET_CO_ASSERT_OK(opened);
    const auto back = co_await Raw::ask(
        node, key_of(1), Resume{kVersion, id_of(1), {.received = 10, .limit = 1000}});
    EXPECT_FALSE(back);
    EXPECT_EQ(node.handler->streams(), 0U);
    co_await node.end();
}

ALKNET_CO_TEST(ResumeHandler, ANewTransportTakesThePlaceOfOneThatIsSilent) {
    Harness node(loop);
    auto first = co_await Raw::connect(node, key_of(1));
    ALKNET_CO_ASSERT_OK(first);
    ALKNET_CO_ASSERT_OK(co_await first->send(open_echo(1)));
    ALKNET_CO_ASSERT_OK(co_await first->answer());
    ALKNET_CO_ASSERT_OK(co_await first->send(Data{0, as_bytes("abc")}));
    auto second = co_await Raw::connect(node, key_of(1));
    ALKNET_CO_ASSERT_OK(second);
    ALKNET_CO_ASSERT_OK(
        co_await second->send(Resume{kVersion, id_of(1), {.received = 0, .limit = 1000}}));
    const auto accepted = co_await second->answer();
    ALKNET_CO_ASSERT_OK(accepted);
    EXPECT_EQ(*accepted, octets_of(Accept{{.received = 3, .limit = (64 << 10) + 3}, 60}));
    const auto echo = co_await second->answer();
    ALKNET_CO_ASSERT_OK(echo);
    EXPECT_EQ(*echo, octets_of(Data{0, as_bytes("abc")}));
    EXPECT_EQ(node.handler->lingering(), 0U);
    co_await node.end();
}

// ---- limits ----

task<result<void>> says_and_waits(std::shared_ptr<Connection> connection, std::size_t size) {
    ALKNET_CO_TRY(auto stream, co_await connection->accept_bi());
    ALKNET_CO_CHECK(co_await stream->write(noise(size)));
    co_return co_await connection->wait_closed();
}

/// How many of `count` streams of new ids were accepted, and with what the others were answered.
task<result<Bytes>> open_many(Harness& node, PeerIdentity who, std::uint8_t first,
                              std::size_t count) {
    Bytes last;
    for (std::size_t i = 0; i < count; ++i) {
        ALKNET_CO_TRY(
            last, co_await Raw::ask(node, who, open_echo(static_cast<std::uint8_t>(first + i))));
    }
    co_return last;
}

ALKNET_CO_TEST(ResumeHandler, LimitsStreams) {
    Harness node(
        loop, {.streams_max = 9, .streams_per_identity_max = 5, .streams_unauthenticated_max = 3});
    node.know("alice", 1);
    node.know("bob", 2);
    const auto alice = co_await open_many(node, key_of(1), 1, 5);
    ALKNET_CO_ASSERT_OK(alice);
    EXPECT_EQ(*alice, octets_of(Accept{{.received = 0, .limit = 1 << 20}, 60}));
    const auto sixth = co_await open_many(node, key_of(1), 6, 1);
    ALKNET_CO_ASSERT_OK(sixth);
    EXPECT_EQ(*sixth, octets_of(Refuse{4, "resume.streams_per_identity_max"}));
    // Strangers share, whatever keys they make.
    for (std::uint8_t key = 10; key < 13; ++key) {
        const auto stranger = co_await open_many(node, key_of(key), 1, 1);
        ALKNET_CO_ASSERT_OK(stranger);
        EXPECT_EQ(*stranger, octets_of(Accept{{.received = 0, .limit = 64 << 10}, 60}));
    }
    const auto fourth = co_await open_many(node, key_of(13), 1, 1);
    ALKNET_CO_ASSERT_OK(fourth);
    EXPECT_EQ(*fourth, octets_of(Refuse{4, "resume.streams_unauthenticated_max"}));
    const auto bob = co_await open_many(node, key_of(2), 1, 2);
    ALKNET_CO_ASSERT_OK(bob);
    EXPECT_EQ(*bob, octets_of(Refuse{4, "resume.streams_max"}));
    EXPECT_EQ(node.handler->streams(), 9U);
    EXPECT_THAT(node.metrics->text(),
                HasSubstr("alknet_limit_hits_total{limit=\"resume.streams_max\"} 1"));
    EXPECT_THAT(node.metrics->text(), HasSubstr("alknet_resume_refused_total{code=\"4\"} 3"));
    co_await node.end();
}

ALKNET_CO_TEST(ResumeHandler, LimitsWhatItHolds) {
    Harness node(loop, {.ring_bytes_unauthenticated_max = 1000});
    const auto service = node.add("test/waits", waits_for_the_end);
    auto client = node.client();
    const auto connection = co_await client->open("test/waits");
    ALKNET_CO_ASSERT_OK(connection);
    const auto stream = co_await (*connection)->open_bi();
    ALKNET_CO_ASSERT_OK(stream);
    ALKNET_CO_ASSERT_OK(co_await (*stream)->write(noise(500'000)));  // this end's ring takes it
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    EXPECT_EQ(node.handler->held_bytes(), 1000U);
    EXPECT_EQ(service->running, 1);
    co_await client->shutdown({});
    co_await node.end();
}

ALKNET_CO_TEST(ResumeHandler, LimitsHowLongAStreamLingers) {
    Harness node(loop, {.linger_max = hours(2), .linger_unauthenticated_max = minutes(5)});
    node.know("alice", 1);
    const auto service = node.add("test/waits", waits_for_the_end);
    for (std::uint8_t key = 1; key <= 2; ++key) {
        Open wanted = open_echo(key);
        wanted.alpn = "test/waits";
        wanted.linger_seconds = 1'000'000;
        const auto opened = co_await Raw::ask(node, key_of(key), wanted);
        ALKNET_CO_ASSERT_OK(opened);
    }
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(minutes(5) - seconds(1)));
    EXPECT_EQ(node.handler->lingering(), 2U);
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(2)));
    EXPECT_EQ(node.handler->lingering(), 1U);
    EXPECT_EQ(service->running, 1);
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(hours(2)));
    EXPECT_EQ(node.handler->lingering(), 0U);
    EXPECT_EQ(service->running, 0);
    const auto late =
        co_await Raw::ask(node, key_of(1), Resume{kVersion, id_of(1), {.limit = 1000}});
    ALKNET_CO_ASSERT_OK(late);
    EXPECT_EQ(*late, octets_of(Refuse{kUnknownStream, ""}));
    EXPECT_THAT(node.metrics->text(), HasSubstr("alknet_resume_ended_total{how=\"expired\"} 2"));
    co_await node.end();
}

// Prints what one costs: the handler's task of the service, its connection, and 1 KiB that nobody
// has acknowledged.
ALKNET_CO_TEST(ResumeHandler, AThousandLingeringStreams) {
    constexpr std::size_t kStreams = 1000;
    constexpr std::size_t kHeldBytes = 1024;
    Harness node(loop, {.streams_unauthenticated_max = kStreams});
    node.add("test/says", [](std::shared_ptr<Connection> connection) {
        return says_and_waits(std::move(connection), kHeldBytes);
    });
    const std::size_t before = mallinfo2().uordblks;
    for (std::size_t i = 0; i < kStreams; ++i) {
        Open wanted = open_echo(0);
        wanted.alpn = "test/says";
        wanted.ring_bytes = 0;
        wanted.linger_seconds = 3600;
        wanted.id.octets[0] = static_cast<std::byte>(i >> 8);
        wanted.id.octets[1] = static_cast<std::byte>(i);
        ALKNET_CO_ASSERT_OK(co_await Raw::ask(node, key_of(1), wanted));
    }
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(30)));
    ALKNET_CO_ASSERT(node.handler->lingering() == kStreams);
    EXPECT_EQ(node.handler->held_bytes(), kStreams * kHeldBytes);
    EXPECT_LE(node.handler->capacity_bytes(), kStreams * kHeldBytes);
    std::printf("%zu lingering streams with %zu octets each: %zu octets of memory each\n", kStreams,
                kHeldBytes, (mallinfo2().uordblks - before) / kStreams);
    co_await node.end();
}

ALKNET_CO_TEST(ResumeHandler, NewLimitsAreForNewStreams) {
    Harness node(loop);
    node.handler->set_limits({.streams_max = 0});
    const auto refused = co_await Raw::ask(node, key_of(1), open_echo(1));
    ALKNET_CO_ASSERT_OK(refused);
    EXPECT_EQ(*refused, octets_of(Refuse{4, "resume.streams_max"}));
    co_await node.end();
}

// ---- what services see ----

task<result<void>> says_much_and_returns(std::shared_ptr<Connection> connection) {
    ALKNET_CO_TRY(auto stream, co_await connection->accept_bi());
    ALKNET_CO_CHECK(co_await stream->write(noise(50'000)));
    co_return co_await stream->finish();
}

ALKNET_CO_TEST(ResumeHandler, DeliversWhatAServiceSaidBeforeItEnded) {
    Harness node(loop);
    const auto service = node.add("test/says", says_much_and_returns);
    node.cuts = {{.back = 1000}};
    auto client = node.client();
    const auto connection = co_await client->open("test/says");
    ALKNET_CO_ASSERT_OK(connection);
    const auto stream = co_await (*connection)->open_bi();
    ALKNET_CO_ASSERT_OK(stream);
    node.unreachable = true;
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(minutes(5)));
    EXPECT_EQ(service->started, 1);
    EXPECT_EQ(service->running, 0);
    EXPECT_EQ(node.endpoint->connections(), 0U);
    EXPECT_GT(node.handler->held_bytes(), 40'000U);
    EXPECT_EQ(node.handler->capacity_bytes(), node.handler->held_bytes());
    node.unreachable = false;
    const auto heard = co_await hear(**stream);
    ALKNET_CO_ASSERT_OK(heard);
    EXPECT_EQ(*heard, noise(50'000));
    co_await client->shutdown(seconds(1));
    co_await node.end();
}

task<result<void>> answers_after_the_end(std::shared_ptr<Connection> connection) {
    ALKNET_CO_TRY(auto stream, co_await connection->accept_bi());
    ALKNET_CO_TRY(const Bytes heard, co_await hear(*stream));
    const TaskContext context = co_await current_context();
    ALKNET_CO_CHECK(co_await context.loop->sleep(minutes(1)));
    co_return co_await say(*stream, heard);
}

ALKNET_CO_TEST(ResumeHandler, HalfCloseSurvivesACut) {
    Harness node(loop);
    node.add("test/later", answers_after_the_end);
    auto client = node.client();
    const auto connection = co_await client->open("test/later");
    ALKNET_CO_ASSERT_OK(connection);
    const auto stream = co_await (*connection)->open_bi();
    ALKNET_CO_ASSERT_OK(stream);
    ALKNET_CO_ASSERT_OK(co_await say(**stream, noise(3000)));
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(30)));
    node.cut();
    const auto heard = co_await hear(**stream);
    ALKNET_CO_ASSERT_OK(heard);
    EXPECT_EQ(*heard, noise(3000));
    const auto more = co_await (*stream)->write(noise(1));
    ALKNET_CO_ASSERT(!more);
    EXPECT_TRUE(more.error().is(causes::kClosed));
    EXPECT_EQ(node.resumptions.size(), 1U);
    co_await client->shutdown(seconds(1));
    co_await node.end();
}

/// Resets with 42 once something has come.
task<result<void>> resets(std::shared_ptr<Connection> connection) {
    ALKNET_CO_TRY(auto stream, co_await connection->accept_bi());
    Bytes buffer(10);
    ALKNET_CO_CHECK(co_await stream->read(buffer));
    stream->stop(41);
    stream->reset(42);
    co_return result<void>{};
}

ALKNET_CO_TEST(ResumeHandler, ResetAndStopCarryTheirCodesAcrossACut) {
    for (const bool while_away : {false, true}) {
        Harness node(loop);
        node.add("test/resets", resets);
        auto client = node.client();
        const auto connection = co_await client->open("test/resets");
        ALKNET_CO_ASSERT_OK(connection);
        const auto stream = co_await (*connection)->open_bi();
        ALKNET_CO_ASSERT_OK(stream);
        ALKNET_CO_ASSERT_OK(co_await (*stream)->write(noise(10)));
        if (while_away) {
            node.unreachable = true;
            ALKNET_CO_ASSERT_OK(co_await loop.sleep(Duration(1)));
            node.cut();
            ALKNET_CO_ASSERT_OK(co_await loop.sleep(minutes(1)));
            node.unreachable = false;
        }
        Bytes buffer(10);
        const auto read = co_await (*stream)->read(buffer);
        ALKNET_CO_ASSERT(!read);
        EXPECT_TRUE(read.error().is(causes::kReset));
        EXPECT_EQ(read.error().code(), 42U);
        ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
        const auto written = co_await (*stream)->write(noise(10));
        ALKNET_CO_ASSERT(!written);
        EXPECT_TRUE(written.error().is(causes::kReset));
        EXPECT_EQ(written.error().code(), 41U);
        co_await client->shutdown(seconds(1));
        co_await node.end();
    }
}

ALKNET_CO_TEST(ResumeHandler, TheServicesPolicyHolds) {
    Harness node(loop);
    const auto service = node.add("test/known", waits_for_the_end, {.identity_required = true});
    auto client = node.client();
    const auto connection = co_await client->open("test/known");
    ALKNET_CO_ASSERT_OK(connection);
    const auto stream = co_await (*connection)->open_bi();
    ALKNET_CO_ASSERT_OK(stream);
    Bytes buffer(1);
    const auto read = co_await (*stream)->read(buffer);
    ALKNET_CO_ASSERT(!read);
    EXPECT_EQ(read.error().code(), close_code::kAuthRequired);
    EXPECT_EQ(service->started, 0);
    co_await client->shutdown(seconds(1));
    co_await node.end();
}

ALKNET_CO_TEST(ResumeHandler, RevokingAPeerEndsItsLingeringStreams) {
    Harness node(loop);
    node.know("alice", 1);
    const auto service = node.add("test/waits", waits_for_the_end);
    auto client = node.client();
    const auto connection = co_await client->open("test/waits");
    ALKNET_CO_ASSERT_OK(connection);
    const auto stream = co_await (*connection)->open_bi();
    ALKNET_CO_ASSERT_OK(stream);
    ALKNET_CO_ASSERT_OK(co_await (*stream)->write(noise(10'000)));
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    node.unreachable = true;
    node.cut();
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    EXPECT_EQ(node.handler->lingering(), 1U);
    EXPECT_EQ(node.handler->held_bytes(), 10'000U);
    EXPECT_TRUE(node.identities->replace({}));
    co_await node.endpoint->recheck_identities();
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    EXPECT_EQ(service->running, 0);
    EXPECT_EQ(node.endpoint->connections(), 0U);
    EXPECT_EQ(node.handler->capacity_bytes(), 0U);  // what is left can only tell why
    node.unreachable = false;
    Bytes buffer(1);
    const auto read = co_await (*stream)->read(buffer);
    ALKNET_CO_ASSERT(!read);
    EXPECT_EQ(read.error().code(), close_code::kForbidden);
    co_await client->shutdown(seconds(1));
    EXPECT_EQ(node.handler->streams(), 0U);
    co_await node.end();
}

ALKNET_CO_TEST(ResumeHandler, RestsStayAsOthersDoAndGiveWay) {
    Harness node(loop, {.streams_per_identity_max = 2});
    node.know("alice", 1);
    // All was said and heard both ways, and the client is gone before it could say DONE.
    constexpr Duration kLinger = hours(8);
    for (std::uint8_t id = 1; id <= 3; ++id) {
        auto raw = co_await Raw::connect(node, key_of(1));
        ALKNET_CO_ASSERT_OK(raw);
        Open wanted = open_echo(id);
        wanted.linger_seconds =
            static_cast<std::uint32_t>(std::chrono::duration_cast<seconds>(kLinger).count());
        ALKNET_CO_ASSERT_OK(co_await raw->send(wanted));
        ALKNET_CO_ASSERT_OK(co_await raw->answer());
        ALKNET_CO_ASSERT_OK(co_await raw->send(Fin{0}));
        const auto end = co_await raw->answer();
        ALKNET_CO_ASSERT_OK(end);
        raw->connection->close(0, "");
        ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    }
    EXPECT_EQ(node.handler->streams(), 2U);
    EXPECT_THAT(node.metrics->text(), HasSubstr("alknet_resume_ended_total{how=\"full\"} 1"));
    // Whoever slept through the last acknowledgement can still be told that all has arrived.
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(kLinger - seconds(3)));
    EXPECT_EQ(node.handler->streams(), 2U);
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(3)));
    EXPECT_EQ(node.handler->streams(), 0U);
    co_await node.end();
}

ALKNET_CO_TEST(ResumeHandler, ShutdownEndsThoseWhoWait) {
    Harness node(loop);
    const auto service = node.add("test/waits", waits_for_the_end);
    Open wanted = open_echo(1);
    wanted.alpn = "test/waits";
    wanted.linger_seconds = 3600;
    ALKNET_CO_ASSERT_OK(co_await Raw::ask(node, key_of(1), wanted));
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    EXPECT_EQ(service->running, 1);
    const TimePoint before = loop.now();
    co_await node.end();
    EXPECT_EQ(service->running, 0);
    EXPECT_LT(loop.now() - before, seconds(2));  // the grace period is for those who can finish
}

}  // namespace
}  // namespace alknet::resume
