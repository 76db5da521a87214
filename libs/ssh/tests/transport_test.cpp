#include <array>

#include "transport_pair.hpp"

namespace alknet::ssh {
namespace {

struct Suite {
    std::string_view cipher;
    std::string_view mac;
};

constexpr std::array kSuites = {
    Suite{.cipher = "aes128-gcm@openssh.com", .mac = "hmac-sha2-256"},
    Suite{.cipher = "aes256-gcm@openssh.com", .mac = "hmac-sha2-256"},
    Suite{.cipher = "chacha20-poly1305@openssh.com", .mac = "hmac-sha2-256"},
    Suite{.cipher = "aes128-ctr", .mac = "hmac-sha2-256-etm@openssh.com"},
    Suite{.cipher = "aes256-ctr", .mac = "hmac-sha2-512-etm@openssh.com"},
    Suite{.cipher = "aes128-ctr", .mac = "hmac-sha2-512"},
    Suite{.cipher = "aes256-ctr", .mac = "hmac-sha2-256"},
};

TransportOptions client_with(const Suite& suite) {
    TransportOptions options = TransportPair::client_options();
    options.algorithms.ciphers = suite.cipher;
    options.algorithms.macs = suite.mac;
    return options;
}

void send(End& end, BytesView message) {
    const auto sent = end.transport.send(message);
    ASSERT_TRUE(sent);
}

TEST(SshTransport, CarriesMessagesBothWaysWithEveryCipher) {
    for (const Suite& suite : kSuites) {
        for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{1} << 20}) {
            TransportPair pair(client_with(suite));
            send(pair.client, message_text("held until there are keys"));
            pair.run(step);
            ASSERT_FALSE(pair.client.failure) << pair.client.failure->message();
            ASSERT_FALSE(pair.server.failure) << pair.server.failure->message();
            EXPECT_EQ(pair.client.transport.cipher(), suite.cipher);
            EXPECT_TRUE(pair.server.transport.strict());
            EXPECT_EQ(to_bytes(pair.client.transport.session_id()),
                      to_bytes(pair.server.transport.session_id()));
            std::vector<Bytes> sent;
            for (std::size_t size = 0; size < 600; size += 7) {
                sent.push_back(message_text(std::string(size, 'x')));
                send(pair.server, sent.back());
            }
            pair.run(step);
            EXPECT_EQ(pair.client.messages, sent);
            EXPECT_EQ(pair.server.messages,
                      (std::vector<Bytes>{message_text("held until there are keys")}));
        }
    }
}

TEST(SshTransport, BuildsAPacketInPlace) {
    TransportPair pair;
    pair.run();
    const Bytes message = message_text("in place");
    MutableBytes room = pair.client.transport.begin(1000);
    ASSERT_EQ(room.size(), 1000U);
    std::ranges::copy(message, room.begin());
    pair.client.transport.commit(message.size());
    (void)pair.client.transport.begin(10);
    pair.client.transport.commit(0);
    pair.run();
    EXPECT_EQ(pair.server.messages, (std::vector<Bytes>{message}));
}

TEST(SshTransport, TheClientKnowsWhoseKeyItTalksTo) {
    const auto key = NodeKey::generate();
    TransportOptions client = TransportPair::client_options();
    client.expected = key->id();
    TransportPair right(client, {.role = Role::server, .host_key = key});
    right.run();
    EXPECT_EQ(right.client.transport.host_key(), key->id());
    TransportPair wrong(client);
    wrong.run();
    EXPECT_TRUE(wrong.client.failed(causes::kPeerKeyMismatch));
}

TEST(SshTransport, ChangesKeysFromEitherEndWhileMessagesFlow) {
    for (const Suite& suite : kSuites) {
        TransportOptions client = client_with(suite);
        TransportOptions server = TransportPair::server_options();
        client.rekey_bytes = 10'000;
        server.rekey_bytes = 20'000;
        TransportPair pair(client, server);
        pair.run();
        std::vector<Bytes> up;
        std::vector<Bytes> down;
        for (int i = 0; i < 400; ++i) {
            up.push_back(message_text(std::string(300, static_cast<char>('a' + i % 26))));
            down.push_back(message_text(std::string(200, static_cast<char>('A' + i % 26))));
            send(pair.client, up.back());
            send(pair.server, down.back());
            if (i % 10 == 0) {
                pair.run(97);
            }
            if (i % 50 == 0) {
                pair.server.transport.rekey();
            }
        }
        pair.run();
        ASSERT_FALSE(pair.client.failure) << suite.cipher << pair.client.failure->message();
        ASSERT_FALSE(pair.server.failure) << suite.cipher << pair.server.failure->message();
        EXPECT_EQ(pair.server.messages, up);
        EXPECT_EQ(pair.client.messages, down);
        EXPECT_GT(pair.server.transport.exchanges(), 10U);
        EXPECT_EQ(pair.server.transport.exchanges(), pair.client.transport.exchanges());
    }
}

TEST(SshTransport, AGuessedShareIsUsedWhereItIsRight) {
    TransportOptions client = TransportPair::client_options();
    client.algorithms.guess_follows = true;
    TransportPair pair(client);
    pair.run();
    EXPECT_TRUE(pair.server.transport.ready());
    EXPECT_TRUE(pair.client.transport.ready());
}

TEST(SshTransport, AGuessedShareIsDroppedWhereItIsWrong) {
    TransportOptions client = TransportPair::client_options();
    client.algorithms.guess_follows = true;
    client.algorithms.kex = "curve25519-sha256@libssh.org,curve25519-sha256";
    TransportPair pair(client);
    pair.run();
    EXPECT_TRUE(pair.server.transport.ready());
    EXPECT_TRUE(pair.client.transport.ready());
    EXPECT_FALSE(pair.server.failure);
}

TEST(SshTransport, WithoutStrictKeyExchangeOnlyCiphersThatNeedNoneAreUsed) {
    for (const Suite& suite : kSuites) {
        const bool needs_it = suite.cipher.starts_with("chacha20") || suite.mac.contains("etm");
        // A server shows its key even so, and does not listen.
        TransportOptions client = client_with(suite);
        client.algorithms.strict = false;
        TransportPair old_client(client);
        old_client.run();
        EXPECT_FALSE(old_client.server.failure) << suite.cipher;
        EXPECT_FALSE(old_client.server.transport.strict());
        EXPECT_TRUE(old_client.client.transport.host_key());
        send(old_client.client, message_text("hello"));
        old_client.run();
        EXPECT_EQ(old_client.server.failed(causes::kNoAlgorithm), needs_it) << suite.cipher;
        EXPECT_EQ(old_client.server.messages.empty(), needs_it) << suite.cipher;
        // A client does not go on.
        TransportOptions server = TransportPair::server_options();
        server.algorithms.strict = false;
        TransportPair old_server(client_with(suite), server);
        old_server.run();
        EXPECT_EQ(old_server.client.failed(causes::kNoAlgorithm), needs_it) << suite.cipher;
    }
}

TEST(SshTransport, NothingInCommonIsSaid) {
    TransportOptions client = TransportPair::client_options();
    client.algorithms.kex = "diffie-hellman-group14-sha256";
    TransportPair pair(client);
    pair.run();
    ASSERT_TRUE(pair.server.failed(causes::kNoAlgorithm));
    EXPECT_EQ(pair.server.failure->detail(), "key exchange");
}

// A packet without protection: what somebody on the way can put in before there are keys.
Bytes plain_packet(BytesView message) {
    const std::size_t padding = 8 - (5 + message.size()) % 8 + 8;
    WireWriter out;
    out.number(static_cast<std::uint32_t>(1 + message.size() + padding));
    out.number(static_cast<std::uint8_t>(padding));
    out.append(message);
    out.append(Bytes(padding));
    return out.take();
}

Bytes plain_ignore() {
    WireWriter out = begin_message(Message::ignore);
    put_text(out, "");
    return plain_packet(out.view());
}

TEST(SshTransport, Terrapin) {
    // Before its KEXINIT, and between that and its share.
    for (const bool first : {true, false}) {
        TransportPair pair;
        const Bytes hello = pair.client.out();
        const auto end_of_ident = std::ranges::find(hello, std::byte{'\n'}) + 1 - hello.begin();
        const BytesView packets = BytesView(hello).subspan(static_cast<std::size_t>(end_of_ident));
        pair.server.in(BytesView(hello).first(static_cast<std::size_t>(end_of_ident)), 100);
        if (first) {
            pair.server.in(plain_ignore(), 100);
            pair.server.in(packets, 5000);
        } else {
            pair.server.in(packets, 5000);
            pair.server.in(plain_ignore(), 100);
        }
        EXPECT_TRUE(pair.server.failed(causes::kProtocol)) << first;
    }
}

TEST(SshTransport, ACutBeginningIsNoticed) {
    for (const Suite& suite : kSuites) {
        TransportPair pair(client_with(suite));
        pair.server.in(pair.client.out(), 5000);
        pair.client.in(pair.server.out(), 5000);  // KEXINIT
        pair.server.in(pair.client.out(), 5000);  // the client's share
        Bytes answer = pair.server.out();         // reply, NEWKEYS, EXT_INFO
        // The last packet vanishes; the next one comes.
        pair.server.in(pair.client.out(), 5000);
        const std::size_t reply_bytes = answer.size();
        pair.client.in(BytesView(answer).first(reply_bytes / 2), 5000);
        pair.client.in(BytesView(answer).subspan(reply_bytes / 2), 5000);
        ASSERT_FALSE(pair.client.failure);
        pair.server.in(pair.client.out(), 5000);
        send(pair.server, message_text("lost"));
        (void)pair.server.out();
        send(pair.server, message_text("next, and long enough for every cipher to be sure of it"));
        pair.client.in(pair.server.out(), 5000);
        EXPECT_TRUE(pair.client.messages.empty()) << suite.cipher;
    }
}

TEST(SshTransport, NoOctetCanBeChanged) {
    sim::Random random(1);
    for (const Suite& suite : kSuites) {
        for (int i = 0; i < 50; ++i) {
            TransportPair pair(client_with(suite));
            pair.run();
            send(pair.client, message_text("0123456789"));
            Bytes sealed = pair.client.out();
            const std::size_t at = random.below(sealed.size());
            sealed[at] ^= static_cast<std::byte>(1U << random.below(8));
            // Enough behind it that a wrong length finds its octets.
            for (int more = 0; more < 40; ++more) {
                send(pair.client, message_text(std::string(1000, 'z')));
            }
            pair.server.in(sealed, 5000);
            pair.server.in(pair.client.out(), 50'000);
            EXPECT_TRUE(pair.server.messages.empty()) << suite.cipher << " " << at;
            EXPECT_TRUE(pair.server.failure) << suite.cipher << " " << at;
        }
    }
}

TEST(SshTransport, LimitsOfWhatStrangersSend) {
    {
        End server(TransportPair::server_options());
        server.in(as_bytes("SSH-2.0-" + std::string(kIdentBytesMax, 'x')), 100);
        EXPECT_TRUE(server.failed(causes::kLimit));
    }
    {
        End client(TransportPair::client_options());
        for (std::size_t i = 0; i <= kIdentLinesMax; ++i) {
            client.in(as_bytes("welcome\r\n"), 100);
        }
        EXPECT_TRUE(client.failed(causes::kLimit));
    }
    for (const std::string_view line : {"GET / HTTP/1.1\r\n", "SSH-1.5-old\r\n"}) {
        End server(TransportPair::server_options());
        server.in(as_bytes(line), 100);
        EXPECT_TRUE(server.failed(causes::kProtocol));
    }
    const auto after_ident = [](BytesView octets) {
        End server(TransportPair::server_options());
        server.in(as_bytes("SSH-2.0-x\n"), 100);
        server.in(octets, 5000);
        return server.failure ? &server.failure->cause() : nullptr;
    };
    WireWriter large;
    large.number(static_cast<std::uint32_t>(kPacketBytesBeforeAuthMax + 1));
    EXPECT_EQ(after_ident(large.view()), &causes::kLimit);
    Bytes many;
    for (std::size_t i = 0; i <= kPacketsBeforeKeysMax; ++i) {
        const Bytes one = plain_ignore();
        many.insert(many.end(), one.begin(), one.end());
    }
    EXPECT_EQ(after_ident(many), &causes::kLimit);
    WireWriter list = begin_message(Message::kexinit);
    list.append(Bytes(16));
    put_text(list, std::string(kNameListBytesMax + 1, 'k'));
    EXPECT_EQ(after_ident(plain_packet(list.view())), &causes::kLimit);
    EXPECT_EQ(after_ident(plain_packet({})), &causes::kProtocol);
    WireWriter odd;
    odd.number<std::uint32_t>(13);
    EXPECT_EQ(after_ident(odd.view()), &causes::kProtocol);
    // Nothing of the layers above, and no answers to a client.
    for (const Message early :
         {Message::service_request, Message::userauth_request, Message::userauth_success,
          Message::channel_open, Message::ext_info, Message::ping, Message::ecdh_reply,
          Message::ecdh_init, Message::newkeys}) {
        EXPECT_EQ(after_ident(plain_packet(begin_message(early).view())), &causes::kProtocol)
            << static_cast<int>(early);
    }
}

TEST(SshTransport, WhatWaitsForKeysIsBounded) {
    TransportPair pair;
    const Bytes message = message_text(std::string(64 << 10, 'x'));
    std::size_t held = 0;
    while (pair.client.transport.send(message)) {
        held += message.size();
    }
    EXPECT_LE(held, kHeldBytesMax);
    EXPECT_GT(held + message.size(), kHeldBytesMax);
}

TEST(SshTransport, APeerThatGivesNoNewKeysIsCutOff) {
    TransportOptions server = TransportPair::server_options();
    server.rekey_bytes = 1000;
    TransportPair pair(TransportPair::client_options(), server);
    pair.run();
    for (int i = 0; i < 10; ++i) {
        send(pair.client, message_text(std::string(600, 'x')));
    }
    pair.server.in(pair.client.out(), 100'000);  // and what it asks for never arrives
    EXPECT_TRUE(pair.server.failed(causes::kLimit));
}

TEST(SshTransport, AShareThatGivesNothingSecretIsRefused) {
    TransportPair pair;
    pair.server.in(pair.client.out(), 5000);
    WireWriter zero = begin_message(Message::ecdh_init);
    put_string(zero, Bytes(32));
    pair.server.in(plain_packet(zero.view()), 5000);
    EXPECT_TRUE(pair.server.failed(causes::kProtocol));
}

TEST(SshTransport, SaysGoodbyeAndAnswersPings) {
    TransportPair pair;
    pair.run();
    WireWriter ping = begin_message(Message::ping);
    put_text(ping, "are you there");
    send(pair.client, ping.view());
    send(pair.client, begin_message(static_cast<Message>(250)).view());
    pair.run();
    EXPECT_EQ(pair.server.messages.size(), 1U);
    EXPECT_FALSE(pair.client.failure);
    ASSERT_TRUE(pair.server.transport.unimplemented());
    pair.run();
    EXPECT_FALSE(pair.client.failure);
    pair.server.transport.disconnect(Disconnect::by_application, "enough\x1b[31m");
    pair.server.transport.disconnect(Disconnect::by_application, "again");
    EXPECT_TRUE(pair.server.transport.send(message_text("too late")));
    pair.run();
    ASSERT_TRUE(pair.client.failed(causes::kClosed));
    EXPECT_EQ(pair.client.failure->detail(), "the other end says: enough?[31m");
}

// Whatever comes in whatever order, before there are keys and behind them, it ends in order.
TEST(SshTransport, AnyOrderOfMessages) {
    sim::Random random(7);
    constexpr std::array kNumbers = {1, 2, 3, 4, 5, 6, 7, 20, 21, 30, 31, 34, 50, 80, 90, 94, 192};
    for (int i = 0; i < 200; ++i) {
        TransportPair pair;
        const bool keyed = i % 2 == 0;
        if (keyed) {
            pair.run();
        } else {
            pair.server.in(as_bytes("SSH-2.0-x\n"), 100);
        }
        for (int n = 0; n < 20 && !pair.server.failure; ++n) {
            const int number = kNumbers.at(random.below(kNumbers.size()));
            WireWriter message = begin_message(static_cast<Message>(number));
            Bytes body(random.below(60));
            random.fill(body);
            message.append(body);
            if (keyed) {
                (void)pair.client.transport.send(message.view());
                pair.server.in(pair.client.out(), 5000);
            } else {
                pair.server.in(plain_packet(message.view()), 5000);
            }
        }
        EXPECT_TRUE(keyed || !pair.server.transport.ready());
        EXPECT_TRUE(keyed || pair.server.messages.empty());
    }
}

}  // namespace
}  // namespace alknet::ssh
