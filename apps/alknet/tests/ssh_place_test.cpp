#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <string>

#include "ssh/place.hpp"

namespace alknet::app {
namespace {

TEST(SshPlace, NodesAreTakenAsTheyAre) {
    const auto node = SshPlace::parse("alknet://x@host:1");
    ASSERT_TRUE(node);
    EXPECT_FALSE(node->stock);
    EXPECT_EQ(node->text, "alknet://x@host:1");
}

TEST(SshPlace, ServersOnTcp) {
    const auto full = SshPlace::parse("ssh://a@b@host.example:2222/");
    ASSERT_TRUE(full);
    EXPECT_TRUE(full->stock);
    EXPECT_EQ(full->user, "a@b");
    EXPECT_EQ(full->host, "host.example");
    EXPECT_EQ(full->port, 2222);
    const auto least = SshPlace::parse("ssh://host");
    ASSERT_TRUE(least);
    EXPECT_FALSE(least->port);
    EXPECT_TRUE(least->user.empty());
    const auto v6 = SshPlace::parse("ssh://[::1]:22");
    ASSERT_TRUE(v6);
    EXPECT_EQ(v6->host, "::1");
    for (const std::string_view text :
         {"", "ssh://", "ssh://@h", "ssh://h:", "ssh://h:0", "ssh://h:x", "ssh://h:70000",
          "ssh://[::1", "ssh://[::1]x", "ssh://a b", "ssh://-oProxyCommand=x", "ssh://h/x",
          "ssh://h:22:22"}) {
        const auto place = SshPlace::parse(text);
        EXPECT_TRUE(!place && place.error().is(causes::kAddressInvalid)) << text;
    }
    EXPECT_FALSE(SshPlace::parse(std::string(SshPlace::kTextBytesMax + 1, 'x')));
}

TEST(SshPlace, Jumps) {
    const auto none = SshPlace::parse_jumps("");
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->empty());
    const auto two = SshPlace::parse_jumps("node,ssh://h");
    ASSERT_TRUE(two);
    EXPECT_EQ(two->size(), 2U);
    EXPECT_FALSE(SshPlace::parse_jumps("a,,b"));
    std::string many = "a";
    for (std::size_t i = 1; i < SshPlace::kJumpsMax; ++i) {
        many += ",a";
    }
    EXPECT_TRUE(SshPlace::parse_jumps(many));
    const auto more = SshPlace::parse_jumps(many + ",a");
    EXPECT_TRUE(!more && more.error().is(causes::kLimit));
}

}  // namespace
}  // namespace alknet::app
