// The frames of WebSockets against the case groups 1 to 7, 9 and 10 of the Autobahn list, whole and
// octet by octet.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>

#include "websocket_frames.hpp"
#include "websocket_session.hpp"

namespace alknet::http {
namespace {

using namespace test;

constexpr std::size_t kMessageMax = 16 << 20;

// "close 1002", "pong(x)": what a server sends.
std::string describe_output(std::string_view octets) {
    std::string text;
    while (octets.size() >= 2) {
        const unsigned opcode = static_cast<unsigned char>(octets[0]) & 0xfU;
        const auto size = static_cast<unsigned char>(octets[1]);
        EXPECT_LT(size, 126U);
        const std::string_view payload = octets.substr(2, size);
        octets.remove_prefix(2U + size);
        text += opcode == kPong ? "pong(" + std::string(payload) + ") " : "";
        if (opcode == kClose && payload.empty()) {
            text += "close ";
        } else if (opcode == kClose) {
            const unsigned code = static_cast<unsigned char>(payload[0]) * 256U +
                                  static_cast<unsigned char>(payload[1]);
            text += "close " + std::to_string(code) + " ";
        }
    }
    return text;
}

std::string describe_message(const WebSocketMessage& message) {
    const std::string shown =
        message.data.size() > 300 ? std::to_string(message.data.size()) : message.data;
    return (message.text ? "text(" : "binary(") + shown + ") ";
}

// Messages, then what was sent.
std::string outcome(std::string_view octets, std::size_t step, std::size_t message_max) {
    const auto session =
        WebSocketSession::create({.message_bytes_max = message_max, .random = {}}).value();
    std::string messages;
    std::string sent;
    while (!octets.empty()) {
        const std::string_view piece = octets.substr(0, step);
        octets.remove_prefix(piece.size());
        session->receive(as_bytes(piece));
        while (const auto message = session->next_message()) {
            messages += describe_message(*message);
        }
        sent += as_text(session->take_output());
    }
    return messages + describe_output(sent);
}

struct Case {
    std::string name;
    std::string octets;
    std::string expected;
};

void check(const std::vector<Case>& cases, std::size_t message_max = kMessageMax) {
    for (const Case& one : cases) {
        EXPECT_EQ(outcome(one.octets, 1 << 14, message_max), one.expected) << one.name;
        const std::size_t small = one.octets.size() > 10'000 ? 997 : 1;
        EXPECT_EQ(outcome(one.octets, small, message_max), one.expected) << one.name << " chopped";
    }
}

const std::string kHello = "Hello, world!";

TEST(WebSocketCases, Group1Framing) {
    std::vector<Case> cases;
    for (const std::size_t size : {0, 125, 126, 127, 128, 65535, 65536}) {
        const std::string payload(size, '*');
        cases.push_back({"1.1." + std::to_string(size), frame(kText, payload),
                         describe_message({.data = payload, .text = true})});
        const std::string octets(size, '\xfe');
        cases.push_back({"1.2." + std::to_string(size), frame(kBinary, octets),
                         describe_message({.data = octets, .text = false})});
    }
    check(cases);
}

TEST(WebSocketCases, Group2PingsAndPongs) {
    const std::string binary("\x00\xff\xfe\xfd\xfc\xfb\x00\xff", 8);
    const std::string most(125, '\xfe');
    std::string pings;
    std::string pongs;
    for (int i = 0; i < 10; ++i) {
        const std::string payload = "payload-" + std::to_string(i);
        pings += frame(kPing, payload);
        pongs += "pong(" + payload + ") ";
    }
    check({
        {"2.1", frame(kPing, ""), "pong() "},
        {"2.2", frame(kPing, kHello), "pong(" + kHello + ") "},
        {"2.3", frame(kPing, binary), "pong(" + binary + ") "},
        {"2.4", frame(kPing, most), "pong(" + most + ") "},
        {"2.5", frame(kPing, most + "x") + frame(kPing, ""), "close 1002 "},
        {"2.7", frame(kPong, ""), ""},
        {"2.8", frame(kPong, "unsolicited pong payload"), ""},
        {"2.9", frame(kPong, "unsolicited") + frame(kPing, "ping"), "pong(ping) "},
        {"2.10", pings, pongs},
    });
}

TEST(WebSocketCases, Group3ReservedBits) {
    const std::string before = frame(kText, kHello);
    const std::string message = "text(" + kHello + ") ";
    check({
        {"3.1", frame(kText, kHello, {.rsv = 1}), "close 1002 "},
        {"3.2", before + frame(kText, kHello, {.rsv = 2}) + frame(kPing, ""),
         message + "close 1002 "},
        {"3.3", before + frame(kText, kHello, {.rsv = 3}) + frame(kPing, ""),
         message + "close 1002 "},
        {"3.4", before + frame(kText, kHello, {.rsv = 4}) + frame(kPing, ""),
         message + "close 1002 "},
        {"3.5", frame(kBinary, kHello, {.rsv = 5}), "close 1002 "},
        {"3.6", frame(kPing, kHello, {.rsv = 6}), "close 1002 "},
        {"3.7", frame(kClose, "", {.rsv = 7}), "close 1002 "},
    });
}

TEST(WebSocketCases, Group4Opcodes) {
    std::vector<Case> cases;
    for (const std::uint8_t opcode :
         std::initializer_list<std::uint8_t>{3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
        const std::string name = "4 opcode " + std::to_string(opcode);
        cases.push_back({name, frame(opcode, ""), "close 1002 "});
        cases.push_back({name, frame(opcode, "reserved"), "close 1002 "});
        cases.push_back({name, frame(kText, kHello) + frame(opcode, kHello) + frame(kPing, ""),
                         "text(" + kHello + ") close 1002 "});
    }
    check(cases);
}

TEST(WebSocketCases, Group5Fragmentation) {
    const std::string open = frame(kText, "fragment1", {.fin = false});
    const std::string middle = frame(kContinuation, "fragment2", {.fin = false});
    const std::string last = frame(kContinuation, "fragment2");
    const std::string ping = frame(kPing, "ping");
    check({
        {"5.1", frame(kPing, "a", {.fin = false}) + frame(kContinuation, "b"), "close 1002 "},
        {"5.2", frame(kPong, "a", {.fin = false}) + frame(kContinuation, "b"), "close 1002 "},
        {"5.3", open + last, "text(fragment1fragment2) "},
        {"5.6", open + ping + last, "text(fragment1fragment2) pong(ping) "},
        {"5.9", last + frame(kText, kHello), "close 1002 "},
        {"5.12", middle + frame(kText, kHello), "close 1002 "},
        {"5.15", open + last + middle + frame(kText, kHello),
         "text(fragment1fragment2) close 1002 "},
        {"5.16", middle + frame(kText, "a", {.fin = false}) + last, "close 1002 "},
        {"5.17", last + frame(kText, "a", {.fin = false}) + last, "close 1002 "},
        {"5.18", open + frame(kText, "fragment2"), "close 1002 "},
        {"5.19", open + middle + ping + middle + middle + ping + last,
         "text(fragment1fragment2fragment2fragment2fragment2) pong(ping) pong(ping) "},
    });
}

TEST(WebSocketCases, Group6Utf8) {
    const std::string greek =
        "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!";
    const std::string bad =
        "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"
        "edited";
    std::vector<Case> cases = {
        {"6.1.1", frame(kText, ""), "text() "},
        {"6.1.2", fragmented(kText, "", 1), "text() "},
        {"6.1.3",
         frame(kText, "", {.fin = false}) + frame(kContinuation, "middle", {.fin = false}) +
             frame(kContinuation, ""),
         "text(middle) "},
        {"6.2.1", frame(kText, greek), "text(" + greek + ") "},
        {"6.2.3", fragmented(kText, greek, 1), "text(" + greek + ") "},
        {"6.3.1", frame(kText, bad), "close 1007 "},
        {"6.3.2", fragmented(kText, bad, 1), "close 1007 "},
        // Seen at once, before the message has ended.
        {"6.4.1", frame(kText, bad.substr(0, 13), {.fin = false}), "close 1007 "},
        {"6.4.2",
         frame(kText, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4", {.fin = false}) +
             frame(kContinuation, "\x90", {.fin = false}),
         "close 1007 "},
        {"binary is no text", frame(kBinary, "\xff"), "binary(\xff) "},
    };
    for (const std::string_view good :
         {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", "\x7f", "\xc2\x80", "\xdf\xbf",
          "\xe0\xa0\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf",
          "\xee\x80\x80", "\xef\xbf\xbd", "\xef\xbf\xbe", "\xf0\x9f\xbf\xbf"}) {
        cases.push_back({"6 good", frame(kText, good), "text(" + std::string(good) + ") "});
        cases.push_back({"6 good", fragmented(kText, good, 1), "text(" + std::string(good) + ") "});
    }
    for (const std::string_view wrong : {"\xce",
                                         "\xce\xba\xe1",
                                         "\xce\xba\xe1\xbd",
                                         "\x80",
                                         "\xbf",
                                         "\x80\xbf\x80",
                                         "\xc0 ",
                                         "\xe0 ",
                                         "\xf0 ",
                                         "\xf8 ",
                                         "\xfc ",
                                         "\xe0\x80",
                                         "\xf0\x80\x80",
                                         "\xdf",
                                         "\xef\xbf",
                                         "\xf7\xbf\xbf",
                                         "\xfe",
                                         "\xff",
                                         "\xfe\xfe\xff\xff",
                                         "\xc0\xaf",
                                         "\xe0\x80\xaf",
                                         "\xf0\x80\x80\xaf",
                                         "\xf8\x80\x80\x80\xaf",
                                         "\xfc\x80\x80\x80\x80\xaf",
                                         "\xc1\xbf",
                                         "\xe0\x9f\xbf",
                                         "\xf0\x8f\xbf\xbf",
                                         "\xf4\x90\x80\x80",
                                         "\xed\xa0\x80",
                                         "\xed\xbf\xbf",
                                         "\xed\xa0\x80\xed\xb0\x80",
                                         "\xf8\x88\x80\x80\x80",
                                         "\xfc\x84\x80\x80\x80\x80"}) {
        cases.push_back({"6 wrong", frame(kText, wrong), "close 1007 "});
        cases.push_back({"6 wrong", fragmented(kText, wrong, 1), "close 1007 "});
    }
    check(cases);
}

TEST(WebSocketCases, Group7Closing) {
    const std::string long_reason(123, '*');
    const std::string large(256 << 10, '*');
    std::vector<Case> cases = {
        {"7.1.1", frame(kText, kHello) + close_frame(1000), "text(" + kHello + ") close 1000 "},
        {"7.1.2", close_frame(1000) + close_frame(1000), "close 1000 "},
        {"7.1.3", close_frame(1000) + frame(kPing, ""), "close 1000 "},
        {"7.1.4", close_frame(1000) + frame(kText, kHello), "close 1000 "},
        {"7.1.5", frame(kText, "a", {.fin = false}) + close_frame(1000) + frame(kContinuation, "b"),
         "close 1000 "},
        {"7.1.6", frame(kText, large) + close_frame(1000) + frame(kPing, ""),
         "text(262144) close 1000 "},
        {"7.3.1", frame(kClose, ""), "close "},
        {"7.3.2", frame(kClose, "a"), "close 1002 "},
        {"7.3.3", close_frame(1000), "close 1000 "},
        {"7.3.4", close_frame(1000, "Hello World!"), "close 1000 "},
        {"7.3.5", close_frame(1000, long_reason), "close 1000 "},
        {"7.3.6", close_frame(1000, long_reason + "*"), "close 1002 "},
        {"7.5.1", close_frame(1000, "\xce\xba\xed\xa0\x80"), "close 1007 "},
    };
    for (const std::uint16_t code : std::initializer_list<std::uint16_t>{
             1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999}) {
        cases.push_back({"7.7", close_frame(code), "close " + std::to_string(code) + " "});
    }
    for (const std::uint16_t code : std::initializer_list<std::uint16_t>{
             0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535}) {
        cases.push_back({"7.9 " + std::to_string(code), close_frame(code), "close 1002 "});
    }
    check(cases);
}

TEST(WebSocketCases, Groups9And10LargeMessages) {
    const std::string large(4 << 20, '*');
    std::vector<Case> cases = {
        {"9.1.6", frame(kText, std::string(kMessageMax, '*')), "text(16777216) "},
        {"10.1.1", fragmented(kText, std::string(65536, '*'), 1300), "text(65536) "}};
    for (const std::size_t size : {64U, 4096U, 65536U, 1U << 20, 4U << 20}) {
        cases.push_back({"9.3", fragmented(kText, large, size), "text(4194304) "});
        cases.push_back({"9.4", fragmented(kBinary, large, size), "binary(4194304) "});
    }
    for (const Case& one : cases) {
        EXPECT_EQ(outcome(one.octets, 1 << 14, kMessageMax), one.expected) << one.name;
    }
    std::string many;
    std::string expected;
    for (int i = 0; i < 1000; ++i) {
        many += frame(kText, std::string(16, '*'));
        expected += "text(****************) ";
    }
    EXPECT_EQ(outcome(many, 1 << 14, kMessageMax), expected);
}

TEST(WebSocketCases, BesidesThose) {
    const std::string not_masked = frame(kText, "a", {.masked = false});
    const std::string long_126 = std::string("\x81\xfe\x00\x05", 4) + "maskhello";
    const std::string long_127 = std::string("\x81\xff", 2) + big_endian(200, 8) + "mask";
    const std::string huge = std::string("\x81\xff", 2) + big_endian(1ULL << 63U, 8) + "mask";
    check({
        {"a client that does not mask", not_masked, "close 1002 "},
        {"a length in more octets than it needs", long_126, "close 1002 "},
        {"likewise", long_127, "close 1002 "},
        {"a length beyond 2^63", huge, "close 1002 "},
    });
    check(
        {
            {"as large as may be", frame(kText, std::string(100, 'x')),
             "text(" + std::string(100, 'x') + ") "},
            {"larger, by its head", frame(kText, std::string(101, 'x')).substr(0, 7),
             "close 1009 "},
            {"larger, in fragments", fragmented(kText, std::string(101, 'x'), 50), "close 1009 "},
        },
        100);
}

TEST(WebSocketSession, FragmentsAreBoundedByNumber) {
    constexpr std::size_t kMost = kFragmentsFree + 640 / kFragmentBytes;
    for (const std::size_t more : {0U, 1U}) {
        const auto server = WebSocketSession::create({.message_bytes_max = 640}).value();
        std::string frames = frame(kText, "", {.fin = false});
        for (std::size_t i = 2; i < kMost + more; ++i) {
            frames += frame(kContinuation, "", {.fin = false});
        }
        server->receive(as_bytes(frames));
        EXPECT_FALSE(server->end());
        server->receive(as_bytes(frame(kPing, "") + frame(kContinuation, "end")));
        EXPECT_EQ(server->has_message(), more == 0);
        EXPECT_EQ(server->end(), more == 0 ? std::nullopt
                                           : std::optional(WebSocketEnd{
                                                 .code = websocket_code::kTooLarge, .reason = {}}));
    }
}

TEST(WebSocketSession, BothRolesUnderstandEachOther) {
    const auto server = WebSocketSession::create({}).value();
    unsigned char next = 0;
    const auto client = WebSocketSession::create({.role = WebSocketRole::client,
                                                  .random =
                                                      [&](MutableBytes into) {
                                                          for (std::byte& octet : into) {
                                                              octet =
                                                                  static_cast<std::byte>(++next);
                                                          }
                                                      }})
                            .value();
    EXPECT_TRUE(client->send("to the server", true));
    server->receive(client->take_output());
    EXPECT_EQ(server->next_message(), (WebSocketMessage{.data = "to the server", .text = true}));
    EXPECT_TRUE(server->send("\xff", false));
    server->ping();
    client->receive(server->take_output());
    EXPECT_TRUE(client->has_message());
    EXPECT_EQ(client->next_message(), (WebSocketMessage{.data = "\xff", .text = false}));
    server->close(4000, "enough");
    client->receive(server->take_output());
    EXPECT_TRUE(server->sent_all());
    EXPECT_EQ(client->end(), (WebSocketEnd{.code = 4000, .reason = "enough"}));
    server->receive(client->take_output());
    EXPECT_EQ(server->end()->code, 4000);
    EXPECT_FALSE(server->send("too late", true));
}

TEST(WebSocketSession, WhatCannotBeSaidIsNotSent) {
    const auto session = WebSocketSession::create({}).value();
    EXPECT_FALSE(session->send("\xff", true));
    EXPECT_TRUE(session->take_output().empty());
    std::string reason(122, 'a');
    session->close(1000, reason + "\xc3\xa4");  // cut before the letter of two octets
    const Bytes sent = session->take_output();
    EXPECT_EQ(sent.size(), 2 + 2 + 122U);
}

}  // namespace
}  // namespace alknet::http
