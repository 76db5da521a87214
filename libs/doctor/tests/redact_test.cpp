// What is told of a text, and what is not.
#include <gtest/gtest.h>
#include <alknet/doctor/redact.hpp>

namespace alknet::doctor {
namespace {

constexpr std::string_view kHex =
    "1dc626ded96a2f4fce2d379a0783293be6aa7ec481e5a61ea9ba1c3cbf5e5265";

TEST(Redact, OrdinaryTextStays) {
    Redactor redact;
    for (const std::string_view text :
         {"", "the node listens", "sysctl -w net.core.rmem_max=4194304",
          "2026-01-31T12:00:00Z to 2027-01-31T12:00:00Z", "cert.pem", "port [::]:4433 UDP",
          "127.0.0.1:4433, [::1]:1, ::1, 0.0.0.0:80", "limits.connections_max is 10000",
          "alknet/bench at 5.0 MiB.", "E-NET-PROXY-AUTH: the proxy wants other credentials",
          "it is 12:30:15", "::", "a.b:c"}) {
        EXPECT_EQ(redact(text), text);
    }
}

TEST(Redact, AddressesHaveNamesThatTellTheirKind) {
    Redactor redact;
    EXPECT_EQ(redact("from 192.0.2.7:4433 to 10.1.2.3, and 192.0.2.7 again."),
              "from public-v4-1:4433 to private-v4-1, and public-v4-1 again.");
    EXPECT_EQ(redact("[2001:db8::1]:443 2001:DB8::1 fe80::1 fd00::5"),
              "public-v6-1:443 public-v6-1 link-local-v6-1 private-v6-1");
    EXPECT_EQ(redact("172.16.0.1 192.168.1.1 100.64.0.9"), "private-v4-2 private-v4-3 shared-v4-1");
    EXPECT_EQ(redact("10.1.2.3/24"), "private-v4-1/24");
    EXPECT_EQ(redact("(192.0.2.8)"), "(public-v4-2)");
}

TEST(Redact, KeysInEachOfTheirForms) {
    Redactor redact;
    const std::string hex(kHex);
    EXPECT_EQ(redact("ed25519:" + hex), "ed25519:key-1");
    EXPECT_EQ(redact(hex + " is the same"), "key-1 is the same");
    EXPECT_EQ(redact("x509-sha256:" + std::string(64, 'a')), "x509-sha256:key-2");
    EXPECT_EQ(redact("SHA256:8uJ0rYFMYkXWKDmjqnRXzFwBv2HyhLhFHq0wTQSzuXk"), "SHA256:key-3");
    EXPECT_EQ(redact("alknet://" + hex + "@192.0.2.7:4433"), "alknet://key-1@public-v4-1:4433");
    EXPECT_EQ(redact("alk_abcdefgh234567abcdefgh234567abcdefgh234567"), "[secret]");
    EXPECT_EQ(redact("MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF"),
              "[secret]");
}

TEST(Redact, UrlsLoseWhoAndWhatFor) {
    Redactor redact;
    redact.hide("Proxy.Example", "host");
    EXPECT_EQ(redact("http://someone:p%40ss@proxy.example:3128/a?token=1"),
              "http://[secret]@host-1:3128/[secret]=1");
    EXPECT_EQ(redact("HTTPS_PROXY=socks5h://u:p@192.0.2.1:1080"),
              "HTTPS_PROXY=socks5h://[secret]@public-v4-1:1080");
}

TEST(Redact, NamesWhereTheyAreWordsAndTheLongestFirst) {
    Redactor redact;
    redact.hide("al", "peer");
    redact.hide("al.example.org", "host");
    redact.hide("", "peer");
    redact.hide("127.0.0.1", "host");
    EXPECT_EQ(redact("alknet knows al, AL and al.example.org at 127.0.0.1"),
              "alknet knows peer-1, peer-1 and host-1 at 127.0.0.1");
    EXPECT_EQ(redact("peer 'al'"), "peer 'peer-1'");
    EXPECT_EQ(redact("medial al-x al_x"), "medial al-x al_x");
}

TEST(Redact, SecretsWhereverTheyStand) {
    Redactor redact;
    redact.drop("hunter2");
    redact.drop("hunter2-and-more");
    redact.drop("ab");  // too short to be looked for
    EXPECT_EQ(redact("xhunter2x hunter2-and-more ab"), "x[secret]x [secret] ab");
}

TEST(LogDigest, TellsWhatIsKnownToTellNothing) {
    const LogDigest digest = digest_log(
        "time=2026-11-22T19:09:16Z level=info event=auth.attempt remote_addr=192.0.2.7:57354 "
        "alpn=alknet/bench key_fingerprint=ed25519:ec05 peer=bob result=unknown\n"
        "Nov 22 19:09:16 host alknet[77]: time=2026-11-22T19:09:17Z level=warn event=x "
        "detail=\"of \\\"bob\\\" at home\" code=2\r\n"
        "{\"time\":\"2026-11-22T19:09:18Z\",\"level\":\"info\",\"event\":\"conn.close\","
        "\"peer\":\"bob\",\"code\":2}\n"
        "bob says hello\n");
    const std::vector<std::string> lines = {
        "time=2026-11-22T19:09:16Z level=info event=auth.attempt alpn=alknet/bench result=unknown",
        "time=2026-11-22T19:09:17Z level=warn event=x code=2",
        "time=\"2026-11-22T19:09:18Z\" level=\"info\" event=\"conn.close\" code=2"};
    EXPECT_EQ(digest.lines, lines);
    EXPECT_EQ(digest.left_out, 1U);
}

TEST(LogDigest, WhatIsNoLogIsLeftOut) {
    for (const std::string_view text :
         {"time=\"without an end\n", "time=1 secret\n", "{\"time\":\"x\n", "{\"time\":1\n",
          "{\"time\":1,\"event\"}\n", "secret=1\n"}) {
        const LogDigest digest = digest_log(text);
        EXPECT_TRUE(digest.lines.empty()) << text << digest.lines.front();
        EXPECT_EQ(digest.left_out, 1U);
    }
}

TEST(LogDigest, HoldsTheLastLines) {
    std::string text;
    for (std::size_t i = 0; i < LogDigest::kLinesMax + 5; ++i) {
        text += "time=" + std::to_string(i) + " event=x\n";
    }
    const LogDigest digest = digest_log(text);
    EXPECT_EQ(digest.lines.size(), LogDigest::kLinesMax);
    EXPECT_EQ(digest.lines.front(), "time=5 event=x");
    EXPECT_EQ(digest.left_out, 5U);
}

}  // namespace
}  // namespace alknet::doctor
