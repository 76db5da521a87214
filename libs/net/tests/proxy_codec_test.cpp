// What is said to a proxy and what it may answer, octet by octet.
#include <alknet/net/proxy_codec.hpp>

#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>

namespace alknet::net {
namespace {

ProxyUrl proxy(const char* text) {
    return ProxyUrl::parse(text).value();
}

TEST(ConnectRequest, NamesTheHostAndBringsCredentials) {
    EXPECT_EQ(connect_request(proxy("http://p"), "node.example", 4433),
              "CONNECT node.example:4433 HTTP/1.1\r\nHost: node.example:4433\r\n\r\n");
    EXPECT_EQ(connect_request(proxy("http://Aladdin:open%20sesame@p"), "2001:db8::1", 1),
              "CONNECT [2001:db8::1]:1 HTTP/1.1\r\nHost: [2001:db8::1]:1\r\n"
              "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
}

TEST(ConnectHead, IsReadWhenItIsComplete) {
    const std::string text = "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
    for (std::size_t size = 0; size < text.size(); ++size) {
        const auto head = read_connect_head(std::string_view(text).substr(0, size));
        ASSERT_TRUE(head) << size;
        EXPECT_FALSE(*head);
    }
    const auto head = read_connect_head(text + "more");
    ASSERT_TRUE(head && *head);
    EXPECT_EQ((*head)->status, 200);
    EXPECT_EQ((*head)->bytes, text.size());
    EXPECT_EQ((*read_connect_head("HTTP/1.0 407\r\n\r\n"))->status, 407);
}

TEST(ConnectHead, RefusesWhatIsNone) {
    for (const char* text : {"SSH-2.0-x\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n",
                             "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
                             "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.x 200 OK\r\n\r\n"}) {
        const auto head = read_connect_head(text);
        ASSERT_FALSE(head) << text;
        EXPECT_TRUE(head.error().is(causes::kProtocol));
    }
    std::string endless = "HTTP/1.1 200 ";
    endless.resize(kConnectHeadBytesMax - 1, 'x');
    EXPECT_TRUE(read_connect_head(endless));
    endless.resize(kConnectHeadBytesMax, 'x');
    EXPECT_TRUE(read_connect_head(endless).error().is(causes::kLimit));
}

TEST(ConnectStatus, SaysWhoIsToBlame) {
    EXPECT_TRUE(judge_connect_status(200));
    EXPECT_TRUE(judge_connect_status(407).error().is(causes::kProxyAuth));
    EXPECT_TRUE(judge_connect_status(403).error().is(causes::kProxyRefused));
    EXPECT_TRUE(judge_connect_status(302).error().is(causes::kProxyRefused));
    EXPECT_TRUE(judge_connect_status(503).error().is(causes::kUnreachable));
}

/// Both sides of the exchange as hex, ours first.
struct Exchange {
    std::vector<std::pair<const char*, const char*>> steps;
};

result<void> play(Socks5Client client, const Exchange& exchange) {
    for (const auto& [ours, theirs] : exchange.steps) {
        EXPECT_EQ(hex_encode(client.take_output()), ours);
        const Bytes answer = hex_decode(theirs).value();
        EXPECT_EQ(client.wanted(), answer.size());
        if (auto received = client.receive(answer); !received) {
            return received;
        }
    }
    EXPECT_TRUE(client.done());
    EXPECT_EQ(client.wanted(), 0U);
    EXPECT_FALSE(client.receive({}));
    return {};
}

TEST(Socks5, HasNamesResolvedByTheProxy) {
    EXPECT_TRUE(play({proxy("socks5://p"), "ab.c", 0x1151}, {{{"050100", "0500"},
                                                              {"0501000304"
                                                               "61622e63"
                                                               "1151",
                                                               "0500000104"},
                                                              {"", "0000000438"}}}));
}

TEST(Socks5, GivesAddressesAsAddresses) {
    EXPECT_TRUE(play({proxy("socks5://p"), "192.0.2.7", 1},
                     {{{"050100", "0500"},
                       {"05010001c00002070001", "0500000320"},
                       {"", std::string(std::size_t{34} * 2, '0').c_str()}}}));
    EXPECT_TRUE(play({proxy("socks5://p"), "2001:db8::1", 1},
                     {{{"050100", "0500"},
                       {"0501000420010db80000000000000000000000010001", "0500000400"},
                       {"", "0000000000000000000000000000000000"}}}));
}

TEST(Socks5, BringsUserAndPassword) {
    EXPECT_TRUE(play({proxy("socks5://ab:c@p"), "x", 1}, {{{"05020002", "0502"},
                                                           {"010261620163", "0100"},
                                                           {"0501000301780001", "0500000100"},
                                                           {"", "0000000000"}}}));
    const auto wrong = play({proxy("socks5://ab:c@p"), "x", 1},
                            {{{"05020002", "0502"}, {"010261620163", "0101"}}});
    EXPECT_TRUE(wrong.error().is(causes::kProxyAuth));
    EXPECT_TRUE(
        play({proxy("socks5://p"), "x", 1}, {{{"050100", "05ff"}}}).error().is(causes::kProxyAuth));
    // One that was not offered.
    EXPECT_TRUE(
        play({proxy("socks5://p"), "x", 1}, {{{"050100", "0502"}}}).error().is(causes::kProxyAuth));
}

TEST(Socks5, TellsWhyNot) {
    const auto answered = [](const char* reply) {
        return play({proxy("socks5://p"), "x", 1},
                    {{{"050100", "0500"}, {"0501000301780001", reply}}})
            .error();
    };
    EXPECT_TRUE(answered("0501000100").is(causes::kProxyRefused));
    EXPECT_TRUE(answered("0502000100").is(causes::kProxyRefused));
    EXPECT_TRUE(answered("0504000100").is(causes::kUnreachable));
    EXPECT_TRUE(answered("0505000100").is(causes::kUnreachable));
    EXPECT_TRUE(answered("05ff000100").is(causes::kProxyRefused));
    EXPECT_TRUE(answered("0500000900").is(causes::kProtocol));
    EXPECT_TRUE(answered("0400000100").is(causes::kProtocol));
    EXPECT_TRUE(
        play({proxy("socks5://p"), "x", 1}, {{{"050100", "4854"}}}).error().is(causes::kProtocol));
}

}  // namespace
}  // namespace alknet::net
