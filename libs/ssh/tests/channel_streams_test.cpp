// Channels whose data has a stream of its own, as the node serves them.
#include "channel_stream.hpp"
#include "stream_world.hpp"

namespace alknet::ssh {
namespace {

using Kind = ChannelEvent::Kind;
using std::chrono::seconds;

/// What ends the SSH connection, whatever comes before.
task<error> last_word(TestClient& client) {
    for (;;) {
        auto step = co_await client.step();
        if (!step) {
            co_return std::move(step).error();
        }
    }
}

TEST(ChannelStream, HeadersAreWhatTheyWere) {
    for (const StreamToken token :
         {StreamToken(), StreamToken(0), StreamToken(0x0102030405060708)}) {
        Bytes message = encode_stream_header(token);
        EXPECT_EQ(message.size(), kStreamHeaderBytes);
        message.insert(message.begin(), std::byte{7});
        const auto header = parse_stream_header(message);
        ASSERT_TRUE(header);
        EXPECT_EQ(header->token, token);
        EXPECT_EQ(header->rest.size(), 1U);
    }
    EXPECT_FALSE(parse_stream_header(Bytes(kStreamHeaderBytes - 1)));
    EXPECT_FALSE(parse_stream_header(Bytes(kStreamHeaderBytes, std::byte{2})));
    Bytes none = encode_stream_header({});
    none.back() = std::byte{1};
    EXPECT_FALSE(parse_stream_header(none));
}

TEST(ChannelStream, AStreamSaysWithItsFirstOctetsForWhatItIs) {
    const Bytes header = encode_stream_header(9);
    for (std::size_t size = 0; size < header.size(); ++size) {
        const auto begin = parse_stream_begin(BytesView(header).first(size));
        EXPECT_TRUE(begin && !*begin);
    }
    EXPECT_EQ(parse_stream_begin(header).value().value().token, StreamToken(9));
    EXPECT_EQ(parse_stream_begin(as_bytes("S")).value().value().token, StreamToken());
    EXPECT_FALSE(parse_stream_begin(encode_stream_header({})));
    EXPECT_FALSE(parse_stream_begin(as_bytes("GET")));
}

TEST(ChannelStream, ABindingHas32Octets) {
    StreamBinding binding{};
    binding.fill(std::byte{5});
    Bytes body = encode_binding(binding);
    EXPECT_EQ(parse_binding(body).value(), binding);
    body.push_back(std::byte{0});
    EXPECT_FALSE(parse_binding(body));
    EXPECT_FALSE(parse_binding({}));
    WireWriter shorter;
    put_text(shorter, "31 octets are one too few......");
    EXPECT_FALSE(parse_binding(shorter.view()));
}

ALKNET_CO_TEST(ChannelStreams, CarryAChannelUntilBothDirectionsHaveEnded) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    const auto stream = co_await client.carry();
    ALKNET_CO_ASSERT_OK(stream);
    ALKNET_CO_ASSERT_OK(co_await (*stream)->write(as_bytes("up")));
    EXPECT_EQ((co_await read_some(*client.target)).value(), "up");
    ALKNET_CO_ASSERT_OK(co_await (*stream)->finish());
    EXPECT_EQ((co_await read_some(*client.target)).value(), "");
    // One direction has ended, the other goes on.
    ALKNET_CO_ASSERT_OK(co_await client.target->write(as_bytes("down")));
    EXPECT_EQ((co_await read_some(**stream)).value(), "down");
    ALKNET_CO_ASSERT_OK(co_await client.target->finish());
    EXPECT_EQ((co_await read_some(**stream)).value(), "");
    EXPECT_EQ((co_await client.event()).kind, Kind::eof);
    EXPECT_EQ((co_await client.event()).kind, Kind::closed);
    client.hand().end();
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, CarryWhatComesToAListener) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    WireWriter where;
    put_text(where, "localhost");
    where.number<std::uint32_t>(8080);
    EXPECT_TRUE(co_await client.ask("tcpip-forward", where.take()));
    const auto visitor = world.network->come_to("127.0.0.1:8080");
    ALKNET_CO_ASSERT(visitor != nullptr);
    const Happened open = co_await client.event();
    EXPECT_EQ(open.text, "forwarded-tcpip");
    const auto header = parse_stream_header(open.body);
    ALKNET_CO_ASSERT(header && header->token);
    EXPECT_EQ(TcpRoute::parse(header->rest).value().host, "localhost");
    // The stream may come before the channel's confirmation does.
    const auto stream = co_await client.stream_with(encode_stream_header(header->token));
    ALKNET_CO_ASSERT_OK(stream);
    ALKNET_CO_ASSERT_OK(co_await (*stream)->write(as_bytes("hello")));
    ALKNET_CO_ASSERT_OK(client.hand().channels.accept(open.channel));
    ALKNET_CO_ASSERT_OK(co_await client.hand().flush());
    EXPECT_EQ((co_await read_some(*visitor)).value(), "hello");
    ALKNET_CO_ASSERT_OK(co_await visitor->write(as_bytes("back")));
    EXPECT_EQ((co_await read_some(**stream)).value(), "back");
    client.hand().end();
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, AreForThoseWhoseConnectionIsTheNodesOwn) {
    SshWorld world(loop);
    // In the middle sits somebody with two connections.
    StreamClient relayed(world);
    ALKNET_CO_ASSERT_OK(co_await relayed.hand().start());
    StreamBinding other{};
    EXPECT_FALSE(co_await relayed.ask(kChannelStreams, encode_binding(other)));
    ALKNET_CO_ASSERT_OK(relayed.hand().open("db", 1));
    const Happened plain = co_await relayed.event();
    EXPECT_EQ(plain.kind, Kind::opened);
    EXPECT_TRUE(plain.body.empty());
    // Later it is still granted, and once.
    EXPECT_TRUE(co_await relayed.agree());
    EXPECT_FALSE(co_await relayed.agree());
    // A connection with one stream, and one without keys.
    StreamClient tcp(world, keyed_connection(1, alknet::Transport::tcp));
    ALKNET_CO_ASSERT_OK(co_await tcp.hand().start());
    EXPECT_FALSE(stream_binding(tcp.hand().connection(), tcp.hand().transport.session_id()));
    EXPECT_FALSE(co_await tcp.ask(kChannelStreams, encode_binding(other)));
    auto options = keyed_connection();
    options.exporter = nullptr;
    StreamClient bare(world, std::move(options));
    ALKNET_CO_ASSERT_OK(co_await bare.hand().start());
    EXPECT_FALSE(co_await bare.ask(kChannelStreams, encode_binding(other)));
    for (const StreamClient* const client : {&relayed, &tcp, &bare}) {
        client->hand().end();
    }
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, AMalformedBindingEndsTheConnection) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.hand().start());
    EXPECT_FALSE(co_await client.ask(kChannelStreams, Bytes(3)));
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, AStreamOfNoChannelIsReset) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    const StreamToken token = (co_await client.open()).value();
    ALKNET_CO_ASSERT(token);
    const auto wrong = co_await client.stream_with(encode_stream_header(*token ^ 1));
    EXPECT_TRUE(co_await is_reset(**wrong));
    const auto unknown = co_await client.stream_with(Bytes(kStreamHeaderBytes, std::byte{2}));
    EXPECT_TRUE(co_await is_reset(**unknown));
    const auto shorter = co_await client.stream_with(Bytes(1, std::byte{1}));
    ALKNET_CO_ASSERT_OK(co_await (*shorter)->finish());
    EXPECT_TRUE(co_await is_reset(**shorter));
    const auto right = co_await client.stream_with(encode_stream_header(token));
    const auto again = co_await client.stream_with(encode_stream_header(token));
    EXPECT_TRUE(co_await is_reset(**again));
    ALKNET_CO_ASSERT_OK(co_await client.target->write(as_bytes("mine")));
    EXPECT_EQ((co_await read_some(**right)).value(), "mine");
    client.hand().end();
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, AnotherConnectionCannotTakeAChannel) {
    SshWorld world(loop);
    StreamClient client(world);
    StreamClient other(world, keyed_connection(2));
    StreamClient without(world, keyed_connection(3));
    ALKNET_CO_ASSERT_OK(co_await client.start());
    ALKNET_CO_ASSERT_OK(co_await other.start());
    const StreamToken token = (co_await client.open()).value();
    ALKNET_CO_ASSERT_OK(co_await client.target->write(as_bytes("secret")));
    const auto theirs = co_await other.stream_with(encode_stream_header(token));
    EXPECT_TRUE(co_await is_reset(**theirs));
    // Where there is no session that has them, a stream is the beginning of one.
    const auto stranger = co_await without.stream_with(encode_stream_header(token));
    EXPECT_TRUE((co_await read_some(**stranger)).value().starts_with("SSH-2.0-"));
    const auto right = co_await client.stream_with(encode_stream_header(token));
    EXPECT_EQ((co_await read_some(**right)).value(), "secret");
    for (const StreamClient* const one : {&client, &other, &without}) {
        one->hand().end();
    }
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, ThoseThatDoNotSayForWhatTheyAreAreFewAndDoNotLast) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    std::vector<std::unique_ptr<BiStream>> silent;
    for (std::size_t i = 0; i < kUnboundStreamsMax; ++i) {
        silent.push_back((co_await client.stream_with(Bytes(1, std::byte{1}))).value());
    }
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    const auto further = co_await client.stream_with(Bytes(1, std::byte{1}));
    EXPECT_TRUE(co_await is_reset(**further));
    const TimePoint begun = loop.now();
    for (const auto& stream : silent) {
        EXPECT_TRUE(co_await is_reset(*stream));
    }
    EXPECT_LE(loop.now() - begun, kBindTime);
    const auto stream = co_await client.carry();
    ALKNET_CO_ASSERT_OK(co_await (*stream)->write(as_bytes("up")));
    EXPECT_EQ((co_await read_some(*client.target)).value(), "up");
    client.hand().end();
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, AChannelWhoseStreamDoesNotComeEnds) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    const StreamToken token = (co_await client.open()).value();
    const TimePoint begun = loop.now();
    EXPECT_EQ((co_await client.event()).kind, Kind::closed);
    EXPECT_EQ(loop.now() - begun, kBindTime);
    EXPECT_TRUE(co_await is_reset(*client.target));
    const auto late = co_await client.stream_with(encode_stream_header(token));
    EXPECT_TRUE(co_await is_reset(**late));
    client.hand().end();
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, AClientMayBringNone) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    const StreamToken token = (co_await client.open()).value();
    ALKNET_CO_ASSERT_OK(client.hand().channels.request(client.id, kNoChannelStream, false));
    client.hand().write(client.id, "up");
    ALKNET_CO_ASSERT_OK(co_await client.hand().flush());
    EXPECT_EQ((co_await read_some(*client.target)).value(), "up");
    ALKNET_CO_ASSERT_OK(co_await client.target->write(as_bytes("down")));
    EXPECT_EQ((co_await client.event()).text, "down");
    const auto late = co_await client.stream_with(encode_stream_header(token));
    EXPECT_TRUE(co_await is_reset(**late));
    client.hand().end();
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, DataOfAChannelThatHasAStreamEndsTheConnection) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    const auto stream = co_await client.carry();
    ALKNET_CO_ASSERT_OK(co_await (*stream)->write(as_bytes("up")));
    EXPECT_EQ((co_await read_some(*client.target)).value(), "up");
    // It is too late to say that there is none.
    ALKNET_CO_ASSERT_OK(client.hand().channels.request(client.id, kNoChannelStream, false));
    client.hand().write(client.id, "beside");
    const error why = co_await last_word(client.hand());
    EXPECT_NE(why.detail().find("has a stream"), std::string::npos);
    EXPECT_TRUE(co_await is_reset(**stream));
    EXPECT_TRUE(co_await is_reset(*client.target));
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, FurtherChannelsCarryThemselves) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    std::vector<std::unique_ptr<ByteStream>> targets;
    for (std::size_t i = 0; i < kChannelStreamsMax; ++i) {
        const auto token = co_await client.open();
        EXPECT_TRUE(token && *token);
        targets.push_back(std::move(client.target));
    }
    const auto none = co_await client.open();
    EXPECT_TRUE(none && !*none);
    client.hand().write(client.id, "up");
    ALKNET_CO_ASSERT_OK(co_await client.hand().flush());
    EXPECT_EQ((co_await read_some(*client.target)).value(), "up");
    client.hand().end();
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, AResetGoesOnInBothDirections) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    auto stream = co_await client.carry();
    ALKNET_CO_ASSERT_OK(co_await (*stream)->write(as_bytes("up")));
    EXPECT_EQ((co_await read_some(*client.target)).value(), "up");
    (*stream)->reset(0);
    EXPECT_TRUE(co_await is_reset(*client.target));
    EXPECT_TRUE(co_await is_reset(**stream));
    EXPECT_EQ((co_await client.event()).kind, Kind::closed);
    stream = co_await client.carry();
    ALKNET_CO_ASSERT_OK(co_await client.target->write(as_bytes("down")));
    EXPECT_EQ((co_await read_some(**stream)).value(), "down");
    client.target->reset(0);
    EXPECT_TRUE(co_await is_reset(**stream));
    EXPECT_EQ((co_await client.event()).kind, Kind::closed);
    client.hand().end();
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, WhoeverWantsNoMoreMaySayMore) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    const auto stream = co_await client.carry();
    (*stream)->stop(0);
    ALKNET_CO_ASSERT_OK(co_await client.target->write(as_bytes("unwanted")));
    ALKNET_CO_ASSERT_OK(co_await (*stream)->write(as_bytes("up")));
    EXPECT_EQ((co_await read_some(*client.target)).value(), "up");
    ALKNET_CO_ASSERT_OK(co_await (*stream)->finish());
    EXPECT_EQ((co_await read_some(*client.target)).value(), "");
    EXPECT_EQ((co_await client.event()).kind, Kind::closed);
    client.hand().end();
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, WhatWasSentBeforeAChannelWasClosedArrives) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    const StreamToken token = (co_await client.open()).value();
    ALKNET_CO_ASSERT_OK(client.hand().channels.close(client.id));
    ALKNET_CO_ASSERT_OK(co_await client.hand().flush());
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    const auto stream = co_await client.stream_with(encode_stream_header(token));
    ALKNET_CO_ASSERT_OK(co_await (*stream)->write(as_bytes("late")));
    ALKNET_CO_ASSERT_OK(co_await (*stream)->finish());
    EXPECT_EQ((co_await read_some(*client.target)).value(), "late");
    EXPECT_EQ((co_await read_some(*client.target)).value(), "");
    client.hand().end();
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, EndWithWhatAllowedThem) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    const auto carried = co_await client.carry();
    ALKNET_CO_ASSERT_OK(co_await (*carried)->write(as_bytes("up")));
    EXPECT_EQ((co_await read_some(*client.target)).value(), "up");
    const auto first = std::move(client.target);
    EXPECT_TRUE((co_await client.open()).value());  // its stream has not come
    world.forbidden.push_back("192.0.2.1");
    co_await world.adapter->recheck_identities();
    EXPECT_EQ((co_await client.event()).kind, Kind::closed);
    EXPECT_EQ((co_await client.event()).kind, Kind::closed);
    EXPECT_TRUE(co_await is_reset(**carried));
    EXPECT_TRUE(co_await is_reset(*first));
    EXPECT_TRUE(co_await is_reset(*client.target));
    world.forbidden.clear();
    // And with the session, whoever ends that.
    const auto last = co_await client.carry();
    ALKNET_CO_ASSERT_OK(co_await (*last)->write(as_bytes("up")));
    EXPECT_EQ((co_await read_some(*client.target)).value(), "up");
    world.identities->known.clear();
    const TimePoint begun = loop.now();
    co_await world.adapter->recheck_identities();
    EXPECT_TRUE(co_await is_reset(**last));
    EXPECT_TRUE(co_await is_reset(*client.target));
    EXPECT_EQ(loop.now(), begun);
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, AFurtherSessionOnTheConnectionBeginsAsSshDoes) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    const auto second = co_await client.stream_with(to_bytes(as_bytes("SSH-2.0-second\r\n")));
    EXPECT_TRUE((co_await read_some(**second)).value().starts_with("SSH-2.0-alknet"));
    EXPECT_EQ(world.adapter->sessions(), 2U);
    client.hand().end();
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, AShutdownWaitsForNoneThatSaysNothing) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    const auto silent = co_await client.stream_with(Bytes(1, std::byte{1}));
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    const TimePoint began = loop.now();
    TaskScope stopping(loop);
    stopping.spawn(world.adapter->shutdown(), "stop");
    EXPECT_TRUE(co_await is_reset(**silent));
    EXPECT_FALSE(co_await client.hand().event());
    client.hand().end();
    ALKNET_CO_ASSERT_OK(co_await stopping.join());
    EXPECT_EQ(loop.now(), began);
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, NothingIsSentToWhoeverHasClosedTheChannel) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    const StreamToken token = (co_await client.open()).value();
    ALKNET_CO_ASSERT_OK(client.hand().channels.close(client.id));
    ALKNET_CO_ASSERT_OK(co_await client.hand().flush());
    ALKNET_CO_ASSERT_OK(co_await client.target->write(as_bytes("too late")));
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    const auto stream = co_await client.stream_with(encode_stream_header(token));
    ALKNET_CO_ASSERT_OK(co_await (*stream)->finish());
    EXPECT_TRUE(co_await is_reset(**stream));
    client.hand().end();
    co_await world.end();
}

ALKNET_CO_TEST(ChannelStreams, OneThatIsNotReadHoldsNobodyElseBack) {
    SshWorld world(loop);
    StreamClient client(world);
    ALKNET_CO_ASSERT_OK(co_await client.start());
    const auto stalled = co_await client.carry();
    const auto first = std::move(client.target);
    const auto endless = [](BiStream& stream) -> task<result<void>> {
        co_return co_await stream.write(Bytes(8 << 20));
    };
    const auto written = co_await with_timeout(seconds(5), endless(**stalled));
    EXPECT_TRUE(!written && written.error().is(causes::kTimeout));
    const auto fast = co_await client.carry();
    ALKNET_CO_ASSERT_OK(co_await (*fast)->write(as_bytes("fast")));
    EXPECT_EQ((co_await read_some(*client.target)).value(), "fast");
    client.hand().end();
    co_await world.end();
}

}  // namespace
}  // namespace alknet::ssh
