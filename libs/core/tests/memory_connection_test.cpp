#include <alknet/base/causes.hpp>
#include <alknet/core/memory_connection.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/co_test.hpp>

#include "support.hpp"

namespace alknet {
namespace {

using namespace test;

template <class Change>
MemoryConnectionOptions with(Change change) {
    MemoryConnectionOptions options;
    change(options);
    return options;
}

ALKNET_CO_TEST(MemoryConnection, CarriesManyStreamsBothWays) {
    const auto [client, server] = make_memory_connection_pair(with([](MemoryConnectionOptions& o) {
        o.alpn = "x";
        o.trace_id = "7";
    }));
    EXPECT_EQ(client->info().alpn, "x");
    EXPECT_FALSE(client->info().server_side);
    EXPECT_TRUE(server->info().server_side);
    EXPECT_EQ(client->info().trace_id, server->info().trace_id);
    for (const auto& [from, to] : {std::pair(client, server), std::pair(server, client)}) {
        for (std::size_t i = 0; i < 10; ++i) {
            auto opened = co_await from->open_bi();
            auto accepted = co_await to->accept_bi();
            ALKNET_CO_ASSERT(opened && accepted);
            EXPECT_EQ((*opened)->id(), (*accepted)->id());
            Started echo(loop, exchange(loop, **opened, noise(100'000 + i)));
            EXPECT_EQ((co_await receive_all(**accepted)).value(), noise(100'000 + i));
            EXPECT_TRUE(co_await send_all(**accepted, noise(i)));
            EXPECT_EQ((co_await echo.join()).value(), noise(i));
        }
    }
    EXPECT_EQ(client->stats().streams_open, 0U);
    EXPECT_EQ(client->stats().streams_total, 20U);
    EXPECT_EQ(client->stats().bytes_sent, server->stats().bytes_received);
}

ALKNET_CO_TEST(MemoryConnection, CarriesUnidirectionalStreams) {
    const auto [client, server] = make_memory_connection_pair({});
    auto out = co_await client->open_uni();
    Started sending(loop, send_all(**out, noise(100'000)));
    auto in = co_await server->accept_uni();
    EXPECT_EQ((co_await receive_all(**in)).value(), noise(100'000));
    EXPECT_TRUE(co_await sending.join());

    auto second = co_await server->open_uni();
    auto end = co_await client->accept_uni();
    (*end)->stop(77);
    EXPECT_EQ((co_await (*second)->write(noise(1))).error().code(), 77U);
}

ALKNET_CO_TEST(MemoryConnection, SaysToWhoWaitsThatAStreamWasStopped) {
    const auto [client, server] = make_memory_connection_pair({});
    auto out = co_await client->open_bi();
    auto in = co_await server->accept_bi();
    Started stopped(loop, (*in)->wait_stopped());
    co_await settle(loop);
    EXPECT_FALSE(stopped.done());
    (*out)->stop(9);
    EXPECT_EQ((co_await stopped.join()).error().code(), 9U);

    auto other = co_await client->open_bi();
    Started closed(loop, (*other)->wait_stopped());
    co_await settle(loop);
    server->close(5, "");
    EXPECT_TRUE((co_await closed.join()).error().is(errc::closed));
}

ALKNET_CO_TEST(MemoryConnection, HoldsBackAWriterWhoseReaderIsSlow) {
    const auto [client, server] = make_memory_connection_pair(
        with([](MemoryConnectionOptions& o) { o.stream_buffer_bytes = 1000; }));
    auto out = co_await client->open_bi();
    auto in = co_await server->accept_bi();
    Started writing(loop, send_some(**out, noise(1001)));
    co_await settle(loop);
    EXPECT_FALSE(writing.done());
    Bytes one(1);
    EXPECT_EQ(co_await (*in)->read(one), 1U);
    co_await settle(loop);
    EXPECT_TRUE(writing.done());
}

ALKNET_CO_TEST(MemoryConnection, ResetAndStopCarryTheirCodes) {
    const auto [client, server] = make_memory_connection_pair({});
    auto out = co_await client->open_bi();
    auto in = co_await server->accept_bi();
    (*out)->reset(11);
    Bytes buffer(1);
    EXPECT_EQ((co_await (*in)->read(buffer)).error().code(), 11U);
    (*out)->stop(12);
    EXPECT_EQ((co_await (*in)->write(noise(1))).error().code(), 12U);
    EXPECT_FALSE(client->close_reason().has_value());
}

ALKNET_CO_TEST(MemoryConnection, OpeningWaitsForCredit) {
    const auto [client, server] = make_memory_connection_pair(with([](MemoryConnectionOptions& o) {
        o.streams_bidi_max = 2;
        o.streams_uni_max = 1;
    }));
    auto a = co_await client->open_bi();
    auto b = co_await client->open_bi();
    auto uni = co_await client->open_uni();
    Started third(loop, client->open_bi());
    Started second_uni(loop, client->open_uni());
    co_await settle(loop);
    EXPECT_FALSE(third.done());
    EXPECT_FALSE(second_uni.done());
    // The peer's streams have credit of their own.
    EXPECT_TRUE(co_await server->open_bi());
    auto accepted = co_await server->accept_bi();
    a->reset();
    co_await settle(loop);
    EXPECT_FALSE(third.done());  // the other end still holds it
    accepted->reset();
    EXPECT_TRUE(co_await third.join());
    client->close(0, "");
    EXPECT_TRUE((co_await second_uni.join()).error().is(causes::kClosed));
}

ALKNET_CO_TEST(MemoryConnection, CarriesDatagramsUpToItsLimits) {
    const auto [client, server] = make_memory_connection_pair(with([](MemoryConnectionOptions& o) {
        o.datagram_bytes_max = 100;
        o.datagram_queue_max = 3;
    }));
    EXPECT_EQ(client->datagram_bytes_max(), 100U);
    EXPECT_TRUE(client->send_datagram(noise(101)).error().is(causes::kLimit));
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_TRUE(client->send_datagram(noise(i + 1)));
    }
    EXPECT_TRUE(client->send_datagram(noise(4)).error().is(causes::kLimit));
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ((co_await server->recv_datagram()).value(), noise(i + 1));
    }
    Started waiting(loop, server->recv_datagram());
    co_await settle(loop);
    EXPECT_TRUE(client->send_datagram(noise(5)));
    EXPECT_EQ((co_await waiting.join()).value(), noise(5));

    const auto without = make_memory_connection_pair(
        with([](MemoryConnectionOptions& o) { o.datagram_bytes_max = 0; }));
    EXPECT_TRUE(without.client->send_datagram({}).error().is(causes::kNotSupported));
    EXPECT_TRUE((co_await without.client->recv_datagram()).error().is(causes::kNotSupported));
}

ALKNET_CO_TEST(MemoryConnection, AClosePassesItsCodeAndEndsEveryWait) {
    const auto [client, server] = make_memory_connection_pair(
        with([](MemoryConnectionOptions& o) { o.stream_buffer_bytes = 10; }));
    auto out = co_await client->open_bi();
    auto in = co_await server->accept_bi();
    Bytes buffer(10);
    Started reading(loop, (*in)->read(buffer));
    Started writing(loop, send_some(**in, noise(100)));
    Started bi(loop, server->accept_bi());
    Started uni(loop, server->accept_uni());
    Started datagram(loop, server->recv_datagram());
    Started waiting(loop, server->wait_closed());
    co_await settle(loop);
    client->close(42, "enough");
    server->close(43, "too late");
    for (const error& why :
         {(co_await reading.join()).error(), (co_await writing.join()).error(),
          (co_await bi.join()).error(), (co_await uni.join()).error(),
          (co_await datagram.join()).error(), server->close_reason().value(),
          client->close_reason().value(), (co_await (*out)->write(noise(1))).error(),
          (co_await (*out)->finish()).error(), (co_await client->open_bi()).error(),
          (co_await client->open_uni()).error(), client->send_datagram({}).error()}) {
        EXPECT_TRUE(why.is(causes::kClosed));
        EXPECT_EQ(why.code(), 42U);
        EXPECT_EQ(why.detail(), "enough");
    }
    EXPECT_TRUE(co_await waiting.join());
    EXPECT_TRUE(client->closed().requested());
    EXPECT_TRUE(server->closed().requested());
}

ALKNET_CO_TEST(MemoryConnection, AnEndThatIsDestroyedCloses) {
    auto [client, server] = make_memory_connection_pair({});
    // Streams that nobody takes do not keep the pair alive.
    EXPECT_TRUE(co_await client->open_bi());
    EXPECT_TRUE(co_await client->open_uni());
    client.reset();
    EXPECT_TRUE(server->close_reason().has_value());
    EXPECT_EQ(server->close_reason()->code(), 0U);
}

ALKNET_CO_TEST(MemoryConnection, TellsEachEndWhoTheOtherIs) {
    MemoryConnectionOptions options;
    options.client.kind = PeerIdentity::Kind::raw_key;
    options.client_address = SocketAddress::v4({192, 0, 2, 1}, 1);
    options.server_address = SocketAddress::v4({192, 0, 2, 2}, 2);
    options.transport = Transport::local;
    const auto [client, server] = make_memory_connection_pair(options);
    EXPECT_EQ(server->info().peer.kind, PeerIdentity::Kind::raw_key);
    EXPECT_EQ(client->info().peer.kind, PeerIdentity::Kind::none);
    EXPECT_EQ(server->remote(), options.client_address);
    EXPECT_EQ(client->remote(), options.server_address);
    EXPECT_EQ(client->info().transport, Transport::local);
    Bytes out(1);
    EXPECT_FALSE(client->export_keying_material("x", {}, out));
    options.exporter = [](std::string_view label, BytesView context, MutableBytes into) {
        into[0] = static_cast<std::byte>(label.size() + context.size());
        return result<void>();
    };
    const auto keyed = make_memory_connection_pair(options);
    EXPECT_TRUE(keyed.server->export_keying_material("label", Bytes(2), out));
    EXPECT_EQ(out[0], std::byte{7});
    co_return;
}

}  // namespace
}  // namespace alknet
