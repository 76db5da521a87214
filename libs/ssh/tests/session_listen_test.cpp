// Where the node listens for clients, and what comes there.
#include "session_world.hpp"

namespace alknet::ssh {
namespace {

using Kind = ChannelEvent::Kind;
using std::chrono::seconds;

const std::vector<std::string> kListen = {"ssh:listen"};

void ask(TestClient& client, std::string_view type, std::string_view host, std::uint32_t port) {
    WireWriter out = begin_message(Message::global_request);
    put_text(out, type);
    put_bool(out, true);
    put_text(out, host);
    out.number(port);
    EXPECT_TRUE(client.transport.send(out.view()));
}

/// Whether it was granted.
task<bool> request(TestClient& client, std::string_view type, std::string host,
                   std::uint32_t port) {
    ask(client, type, host, port);
    const auto answer = co_await client.message();
    co_return answer&& message_of(*answer) == Message::request_success;
}

task<result<std::string>> read_some(ByteStream& stream) {
    Bytes buffer(64 << 10);
    ALKNET_CO_TRY(const std::size_t size, co_await stream.read(buffer));
    co_return std::string(as_text(BytesView(buffer).first(size)));
}

/// The next channel that the node opens.
task<result<ChannelId>> accept_next(TestClient& client) {
    ALKNET_CO_TRY(const Happened event, co_await client.event());
    if (event.kind != Kind::open) {
        co_return fail(causes::kProtocol, "no channel");
    }
    ALKNET_CO_CHECK(client.channels.accept(event.channel));
    ALKNET_CO_CHECK(co_await client.flush());
    co_return event.channel;
}

ALKNET_CO_TEST(SshListen, JoinsWhatComesToAChannel) {
    SshWorld world(loop);
    const auto client = world.client(kListen);
    ALKNET_CO_ASSERT_OK(co_await client->start());
    EXPECT_TRUE(co_await request(*client, "tcpip-forward", "localhost", 8080));
    const auto visitor = world.network->come_to("127.0.0.1:8080");
    ALKNET_CO_ASSERT(visitor != nullptr);
    const Happened open = (co_await client->event()).value();
    EXPECT_EQ(open.text, "forwarded-tcpip");
    EXPECT_EQ(
        TcpRoute::parse(open.body).value(),
        (TcpRoute{.host = "localhost", .port = 8080, .from_host = "192.0.2.9", .from_port = 999}));
    ALKNET_CO_ASSERT_OK(client->channels.accept(open.channel));
    client->write(open.channel, "hello");
    ALKNET_CO_ASSERT_OK(co_await client->flush());
    EXPECT_EQ((co_await read_some(*visitor)).value(), "hello");
    ALKNET_CO_ASSERT_OK(co_await visitor->write(as_bytes("back")));
    ALKNET_CO_ASSERT_OK(co_await visitor->finish());
    Happened next = (co_await client->event()).value();
    while (next.kind == Kind::window) {
        next = (co_await client->event()).value();
    }
    EXPECT_EQ(next.text, "back");
    EXPECT_EQ((co_await client->event()).value().kind, Kind::eof);
    // What came lives on without its listener.
    EXPECT_FALSE(co_await request(*client, "cancel-tcpip-forward", "localhost", 8081));
    EXPECT_TRUE(co_await request(*client, "cancel-tcpip-forward", "localhost", 8080));
    EXPECT_EQ(world.network->come_to("127.0.0.1:8080"), nullptr);
    client->write(open.channel, "more");
    ALKNET_CO_ASSERT_OK(co_await client->flush());
    EXPECT_EQ((co_await read_some(*visitor)).value(), "more");
    client->end();
    co_await world.end();
    EXPECT_TRUE(world.network->listeners.empty());
}

ALKNET_CO_TEST(SshListen, SaysWhichPortItHasFound) {
    SshWorld world(loop);
    const auto client = world.client(kListen);
    ALKNET_CO_ASSERT_OK(co_await client->start());
    ask(*client, "tcpip-forward", "", 0);
    const Bytes answer = (co_await client->message()).value();
    WireReader in(BytesView(answer).subspan(1));
    EXPECT_EQ(in.number<std::uint32_t>(), 50'000U);
    EXPECT_TRUE(in.complete());
    EXPECT_TRUE(world.network->listeners.contains("[::]:50000"));
    EXPECT_TRUE(co_await request(*client, "cancel-tcpip-forward", "", 50'000));
    EXPECT_TRUE(world.network->listeners.empty());
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshListen, AsksForTheAddressThatANameHasTurnedOutToBe) {
    SshWorld world(loop);
    world.network->names["inside"] = {SocketAddress::v4({10, 0, 0, 1}, 0)};
    world.network->names["outside"] = {SocketAddress::v4({203, 0, 113, 1}, 0)};
    world.forbidden = {"203.0.113.1", "::", "0.0.0.0"};
    const auto client = world.client(kListen);
    ALKNET_CO_ASSERT_OK(co_await client->start());
    EXPECT_TRUE(co_await request(*client, "tcpip-forward", "inside", 1));
    EXPECT_FALSE(co_await request(*client, "tcpip-forward", "outside", 2));
    EXPECT_FALSE(co_await request(*client, "tcpip-forward", "", 3));
    EXPECT_FALSE(co_await request(*client, "tcpip-forward", "", 0)) << "asked for when it is bound";
    EXPECT_FALSE(co_await request(*client, "tcpip-forward", "nowhere", 4));
    EXPECT_EQ(world.network->listeners.size(), 1U);
    const auto without = world.client({"ssh:connect"});
    ALKNET_CO_ASSERT_OK(co_await without->start());
    EXPECT_FALSE(co_await request(*without, "tcpip-forward", "inside", 5));
    client->end();
    without->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshListen, TakesOverFromASilentPredecessorOfTheSamePeer) {
    SshWorld world(loop);
    const auto silent = world.client(kListen);
    ALKNET_CO_ASSERT_OK(co_await silent->start());
    EXPECT_TRUE(co_await request(*silent, "tcpip-forward", "localhost", 8080));
    const auto next = world.client(kListen);
    ALKNET_CO_ASSERT_OK(co_await next->start());
    const TimePoint began = loop.now();
    EXPECT_TRUE(co_await request(*next, "tcpip-forward", "localhost", 8080));
    EXPECT_LE(loop.now() - began, seconds(3));
    const auto visitor = world.network->come_to("127.0.0.1:8080");
    EXPECT_TRUE(co_await accept_next(*next));
    EXPECT_EQ(world.network->listeners.size(), 1U);
    // Of another peer it is not.
    const auto stranger = world.client(kListen);
    world.identities->known[stranger->key->id().fingerprint()].id = "eve";
    ALKNET_CO_ASSERT_OK(co_await stranger->start());
    EXPECT_FALSE(co_await request(*stranger, "tcpip-forward", "localhost", 8080));
    EXPECT_EQ(world.network->listeners.size(), 1U);
    for (TestClient* const client : {silent.get(), next.get(), stranger.get()}) {
        client->end();
    }
    co_await world.end();
}

/// Answers what it is asked, until the connection ends.
task<void> stay(TestClient& client) {
    for (;;) {
        const auto event = co_await client.event();
        if (!event) {
            co_return;
        }
        if (event->kind == Kind::global) {
            EXPECT_TRUE(client.channels.answer_global(false));
            EXPECT_TRUE(co_await client.flush());
        }
    }
}

ALKNET_CO_TEST(SshListen, WhoIsThereKeepsItsListener) {
    SshWorld world(loop);
    const auto first = world.client(kListen);
    ALKNET_CO_ASSERT_OK(co_await first->start());
    EXPECT_TRUE(co_await request(*first, "tcpip-forward", "localhost", 8080));
    EXPECT_FALSE(co_await request(*first, "tcpip-forward", "localhost", 8080)) << "its own";
    world.serving.spawn(stay(*first), "first");
    const auto next = world.client(kListen);
    ALKNET_CO_ASSERT_OK(co_await next->start());
    EXPECT_FALSE(co_await request(*next, "tcpip-forward", "localhost", 8080));
    EXPECT_EQ(world.adapter->sessions(), 2U);
    EXPECT_EQ(world.network->listeners.size(), 1U);
    next->end();
    first->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshListen, ClosesWhenARuleGoes) {
    SshWorld world(loop);
    const auto client = world.client(kListen);
    ALKNET_CO_ASSERT_OK(co_await client->start());
    EXPECT_TRUE(co_await request(*client, "tcpip-forward", "localhost", 8080));
    const auto visitor = world.network->come_to("127.0.0.1:8080");
    ALKNET_CO_ASSERT_OK(co_await accept_next(*client));
    client->write(0, "x");
    ALKNET_CO_ASSERT_OK(co_await client->flush());
    EXPECT_EQ((co_await read_some(*visitor)).value(), "x");
    world.forbidden = {"127.0.0.1"};
    co_await world.adapter->recheck_identities();
    EXPECT_EQ((co_await client->event()).value().kind, Kind::closed);
    EXPECT_TRUE(world.network->listeners.empty());
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshListen, WhoIsNotTakenIsLetGo) {
    SshWorld world(loop);
    const auto client = world.client(kListen);
    ALKNET_CO_ASSERT_OK(co_await client->start());
    EXPECT_TRUE(co_await request(*client, "tcpip-forward", "localhost", 8080));
    const auto refused = world.network->come_to("127.0.0.1:8080");
    const Happened open = (co_await client->event()).value();
    ALKNET_CO_ASSERT_OK(
        client->channels.refuse(open.channel, OpenFailure::connect_failed, "nobody"));
    ALKNET_CO_ASSERT_OK(co_await client->flush());
    EXPECT_FALSE(co_await read_some(*refused)) << "reset";
    world.places_max = 0;
    const auto too_many = world.network->come_to("127.0.0.1:8080");
    EXPECT_FALSE(co_await read_some(*too_many));
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshListen, TheirNumberIsLimited) {
    SshWorld world(loop);
    const auto client = world.client(kListen);
    ALKNET_CO_ASSERT_OK(co_await client->start());
    for (std::uint32_t port = 1; port <= kListenersMax; ++port) {
        EXPECT_TRUE(co_await request(*client, "tcpip-forward", "localhost", port));
    }
    EXPECT_FALSE(co_await request(*client, "tcpip-forward", "localhost", 1000));
    const auto other = world.client(kListen);
    ALKNET_CO_ASSERT_OK(co_await other->start());
    EXPECT_TRUE(co_await request(*other, "tcpip-forward", "localhost", 1001));
    EXPECT_FALSE(co_await request(*other, "tcpip-forward", "localhost", 1002));
    client->end();
    other->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshListen, AnswersComeInTheOrderOfTheQuestions) {
    SshWorld world(loop);
    const auto client = world.client(kListen);
    ALKNET_CO_ASSERT_OK(co_await client->start());
    ask(*client, "tcpip-forward", "localhost", 0);
    ask(*client, "something@example.com", "", 0);
    ask(*client, "tcpip-forward", "localhost", 7);
    for (const Message expected :
         {Message::request_success, Message::request_failure, Message::request_success}) {
        EXPECT_EQ(message_of((co_await client->message()).value()), expected);
    }
    for (std::size_t i = 0; i <= kGlobalsMax; ++i) {
        ask(*client, "something@example.com", "", 0);
    }
    error why(causes::kCancelled);
    for (;;) {
        if (auto step = co_await client->step(); !step) {
            why = std::move(step).error();
            break;
        }
    }
    EXPECT_TRUE(why.is(errc::closed));
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshListen, NonsenseEndsTheConnection) {
    SshWorld world(loop);
    const auto client = world.client(kListen);
    ALKNET_CO_ASSERT_OK(co_await client->start());
    ask(*client, "tcpip-forward", "localhost", 65'536);
    EXPECT_FALSE(co_await client->message());
    client->end();
    co_await world.end();
}

}  // namespace
}  // namespace alknet::ssh
