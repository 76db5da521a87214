#include <alknet/ssh/channels.hpp>
#include <limits>

#include "transport_pair.hpp"

namespace alknet::ssh {
namespace {

using Kind = ChannelEvent::Kind;

// Two ends with channels. Events keep no views: what they said is copied.
struct Seen {
    Kind kind = Kind::none;
    ChannelId channel = 0;
    std::string type;
    Bytes body;
    bool wants_reply = false;
    std::uint32_t code = 0;
};

struct ChannelPair {
    ChannelPair() {
        transports.run();
        transports.client.transport.set_authenticated();
        transports.server.transport.set_authenticated();
    }

    /// Everything that is on its way, and what becomes of it.
    void run() {
        for (int i = 0; i < 2; ++i) {  // the second time for the answers
            transports.run();
            take(transports.client, client, at_client);
            take(transports.server, server, at_server);
        }
    }
    void take(End& end, Channels& channels, std::vector<Seen>& seen) {
        for (const Bytes& message : std::exchange(end.messages, {})) {
            const auto event = channels.take(message);
            if (!event) {
                failure = event.error();
                continue;
            }
            if (event->kind != Kind::none) {
                seen.push_back({.kind = event->kind,
                                .channel = event->channel,
                                .type = std::string(event->type),
                                .body = to_bytes(event->body),
                                .wants_reply = event->wants_reply,
                                .code = event->code});
            }
        }
    }
    /// A channel that both have; the ids at either end.
    std::pair<ChannelId, ChannelId> open() {
        const ChannelId here = client.open("test", {}).value();
        run();
        const ChannelId there = at_server.back().channel;
        EXPECT_TRUE(server.accept(there));
        run();
        EXPECT_EQ(at_client.back().kind, Kind::opened);
        return {here, there};
    }
    static void write(Channels& from, ChannelId id, std::string_view text) {
        const MutableBytes room = from.begin(id, text.size());
        std::ranges::copy(as_bytes(text), room.begin());
        from.commit(id, text.size());
    }
    /// A message that the client's side would not send by itself.
    void by_hand(const WireWriter& message) {
        EXPECT_TRUE(transports.client.transport.send(message.view()));
        run();
    }
    [[nodiscard]] bool refused_as_protocol() const {
        return failure && failure->is(causes::kProtocol);
    }

    TransportPair transports;
    Channels client{transports.client.transport};
    Channels server{transports.server.transport};
    std::vector<Seen> at_client;
    std::vector<Seen> at_server;
    std::optional<error> failure;
};

TEST(SshChannels, OpenCarryAndClose) {
    ChannelPair pair;
    const TcpRoute route{.host = "db.example", .port = 5432, .from_host = "::1", .from_port = 9};
    const ChannelId here = pair.client.open("direct-tcpip", route.encode()).value();
    EXPECT_EQ(pair.client.sendable(here), 0U);
    pair.run();
    ASSERT_EQ(pair.at_server.size(), 1U);
    EXPECT_EQ(pair.at_server[0].kind, Kind::open);
    EXPECT_EQ(pair.at_server[0].type, "direct-tcpip");
    EXPECT_EQ(TcpRoute::parse(pair.at_server[0].body).value(), route);
    const ChannelId there = pair.at_server[0].channel;
    ASSERT_TRUE(pair.server.accept(there));
    pair.run();
    EXPECT_EQ(pair.client.sendable(here), kDataBytesMax);
    ChannelPair::write(pair.client, here, "up");
    ChannelPair::write(pair.server, there, "down");
    (void)pair.server.begin(there, 5);
    pair.server.commit(there, 0);
    pair.run();
    EXPECT_EQ(as_text(pair.at_server.back().body), "up");
    EXPECT_EQ(as_text(pair.at_client.back().body), "down");
    ASSERT_TRUE(pair.client.finish(here));
    ASSERT_TRUE(pair.client.finish(here));
    EXPECT_EQ(pair.client.sendable(here), 0U);
    pair.run();
    EXPECT_EQ(pair.at_server.back().kind, Kind::eof);
    ChannelPair::write(pair.server, there, "half-closed");
    ASSERT_TRUE(pair.server.close(there));
    pair.run();
    EXPECT_EQ(pair.at_client.back().kind, Kind::closed);
    EXPECT_EQ(pair.server.size(), 1U);
    ASSERT_TRUE(pair.client.close(here));
    pair.run();
    EXPECT_EQ(pair.server.size(), 0U);
    EXPECT_EQ(pair.client.size(), 0U);
    EXPECT_FALSE(pair.failure);
    EXPECT_EQ(pair.open().first, here) << "a number is used again once both have closed";
}

TEST(SshChannels, ARefusalSaysWhy) {
    ChannelPair pair;
    const ChannelId here = pair.client.open("session", {}).value();
    pair.run();
    ASSERT_TRUE(pair.server.refuse(pair.at_server.back().channel, OpenFailure::prohibited, "no"));
    pair.run();
    EXPECT_EQ(pair.at_client.back().kind, Kind::refused);
    EXPECT_EQ(pair.at_client.back().channel, here);
    EXPECT_EQ(pair.at_client.back().type, "no");
    EXPECT_EQ(pair.at_client.back().code, 1U);
    EXPECT_EQ(pair.client.size() + pair.server.size(), 0U);
}

TEST(SshChannels, AWindowIsGivenBackOnceDataIsDoneWith) {
    ChannelPair pair;
    const auto [here, there] = pair.open();
    const std::string piece(kDataBytesMax, 'x');
    std::size_t sent = 0;
    while (pair.client.sendable(here) > 0) {
        ChannelPair::write(pair.client, here, piece);
        sent += piece.size();
    }
    EXPECT_EQ(sent, kWindowBytes);
    pair.run();
    ASSERT_TRUE(pair.server.consumed(there, kWindowBytes / 4 - 1));
    pair.run();
    EXPECT_EQ(pair.client.sendable(here), 0U);
    ASSERT_TRUE(pair.server.consumed(there, 1));
    pair.run();
    EXPECT_EQ(pair.at_client.back().kind, Kind::window);
    EXPECT_EQ(pair.client.sendable(here), kDataBytesMax);
}

TEST(SshChannels, CarriesSeveralStreamsInOneWindow) {
    ChannelPair pair;
    const auto [here, there] = pair.open();
    std::ranges::copy(as_bytes("oops"), pair.server.begin(there, 4, kErrorData).begin());
    pair.server.commit(there, 4);
    ASSERT_TRUE(pair.server.request(there, "exit-status", false, as_bytes("1234")));
    pair.run();
    ASSERT_EQ(pair.at_client.size(), 3U);
    EXPECT_EQ(as_text(pair.at_client[1].body), "oops");
    EXPECT_EQ(pair.at_client[1].code, kErrorData);
    EXPECT_EQ(pair.at_client[2].type, "exit-status");
    EXPECT_EQ(as_text(pair.at_client[2].body), "1234");
    EXPECT_FALSE(pair.at_client[2].wants_reply);
    std::size_t sent = 4;
    for (std::uint32_t stream = 0; sent < kWindowBytes; stream = 1 - stream) {
        const std::size_t size = pair.server.sendable(there);
        (void)pair.server.begin(there, size, stream);
        pair.server.commit(there, size);
        sent += size;
    }
    EXPECT_EQ(pair.server.sendable(there), 0U);
    pair.run();
    EXPECT_FALSE(pair.failure);
    ASSERT_TRUE(pair.client.consumed(here, kWindowBytes));
    pair.run();
    EXPECT_EQ(pair.at_server.back().kind, Kind::window);
}

WireWriter about(Message number, ChannelId channel) {
    WireWriter out = begin_message(number);
    out.number(channel);
    return out;
}

TEST(SshChannels, BreachesEndTheConnection) {
    const auto breach = [](const std::function<void(ChannelPair&, ChannelId)>& act) {
        ChannelPair pair;
        act(pair, pair.open().second);
        return pair.refused_as_protocol();
    };
    const auto data = [](ChannelId channel, std::size_t size) {
        WireWriter out = about(Message::channel_data, channel);
        put_string(out, Bytes(size));
        return out;
    };
    EXPECT_TRUE(breach(
        [&](ChannelPair& pair, ChannelId id) { pair.by_hand(data(id, kChannelPacketBytes + 1)); }));
    EXPECT_TRUE(breach([&](ChannelPair& pair, ChannelId id) {
        for (std::uint32_t sent = 0; sent <= kWindowBytes; sent += 32 << 10) {
            pair.by_hand(data(id, 32 << 10));
        }
    }));
    EXPECT_TRUE(breach([](ChannelPair& pair, ChannelId id) {
        WireWriter more = about(Message::channel_window_adjust, id);
        more.number(std::numeric_limits<std::uint32_t>::max());
        pair.by_hand(more);
    }));
    EXPECT_TRUE(breach([&](ChannelPair& pair, ChannelId id) { pair.by_hand(data(id + 1, 1)); }));
    EXPECT_TRUE(breach([&](ChannelPair& pair, ChannelId id) {
        pair.by_hand(about(Message::channel_eof, id));
        EXPECT_FALSE(pair.failure);
        pair.by_hand(data(id, 1));
    }));
    EXPECT_TRUE(breach([](ChannelPair& pair, ChannelId id) {
        pair.by_hand(about(Message::channel_eof, id));
        pair.by_hand(about(Message::channel_eof, id));
    }));
    EXPECT_TRUE(breach([](ChannelPair& pair, ChannelId id) {
        pair.by_hand(about(Message::channel_close, id));
        EXPECT_FALSE(pair.failure);
        pair.by_hand(about(Message::channel_close, id));
    }));
    for (const Message number : {Message::channel_open_confirmation, Message::channel_open_failure,
                                 Message::request_success, Message::request_failure,
                                 Message::channel_success, Message::channel_failure}) {
        EXPECT_TRUE(breach([number](ChannelPair& pair, ChannelId id) {
            pair.by_hand(about(number, id));
        })) << static_cast<int>(number);
    }
    for (const Message number :
         {Message::channel_open, Message::channel_window_adjust, Message::channel_data,
          Message::channel_extended_data, Message::channel_eof, Message::channel_close,
          Message::channel_request, Message::global_request}) {
        EXPECT_TRUE(breach([number](ChannelPair& pair, ChannelId) {
            pair.by_hand(begin_message(number));
        })) << static_cast<int>(number);
    }
}

TEST(SshChannels, NothingMayBeSaidBeforeAChannelIsAccepted) {
    ChannelPair pair;
    ASSERT_TRUE(pair.client.open("test", {}));
    pair.run();
    WireWriter out = about(Message::channel_data, pair.at_server.back().channel);
    put_string(out, Bytes(1));
    pair.by_hand(out);
    EXPECT_TRUE(pair.refused_as_protocol());
}

TEST(SshChannels, TheirNumberIsLimited) {
    ChannelPair pair;
    for (std::size_t i = 0; i < kChannelsMax; ++i) {
        ASSERT_TRUE(pair.client.open("test", {}));
    }
    EXPECT_TRUE(pair.client.open("test", {}).error().is(causes::kLimit));
    pair.run();
    WireWriter out = begin_message(Message::channel_open);
    put_text(out, "test");
    out.number<std::uint32_t>(0);
    out.number<std::uint32_t>(0);
    out.number<std::uint32_t>(1);
    pair.at_client.clear();
    pair.by_hand(out);
    EXPECT_EQ(pair.server.size(), kChannelsMax);
    ASSERT_EQ(pair.at_client.size(), 1U);
    EXPECT_EQ(pair.at_client[0].code, static_cast<std::uint32_t>(OpenFailure::shortage));
}

TEST(SshChannels, RequestsAndWhatIsNotKnown) {
    ChannelPair pair;
    const auto [here, there] = pair.open();
    WireWriter request = about(Message::channel_request, there);
    put_text(request, "exec");
    put_bool(request, true);
    put_text(request, "ls");
    ASSERT_TRUE(pair.transports.client.transport.send(request.view()));
    pair.run();
    EXPECT_EQ(pair.at_server.back().kind, Kind::request);
    EXPECT_EQ(pair.at_server.back().type, "exec");
    EXPECT_EQ(pair.at_server.back().body.size(), 6U);
    ASSERT_TRUE(pair.server.tell("hello@example", as_bytes("x")));
    pair.run();
    EXPECT_EQ(pair.at_client.back().kind, Kind::global);
    EXPECT_EQ(pair.at_client.back().type, "hello@example");
    EXPECT_FALSE(pair.at_client.back().wants_reply);
    pair.by_hand(begin_message(static_cast<Message>(200)));
    EXPECT_FALSE(pair.failure);
    // Answers that nobody waits for are told apart from none.
    ASSERT_TRUE(pair.server.answer(there, false));
    pair.run();
    EXPECT_TRUE(pair.refused_as_protocol());
    pair.failure.reset();
    ASSERT_TRUE(pair.server.answer_global(true, as_bytes("1234")));
    pair.run();
    EXPECT_TRUE(pair.refused_as_protocol());
    pair.failure.reset();
    // One answer to each that was asked for.
    ASSERT_TRUE(pair.client.ask("hello@example"));
    pair.run();
    EXPECT_TRUE(pair.at_server.back().wants_reply);
    EXPECT_TRUE(pair.client.waits_for_answer());
    ASSERT_TRUE(pair.server.answer_global(false));
    pair.run();
    EXPECT_FALSE(pair.failure);
    EXPECT_FALSE(pair.client.waits_for_answer());
    ASSERT_TRUE(pair.server.answer_global(false));
    pair.run();
    EXPECT_TRUE(pair.refused_as_protocol());
    (void)here;
}

TEST(SshChannels, DataForAChannelThatWeHaveClosedIsDropped) {
    ChannelPair pair;
    const auto [here, there] = pair.open();
    ASSERT_TRUE(pair.server.close(there));
    ASSERT_TRUE(pair.server.close(there));
    ChannelPair::write(pair.client, here, "on its way");
    ASSERT_TRUE(pair.client.finish(here));
    const std::size_t before = pair.at_server.size();
    pair.run();
    EXPECT_EQ(pair.at_server.size(), before);
    EXPECT_FALSE(pair.failure);
}

TEST(SshChannels, RoutesThatAreNone) {
    const TcpRoute route{.host = "h", .port = 1, .from_host = "f", .from_port = 2};
    const Bytes body = route.encode();
    for (std::size_t size = 0; size < body.size(); ++size) {
        EXPECT_FALSE(TcpRoute::parse(BytesView(body).first(size)));
    }
    WireWriter port;
    put_text(port, "h");
    port.number<std::uint32_t>(65536);
    put_text(port, "f");
    port.number<std::uint32_t>(0);
    EXPECT_FALSE(TcpRoute::parse(port.view()));
    EXPECT_FALSE(TcpRoute::parse(
        TcpRoute{.host = std::string(kHostBytesMax + 1, 'h'), .from_host = {}}.encode()));
}

TEST(SshChannels, RequestsAreAnsweredInTheirOrder) {
    ChannelPair pair;
    const auto [here, there] = pair.open();
    ASSERT_TRUE(pair.client.request(here, "pty-req", true, {}));
    ASSERT_TRUE(pair.client.request(here, "env", false, {}));
    ASSERT_TRUE(pair.client.request(here, "exec", true, Bytes(3)));
    pair.run();
    EXPECT_EQ(pair.at_server.back().type, "exec");
    EXPECT_EQ(pair.at_server.back().body, Bytes(3));
    ASSERT_TRUE(pair.server.answer(there, false));
    ASSERT_TRUE(pair.server.answer(there, true));
    pair.run();
    const Seen& first = pair.at_client[pair.at_client.size() - 2];
    const Seen& second = pair.at_client.back();
    EXPECT_EQ(first.kind, Kind::answered);
    EXPECT_EQ(first.code, 0U);
    EXPECT_EQ(second.kind, Kind::answered);
    EXPECT_EQ(second.code, 1U);
    ASSERT_TRUE(pair.server.answer(there, true));  // to nothing that was asked
    pair.run();
    EXPECT_TRUE(pair.refused_as_protocol());
}

TEST(SshChannels, GlobalAnswersGoToThoseWhoAskedForThem) {
    ChannelPair pair;
    ASSERT_TRUE(pair.client.ask("keepalive@openssh.com"));
    ASSERT_TRUE(pair.client.ask_for("tcpip-forward", Bytes(2)));
    pair.run();
    EXPECT_EQ(pair.at_server.size(), 2U);
    ASSERT_TRUE(pair.server.answer_global(false));
    ASSERT_TRUE(pair.server.answer_global(true, Bytes(4)));
    pair.run();
    ASSERT_EQ(pair.at_client.size(), 1U);
    EXPECT_EQ(pair.at_client.back().kind, Kind::global_answered);
    EXPECT_EQ(pair.at_client.back().code, 1U);
    EXPECT_EQ(pair.at_client.back().body, Bytes(4));
    EXPECT_FALSE(pair.client.waits_for_answer());
}

TEST(SshChannels, QuestionsHaveALimit) {
    ChannelPair pair;
    const ChannelId here = pair.open().first;
    for (std::size_t i = 0; i < kQuestionsMax; ++i) {
        ASSERT_TRUE(pair.client.request(here, "x", true, {}));
        ASSERT_TRUE(pair.client.ask_for("x", {}));
    }
    const auto request = pair.client.request(here, "x", true, {});
    EXPECT_TRUE(!request && request.error().is(causes::kLimit));
    const auto global = pair.client.ask_for("x", {});
    EXPECT_TRUE(!global && global.error().is(causes::kLimit));
    EXPECT_TRUE(pair.client.request(here, "x", false, {}));
}

TEST(SshChannels, ASecondStreamIsToldApartFromTheFirst) {
    ChannelPair pair;
    const ChannelId there = pair.open().second;
    WireWriter out = begin_message(Message::channel_extended_data);
    out.number(there);
    out.number<std::uint32_t>(1);
    put_text(out, "error");
    pair.by_hand(out);
    EXPECT_EQ(pair.at_server.back().kind, Kind::data);
    EXPECT_EQ(pair.at_server.back().code, kErrorData);
    EXPECT_EQ(as_text(pair.at_server.back().body), "error");
}

}  // namespace
}  // namespace alknet::ssh
