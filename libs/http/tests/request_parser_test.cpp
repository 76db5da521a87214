// RequestParser against the table, under every cut, and at each of its limits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <alknet/http/request_parser.hpp>

#include "request_cases.hpp"

namespace alknet::http {
namespace {

using test::events_of;
using test::RequestCase;

std::string repeat(std::size_t count, std::string_view text) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) {
        all += text;
    }
    return all;
}

TEST(RequestParser, TheTable) {
    const auto cases = test::read_request_cases();
    EXPECT_GE(cases.size(), 150U);
    for (const RequestCase& one : cases) {
        EXPECT_EQ(events_of(one.octets), one.expected) << one.name;
    }
}

TEST(RequestParser, EveryOctetByItselfGivesTheSame) {
    for (const RequestCase& one : test::read_request_cases()) {
        EXPECT_EQ(events_of(one.octets, [] { return 1; }), one.expected) << one.name;
    }
}

TEST(RequestParser, EveryCutInTwoGivesTheSame) {
    for (const RequestCase& one : test::read_request_cases()) {
        if (one.octets.size() > 1000) {
            continue;  // those are cut at random
        }
        for (std::size_t cut = 1; cut < one.octets.size(); ++cut) {
            EXPECT_EQ(events_of(one.octets, [&] { return cut; }), one.expected)
                << one.name << " cut at " << cut;
        }
    }
}

TEST(RequestParser, EveryWayToCutTheOctetsGivesTheSame) {
    const auto cases = test::read_request_cases();
    EXPECT_TRUE(rc::check("sequences of the table's requests, changed here and there", [&] {
        std::string octets;
        const auto chosen = *rc::gen::container<std::vector<std::size_t>>(
            3, rc::gen::inRange<std::size_t>(0, cases.size()));
        for (const std::size_t index : chosen) {
            octets += cases[index].octets;
        }
        const auto flips = *rc::gen::inRange(0, 3);
        for (int i = 0; i < flips; ++i) {
            octets[*rc::gen::inRange<std::size_t>(0, octets.size())] = *rc::gen::arbitrary<char>();
        }
        const auto sizes = *rc::gen::nonEmpty(
            rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 300)));
        std::size_t next = 0;
        const auto size_of = [&] { return sizes[next++ % sizes.size()]; };
        RC_ASSERT(events_of(octets) == events_of(octets, size_of));
    }));
}

TEST(RequestParser, WhatFollowsARefusalIsNotLookedAt) {
    RequestParser parser(MessageLimits{});
    const std::string octets = "GET / HTTP/1.1\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    BytesView input = as_bytes(octets);
    EXPECT_EQ(parser.next(input).event, RequestEvent::refused);
    EXPECT_EQ(parser.next(input).event, RequestEvent::refused);
}

TEST(RequestParser, IdleBetweenRequestsAlone) {
    RequestParser parser(MessageLimits{});
    EXPECT_TRUE(parser.idle());
    BytesView some = as_bytes("GET");
    EXPECT_EQ(parser.next(some).event, RequestEvent::more);
    EXPECT_FALSE(parser.idle());
    BytesView rest = as_bytes(" / HTTP/1.1\r\nHost: a\r\n\r\n\r\n");
    EXPECT_EQ(parser.next(rest).event, RequestEvent::head);
    EXPECT_FALSE(parser.idle());
    EXPECT_EQ(parser.next(rest).event, RequestEvent::end);
    EXPECT_EQ(parser.next(rest).event, RequestEvent::more);
    EXPECT_TRUE(parser.idle());
}

TEST(RequestParser, FieldsInTheirOrder) {
    RequestParser parser(MessageLimits{});
    BytesView input = as_bytes("GET / HTTP/1.1\r\nHost: a\r\nX-B:  1 \r\nx-a:\r\nX-b: 2\r\n\r\n");
    ASSERT_EQ(parser.next(input).event, RequestEvent::head);
    const Fields& fields = parser.head().fields;
    ASSERT_EQ(fields.size(), 4U);
    EXPECT_EQ(fields[1], (FieldView{.name = "x-b", .value = "1"}));
    EXPECT_EQ(fields[2], (FieldView{.name = "x-a", .value = ""}));
    EXPECT_EQ(fields.joined("x-b"), "1, 2");
}

TEST(RequestHead, HostWithoutItsPort) {
    RequestHead head;
    head.authority = "a.example:443";
    EXPECT_EQ(head.host(), "a.example");
    head.authority = "[::1]:443";
    EXPECT_EQ(head.host(), "[::1]");
    head.authority = "[::1]";
    EXPECT_EQ(head.host(), "[::1]");
}

// Each limit, reached and passed by one.

std::string get(const std::string& target, const std::string& fields = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

TEST(RequestLimits, OctetsOfTheHead) {
    const std::size_t fixed = get("/", "x: \r\n").size();
    const MessageLimits limits;
    const auto with = [&](std::size_t size) {
        return get("/", "x: " + std::string(size - fixed, 'v') + "\r\n");
    };
    EXPECT_EQ(events_of(with(limits.header_bytes_max)), "GET / at a");
    EXPECT_EQ(events_of(with(limits.header_bytes_max + 1)), "431");
}

TEST(RequestLimits, Fields) {
    const MessageLimits limits;
    EXPECT_EQ(events_of(get("/", repeat(limits.fields_max - 1, "x: y\r\n"))), "GET / at a");
    EXPECT_EQ(events_of(get("/", repeat(limits.fields_max, "x: y\r\n"))), "431");
}

TEST(RequestLimits, OctetsOfTheTarget) {
    const MessageLimits limits;
    const std::string longest = "/" + std::string(limits.target_bytes_max - 1, 'a');
    EXPECT_EQ(events_of(get(longest)), "GET " + longest + " at a");
    EXPECT_EQ(events_of(get(longest + "a")), "414");
    EXPECT_EQ(events_of("GET " + longest + std::string(100, 'a')), "414") << "before its end";
}

TEST(RequestLimits, OctetsOfTheMethod) {
    EXPECT_EQ(events_of(std::string(kMethodBytesMax, 'M') + " / HTTP/1.1\r\nHost: a\r\n\r\n"),
              std::string(kMethodBytesMax, 'M') + " / at a");
    EXPECT_EQ(events_of(std::string(kMethodBytesMax + 1, 'M') + " / HTTP/1.1\r\nHost: a\r\n\r\n"),
              "400");
}

TEST(RequestLimits, OctetsOfABody) {
    const MessageLimits limits{.body_bytes_max = 100};
    const auto sized = [](std::size_t size) {
        return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) +
               "\r\n\r\n" + std::string(size, 'b');
    };
    EXPECT_EQ(events_of(sized(100), limits), "POST / at a 100 octets");
    EXPECT_EQ(events_of(sized(101), limits), "413");
    const std::string chunked =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n32\r\n" +
        std::string(50, 'b') + "\r\n";
    EXPECT_EQ(events_of(chunked + "32\r\n" + std::string(50, 'b') + "\r\n0\r\n\r\n", limits),
              "POST / at a 100 octets");
    EXPECT_EQ(events_of(chunked + "33\r\n" + std::string(51, 'b') + "\r\n0\r\n\r\n", limits),
              "POST / at a; 413");
}

constexpr std::string_view kChunkedHead =
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

TEST(RequestLimits, ChunkExtensions) {
    const std::string head(kChunkedHead);
    const auto chunk = [](std::size_t extension) {
        return "1;" + std::string(extension - 1, 'e') + "\r\nb\r\n";
    };
    EXPECT_EQ(events_of(head + chunk(kChunkExtensionBytesMax) + "0\r\n\r\n"), "POST / at a \"b\"");
    EXPECT_EQ(events_of(head + chunk(kChunkExtensionBytesMax + 1) + "0\r\n\r\n"),
              "POST / at a; 400");
    const std::size_t fit = kChunkExtensionsBytesMax / kChunkExtensionBytesMax;
    EXPECT_EQ(events_of(head + repeat(fit, chunk(kChunkExtensionBytesMax)) + "0\r\n\r\n"),
              "POST / at a \"" + std::string(fit, 'b') + "\"");
    EXPECT_EQ(events_of(head + repeat(fit, chunk(kChunkExtensionBytesMax)) + "0;\r\n\r\n"),
              "POST / at a; 400");
}

TEST(RequestLimits, Trailers) {
    const std::string head = std::string(kChunkedHead) + "0\r\n";
    EXPECT_EQ(events_of(head + repeat(kTrailersMax, "x: y\r\n") + "\r\n"),
              "POST / at a" + repeat(kTrailersMax, " trailer x=y"));
    EXPECT_EQ(events_of(head + repeat(kTrailersMax + 1, "x: y\r\n") + "\r\n"), "POST / at a; 431");
    const std::string longest(kTrailerBytesMax - std::string("x: \r\n\r\n").size(), 'v');
    EXPECT_EQ(events_of(head + "x: " + longest + "\r\n\r\n"), "POST / at a trailer x=" + longest);
    EXPECT_EQ(events_of(head + "x: " + longest + "v\r\n\r\n"), "POST / at a; 431");
}

}  // namespace
}  // namespace alknet::http
