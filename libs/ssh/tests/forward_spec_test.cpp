#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/ssh/forward_spec.hpp>
#include <alknet/ssh/limits.hpp>
#include <string>

namespace alknet::ssh {
namespace {

using Kind = ForwardSpec::Kind;

std::string shown(std::string_view text, Kind kind = Kind::local) {
    const auto spec = ForwardSpec::parse(kind, text);
    return spec ? spec->to_string() : "refused";
}

TEST(SshForwardSpec, PortsAndBindAddresses) {
    EXPECT_EQ(shown("80:db:5432"), "-L localhost:80 -> db:5432");
    EXPECT_EQ(shown("127.0.0.1:80:db:5432"), "-L 127.0.0.1:80 -> db:5432");
    EXPECT_EQ(shown(":80:db:5432"), "-L *:80 -> db:5432");
    EXPECT_EQ(shown("*:80:db:5432"), "-L *:80 -> db:5432");
    EXPECT_EQ(shown("[::1]:80:[2001:db8::1]:22"), "-L [::1]:80 -> [2001:db8::1]:22");
    EXPECT_EQ(shown("0:db:1", Kind::remote), "-R localhost:0 -> db:1");
    EXPECT_EQ(shown("1080", Kind::dynamic), "-D localhost:1080");
    EXPECT_EQ(shown("*:1080", Kind::dynamic), "-D *:1080");
}

TEST(SshForwardSpec, Sockets) {
    EXPECT_EQ(shown("/run/here:/run/there"), "-L /run/here -> /run/there");
    EXPECT_EQ(shown("/run/here:db:22"), "-L /run/here -> db:22");
    EXPECT_EQ(shown("80:/run/there"), "-L localhost:80 -> /run/there");
    EXPECT_EQ(shown("127.0.0.1:80:./there"), "-L 127.0.0.1:80 -> ./there");
    EXPECT_EQ(shown("/run/a\\:b:/run/there"), "-L /run/a:b -> /run/there");
    EXPECT_EQ(shown("/run/s", Kind::dynamic), "-D /run/s");
}

TEST(SshForwardSpec, Targets) {
    EXPECT_EQ(parse_target("db:22")->to_string(), "db:22");
    EXPECT_EQ(parse_target("[::1]:22")->host, "::1");
    EXPECT_TRUE(parse_target("/run/there")->is_socket());
    for (const std::string_view text : {"", "db", "22", "db:0", ":22", "db:22:1", "a/b:22"}) {
        EXPECT_FALSE(parse_target(text)) << text;
    }
}

TEST(SshForwardSpec, RefusesTheRest) {
    for (const std::string_view text :
         {"", ":", "80", "db:80", "80:db", "80:db:0", "80:db:65536", "80:db:x", "a:b:80:db:1",
          "[::1:80:db:1", "[::1]x:80:db:1", "::1:80:db:1", "80::1", "a/b:80:db:1", "80:d\nb:1",
          "[80]:db:1", "1:[/x]"}) {
        const auto spec = ForwardSpec::parse(Kind::local, text);
        EXPECT_TRUE(!spec && spec.error().is(causes::kUsage)) << text;
    }
    for (const std::string_view text : {"", "x", "1:2:3", "a/b:1", "-1"}) {
        EXPECT_EQ(shown(text, Kind::dynamic), "refused") << text;
    }
}

TEST(SshForwardSpec, HasLimits) {
    const auto path = [](std::size_t size) { return "80:/" + std::string(size - 1, 'x'); };
    EXPECT_NE(shown(path(ForwardSpec::kSocketBytesMax)), "refused");
    EXPECT_EQ(shown(path(ForwardSpec::kSocketBytesMax + 1)), "refused");
    const auto host = [](std::size_t size) { return "80:" + std::string(size, 'x') + ":1"; };
    EXPECT_NE(shown(host(kHostBytesMax)), "refused");
    EXPECT_EQ(shown(host(kHostBytesMax + 1)), "refused");
    EXPECT_EQ(shown("80:/" + std::string(ForwardSpec::kTextBytesMax, 'x')), "refused");
    EXPECT_FALSE(parse_target("/" + std::string(ForwardSpec::kTextBytesMax, 'x')));
    EXPECT_EQ(shown(std::string(kHostBytesMax + 1, 'x') + ":80:db:1"), "refused");
}

}  // namespace
}  // namespace alknet::ssh
