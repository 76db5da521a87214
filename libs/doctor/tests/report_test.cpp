// Reports and frames: what goes in comes out, and what is not allowed does not get in.
#include <gtest/gtest.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/doctor/frames.hpp>
#include <alknet/doctor/report.hpp>

namespace alknet::doctor {
namespace {

WayReport full_way() {
    WayReport way;
    way.way = Way::tcp_v6;
    way.outcome = Outcome::stranger;
    way.answerer = Answerer::a_certificate;
    way.remote = SocketAddress::parse("[2001:db8::1]:443").value();
    way.local = SocketAddress::parse("10.1.2.3:5000").value();
    way.handshake_us = 1;
    way.rtt_us = 2;
    way.datagrams_sent = 3;
    way.datagrams_arrived = 4;
    way.datagrams_back = 5;
    way.up_bytes = 6;
    way.up_us = 7;
    way.down_bytes = 8;
    way.down_us = 9;
    way.payload_small = 100;
    way.payload_max = 1452;
    way.detail = "why";
    return way;
}

Report full_report() {
    Report report;
    report.program = "alknet 0.1.0";
    report.unix_ms = -5;
    report.beginnings = 7;
    report.listens_udp = 4433;
    report.listens_tcp = 443;
    report.checks = {{.group = "system",
                      .name = "clock",
                      .status = Status::fail,
                      .value = "",
                      .consequence = "bad",
                      .next = "set it"}};
    report.ways = {full_way(), {}};
    return report;
}

bool refused(BytesView bytes) {
    const auto report = decode_report(bytes);
    return !report && report.error().is(causes::kProtocol);
}

TEST(Reports, ComeBackAsTheyWere) {
    for (const Report& report : {Report(), full_report()}) {
        const auto decoded = decode_report(encode_report(report));
        ASSERT_TRUE(decoded);
        EXPECT_EQ(*decoded, report);
    }
}

TEST(Reports, EveryPartThatIsCutOffIsRefusedOrLeavesTheRestWhole) {
    const Bytes bytes = encode_report(full_report());
    std::size_t whole = 0;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        whole += refused(BytesView(bytes).first(size)) ? 0U : 1U;
    }
    EXPECT_EQ(whole, 4U);  // after the version, and between its four parts
}

TEST(Reports, OtherVersionsAreRefusedAndUnknownPartsSkipped) {
    Bytes bytes = encode_report(full_report());
    const Bytes unknown = {std::byte{0x7f}, std::byte{1}, std::byte{0}, std::byte{0},
                           std::byte{0},    std::byte{2}, std::byte{9}, std::byte{9}};
    Bytes newer = bytes;
    newer.insert(newer.end(), unknown.begin(), unknown.end());
    EXPECT_EQ(decode_report(newer), full_report());
    bytes[0] = std::byte{2};
    EXPECT_TRUE(refused(bytes));
}

TEST(Reports, NumbersThatMeanNothingAreRefused) {
    const Report report = full_report();
    const Bytes bytes = encode_report(report);
    Report plain = report;
    plain.ways.clear();
    plain.checks.clear();
    const std::size_t way = encode_report(plain).size() + 6;
    for (std::size_t at = way; at < way + 4; ++at) {  // way, outcome, answerer, family
        Bytes broken = bytes;
        broken[at] = std::byte{200};
        EXPECT_TRUE(refused(broken)) << at - way;
    }
}

TEST(Reports, HoldNoMoreThanTheyMay) {
    Report report = full_report();
    report.checks.assign(Report::kChecksMax + 5, report.checks[0]);
    report.ways.assign(Report::kWaysMax + 5, report.ways[0]);
    const std::string longest(Report::kTextBytesMax, 'x');
    for (Check& check : report.checks) {
        check.group = check.name = check.value = check.consequence = check.next = longest + "y";
    }
    for (WayReport& way : report.ways) {
        way.detail = longest + "y";
    }
    const Bytes bytes = encode_report(report);
    EXPECT_LE(bytes.size(), Report::kBytesMax);
    const auto decoded = decode_report(bytes);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->checks.size(), Report::kChecksMax);
    EXPECT_EQ(decoded->ways.size(), Report::kWaysMax);
    EXPECT_EQ(decoded->checks[0].name, longest);
    EXPECT_EQ(decoded->ways[0].detail, longest);
}

// The bytes of the parts that stand after the first one.
Bytes with_repeated(const Report& one_part, std::size_t times) {
    Report plain = one_part;
    plain.ways.clear();
    plain.checks.clear();
    const std::size_t begin = encode_report(plain).size();
    Bytes bytes = encode_report(one_part);
    const Bytes part(bytes.begin() + static_cast<std::ptrdiff_t>(begin), bytes.end());
    for (std::size_t i = 1; i < times; ++i) {
        bytes.insert(bytes.end(), part.begin(), part.end());
    }
    return bytes;
}

TEST(Reports, MorePartsThanAllowedAreRefused) {
    Report ways;
    ways.ways = {WayReport()};
    EXPECT_FALSE(refused(with_repeated(ways, Report::kWaysMax)));
    EXPECT_TRUE(refused(with_repeated(ways, Report::kWaysMax + 1)));
    Report checks;
    checks.checks = {Check()};
    EXPECT_FALSE(refused(with_repeated(checks, Report::kChecksMax)));
    EXPECT_TRUE(refused(with_repeated(checks, Report::kChecksMax + 1)));
    EXPECT_TRUE(refused(Bytes(Report::kBytesMax + 1)));
}

TEST(Reports, TellNoValues) {
    const std::vector<Check> checks = {{.group = "a",
                                        .name = "b",
                                        .status = Status::ok,
                                        .value = "secret",
                                        .consequence = {},
                                        .next = {}},
                                       {.group = "a",
                                        .name = "c",
                                        .status = Status::warn,
                                        .value = "secret",
                                        .consequence = "d",
                                        .next = "e"},
                                       {.group = "a",
                                        .name = "f",
                                        .status = Status::skipped,
                                        .value = "secret",
                                        .consequence = {},
                                        .next = {}}};
    const auto told = checks_to_tell(checks);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].name, "c");
    EXPECT_EQ(told[0].value, "");
}

TEST(Frames, ComeTogetherFromPieces) {
    const Seen seen{.observed = SocketAddress::parse("[::1]:5").value(),
                    .unix_ms = -1,
                    .beginnings = 2,
                    .datagrams = 3};
    const Counted counted{
        .bytes = 1, .microseconds = 2, .cpu_microseconds = 3, .waited_microseconds = 4};
    const Download download{.bytes = 5, .milliseconds = 6};
    Bytes all;
    for (const Bytes& frame : {encode(seen), encode(counted), encode(download),
                               encode_frame(FrameType::data, Bytes(kFrameBodyBytesMax))}) {
        all.insert(all.end(), frame.begin(), frame.end());
    }
    FrameReader reader;
    std::size_t frames = 0;
    for (BytesView rest = all; !rest.empty();) {
        const MutableBytes room = reader.room();
        ASSERT_FALSE(room.empty());
        const std::size_t size = std::min<std::size_t>({7, rest.size(), room.size()});
        std::copy_n(rest.begin(), size, room.begin());
        reader.filled(size);
        rest = rest.subspan(size);
        for (auto frame = reader.next(); frame && *frame; frame = reader.next()) {
            switch (frames++) {
                case 0:
                    EXPECT_EQ(decode_seen((*frame)->body), seen);
                    break;
                case 1:
                    EXPECT_EQ(decode_counted((*frame)->body), counted);
                    break;
                case 2:
                    EXPECT_EQ(decode_download((*frame)->body), download);
                    break;
                default:
                    EXPECT_EQ((*frame)->body.size(), kFrameBodyBytesMax);
            }
        }
    }
    EXPECT_EQ(frames, 4U);
}

TEST(Frames, WhatIsNotAllowedEndsIt) {
    const auto first = [](Bytes bytes) {
        FrameReader reader;
        std::ranges::copy(bytes, reader.room().begin());
        reader.filled(bytes.size());
        const auto frame = reader.next();
        return !frame && frame.error().is(causes::kProtocol);
    };
    Bytes long_one = encode_frame(FrameType::data, {});
    long_one[3] = std::byte{0x80};
    long_one[4] = std::byte{1};
    EXPECT_TRUE(first(long_one));
    for (const int type : {0, 8, 255}) {
        Bytes unknown = encode_frame(FrameType::data, {});
        unknown[0] = static_cast<std::byte>(type);
        EXPECT_TRUE(first(unknown)) << type;
    }
    EXPECT_FALSE(decode_seen(Bytes(10)));
    EXPECT_FALSE(decode_counted(Bytes(10)));
    EXPECT_FALSE(decode_download(Bytes(10)));
}

}  // namespace
}  // namespace alknet::doctor
