#include <alknet/net/proxy_protocol.hpp>

#include "session_world.hpp"

namespace alknet::ssh {
namespace {

using Kind = ChannelEvent::Kind;
using std::chrono::hours;
using std::chrono::seconds;

task<result<std::string>> read_some(ByteStream& stream) {
    Bytes buffer(64 << 10);
    ALKNET_CO_TRY(const std::size_t size, co_await stream.read(buffer));
    co_return std::string(as_text(BytesView(buffer).first(size)));
}

/// What ends the connection, whatever comes before.
task<error> last_word(TestClient& client) {
    for (;;) {
        auto step = co_await client.step();
        if (!step) {
            co_return std::move(step).error();
        }
    }
}

ALKNET_CO_TEST(SshSession, JoinsAChannelToASocketUntilBothDirectionsHaveEnded) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->start());
    EXPECT_EQ(client->transport.host_key(), world.host_key->id());
    const ChannelId id = client->open("db", 5432).value();
    const auto opened = co_await client->event();
    ALKNET_CO_ASSERT_OK(opened);
    EXPECT_EQ(opened->kind, Kind::opened);
    EXPECT_EQ(world.network->dialled, (std::vector{SocketAddress::v4({192, 0, 2, 1}, 5432)}));
    const auto target = std::move(world.network->targets.at(0));
    client->write(id, "up");
    ALKNET_CO_ASSERT_OK(co_await client->flush());
    EXPECT_EQ((co_await read_some(*target)).value(), "up");
    ALKNET_CO_ASSERT_OK(co_await target->write(as_bytes("down")));
    EXPECT_EQ((co_await client->event()).value().text, "down");
    // One direction ends, the other goes on.
    ALKNET_CO_ASSERT_OK(client->channels.finish(id));
    ALKNET_CO_ASSERT_OK(co_await client->flush());
    EXPECT_EQ((co_await read_some(*target)).value(), "");
    ALKNET_CO_ASSERT_OK(co_await target->write(as_bytes("still")));
    EXPECT_EQ((co_await client->event()).value().text, "still");
    ALKNET_CO_ASSERT_OK(co_await target->finish());
    EXPECT_EQ((co_await client->event()).value().kind, Kind::eof);
    EXPECT_EQ((co_await client->event()).value().kind, Kind::closed);
    ALKNET_CO_ASSERT_OK(client->channels.close(id));
    ALKNET_CO_ASSERT_OK(co_await client->flush());
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, TellsATargetFirstWhoComesWhereARuleSaysSo) {
    SshWorld world(loop);
    world.announces = true;
    const auto from = SocketAddress::v4({198, 51, 100, 3}, 40'000);
    const auto client = world.client({"ssh:connect"}, from);
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const ChannelId id = client->open("db", 5432).value();
    EXPECT_EQ((co_await client->event()).value().kind, Kind::opened);
    client->write(id, "up");
    ALKNET_CO_ASSERT_OK(co_await client->flush());
    ByteStream& target = *world.network->targets.at(0);
    net::ProxyHeaderReader header;
    while (header.wanted() > 0) {
        Bytes piece(header.wanted());
        const auto size = co_await target.read(piece);
        ALKNET_CO_ASSERT(size && *size > 0);
        ALKNET_CO_ASSERT_OK(header.add(BytesView(piece).first(*size)));
    }
    EXPECT_EQ(header.header().source, from);
    EXPECT_EQ(header.header().destination, SocketAddress::v4({192, 0, 2, 7}, 22));
    EXPECT_EQ((co_await read_some(target)).value(), "up");
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, ASessionShowsTheKeyWithWhichItBegan) {
    SshWorld world(loop);
    const auto before = world.client();
    const auto during = world.client();
    ALKNET_CO_ASSERT_OK(co_await before->start());
    ALKNET_CO_ASSERT_OK(co_await during->connect());
    ALKNET_CO_ASSERT_OK(co_await during->ask_for_service());
    const auto next = NodeKey::generate();
    world.adapter->set_host_key(next);
    EXPECT_EQ((co_await during->log_in(during->key)).value(), Message::userauth_success);
    EXPECT_EQ(during->transport.host_key(), world.host_key->id());
    before->transport.rekey();
    ALKNET_CO_ASSERT_OK(before->open("db", 1));
    EXPECT_EQ((co_await before->event()).value().kind, Kind::opened);
    EXPECT_EQ(before->transport.exchanges(), 2U);
    EXPECT_EQ(before->transport.host_key(), world.host_key->id());
    const auto after = world.client();
    ALKNET_CO_ASSERT_OK(co_await after->start());
    EXPECT_EQ(after->transport.host_key(), next->id());
    for (TestClient* const client : {before.get(), during.get(), after.get()}) {
        client->end();
    }
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, AResetSocketClosesTheChannel) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->start());
    ALKNET_CO_ASSERT_OK(client->open("db", 1));
    ALKNET_CO_ASSERT_OK(co_await client->event());
    world.network->targets.at(0)->reset(0);
    EXPECT_EQ((co_await client->event()).value().kind, Kind::closed);
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, WhatIsLeftReachesTheSocketWhenTheClientCloses) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const ChannelId id = client->open("db", 1).value();
    ALKNET_CO_ASSERT_OK(co_await client->event());
    const std::string piece(kDataBytesMax, 'x');
    for (int i = 0; i < 8; ++i) {
        client->write(id, piece);
    }
    ALKNET_CO_ASSERT_OK(client->channels.close(id));
    ALKNET_CO_ASSERT_OK(co_await client->flush());
    std::size_t got = 0;
    for (;;) {
        const auto some = co_await read_some(*world.network->targets.at(0));
        ALKNET_CO_ASSERT_OK(some);
        if (some->empty()) {
            break;
        }
        got += some->size();
    }
    EXPECT_EQ(got, 8 * piece.size());
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, ASlowSocketHoldsItsClientBackAndNobodyElse) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const ChannelId slow = client->open("db", 1).value();
    const ChannelId fast = client->open("db", 2).value();
    ALKNET_CO_ASSERT_OK(co_await client->event());
    ALKNET_CO_ASSERT_OK(co_await client->event());
    std::size_t sent = 0;
    for (;;) {
        const std::size_t size = client->channels.sendable(slow);
        if (size == 0) {
            // Everything that is given back has come when the other channel has answered.
            client->write(fast, "ping");
            ALKNET_CO_ASSERT_OK(co_await client->flush());
            EXPECT_EQ((co_await read_some(*world.network->targets.at(1))).value(), "ping");
            ALKNET_CO_ASSERT_OK(co_await world.network->targets.at(1)->write(as_bytes("pong")));
            Happened last;
            while (last.kind != Kind::data) {
                last = (co_await client->event()).value();
            }
            if (client->channels.sendable(slow) == 0) {
                break;
            }
            continue;
        }
        client->write(slow, std::string(size, 'x'));
        ALKNET_CO_ASSERT_OK(co_await client->flush());
        sent += size;
    }
    // A window, and what the socket's own buffer took.
    EXPECT_GE(sent, kWindowBytes);
    EXPECT_LE(sent, kWindowBytes + kWindowBytes / 4 + (64 << 10));
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, AClientThatDoesNotReadHoldsTheSocketBack) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->start());
    ALKNET_CO_ASSERT_OK(client->open("db", 1));
    ALKNET_CO_ASSERT_OK(co_await client->event());
    const Bytes piece(64 << 10);
    std::size_t taken = 0;
    for (;;) {
        const auto written =
            co_await with_timeout(seconds(1), world.network->targets.at(0)->write(piece));
        if (!written) {
            break;
        }
        taken += piece.size();
    }
    EXPECT_LE(taken, kWindowBytes + (256 << 10));
    client->end();
    co_await world.end();
}

task<result<Happened>> refusal(SshWorld& world, std::vector<std::string> scopes,
                               std::string_view type, std::string host) {
    const auto client = world.client(std::move(scopes));
    ALKNET_CO_CHECK(co_await client->start());
    const TcpRoute route{.host = std::move(host), .port = 1, .from_host = "::1"};
    ALKNET_CO_CHECK(client->channels.open(type, route.encode()));
    auto event = co_await client->event();
    client->end();
    co_return event;
}

ALKNET_CO_TEST(SshSession, RefusesWhatIsNotAllowedAndSaysWhy) {
    SshWorld world(loop);
    world.network->names["far"] = {SocketAddress::v4({192, 0, 2, 9}, 0)};
    world.network->dead = {SocketAddress::v4({192, 0, 2, 9}, 1)};
    world.network->names["secret"] = {SocketAddress::v4({198, 51, 100, 1}, 0)};
    world.forbidden = {"198.51.100.1"};
    const auto session = (co_await refusal(world, {"*:*:*"}, "session", "db")).value();
    EXPECT_EQ(session.kind, Kind::refused);
    EXPECT_EQ(session.code, 1U);
    EXPECT_TRUE(session.text.contains("no shell")) << session.text;
    EXPECT_EQ((co_await refusal(world, {"*:*:*"}, "x11", "db")).value().code, 3U);
    const auto scope = (co_await refusal(world, {"ssh:listen"}, "direct-tcpip", "db")).value();
    EXPECT_EQ(scope.code, 1U);
    EXPECT_TRUE(scope.text.contains("ssh:connect")) << scope.text;
    EXPECT_EQ(world.network->resolved, 0U) << "a name was looked up for somebody who may not";
    const auto rule = (co_await refusal(world, {"ssh:connect"}, "direct-tcpip", "secret")).value();
    EXPECT_EQ(rule.code, 1U);
    EXPECT_TRUE(rule.text.contains("no rule")) << rule.text;
    EXPECT_TRUE(world.network->dialled.empty());
    EXPECT_EQ((co_await refusal(world, {"ssh:connect"}, "direct-tcpip", "none")).value().code, 2U);
    EXPECT_EQ((co_await refusal(world, {"ssh:connect"}, "direct-tcpip", "far")).value().code, 2U);
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, OfSeveralAddressesOnlyThoseThatAreAllowedAreTried) {
    SshWorld world(loop);
    const auto good = SocketAddress::v4({192, 0, 2, 5}, 0);
    world.network->names["mixed"] = {SocketAddress::v4({198, 51, 100, 1}, 0), good};
    world.forbidden = {"198.51.100.1"};
    const auto opened = co_await refusal(world, {"ssh:connect"}, "direct-tcpip", "mixed");
    ALKNET_CO_ASSERT_OK(opened);
    EXPECT_EQ(opened->kind, Kind::opened);
    EXPECT_EQ(world.network->dialled, (std::vector{good.with_port(1)}));
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, OnlySoManyConnectionsAtATime) {
    SshWorld world(loop);
    world.places_max = 1;
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const ChannelId first = client->open("db", 1).value();
    EXPECT_EQ((co_await client->event()).value().kind, Kind::opened);
    ALKNET_CO_ASSERT_OK(client->open("db", 1));
    const auto refused = co_await client->event();
    ALKNET_CO_ASSERT_OK(refused);
    EXPECT_EQ(refused->code, static_cast<std::uint32_t>(OpenFailure::shortage));
    EXPECT_TRUE(refused->text.contains("streams_max")) << refused->text;
    ALKNET_CO_ASSERT_OK(client->channels.close(first));
    ALKNET_CO_ASSERT_OK(co_await client->flush());
    EXPECT_EQ((co_await read_some(*world.network->targets.at(0))).value(), "");
    ALKNET_CO_ASSERT_OK(client->open("db", 1));
    EXPECT_EQ((co_await client->event()).value().kind, Kind::opened);
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, AStrangerHasHalfAMinute) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->connect());
    ALKNET_CO_ASSERT_OK(co_await client->ask_for_service());
    const TimePoint began = loop.now();
    const auto stranger = NodeKey::generate();
    EXPECT_EQ((co_await client->log_in(stranger)).value(), Message::userauth_failure);
    const error why = co_await last_word(*client);
    EXPECT_TRUE(why.detail().contains("nobody has logged in")) << why.message();
    EXPECT_EQ(loop.now() - began, kLoginTime);
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, SixUnknownKeysAreEnough) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->connect());
    ALKNET_CO_ASSERT_OK(co_await client->ask_for_service());
    const auto stranger = NodeKey::generate();
    for (std::size_t i = 1; i < kAuthFailuresMax; ++i) {
        EXPECT_EQ((co_await client->log_in(stranger)).value(), Message::userauth_failure);
    }
    const auto last = co_await client->log_in(stranger);
    ALKNET_CO_ASSERT(!last);
    EXPECT_TRUE(last.error().detail().contains("too many attempts")) << last.error().message();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, APeerWhoseTermHasEndedMayNotLogIn) {
    SshWorld world(loop);
    const auto client = world.client();
    world.identities->known.begin()->second.renewal_only = true;
    ALKNET_CO_ASSERT_OK(co_await client->connect());
    ALKNET_CO_ASSERT_OK(co_await client->ask_for_service());
    EXPECT_EQ((co_await client->log_in(client->key)).value(), Message::userauth_failure);
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, OnlySoManyMayBeAboutToLogIn) {
    SshWorld world(loop, 4);
    std::vector<std::unique_ptr<TestClient>> clients;
    std::size_t served = 0;
    for (int i = 0; i < 64; ++i) {
        clients.push_back(world.client());
        const auto connected = co_await clients.back()->connect();
        served += connected && co_await clients.back()->ask_for_service() ? 1 : 0;
    }
    EXPECT_GE(served, 2U);
    EXPECT_LE(served, 4U);
    for (const auto& client : clients) {
        client->end();
    }
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, WhoIsKnownNoMoreIsSentAway) {
    SshWorld world(loop);
    const auto client = world.client();
    const auto other = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->start());
    ALKNET_CO_ASSERT_OK(co_await other->start());
    world.identities->known.erase(client->key->id().fingerprint());
    co_await world.adapter->recheck_identities();
    const error why = co_await last_word(*client);
    EXPECT_TRUE(why.detail().contains("not known any more")) << why.message();
    ALKNET_CO_ASSERT_OK(other->open("db", 1));
    EXPECT_EQ((co_await other->event()).value().kind, Kind::opened);
    other->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, ARuleThatGoesEndsItsForwardsAlone) {
    SshWorld world(loop);
    world.network->names["other"] = {SocketAddress::v4({192, 0, 2, 7}, 0)};
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const ChannelId gone = client->open("db", 1).value();
    ALKNET_CO_ASSERT_OK(co_await client->event());
    const ChannelId stays = client->open("other", 1).value();
    ALKNET_CO_ASSERT_OK(co_await client->event());
    world.forbidden = {"192.0.2.1"};
    co_await world.adapter->recheck_identities();
    const auto closed = co_await client->event();
    ALKNET_CO_ASSERT_OK(closed);
    EXPECT_EQ(closed->kind, Kind::closed);
    EXPECT_EQ(closed->channel, gone);
    client->write(stays, "on");
    ALKNET_CO_ASSERT_OK(co_await client->flush());
    EXPECT_EQ((co_await read_some(*world.network->targets.at(1))).value(), "on");
    // And without the scope nothing goes on.
    for (auto& [fingerprint, identity] : world.identities->known) {
        identity.scopes.clear();
    }
    co_await world.adapter->recheck_identities();
    EXPECT_EQ((co_await client->event()).value().channel, stays);
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, WhatIsTakenAwayWhileItConnectsIsNotOpened) {
    for (const bool rule : {false, true}) {
        SshWorld world(loop);
        const auto client = world.client();
        ALKNET_CO_ASSERT_OK(co_await client->start());
        world.network->may_answer.clear();
        ALKNET_CO_ASSERT_OK(client->open("db", 1));
        ALKNET_CO_ASSERT_OK(co_await client->flush());
        ALKNET_CO_ASSERT_OK(co_await world.network->dialling.wait());
        if (rule) {
            world.forbidden = {"192.0.2.1"};
        } else {
            world.identities->known.begin()->second.scopes.clear();
        }
        world.identities->asked.clear();
        co_await world.adapter->recheck_identities();
        ALKNET_CO_ASSERT_OK(co_await world.identities->asked.wait());
        world.network->may_answer.set();
        const auto refused = co_await client->event();
        ALKNET_CO_ASSERT_OK(refused);
        EXPECT_EQ(refused->kind, Kind::refused) << rule;
        EXPECT_EQ(refused->code, static_cast<std::uint32_t>(OpenFailure::prohibited));
        client->end();
        co_await world.end();
    }
}

ALKNET_CO_TEST(SshSession, WhoIsForgottenWhileLoggingInIsSentAway) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->connect());
    ALKNET_CO_ASSERT_OK(co_await client->ask_for_service());
    world.identities->may_answer.clear();
    TaskScope logging_in(loop);
    logging_in.spawn(
        [](TestClient& who) -> task<void> { (void)co_await who.log_in(who.key); }(*client),
        "log in");
    ALKNET_CO_ASSERT_OK(co_await world.identities->asked.wait());
    world.identities->known.clear();
    co_await world.adapter->recheck_identities();
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));  // it has been looked at
    world.identities->may_answer.set();
    ALKNET_CO_ASSERT_OK(co_await logging_in.join());
    // Whoever is let in after all never hears of an end.
    const TimePoint began = loop.now();
    const auto ended = co_await with_timeout(seconds(60), [](TestClient& of) -> task<result<void>> {
        (void)co_await last_word(of);
        co_return result<void>();
    }(*client));
    EXPECT_TRUE(ended);
    EXPECT_EQ(loop.now(), began);
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, NewKeysEveryHourForADay) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const TimePoint began = loop.now();
    while (client->transport.exchanges() < 25) {
        ALKNET_CO_ASSERT_OK(co_await client->flush());
        const auto room = client->transport.room();
        const auto got = co_await client->stream->read(room);
        ALKNET_CO_ASSERT(got && *got > 0);
        client->transport.filled(*got);
        ALKNET_CO_ASSERT_OK(client->transport.next());
    }
    EXPECT_GE(loop.now() - began, hours(24));
    ALKNET_CO_ASSERT_OK(client->open("db", 1));
    EXPECT_EQ((co_await client->event()).value().kind, Kind::opened);
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, AnExchangeThatDoesNotEndEndsTheConnection) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const TimePoint began = loop.now();
    client->transport.rekey();
    ALKNET_CO_ASSERT_OK(co_await client->flush());
    // Reads, and says nothing more.
    Bytes buffer(4096);
    for (;;) {
        const auto got = co_await client->stream->read(buffer);
        if (!got || *got == 0) {
            break;
        }
    }
    EXPECT_EQ(loop.now() - began, kExchangeTime);
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, AShutdownIsSaid) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->start());
    TaskScope stopping(loop);
    stopping.spawn(world.adapter->shutdown(), "stop");
    const error why = co_await last_word(*client);
    EXPECT_TRUE(why.detail().contains("shutting down")) << why.message();
    ALKNET_CO_ASSERT_OK(co_await stopping.join());
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, RequestsGetAnAnswerAndNothingElse) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->start());
    WireWriter request = begin_message(Message::global_request);
    put_text(request, "keepalive@openssh.com");
    put_bool(request, true);
    ALKNET_CO_ASSERT_OK(client->transport.send(request.view()));
    const auto answer = co_await client->message();
    ALKNET_CO_ASSERT_OK(answer);
    EXPECT_EQ(message_of(*answer), Message::request_failure);
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, AQuietClientIsAskedForAWord) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await client->start());
    const TimePoint began = loop.now();
    for (int i = 1; i <= 10; ++i) {
        const auto asked = co_await client->event();
        ALKNET_CO_ASSERT_OK(asked);
        EXPECT_EQ(asked->kind, Kind::global);
        EXPECT_EQ(asked->text, "keepalive@openssh.com");
        EXPECT_EQ(loop.now() - began, i * kQuietTime);
        ALKNET_CO_ASSERT_OK(client->channels.answer_global(i % 2 == 0));
        ALKNET_CO_ASSERT_OK(co_await client->flush());
    }
    // Who does not answer is not asked again, so that the connection may find it idle.
    EXPECT_EQ((co_await client->event()).value().kind, Kind::global);
    EXPECT_FALSE(co_await with_timeout(20 * kQuietTime, client->event()));
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, MessagesInAnyOrderEndInOrder) {
    for (std::uint8_t seed = 0; seed < 60; ++seed) {
        SshWorld world(loop);
        const auto client = world.client();
        ALKNET_CO_ASSERT_OK(co_await client->connect());
        if (seed % 3 != 0) {
            ALKNET_CO_ASSERT_OK(co_await client->ask_for_service());
        }
        if (seed % 3 == 2) {
            EXPECT_EQ((co_await client->log_in(client->key)).value(), Message::userauth_success);
        }
        Bytes body(seed % 40U);
        for (std::size_t i = 0; i < 8; ++i) {
            const auto number = static_cast<Message>(seed * 7U + i * 13U);
            WireWriter message = begin_message(number);
            message.append(body);
            (void)client->transport.send(message.view());
        }
        (void)co_await client->flush();
        client->transport.disconnect(Disconnect::by_application, "enough");
        (void)co_await client->flush();
        const auto ended =
            co_await with_timeout(seconds(29), [](TestClient& of) -> task<result<void>> {
                (void)co_await last_word(of);
                co_return result<void>();
            }(*client));
        EXPECT_TRUE(ended) << static_cast<int>(seed);
        client->end();
        co_await world.end();
    }
}

}  // namespace
}  // namespace alknet::ssh
