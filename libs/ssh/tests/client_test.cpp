#include "client_world.hpp"

namespace alknet::ssh {
namespace {

using Kind = ChannelEvent::Kind;
using std::chrono::seconds;

task<result<std::string>> read_all_of(BiStream& stream) {
    std::string all;
    Bytes buffer(64 << 10);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await stream.read(buffer));
        if (size == 0) {
            co_return all;
        }
        all += as_text(BytesView(buffer).first(size));
    }
}

task<result<std::string>> read_errors_of(SshChannel& channel) {
    std::string all;
    Bytes buffer(16);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await channel.read_errors(buffer));
        if (size == 0) {
            co_return all;
        }
        all += as_text(BytesView(buffer).first(size));
    }
}

/// A connection to the node's own server, which lasts as long as the test.
struct Dialled {
    std::shared_ptr<Connection> connection;
    std::unique_ptr<BiStream> stream{};
};

TcpRoute route_to(std::string host, std::uint16_t port) {
    return {.host = std::move(host), .port = port, .from_host = "::1"};
}

task<Dialled> dial(SshWorld& world, std::shared_ptr<const NodeKey> key) {
    MemoryConnectionOptions options;
    options.alpn = kSshAlpn;
    auto pair = make_memory_connection_pair(std::move(options));
    AuthContext auth;
    auth.alpn = kSshAlpn;
    world.serving.spawn(SshWorld::serve(*world.adapter, pair.server, std::move(auth)), "serve");
    world.identities->known[key->id().fingerprint()] = {
        .id = "bob", .scopes = {"ssh:connect"}, .resources = {}};
    Dialled dialled{.connection = pair.client};
    dialled.stream = (co_await pair.client->open_bi()).value();
    co_return dialled;
}

/// Whether an agent would believe that this is a connection to that host.
bool is_bound_to(const SshClient& client, const NodeId& host) {
    const Bytes binding = client.agent_binding();
    WireReader in(BytesView(binding).subspan(5));
    EXPECT_EQ(take_text(in), "session-bind@openssh.com");
    const auto named = read_host_key(take_string(in));
    const BytesView session_id = take_string(in);
    const BytesView signature = take_string(in);
    EXPECT_TRUE(take_bool(in));
    return in.complete() && named && *named == host &&
           host_signature_holds(host, session_id, signature);
}

ALKNET_CO_TEST(SshClient, OpensConnectionsThroughANode) {
    SshWorld world(loop);
    const auto key = NodeKey::generate();
    auto dialled = co_await dial(world, key);
    auto client = co_await SshClient::connect(loop, std::move(dialled.stream),
                                              options_for(world.host_key->id(), key));
    ALKNET_CO_ASSERT_OK(client);
    EXPECT_EQ((*client)->host_key(), world.host_key->id());
    EXPECT_TRUE(is_bound_to(**client, world.host_key->id()));
    EXPECT_EQ((*client)->server(), "SSH-2.0-alknet_2026.11");
    auto channel = co_await (*client)->open_tcp(route_to("db", 5432));
    ALKNET_CO_ASSERT_OK(channel);
    const auto target = std::move(world.network->targets.at(0));
    ALKNET_CO_ASSERT_OK(co_await (*channel)->write(as_bytes("up")));
    ALKNET_CO_ASSERT_OK(co_await (*channel)->finish());
    EXPECT_EQ((co_await read_all_of(*target)).value(), "up");
    // One direction has ended, the other goes on.
    ALKNET_CO_ASSERT_OK(co_await target->write(as_bytes("down")));
    ALKNET_CO_ASSERT_OK(co_await target->finish());
    EXPECT_EQ((co_await read_all_of(**channel)).value(), "down");
    ALKNET_CO_ASSERT_OK(co_await (*channel)->wait_closed());
    const auto refused = co_await (*client)->open_tcp(route_to("nowhere", 1));
    EXPECT_TRUE(!refused && refused.error().is(causes::kUnreachable));
    world.forbidden.push_back("192.0.2.1");
    const auto forbidden = co_await (*client)->open_tcp(route_to("db", 1));
    EXPECT_TRUE(!forbidden && forbidden.error().is(causes::kForbidden));
    EXPECT_NE(forbidden.error().detail().find("no rule"), std::string::npos);
    const auto session = co_await (*client)->open_session();
    EXPECT_FALSE(session);
    co_await (*client)->close();
    dialled.connection->close(0, {});
    co_await world.end();
}

ALKNET_CO_TEST(SshClient, JoinsAChannelAndAStreamWhileKeysChange) {
    constexpr std::size_t kSize = 8 << 20;
    SshWorld world(loop);
    const auto key = NodeKey::generate();
    auto dialled = co_await dial(world, key);
    SshClientOptions options = options_for(world.host_key->id(), key);
    options.rekey_bytes = 1 << 20;
    auto client = co_await SshClient::connect(loop, std::move(dialled.stream), std::move(options));
    ALKNET_CO_ASSERT_OK(client);
    auto channel = co_await (*client)->open_tcp(route_to("db", 1));
    ALKNET_CO_ASSERT_OK(channel);
    const auto target = std::move(world.network->targets.at(0));
    auto [near, far] = net::make_memory_streams();
    TaskScope work(loop);
    const auto join = [](SshChannel& of, ByteStream& stream) -> task<result<void>> {
        co_return co_await of.join(stream);
    };
    const auto write = [](BiStream& to) -> task<result<void>> {
        const Bytes data(kSize, std::byte{'x'});
        ALKNET_CO_CHECK(co_await to.write(data));
        co_return co_await to.finish();
    };
    const auto read = [](BiStream& from) -> task<result<void>> {
        ALKNET_CO_TRY(const std::string all, co_await read_all_of(from));
        EXPECT_EQ(all, std::string(kSize, 'x'));
        co_return result<void>();
    };
    work.spawn(join(**channel, *near), "join");
    work.spawn(write(*far), "write");
    work.spawn(write(*target), "write");
    work.spawn(read(*far), "read");
    work.spawn(read(*target), "read");
    ALKNET_CO_ASSERT_OK(co_await work.join());
    EXPECT_GT((*client)->key_exchanges(), 8U);
    EXPECT_TRUE(is_bound_to(**client, world.host_key->id())) << "by the first exchange";
    co_await (*client)->close();
    dialled.connection->close(0, {});
    co_await world.end();
}

ALKNET_CO_TEST(SshClient, AnotherHostHearsNothing) {
    HandWorld world(loop);
    auto options = options_for(NodeKey::generate()->id(), world.key);
    const auto client =
        co_await SshClient::connect(loop, std::move(world.stream), std::move(options));
    EXPECT_TRUE(!client && client.error().is(causes::kPeerKeyMismatch));
    (void)co_await world.serving.join();
    EXPECT_FALSE(world.server->auth);
    EXPECT_TRUE(world.server->failure->is(causes::kClosed));  // with a word
}

ALKNET_CO_TEST(SshClient, AHostThatNobodyVouchesForIsNone) {
    HandWorld world(loop);
    const auto client =
        co_await SshClient::connect(loop, std::move(world.stream), SshClientOptions());
    EXPECT_TRUE(!client && client.error().is(causes::kPeerUnverified));
    (void)co_await world.serving.join();
}

ALKNET_CO_TEST(SshClient, TriesOneKeyAfterTheOther) {
    HandWorld world(loop);
    const auto other = NodeKey::generate();
    SshClientOptions options = world.options();
    options.keys.insert(options.keys.begin(), make_signer(other));
    auto client = co_await SshClient::connect(loop, std::move(world.stream), std::move(options));
    ALKNET_CO_ASSERT_OK(client);
    EXPECT_EQ(world.server->asked,
              (std::vector{other->id().fingerprint(), world.key->id().fingerprint()}));
    EXPECT_EQ(world.server->auth->user(), "alknet");
    co_await world.end(**client);
}

ALKNET_CO_TEST(SshClient, WithoutAKeyThatIsKnownNobodyIsIn) {
    HandWorld world(loop);
    world.server->known.clear();
    const auto client = co_await world.connect();
    EXPECT_TRUE(!client && client.error().is(causes::kLoginFailed));
    (void)co_await world.serving.join();
}

ALKNET_CO_TEST(SshClient, AServerThatSaysNothingIsGivenUp) {
    auto [near, far] = net::make_memory_streams();
    const TimePoint begun = loop.now();
    const auto client = co_await SshClient::connect(loop, std::move(near), SshClientOptions());
    EXPECT_TRUE(!client && client.error().is(causes::kTimeout));
    EXPECT_GE(loop.now() - begun, kLoginTime);
}

// Answers a session's requests, writes on both streams and ends.
void serve_command(HandServer& server, const ChannelEvent& event) {
    if (event.kind == Kind::open) {
        EXPECT_EQ(event.type, "session");
        EXPECT_TRUE(server.channels.accept(event.channel));
        return;
    }
    if (event.kind != Kind::request) {
        return;
    }
    EXPECT_TRUE(server.channels.answer(event.channel, event.type == "exec"));
    if (event.type != "exec") {
        return;
    }
    server.write(event.channel, "to be seen");
    server.write_error(0, "to be read");
    WireWriter status;
    status.number<std::uint32_t>(7);
    EXPECT_TRUE(server.channels.request(event.channel, "exit-status", false, status.view()));
    EXPECT_TRUE(server.channels.finish(event.channel));
    EXPECT_TRUE(server.channels.close(event.channel));
}

ALKNET_CO_TEST(SshClient, RunsACommand) {
    HandWorld world(loop);
    world.server->on_event = [&](const ChannelEvent& event) {
        serve_command(*world.server, event);
    };
    auto client = co_await world.connect();
    ALKNET_CO_ASSERT_OK(client);
    auto channel = co_await (*client)->open_session();
    ALKNET_CO_ASSERT_OK(channel);
    const auto denied = co_await (*channel)->request("pty-req", {});
    EXPECT_TRUE(!denied && denied.error().is(causes::kForbidden));
    WireWriter command;
    put_text(command, "true");
    ALKNET_CO_ASSERT_OK(co_await (*channel)->request("exec", command.take()));
    EXPECT_EQ((co_await read_all_of(**channel)).value(), "to be seen");
    EXPECT_EQ((co_await read_errors_of(**channel)).value(), "to be read");
    ALKNET_CO_ASSERT_OK(co_await (*channel)->wait_closed());
    EXPECT_EQ((*channel)->exit(), SshExit{.status = 7});
    const auto late = (*channel)->try_write(as_bytes("late"));
    EXPECT_TRUE(!late && late.error().is(causes::kReset));
    co_await world.end(**client);
}

ALKNET_CO_TEST(SshClient, TellsOfASignalThatEndedACommand) {
    HandWorld world(loop);
    world.server->on_event = [&](const ChannelEvent& event) {
        if (event.kind == Kind::open) {
            EXPECT_TRUE(world.server->channels.accept(event.channel));
            WireWriter body;
            put_text(body, "TERM");
            put_bool(body, false);
            put_text(body, "");
            put_text(body, "");
            EXPECT_TRUE(
                world.server->channels.request(event.channel, "exit-signal", false, body.view()));
            EXPECT_TRUE(world.server->channels.close(event.channel));
        }
    };
    auto client = co_await world.connect();
    ALKNET_CO_ASSERT_OK(client);
    auto channel = co_await (*client)->open_session();
    ALKNET_CO_ASSERT_OK(channel);
    ALKNET_CO_ASSERT_OK(co_await (*channel)->wait_closed());
    EXPECT_EQ((*channel)->exit()->signal, "TERM");
    EXPECT_NE((*channel)->exit()->status, 0U);
    co_await world.end(**client);
}

ALKNET_CO_TEST(SshClient, TakesWhatArrivesWhereItListensAndNothingElse) {
    HandWorld world(loop);
    Channels& channels = world.server->channels;
    std::vector<Kind> answers;
    world.server->on_event = [&](const ChannelEvent& event) {
        if (event.kind == Kind::global && event.wants_reply) {
            EXPECT_EQ(event.type, "tcpip-forward");
            WireWriter port;
            port.number<std::uint32_t>(4000);
            EXPECT_TRUE(channels.answer_global(true, port.view()));
            for (const std::uint16_t to : {std::uint16_t{4000}, std::uint16_t{4001}}) {
                const TcpRoute route{.host = "localhost", .port = to, .from_host = "far"};
                EXPECT_TRUE(channels.open("forwarded-tcpip", route.encode()));
            }
            EXPECT_TRUE(channels.open("x11", {}));
            EXPECT_TRUE(channels.open("auth-agent@openssh.com", {}));
        } else if (event.kind != Kind::window) {
            answers.push_back(event.kind);
        }
        if (event.kind == Kind::opened) {
            world.server->write(event.channel, "hello");
            EXPECT_TRUE(channels.finish(event.channel));
        }
    };
    auto client = co_await world.connect();
    ALKNET_CO_ASSERT_OK(client);
    std::unique_ptr<SshChannel> channel;
    Event arrived;
    const auto port =
        co_await (*client)->listen_tcp("localhost", 0, [&](std::unique_ptr<SshArrival> arrival) {
            EXPECT_EQ(arrival->from_host(), "far");
            channel = arrival->accept().value();
            arrived.set();
        });
    EXPECT_EQ(port, 4000);
    ALKNET_CO_ASSERT_OK(co_await arrived.wait());
    EXPECT_EQ((co_await read_all_of(*channel)).value(), "hello");
    channel.reset();
    co_await world.end(**client);
    EXPECT_EQ(answers, (std::vector{Kind::opened, Kind::refused, Kind::refused, Kind::refused,
                                    Kind::closed}));
}

ALKNET_CO_TEST(SshClient, ListensWhereTheServerDoesAlone) {
    HandWorld world(loop);
    world.server->on_event = [&](const ChannelEvent& event) {
        if (event.kind == Kind::global) {
            const bool socket = event.type == "streamlocal-forward@openssh.com";
            EXPECT_TRUE(world.server->channels.answer_global(socket));
        }
    };
    auto client = co_await world.connect();
    ALKNET_CO_ASSERT_OK(client);
    const auto refused = co_await (*client)->listen_tcp("", 80, [](auto) {});
    EXPECT_TRUE(!refused && refused.error().is(causes::kForbidden));
    ALKNET_CO_ASSERT_OK(co_await (*client)->listen_socket("/run/there", [](auto) {}));
    co_await world.end(**client);
}

ALKNET_CO_TEST(SshClient, AnArrivalThatNobodyTakesIsRefused) {
    HandWorld world(loop);
    Channels& channels = world.server->channels;
    Event refused;
    world.server->on_event = [&](const ChannelEvent& event) {
        if (event.kind == Kind::global) {
            EXPECT_TRUE(channels.answer_global(true));
            WireWriter path;
            put_text(path, "/run/there");
            put_text(path, "");
            EXPECT_TRUE(channels.open("forwarded-streamlocal@openssh.com", path.view()));
        } else if (event.kind == Kind::refused) {
            refused.set();
        }
    };
    auto client = co_await world.connect();
    ALKNET_CO_ASSERT_OK(client);
    ALKNET_CO_ASSERT_OK(co_await (*client)->listen_socket(
        "/run/there", [](std::unique_ptr<SshArrival> arrival) { arrival.reset(); }));
    ALKNET_CO_ASSERT_OK(co_await refused.wait());
    co_await world.end(**client);
}

ALKNET_CO_TEST(SshClient, NoticesAServerThatHasGoneWithoutAWord) {
    HandWorld world(loop);
    auto client = co_await world.connect();
    ALKNET_CO_ASSERT_OK(client);
    // As long as it answers, the connection lives.
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(600)));
    world.server->deaf = true;
    const TimePoint begun = loop.now();
    const auto ended = co_await (*client)->wait_closed();
    EXPECT_TRUE(!ended && ended.error().is(causes::kTimeout));
    EXPECT_LE(loop.now() - begun, kServerQuietTime * (kServerQuestions + 2));
    world.serving.cancel();
    co_await world.end(**client);
}

ALKNET_CO_TEST(SshClient, ALostConnectionEndsItsChannels) {
    HandWorld world(loop);
    world.server->on_event = [&](const ChannelEvent& event) {
        if (event.kind == Kind::open) {
            EXPECT_TRUE(world.server->channels.accept(event.channel));
        } else if (event.kind == Kind::request) {
            world.server->transport.disconnect(Disconnect::by_application, "enough");
            world.server->failure = error(causes::kClosed);
        }
    };
    auto client = co_await world.connect();
    ALKNET_CO_ASSERT_OK(client);
    auto channel = co_await (*client)->open_session();
    ALKNET_CO_ASSERT_OK(channel);
    const auto asked = co_await (*channel)->request("shell", {});
    EXPECT_TRUE(!asked && asked.error().is(causes::kClosed));
    EXPECT_NE(asked.error().detail().find("enough"), std::string::npos);
    EXPECT_FALSE(co_await read_all_of(**channel));
    EXPECT_FALSE(co_await read_errors_of(**channel));
    EXPECT_FALSE((*channel)->try_write(as_bytes("x")));
    EXPECT_FALSE((*channel)->tell("signal", {}));
    EXPECT_FALSE(co_await (*channel)->wait_closed());
    EXPECT_FALSE(co_await (*client)->open_session());
    EXPECT_FALSE(co_await (*client)->listen_tcp("", 0, [](auto) {}));
    co_await world.end(**client);
}

ALKNET_CO_TEST(SshClient, AChannelMayOutliveItsClient) {
    HandWorld world(loop);
    world.server->on_event = [&](const ChannelEvent& event) {
        if (event.kind == Kind::open) {
            EXPECT_TRUE(world.server->channels.accept(event.channel));
        }
    };
    auto client = co_await world.connect();
    ALKNET_CO_ASSERT_OK(client);
    auto channel = co_await (*client)->open_session();
    ALKNET_CO_ASSERT_OK(channel);
    co_await world.end(**client);
    client->reset();
    const auto late = (*channel)->try_write(as_bytes("x"));
    EXPECT_TRUE(!late && late.error().is(causes::kClosed));
}

ALKNET_CO_TEST(SshClient, WhoeverStopsWaitingForAChannelClosesItWhenItOpens) {
    HandWorld world(loop);
    Event closed;
    std::optional<ChannelId> wanted;
    world.server->on_event = [&](const ChannelEvent& event) {
        if (event.kind == Kind::open && !wanted) {
            wanted = event.channel;
        } else if (event.kind == Kind::open) {
            EXPECT_TRUE(world.server->channels.accept(*wanted));
            EXPECT_TRUE(world.server->channels.refuse(event.channel, OpenFailure::shortage, ""));
        } else if (event.kind == Kind::closed) {
            EXPECT_TRUE(world.server->channels.close(event.channel));
            closed.set();
        }
    };
    auto client = co_await world.connect();
    ALKNET_CO_ASSERT_OK(client);
    const auto late = co_await with_timeout(seconds(1), (*client)->open_session());
    EXPECT_TRUE(!late && late.error().is(causes::kTimeout));
    const auto none = co_await (*client)->open_session();
    EXPECT_TRUE(!none && none.error().is(causes::kLimit));
    ALKNET_CO_ASSERT_OK(co_await closed.wait());
    EXPECT_EQ(world.server->channels.size(), 0U);
    co_await world.end(**client);
}

ALKNET_CO_TEST(SshClient, WhoeverDoesNotReadHoldsTheServerBack) {
    HandWorld world(loop);
    std::size_t sent = 0;
    world.server->on_event = [&](const ChannelEvent& event) {
        if (event.kind == Kind::open) {
            EXPECT_TRUE(world.server->channels.accept(event.channel));
        }
        while (event.kind != Kind::global && sent < 3 * kWindowBytes) {
            const std::size_t size = world.server->channels.sendable(event.channel);
            if (size == 0) {
                break;
            }
            world.server->write(event.channel, std::string(size, 'x'));
            sent += size;
        }
        if (sent >= 3 * kWindowBytes) {
            EXPECT_TRUE(world.server->channels.finish(event.channel));
        }
    };
    auto client = co_await world.connect();
    ALKNET_CO_ASSERT_OK(client);
    auto channel = co_await (*client)->open_session();
    ALKNET_CO_ASSERT_OK(channel);
    ALKNET_CO_ASSERT_OK(co_await loop.sleep(seconds(1)));
    EXPECT_EQ(sent, kWindowBytes);
    EXPECT_EQ((co_await read_all_of(**channel)).value().size(), 3 * kWindowBytes);
    co_await world.end(**client);
}

}  // namespace
}  // namespace alknet::ssh
