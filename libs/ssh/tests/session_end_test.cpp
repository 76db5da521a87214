// How sessions end whose clients have hung up, or do not read.
#include "session_world.hpp"

namespace alknet::ssh {
namespace {

using std::chrono::seconds;

/// Writes until nobody takes it any more.
task<void> pour_into(ByteStream& target) {
    const Bytes piece(16 << 10);
    while (co_await target.write(piece)) {
    }
}

/// What still comes on the stream, as far as `most`, without an answer to any of it.
task<std::size_t> drain(TestClient& client, std::size_t most) {
    Bytes buffer(16 << 10);
    std::size_t taken = 0;
    while (taken < most) {
        const auto got = co_await client.stream->read(buffer);
        if (!got || *got == 0) {
            break;
        }
        taken += *got;
    }
    co_return taken;
}

/// Opens a channel whose window does not run out, and which the target fills.
task<result<void>> start_download(SshWorld& world, TestClient& client) {
    ALKNET_CO_CHECK(co_await client.start());
    ALKNET_CO_CHECK(client.open("db", 1));
    ALKNET_CO_CHECK(co_await client.event());
    WireWriter window = begin_message(Message::channel_window_adjust);
    window.number<std::uint32_t>(0);  // the channel's number there
    window.number<std::uint32_t>(1U << 31);
    ALKNET_CO_CHECK(client.transport.send(window.view()));
    world.serving.spawn(pour_into(*world.network->targets.at(0)), "target");
    for (int i = 0; i < 20; ++i) {
        ALKNET_CO_CHECK(co_await client.event());
    }
    co_return result<void>();
}

ALKNET_CO_TEST(SshSession, ADownloadEndsWhenTheClientHangsUpAndReadsOn) {
    for (const bool says_so : {false, true}) {
        SshWorld world(loop);
        const auto client = world.client();
        ALKNET_CO_ASSERT_OK(co_await start_download(world, *client));
        if (says_so) {
            client->transport.disconnect(Disconnect::by_application, "enough");
            ALKNET_CO_ASSERT_OK(co_await client->flush());
        } else {
            ALKNET_CO_ASSERT_OK(co_await client->stream->finish());
        }
        const std::size_t most = 16 * kOutBytesMax;
        EXPECT_LT(co_await drain(*client, most), most) << says_so;
        client->end();
        co_await world.end();
    }
}

ALKNET_CO_TEST(SshSession, AClientThatHangsUpAndReadsSlowlyHasOneFarewell) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await start_download(world, *client));
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));  // everything has filled up
    ALKNET_CO_ASSERT_OK(co_await client->stream->finish());
    const TimePoint began = loop.now();
    Bytes buffer(4 << 10);
    while (world.adapter->sessions() > 0 && loop.now() - began < seconds(60)) {
        ALKNET_CO_ASSERT_OK(co_await loop.sleep(std::chrono::milliseconds(1500)));
        (void)co_await client->stream->read(buffer);
    }
    EXPECT_LE(loop.now() - began, seconds(3));
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, AShutdownEndsAFarewell) {
    SshWorld world(loop);
    const auto client = world.client();
    ALKNET_CO_ASSERT_OK(co_await start_download(world, *client));
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    ALKNET_CO_ASSERT_OK(co_await client->stream->finish());
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));  // it is under way
    EXPECT_EQ(world.adapter->sessions(), 1U);
    const TimePoint began = loop.now();
    co_await world.adapter->shutdown();
    EXPECT_EQ(loop.now(), began);
    client->end();
    co_await world.end();
}

ALKNET_CO_TEST(SshSession, AStrangerWhoDoesNotReadIsResetInTime) {
    SshWorld world(loop);
    const auto client = world.client();
    const TimePoint began = loop.now();
    ALKNET_CO_ASSERT_OK(co_await client->connect());
    ALKNET_CO_ASSERT_OK(co_await client->ask_for_service());
    WireWriter ping = begin_message(Message::ping);
    put_string(ping, Bytes(16 << 10));
    for (int i = 0; i < 16; ++i) {  // more than the stream takes back at once
        ALKNET_CO_ASSERT_OK(client->transport.send(ping.view()));
    }
    ALKNET_CO_ASSERT_OK(co_await client->flush());
    while (world.adapter->sessions() > 0) {
        ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    }
    EXPECT_LE(loop.now() - began, kLoginTime + seconds(3));
    Bytes buffer(16 << 10);
    result<std::size_t> got = 1;
    while (got && *got > 0) {
        got = co_await client->stream->read(buffer);
    }
    EXPECT_FALSE(got) << "an end, as if all had been said";
    client->end();
    co_await world.end();
}

}  // namespace
}  // namespace alknet::ssh
