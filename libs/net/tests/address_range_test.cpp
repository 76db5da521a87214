#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/net/address_range.hpp>

namespace alknet::net {
namespace {

bool in(std::string_view range, std::string_view address) {
    return AddressRange::parse(range).value().contains(SocketAddress::parse(address).value());
}

TEST(AddressRange, ContainsWhatHasItsPrefix) {
    EXPECT_TRUE(in("10.0.0.0/8", "10.255.1.2:443"));
    EXPECT_FALSE(in("10.0.0.0/8", "11.0.0.1:443"));
    EXPECT_TRUE(in("192.0.2.128/25", "192.0.2.200:1"));
    EXPECT_FALSE(in("192.0.2.128/25", "192.0.2.127:1"));
    EXPECT_TRUE(in("192.0.2.1", "192.0.2.1:1"));
    EXPECT_FALSE(in("192.0.2.1", "192.0.2.2:1"));
    EXPECT_TRUE(in("0.0.0.0/0", "198.51.100.7:1"));
    EXPECT_FALSE(in("0.0.0.0/0", "[2001:db8::1]:1"));
    EXPECT_TRUE(in("2001:db8::/33", "[2001:db8:7fff::1]:1"));
    EXPECT_FALSE(in("2001:db8::/33", "[2001:db8:8000::1]:1"));
    EXPECT_TRUE(in("::1", "[::1]:1"));
}

TEST(AddressRange, IsWrittenAsItIsRead) {
    for (const std::string text : {"10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32", "::/0"}) {
        EXPECT_EQ(AddressRange::parse(text).value().to_string(), text);
    }
    EXPECT_EQ(AddressRange::parse("::1").value().to_string(), "::1/128");
}

TEST(AddressRange, RefusesWhatIsNone) {
    for (const std::string_view text :
         {"", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.1/8", "::1/64",
          "::/129", "name/8", "10.0.0.0:1/8", "10.0.0/8"}) {
        const auto range = AddressRange::parse(text);
        ASSERT_FALSE(range) << text;
        EXPECT_TRUE(range.error().is(causes::kAddressInvalid));
    }
}

}  // namespace
}  // namespace alknet::net
