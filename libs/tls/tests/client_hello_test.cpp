#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/tls/client_hello.hpp>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string>

namespace alknet::tls {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string number(std::size_t value, int octets) {
    std::string text;
    for (int i = octets - 1; i >= 0; --i) {
        text += static_cast<char>(value >> (8U * static_cast<unsigned>(i)));
    }
    return text;
}

std::string vec(int length_octets, const std::string& content) {
    return number(content.size(), length_octets) + content;
}

std::string extension(std::size_t type, const std::string& data) {
    return number(type, 2) + vec(2, data);
}

std::string alpn(const std::vector<std::string>& names) {
    std::string list;
    for (const std::string& name : names) {
        list += vec(1, name);
    }
    return extension(16, vec(2, list));
}

std::string server_name(const std::string& host) {
    return extension(0, vec(2, std::string(1, '\0') + vec(2, host)));
}

const std::string kTls13 = extension(43, vec(1, "\x03\x04"));
const std::string kFixed = "\x03\x03" + std::string(32, 'r') + std::string(1, '\0') +
                           vec(2, "\x13\x01") + vec(1, std::string(1, '\0'));

std::string message(std::initializer_list<std::string> extensions) {
    std::string list;
    for (const std::string& one : extensions) {
        list += one;
    }
    return kFixed + vec(2, list);
}

/// The detail of the refusal; empty if there was none.
std::string refusal(const std::string& body) {
    const auto hello = parse_client_hello(as_bytes(body));
    if (hello) {
        return {};
    }
    EXPECT_TRUE(hello.error().is(causes::kProtocol));
    return hello.error().detail();
}

TEST(ClientHelloTest, ReadsWhatChoosesServiceAndIdentity) {
    const std::string body =
        message({server_name("node.example"), alpn({"alknet/echo", "h2"}), kTls13,
                 extension(19, vec(1, "\x02")), extension(20, vec(1, std::string("\x00\x02", 2))),
                 extension(45, vec(1, "\x01"))});
    const auto hello = parse_client_hello(as_bytes(body));
    ASSERT_TRUE(hello) << hello.error().message();
    EXPECT_THAT(hello->alpns, ElementsAre("alknet/echo", "h2"));
    EXPECT_TRUE(hello->has_alpn);
    EXPECT_EQ(hello->server_name, "node.example");
    EXPECT_TRUE(hello->raw_key_client);
    EXPECT_TRUE(hello->raw_key_server);
    EXPECT_TRUE(hello->tls13);
    EXPECT_TRUE(hello->can_resume);
}

TEST(ClientHelloTest, ReadsAMessageWithoutExtensions) {
    const auto hello = parse_client_hello(as_bytes(kFixed));
    ASSERT_TRUE(hello);
    EXPECT_FALSE(hello->has_alpn);
    EXPECT_FALSE(hello->tls13);
    EXPECT_FALSE(hello->raw_key_client);
    EXPECT_EQ(hello->server_name, "");
}

TEST(ClientHelloTest, ReadsAVersionListToItsEnd) {
    for (const char* versions : {"\x03\x04\x03\x03", "\x7a\x7a\x03\x04\x03\x04\x03\x03"}) {
        const auto hello = parse_client_hello(as_bytes(message({extension(43, vec(1, versions))})));
        ASSERT_TRUE(hello) << hello.error().message();
        EXPECT_TRUE(hello->tls13);
    }
}

TEST(ClientHelloTest, ARawKeyBehindX509IsNoOfferOfAClientKey) {
    const std::string types("\x00\x02", 2);
    const auto hello = parse_client_hello(
        as_bytes(message({extension(19, vec(1, types)), extension(20, vec(1, types))})));
    ASSERT_TRUE(hello);
    EXPECT_FALSE(hello->raw_key_client);
    EXPECT_TRUE(hello->raw_key_server);
}

TEST(ClientHelloTest, TakesExactlyTheNamesThatItsLimitAllows) {
    std::vector<std::string> names(ClientHello::kAlpnsMax, "a");
    const std::string most = message({alpn(names)});
    EXPECT_EQ(parse_client_hello(as_bytes(most))->alpns.size(), ClientHello::kAlpnsMax);
    names.emplace_back("a");
    EXPECT_THAT(refusal(message({alpn(names)})), HasSubstr("256"));
}

TEST(ClientHelloTest, RefusesAnExtensionThatComesTwice) {
    EXPECT_THAT(refusal(message({alpn({"a"}), kTls13, alpn({"a"})})), HasSubstr("twice"));
    EXPECT_THAT(refusal(message({extension(0xfafa, ""), extension(0xfafa, "")})),
                HasSubstr("twice"));
}

TEST(ClientHelloTest, RefusesMalformedAlpnLists) {
    for (const std::string& data :
         {std::string(), number(0, 2), vec(2, std::string(1, '\0')), vec(2, "\x05h2"),
          vec(2, "\x02h2") + "x", number(4, 2) + "\x02h2"}) {
        EXPECT_THAT(refusal(message({extension(16, data)})), HasSubstr("ALPN"));
    }
}

TEST(ClientHelloTest, RefusesServerNamesThatAreNoHostNames) {
    for (const std::string& host :
         {std::string(), std::string("a b"), std::string("a\nb"), std::string("a\0b", 3),
          std::string("b\xc3\xbc"
                      "cher"),
          std::string(256, 'a')}) {
        EXPECT_THAT(refusal(message({server_name(host)})), HasSubstr("server name"));
    }
    EXPECT_EQ(refusal(message({server_name(std::string(255, 'a'))})), "");
    const std::string one = std::string(1, '\0') + vec(2, "a");
    EXPECT_THAT(refusal(message({extension(0, vec(2, one + one))})), HasSubstr("server name"));
}

TEST(ClientHelloTest, PassesOverOtherKindsOfServerName) {
    const std::string other = "\x07" + vec(2, "\x01\x02");
    const std::string host = std::string(1, '\0') + vec(2, "a.example");
    const std::string body = message({extension(0, vec(2, other + host))});
    EXPECT_EQ(parse_client_hello(as_bytes(body))->server_name, "a.example");
}

TEST(ClientHelloTest, RefusesImpossibleLengths) {
    EXPECT_THAT(refusal(kFixed + vec(2, kTls13) + "x"), HasSubstr("fill"));
    EXPECT_THAT(refusal(kFixed + "x"), HasSubstr("fill"));
    EXPECT_THAT(refusal(message({number(16, 2)})), HasSubstr("cut short"));
    EXPECT_THAT(refusal(message({extension(43, vec(1, "\x03\x04\x03"))})), HasSubstr("versions"));
    EXPECT_THAT(refusal(message({extension(19, std::string(1, '\0'))})), HasSubstr("type"));
    EXPECT_THAT(refusal(message({extension(45, std::string(1, '\0'))})), HasSubstr("psk"));
}

TEST(ClientHelloTest, RefusesEveryTruncation) {
    const std::string body = message({server_name("node.example"), alpn({"alknet/echo"}), kTls13});
    for (std::size_t size = 0; size < body.size(); ++size) {
        if (size != kFixed.size()) {  // that one is a whole message without extensions
            EXPECT_NE(refusal(body.substr(0, size)), "") << size;
        }
    }
}

}  // namespace
}  // namespace alknet::tls
