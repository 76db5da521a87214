#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/ssh/known_hosts.hpp>
#include <string>

namespace alknet::ssh {
namespace {

using Verdict = KnownHosts::Verdict;

// `ssh-keygen -H` of "example.org,[example.org]:2222" and of "other.example", with these keys.
constexpr std::string_view kKey =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMdV2dhKseCFpbLlLb5umsbem5Ttdjs0s5k5ow+vwlxA";
constexpr std::string_view kHashed =
    "|1|vXWqMjcM8+ZAWefpXjSTZbT/LBE=|4DKJImoyAC8WCxHlQnR/8rqDjvk= ssh-ed25519 "
    "AAAAC3NzaC1lZDI1NTE5AAAAIMdV2dhKseCFpbLlLb5umsbem5Ttdjs0s5k5ow+vwlxA\n"
    "|1|0NgA049CsOEoNUifqIUNxBzS3j0=|gZxY1z7dPx1K8V6H+nuvMr1SkB0= ssh-ed25519 "
    "AAAAC3NzaC1lZDI1NTE5AAAAIMdV2dhKseCFpbLlLb5umsbem5Ttdjs0s5k5ow+vwlxA\n"
    "|1|PJzgDRpbVn07G2gUeNbjsuRtkwI=|wQKLCMLgxMeQAZFa6XgFjUhdubc= ecdsa-sha2-nistp256 "
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBOeiGkMAHnvWr0F2OlKXghgxN4EFE4EaTHI8"
    "8PPpPQUYDAhg6LmMiCeKFxs0n7/uvsj7u0dJbTDBFyqFH6np8To=\n";

NodeId key() {
    return NodeId::parse(kKey).value();
}
NodeId other() {
    return NodeKey::from_seed(Bytes(32, std::byte{4})).value()->id();
}
Verdict check(std::string_view text, std::string_view host, std::uint16_t port = 22) {
    return KnownHosts::parse(text).value().check(host, port, key());
}
std::string line(std::string_view hosts, const NodeId& of) {
    return std::string(hosts) + " " + of.openssh() + " comment\n";
}

TEST(SshKnownHosts, FindsHashedNames) {
    EXPECT_EQ(check(kHashed, "example.org"), Verdict::known);
    EXPECT_EQ(check(kHashed, "EXAMPLE.org"), Verdict::known);
    EXPECT_EQ(check(kHashed, "example.org", 2222), Verdict::known);
    EXPECT_EQ(check(kHashed, "example.org", 2223), Verdict::unknown);
    EXPECT_EQ(check(kHashed, "other.example"), Verdict::other_kind);
    EXPECT_EQ(check(kHashed, "example.com"), Verdict::unknown);
    for (const std::string_view damaged : {"|1|", "|1|a|b", "|1|AAAA|AAAA", "|1|vXWqMjcM8+ZA"}) {
        EXPECT_EQ(check(line(damaged, key()), "example.org"), Verdict::unknown);
    }
}

TEST(SshKnownHosts, PatternsIncludeAndExclude) {
    const std::string text = line("*.example.org,!no.example.org,192.0.2.?", key());
    EXPECT_EQ(check(text, "a.example.org"), Verdict::known);
    EXPECT_EQ(check(text, "no.example.org"), Verdict::unknown);
    EXPECT_EQ(check(text, "192.0.2.7"), Verdict::known);
    EXPECT_EQ(check(text, "192.0.2.77"), Verdict::unknown);
    EXPECT_EQ(check(line("[host]:*", key()), "host", 7), Verdict::known);
}

TEST(SshKnownHosts, AnotherKeyIsAChangeUnlessTheRightOneStandsThereToo) {
    EXPECT_EQ(check(line("host", other()), "host"), Verdict::changed);
    EXPECT_EQ(check(line("host", other()) + line("host", key()), "host"), Verdict::known);
    EXPECT_EQ(check(line("host", key()) + line("host", other()), "host"), Verdict::known);
    EXPECT_EQ(check("host ssh-rsa AAAA\n" + line("host", other()), "host"), Verdict::changed);
    EXPECT_EQ(check(line("host", other()) + "host ssh-rsa AAAA\n", "host"), Verdict::changed);
}

TEST(SshKnownHosts, ARevokedKeyIsNoGoodWhateverElseIsSaid) {
    EXPECT_EQ(check("@revoked " + line("*", key()) + line("host", key()), "host"),
              Verdict::revoked);
    EXPECT_EQ(check(line("host", key()) + "@revoked " + line("*", key()), "host"),
              Verdict::revoked);
    EXPECT_EQ(check(line("host", key()) + "@revoked " + line("*", other()), "host"),
              Verdict::known);
}

TEST(SshKnownHosts, WhatMakesNoSenseIsPassedOver) {
    const std::string text =
        "# comment\n\nhost\nhost ssh-ed25519\nhost ssh-ed25519 AAAA\n"
        "@cert-authority " +
        line("*", key()) + "@strange " + line("*", key()) + "host ssh-ed25519 AAAA=\n";
    EXPECT_EQ(check(text, "host"), Verdict::unknown);
    EXPECT_EQ(check(text + "host " + std::string(kKey) + "\r", "host"), Verdict::known);
}

TEST(SshKnownHosts, WritesLinesThatItReads) {
    for (const std::uint16_t port : {std::uint16_t{22}, std::uint16_t{2222}}) {
        const std::string text = KnownHosts::line_of("host", port, key());
        EXPECT_EQ(check(text, "host", port), Verdict::known);
    }
    EXPECT_EQ(KnownHosts::name_of("host", 22), "host");
    EXPECT_EQ(KnownHosts::name_of("::1", 2222), "[::1]:2222");
}

TEST(SshKnownHosts, FilesCountTogether) {
    KnownHosts all = KnownHosts::parse(line("a", key())).value();
    all.add(KnownHosts::parse(line("b", key())).value());
    EXPECT_EQ(all.check("a", 22, key()), Verdict::known);
    EXPECT_EQ(all.check("b", 22, key()), Verdict::known);
}

TEST(SshKnownHosts, HasLimits) {
    EXPECT_TRUE(KnownHosts::parse(std::string(kKnownHostsBytesMax, '#')));
    const auto large = KnownHosts::parse(std::string(kKnownHostsBytesMax + 1, '#'));
    EXPECT_TRUE(!large && large.error().is(causes::kLimit));
    std::string lines;
    for (std::size_t i = 0; i < kKnownHostsLinesMax; ++i) {
        lines += "h ssh-rsa A\n";
    }
    EXPECT_TRUE(KnownHosts::parse(lines));
    const auto many = KnownHosts::parse(lines + "h ssh-rsa A\n");
    EXPECT_TRUE(!many && many.error().is(causes::kLimit));
    std::string patterns = "host";
    for (std::size_t i = 1; i < kKnownHostPatternsMax; ++i) {
        patterns += ",x";
    }
    EXPECT_EQ(check(line(patterns, key()), "host"), Verdict::known);
    EXPECT_EQ(check(line(patterns + ",x", key()), "host"), Verdict::unknown);
}

TEST(SshPattern, StarsAndQuestionMarks) {
    EXPECT_TRUE(matches_pattern("", ""));
    EXPECT_TRUE(matches_pattern("", "**"));
    EXPECT_TRUE(matches_pattern("abcabd", "*ab?"));
    EXPECT_TRUE(matches_pattern("aXb", "a*B"));
    EXPECT_FALSE(matches_pattern("", "?"));
    EXPECT_FALSE(matches_pattern("abc", "ab"));
    EXPECT_FALSE(matches_pattern("abc", "*b"));
    EXPECT_FALSE(matches_pattern(std::string(2000, 'a'), std::string(200, '*') + "b"));
}

}  // namespace
}  // namespace alknet::ssh
