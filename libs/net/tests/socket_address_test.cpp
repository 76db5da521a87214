#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <alknet/base/causes.hpp>
#include <alknet/net/socket_address.hpp>
#include <array>
#include <unordered_set>

namespace alknet::net {
namespace {

using Family = SocketAddress::Family;

SocketAddress parsed(std::string_view text) {
    const auto address = SocketAddress::parse(text);
    EXPECT_TRUE(address) << text;
    return address.value_or(SocketAddress());
}

TEST(SocketAddress, ReadsAndWritesItsText) {
    for (const std::string_view text :
         {"127.0.0.1:443", "0.0.0.0:0", "255.255.255.255:65535", "[::]:1", "[::1]:443",
          "[2001:db8::8:800:200c:417a]:4433", "[fe80::1%2]:443", "[fe80::1%4294967295]:443"}) {
        EXPECT_EQ(parsed(text).to_string(), text);
    }
    EXPECT_EQ(parsed("[2001:DB8:0:0:0:0:0:1]:7").to_string(), "[2001:db8::1]:7");
    EXPECT_EQ(parsed("[fe80::1%0]:7").to_string(), "[fe80::1]:7");
    EXPECT_EQ(parsed("[fe80::1%2]:443").ip_text(), "fe80::1%2");
    EXPECT_EQ(SocketAddress().to_string(), "");
    EXPECT_EQ(SocketAddress().ip_text(), "");
}

TEST(SocketAddress, RefusesOtherTexts) {
    using namespace std::string_view_literals;
    for (const std::string_view text : {""sv,
                                        ":"sv,
                                        ":443"sv,
                                        "127.0.0.1"sv,
                                        "127.0.0.1:"sv,
                                        "127.0.0.1:65536"sv,
                                        "127.0.0.1:-1"sv,
                                        "127.0.0.1:+1"sv,
                                        "127.0.0.1: 1"sv,
                                        "127.0.0.1:0443"sv,
                                        "127.0.0.1:443 "sv,
                                        " 127.0.0.1:443"sv,
                                        "127.1:443"sv,
                                        "127.0.0.01:443"sv,
                                        "256.0.0.1:443"sv,
                                        "127.0.0.1\0:443"sv,
                                        "::1:443"sv,
                                        "[::1]"sv,
                                        "[::1]443"sv,
                                        "[::1:443"sv,
                                        "::1]:443"sv,
                                        "[]:443"sv,
                                        "[]]:443"sv,
                                        "[:443"sv,
                                        "[127.0.0.1]:443"sv,
                                        "[::1%]:443"sv,
                                        "[fe80::1%eth0]:443"sv,
                                        "[fe80::1%4294967296]:443"sv,
                                        "[fe80::1%-1]:443"sv,
                                        "[::1]x:443"sv,
                                        "[::g]:443"sv,
                                        "localhost:443"sv,
                                        "[1:2:3:4:5:6:7:8:9]:443"sv}) {
        const auto address = SocketAddress::parse(text);
        ASSERT_FALSE(address) << text;
        EXPECT_TRUE(address.error().is(causes::kAddressInvalid)) << text;
    }
    const auto long_text = SocketAddress::parse(std::string(100'000, '1') + ":1");
    ASSERT_FALSE(long_text);
    EXPECT_LT(long_text.error().detail().size(), 100U);
}

TEST(SocketAddress, TakesMappedAddressesForIpv4) {
    EXPECT_EQ(parsed("[::ffff:192.0.2.1]:80"), parsed("192.0.2.1:80"));
    EXPECT_NE(parsed("[::192.0.2.1]:80"), parsed("192.0.2.1:80"));
}

TEST(SocketAddress, SurvivesTheNativeForm) {
    for (const std::string_view text : {"192.0.2.7:443", "[2001:db8::1]:443", "[fe80::1%3]:9"}) {
        const SocketAddress address = parsed(text);
        for (const bool mapped : {false, true}) {
            sockaddr_storage native{};
            const unsigned size = address.to_native(native, mapped);
            const bool v6 = mapped || address.family() == Family::v6;
            EXPECT_EQ(size, v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
            EXPECT_EQ(native.ss_family, v6 ? AF_INET6 : AF_INET);
            EXPECT_EQ(SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&native)),
                      address);
        }
    }
}

TEST(SocketAddress, OfAnotherFamilyIsNone) {
    sockaddr_storage native{};
    native.ss_family = AF_UNIX;
    const auto address = SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&native));
    EXPECT_EQ(address, SocketAddress());
    EXPECT_EQ(address.family(), Family::none);
    EXPECT_EQ(address.to_native(native), 0U);
}

TEST(SocketAddress, KnowsSpecialAddresses) {
    EXPECT_TRUE(parsed("0.0.0.0:1").is_any());
    EXPECT_TRUE(parsed("[::]:1").is_any());
    EXPECT_FALSE(parsed("0.0.0.1:1").is_any());
    EXPECT_FALSE(parsed("[::1]:1").is_any());
    EXPECT_FALSE(SocketAddress().is_any());
    EXPECT_TRUE(parsed("127.9.9.9:1").is_loopback());
    EXPECT_TRUE(parsed("[::1]:1").is_loopback());
    EXPECT_FALSE(parsed("128.0.0.1:1").is_loopback());
    EXPECT_FALSE(parsed("[7f00::1]:1").is_loopback());
    EXPECT_FALSE(SocketAddress().is_loopback());
}

TEST(SocketAddress, ChangesItsPort) {
    EXPECT_EQ(parsed("192.0.2.7:443").with_port(80), parsed("192.0.2.7:80"));
}

TEST(SocketAddress, GroupsIpv6By56BitsForLimits) {
    EXPECT_EQ(parsed("192.0.2.7:443").limit_group(), parsed("192.0.2.7:0"));
    EXPECT_NE(parsed("192.0.2.7:1").limit_group(), parsed("192.0.2.8:1").limit_group());
    EXPECT_EQ(parsed("[2001:db8:0:00ff::1]:443").limit_group(), parsed("[2001:db8::]:0"));
    EXPECT_NE(parsed("[2001:db8:0:0100::1]:443").limit_group(), parsed("[2001:db8::]:0"));
    EXPECT_EQ(parsed("[fe80::1%2]:443").limit_group(), parsed("[fe80::]:0"));
    EXPECT_EQ(SocketAddress().limit_group(), SocketAddress());
}

TEST(SocketAddress, IsAKeyOfHashTables) {
    std::unordered_set<SocketAddress> seen;
    for (std::uint16_t port = 1; port <= 100; ++port) {
        seen.insert(SocketAddress::v4({192, 0, 2, 1}, port));
        seen.insert(SocketAddress::v6({0x20, 1}, port));
    }
    EXPECT_EQ(seen.size(), 200U);
    EXPECT_TRUE(seen.contains(parsed("192.0.2.1:50")));
    std::unordered_set<std::size_t> hashes;
    for (const SocketAddress& address : seen) {
        hashes.insert(std::hash<SocketAddress>()(address));
    }
    EXPECT_EQ(hashes.size(), 200U);
}

}  // namespace
}  // namespace alknet::net
