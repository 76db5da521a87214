#include <gtest/gtest.h>
#include <alknet/base/causes_audit.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/identity/audit_record.hpp>

namespace alknet::identity {
namespace {

AuditRecord sample() {
    AuditRecord record;
    record.seq = 1;
    record.time = "2027-01-15T08:00:00.000Z";
    record.event = "connection.refused";
    record.fields = {{"remote", "192.0.2.1:77"}, {"reason", "E-AUTH-REQUIRED"}};
    return record;
}

// These stand in docs/audit.md.
TEST(AuditRecord, IsOneLineOfJson) {
    const std::string line = encode_audit_record(sample());
    EXPECT_EQ(
        line,
        R"({"seq":1,"prev":"0000000000000000000000000000000000000000000000000000000000000000",)"
        R"("time":"2027-01-15T08:00:00.000Z","event":"connection.refused",)"
        R"("remote":"192.0.2.1:77","reason":"E-AUTH-REQUIRED"})");
    EXPECT_EQ(hex_encode(audit_digest(line)),
              "78ec37ab3c11485c4ffe925beaebbd4a8309f4006430a81a6e830e236a69b3f0");
    AuditRecord second = sample();
    second.seq = 2;
    second.prev = audit_digest(line);
    second.event = "peer.added";
    second.fields = {{"name", "b\"\\\n\x7f\xff\xc3\xa9\xf0\x9f\x98\x80"}};
    const std::string next = encode_audit_record(second);
    EXPECT_TRUE(next.ends_with(
        R"("event":"peer.added","name":"b\"\\\u000a\u007f\ufffd\u00e9\ud83d\ude00"})"))
        << next;
    EXPECT_EQ(hex_encode(audit_digest(next)),
              "8f9b71606d5d2b6b5b532a1770c24c4058f1dfcf55e9bb392640a163fdca6206");
    EXPECT_EQ(encode_audit_head({.seq = 2, .digest = audit_digest(next)}),
              "alknet-audit-head 1 00000000000000000002 "
              "8f9b71606d5d2b6b5b532a1770c24c4058f1dfcf55e9bb392640a163fdca6206\n");
}

TEST(AuditRecord, ReadsWhatItWrites) {
    AuditRecord record = sample();
    std::string all;
    for (int octet = 0; octet < 128; ++octet) {
        all.push_back(static_cast<char>(octet));
    }
    record.fields.emplace_back("all", all + "\xc3\xa9\xe2\x80\xae\xf0\x9f\x98\x80");
    const auto again = decode_audit_record(encode_audit_record(record));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, record);
    EXPECT_EQ(again->field("remote"), "192.0.2.1:77");
    EXPECT_EQ(again->field("nothing"), "");
}

// Whoever chooses a name, a host or a service chooses octets of a line, and never a line.
TEST(AuditRecord, TextOfAnEnemyForgesNoLine) {
    const std::string forged = "x\"}\n" + encode_audit_record(sample()) + "\n{\"seq\":9,\"a\":\"";
    for (const std::string& evil :
         {forged, std::string("\r\n\x1b[2J"), std::string("\xe2\x80\xa8\xe2\x80\xae"),
          std::string("\xff\xfe\x00", 3), std::string("\",\"reason\":\"")}) {
        AuditRecord record = sample();
        record.event = "peer.added";
        record.fields = {{"name", evil}};
        const std::string line = encode_audit_record(record);
        for (const char c : line) {
            EXPECT_TRUE(c >= ' ' && c <= '~');
        }
        const auto again = decode_audit_record(line);
        ASSERT_TRUE(again) << line;
        ASSERT_EQ(again->fields.size(), 1U);
        EXPECT_EQ(again->field("reason"), "");
    }
}

TEST(AuditRecord, RefusesEverythingElse) {
    const std::string good = encode_audit_record(sample());
    ASSERT_TRUE(decode_audit_record(good));
    std::vector<std::string> bad = {"",
                                    "{}",
                                    "{\"seq\":1}",
                                    good + " ",
                                    " " + good,
                                    good.substr(0, good.size() - 1),
                                    good.substr(0, good.size() - 2)};
    const auto with = [&](std::string_view from, std::string_view to) {
        std::string text = good;
        text.replace(text.find(from), from.size(), to);
        bad.push_back(text);
    };
    with("\"seq\":1", "\"seq\":0");
    with("\"seq\":1", "\"seq\":01");
    with("\"seq\":1", "\"seq\":-1");
    with("\"seq\":1", "\"seq\":99999999999999999999");
    with("prev\":\"0", "prev\":\"");
    with("prev\":\"0", "prev\":\"A");
    with("2027-01-15T", "2027-01-15 ");
    with("connection.refused", "Connection");
    with("connection.refused", "");
    with("\"remote\"", "\"re mote\"");
    with("\"remote\"", "\"\\u0072emote\"");
    with("192.", "\\u0031 92.");
    with("192.", "\\u00E9");
    with("192.", "\\ud83d");
    with("192.", "\\ud83d\\u0041");
    with("192.", "\\ude00");
    with("192.", "\\n");
    with("192.", "\\u12");
    with("192.", "\\uzzzz");
    with("192.", "\xc3\xa9");
    with("192.", "\n");
    with(",\"remote\"", ", \"remote\"");
    with("}", ",\"open\":\"\\");
    AuditRecord many = sample();
    many.fields.assign(kAuditFieldsMax + 1, {"a", "b"});
    bad.push_back(encode_audit_record(many));
    AuditRecord long_name = sample();
    long_name.fields = {{std::string(kAuditNameBytesMax + 1, 'a'), "b"}};
    bad.push_back(encode_audit_record(long_name));
    AuditRecord huge = sample();
    huge.fields = {{"a", std::string(kAuditLineBytesMax, 'a')}};
    bad.push_back(encode_audit_record(huge));
    for (const std::string& line : bad) {
        const auto decoded = decode_audit_record(line);
        ASSERT_FALSE(decoded) << line;
        EXPECT_TRUE(decoded.error().is(causes::kAuditBroken));
    }
}

TEST(AuditRecord, TheLargestThatAWriterMakesFitsIntoALine) {
    AuditRecord record = sample();
    record.fields.assign(kAuditFieldsMax, {std::string(kAuditNameBytesMax, 'a'),
                                           std::string(kAuditValueBytesMax, '\x01')});
    EXPECT_TRUE(decode_audit_record(encode_audit_record(record)));
}

TEST(AuditRecord, AHeadHasOneText) {
    const AuditHead head{.seq = 18'446'744'073'709'551'615U, .digest = audit_digest("x")};
    const std::string text = encode_audit_head(head);
    EXPECT_EQ(text.size(), encode_audit_head({}).size());
    ASSERT_TRUE(decode_audit_head(text));
    EXPECT_EQ(*decode_audit_head(text), head);
    for (const std::string& bad :
         {std::string(), text.substr(1), text + " ", text.substr(0, text.size() - 1),
          "alknet-audit-head 2" + text.substr(19), text.substr(0, 45)}) {
        EXPECT_FALSE(decode_audit_head(bad)) << bad;
    }
}

}  // namespace
}  // namespace alknet::identity
