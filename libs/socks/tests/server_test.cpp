#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/socks/server.hpp>
#include <string>

namespace alknet::socks {
namespace {

Bytes hex(std::string_view text) {
    return hex_decode(text).value();
}
std::string name_hex(std::string_view name) {
    return hex_encode(as_bytes(name));
}

struct Talk {
    explicit Talk(SocksLogin login = {}) : server(std::move(login)) {}
    /// Everything, so many octets at a time; how many were taken.
    result<std::size_t> say(const Bytes& octets, std::size_t piece) {
        std::size_t taken = 0;
        while (taken < octets.size()) {
            const BytesView next =
                BytesView(octets).subspan(taken, std::min(piece, octets.size() - taken));
            const auto took = server.take(next);
            const Bytes more = server.take_output();
            said += hex_encode(more);
            if (!took) {
                return unexpected(took.error());
            }
            taken += *took;
            if (*took < next.size() || server.request()) {
                break;
            }
        }
        return taken;
    }
    SocksServer server;
    std::string said;
};

// Greeting and request of `name`:443 in one go, with data behind.
Bytes pipelined(std::string_view name) {
    return hex(
        "050100050100"
        "03" +
        hex_encode(Bytes{static_cast<std::byte>(name.size())}) + name_hex(name) + "01bb" +
        name_hex("data"));
}

TEST(SocksServer, TakesWhatIsPipelinedAndLeavesTheData) {
    const Bytes all = pipelined("db.example");
    for (std::size_t piece = 1; piece <= all.size(); ++piece) {
        Talk talk;
        EXPECT_EQ(talk.say(all, piece), all.size() - 4);
        EXPECT_EQ(talk.server.request(), (SocksRequest{.host = "db.example", .port = 443}));
        EXPECT_EQ(talk.said, "0500");
        EXPECT_EQ(talk.server.take(as_bytes("more")), 0U);
    }
}

TEST(SocksServer, Addresses) {
    Talk v4;
    ASSERT_TRUE(v4.say(hex("05020102050100017f0000010050"), 100).has_value() == false);
    EXPECT_EQ(v4.said, "05ff");  // no method of ours
    Talk again;
    ASSERT_TRUE(again.say(hex("05020200050100017f0000010050"), 100));
    EXPECT_EQ(again.server.request(), (SocksRequest{.host = "127.0.0.1", .port = 80}));
    Talk v6;
    ASSERT_TRUE(v6.say(hex("0501000501000420010db8000000000000000000000001ffff"), 7));
    EXPECT_EQ(v6.server.request(), (SocksRequest{.host = "2001:db8::1", .port = 65535}));
}

TEST(SocksServer, Answers) {
    Talk talk;
    ASSERT_TRUE(talk.say(pipelined("h"), 100));
    EXPECT_EQ(hex_encode(talk.server.answer(SocksOutcome::granted)), "05000001000000000000");
    EXPECT_EQ(hex_encode(talk.server.answer(SocksOutcome::failed)), "05010001000000000000");
    EXPECT_EQ(hex_encode(talk.server.answer(SocksOutcome::forbidden)), "05020001000000000000");
    EXPECT_EQ(hex_encode(talk.server.answer(SocksOutcome::unreachable)), "05040001000000000000");
    Talk old;
    ASSERT_TRUE(old.say(hex("04010050c0000201"
                            "00"),
                        100));
    EXPECT_EQ(hex_encode(old.server.answer(SocksOutcome::granted)), "005a000000000000");
    EXPECT_EQ(hex_encode(old.server.answer(SocksOutcome::failed)), "005b000000000000");
}

TEST(SocksServer, TheOldVersionsWithAddressesAndNames) {
    for (std::size_t piece = 1; piece < 30; ++piece) {
        Talk four;
        EXPECT_EQ(four.say(hex("04010050c0000201"
                               "626f6200"
                               "64617461"),
                           piece),
                  12U);
        EXPECT_EQ(four.server.request(), (SocksRequest{.host = "192.0.2.1", .port = 80}));
        Talk named;
        EXPECT_EQ(named.say(hex("04010050000000ff"
                                "00"
                                "6462"
                                "00"
                                "64617461"),
                            piece),
                  12U);
        EXPECT_EQ(named.server.request(), (SocksRequest{.host = "db", .port = 80}));
    }
    Talk other;  // 0.0.0.0 is an address
    ASSERT_TRUE(other.say(hex("0401005000000000"
                              "00"),
                          100));
    EXPECT_EQ(other.server.request()->host, "0.0.0.0");
}

TEST(SocksServer, APasswordIsAskedForAndChecked) {
    const SocksLogin login{.user = "bob", .password = "secret"};
    const Bytes right =
        hex("050200020103626f6206736563726574"
            "05010003026462"
            "0050");
    for (std::size_t piece = 1; piece <= right.size(); ++piece) {
        Talk talk(login);
        EXPECT_EQ(talk.say(right, piece), right.size());
        EXPECT_EQ(talk.said, "05020100");
        EXPECT_EQ(talk.server.request()->host, "db");
    }
    for (const std::string_view wrong : {"0501020103626f6206736563726575",
                                         "05010201"
                                         "03626f62"
                                         "0573656372"
                                         "65",
                                         "0501020100"
                                         "06736563726574"}) {
        Talk talk(login);
        const auto said = talk.say(hex(wrong), 100);
        EXPECT_TRUE(!said && said.error().is(causes::kForbidden));
        EXPECT_EQ(talk.said, "05020101");
    }
    Talk without(login);
    const auto none = without.say(hex("050100"), 100);
    EXPECT_TRUE(!none && none.error().is(causes::kForbidden));
    EXPECT_EQ(without.said, "05ff");
    Talk old(login);
    const auto four = old.say(hex("04010050c000020100"), 100);
    EXPECT_TRUE(!four && four.error().is(causes::kForbidden));
    EXPECT_EQ(old.said, "005b000000000000");
    Talk damaged(login);
    EXPECT_FALSE(damaged.say(hex("0501020203626f62"), 100));
}

TEST(SocksServer, NothingButConnect) {
    for (const std::string_view command : {"02", "03", "00"}) {
        Talk talk;
        const auto said = talk.say(hex("05010005" + std::string(command) + "000102030405"), 100);
        EXPECT_TRUE(!said && said.error().is(causes::kNotSupported));
        EXPECT_EQ(talk.said, "050005070001000000000000");
    }
    Talk type;
    EXPECT_FALSE(type.say(hex("050100"
                              "0501000502030405"),
                          100));
    EXPECT_EQ(type.said, "050005080001000000000000");
    Talk bind;
    EXPECT_FALSE(bind.say(hex("04020050c000020100"), 100));
    EXPECT_EQ(bind.said, "005b000000000000");
}

TEST(SocksServer, WhatIsNoSocksIsRefused) {
    for (const std::string_view octets : {"474554", "00", "0501000401"}) {
        Talk talk;
        const auto said = talk.say(hex(octets), 100);
        EXPECT_TRUE(!said && said.error().is(causes::kProtocol));
    }
    for (const std::string_view host : {"", "a b", "a\nb", "\xff"}) {
        Talk talk;
        const auto said = talk.say(pipelined(host), 100);
        EXPECT_TRUE(!said && said.error().is(causes::kProtocol)) << host;
        EXPECT_EQ(talk.said, "050005010001000000000000");
    }
}

TEST(SocksServer, HasLimits) {
    Talk host;
    ASSERT_TRUE(host.say(pipelined(std::string(kHostBytesMax, 'x')), 100));
    EXPECT_EQ(host.server.request()->host.size(), kHostBytesMax);
    const auto four = [](std::size_t user, std::size_t name) {
        return hex("0401005000000001" + name_hex(std::string(user, 'u')) + "00" +
                   name_hex(std::string(name, 'h')) + "00");
    };
    EXPECT_TRUE(Talk().say(four(kUserBytesMax, kHostBytesMax), 1000));
    for (const auto& [user, name] : {std::pair(kUserBytesMax + 1, std::size_t{1}),
                                     std::pair(std::size_t{0}, kHostBytesMax + 1)}) {
        const auto said = Talk().say(four(user, name), 1);
        EXPECT_TRUE(!said && said.error().is(causes::kLimit));
    }
}

}  // namespace
}  // namespace alknet::socks
