#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <alknet/base/utf8.hpp>
#include <limits>

#include "log_format.hpp"
#include "log_rate.hpp"

namespace alknet {
namespace {

constexpr std::string_view kTime = "2026-01-01T00:00:00.000000Z";

std::string line(LogFormat format, const std::vector<LogField>& fields) {
    std::string out;
    append_log_line(out, format, kTime, LogLevel::info, "test", fields);
    return out;
}

/// The text of one value, without what stands around it.
std::string value_of(LogFormat format, LogValue value) {
    LogField field("v", 0);
    field.value = value;
    const std::string whole = line(format, {field});
    const std::string before = line(format, {});
    const std::string_view key = format == LogFormat::json ? ",\"v\":" : " v=";
    const std::size_t tail = format == LogFormat::json ? 2 : 1;
    return whole.substr(before.size() - tail + key.size(),
                        whole.size() - before.size() - key.size());
}

std::string kv(LogValue value) {
    return value_of(LogFormat::key_value, value);
}
std::string json(LogValue value) {
    return value_of(LogFormat::json, value);
}

TEST(LogFormatting, BothFormatsSayTheSame) {
    const std::vector<LogField> fields = {{"remote", "[2001:db8::1]:4433"},
                                          {"reason", "gone away"},
                                          {"count", 3U},
                                          {"delta", -3},
                                          {"late", true},
                                          {"seconds", 0.25}};
    EXPECT_EQ(line(LogFormat::key_value, fields),
              "time=2026-01-01T00:00:00.000000Z level=info event=test remote=[2001:db8::1]:4433 "
              "reason=\"gone away\" count=3 delta=-3 late=true seconds=0.25\n");
    EXPECT_EQ(line(LogFormat::json, fields),
              "{\"time\":\"2026-01-01T00:00:00.000000Z\",\"level\":\"info\",\"event\":\"test\","
              "\"remote\":\"[2001:db8::1]:4433\",\"reason\":\"gone away\",\"count\":3,"
              "\"delta\":-3,\"late\":true,\"seconds\":0.25}\n");
}

TEST(LogFormatting, HostileValuesStayInTheirPlace) {
    EXPECT_EQ(kv(""), "\"\"");
    EXPECT_EQ(kv("a=b"), "\"a=b\"");
    EXPECT_EQ(kv("x level=error event=conn.open"), "\"x level=error event=conn.open\"");
    EXPECT_EQ(kv("a\nb\r\tc"), R"("a\nb\r\tc")");
    EXPECT_EQ(kv(R"(say "no" \ )"), R"("say \"no\" \\ ")");
    EXPECT_EQ(kv(std::string_view("\x1b[2J\0\x7f", 6)), R"("\u001b[2J\u0000\u007f")");
    EXPECT_EQ(kv("caf\xc3\xa9"), "\"caf\xc3\xa9\"");
    EXPECT_EQ(kv("\xff\xc3"), R"("\xff\xc3")");
    EXPECT_EQ(kv("\xc2\x9b"
                 "31m\xe2\x80\xae"),
              R"("\u009b31m\u202e")");
    EXPECT_EQ(kv("\xf3\xa0\x81\x81"), R"("\U0e0041")");

    EXPECT_EQ(json(""), "\"\"");
    EXPECT_EQ(json("a\nb\r\tc"), R"("a\nb\r\tc")");
    EXPECT_EQ(json(R"(say "no" \ )"), R"("say \"no\" \\ ")");
    EXPECT_EQ(json(std::string_view("\0\x1b", 2)), R"("\u0000\u001b")");
    EXPECT_EQ(json("\xff\xc3"), R"("\ufffd\ufffd")");
    EXPECT_EQ(json("\xf3\xa0\x81\x81"), R"("\udb40\udc41")");
}

TEST(LogFormatting, NumbersAreWhole) {
    EXPECT_EQ(kv(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
    EXPECT_EQ(kv(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
    EXPECT_EQ(json(1e300), "1e+300");
    EXPECT_EQ(json(std::numeric_limits<double>::quiet_NaN()), "null");
    EXPECT_EQ(kv(std::numeric_limits<double>::infinity()), "inf");
}

TEST(LogFormatting, LongValuesAndManyFieldsAreCut) {
    const std::string exact(kLogValueBytesMax, 'x');
    EXPECT_EQ(kv(exact), exact);
    EXPECT_EQ(kv(exact + "y"), "\"" + exact + "...\"");
    EXPECT_EQ(json(exact + "y"), "\"" + exact + "...\"");

    std::vector<LogField> fields(kLogFieldsMax, LogField("k", 1));
    EXPECT_EQ(line(LogFormat::key_value, fields).find("left_out"), std::string::npos);
    fields.resize(kLogFieldsMax + 3, LogField("k", 1));
    EXPECT_TRUE(line(LogFormat::key_value, fields).ends_with(" k=1 fields_left_out=3\n"));
}

TEST(LogFormatting, AKeyCannotBreakTheLine) {
    EXPECT_TRUE(line(LogFormat::key_value, {{"a b\n\"C", 1}}).ends_with(" a_b___=1\n"));
}

TEST(LogFormatting, AnyValueGivesOnePrintableLine) {
    EXPECT_TRUE(rc::check([](const std::string& value) {
        for (const auto format : {LogFormat::key_value, LogFormat::json}) {
            const std::string text = line(format, {{"v", value}});
            RC_ASSERT(text.ends_with('\n'));
            RC_ASSERT(to_valid_utf8(text) == text);
            std::string_view rest(text);
            for (rest.remove_suffix(1); !rest.empty();) {
                const CodePoint point = first_code_point(rest);
                RC_ASSERT(!is_unprintable(point.value));
                rest.remove_prefix(point.size);
            }
        }
    }));
}

TEST(LogTime, IsRfc3339InUtc) {
    using namespace std::chrono;
    EXPECT_EQ(log_time(sys_time<nanoseconds>{}), "1970-01-01T00:00:00.000000Z");
    const auto leap_day = sys_days(year(2024) / 2 / 29);
    EXPECT_EQ(log_time(leap_day + hours(23) + minutes(59) + seconds(59) + nanoseconds(999'999'999)),
              "2024-02-29T23:59:59.999999Z");
    EXPECT_EQ(log_time(sys_days(year(1969) / 12 / 31) + milliseconds(1)),
              "1969-12-31T00:00:00.001000Z");
}

TEST(LogLevels, AreReadAndWritten) {
    for (const auto level : {LogLevel::trace, LogLevel::debug, LogLevel::info, LogLevel::warn,
                             LogLevel::error, LogLevel::off}) {
        LogLevel read = LogLevel::info;
        EXPECT_TRUE(parse_log_level(to_string(level), read));
        EXPECT_EQ(read, level);
    }
    LogLevel unchanged = LogLevel::warn;
    for (const std::string_view text : {"", "Info", "information", " info", "unknown"}) {
        EXPECT_FALSE(parse_log_level(text, unchanged));
        EXPECT_EQ(unchanged, LogLevel::warn);
    }
}

TEST(LogRates, CutAFloodAndCountIt) {
    using std::chrono::milliseconds;
    LogRates rates(10, 3);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(rates.allow("auth.failed", milliseconds(0)));
    }
    EXPECT_FALSE(rates.suppressed());
    EXPECT_FALSE(rates.allow("auth.failed", milliseconds(0)));
    EXPECT_FALSE(rates.allow("auth.failed", milliseconds(50)));
    EXPECT_TRUE(rates.allow("conn.open", milliseconds(50))) << "another event has its own rate";
    EXPECT_TRUE(rates.allow("auth.failed", milliseconds(100)));
    EXPECT_FALSE(rates.allow("auth.failed", milliseconds(100)));
    EXPECT_TRUE(rates.suppressed());
    EXPECT_EQ(rates.take_suppressed(),
              (std::vector<std::pair<std::string, std::uint64_t>>{{"auth.failed", 3}}));
    EXPECT_FALSE(rates.suppressed());
    EXPECT_TRUE(rates.take_suppressed().empty());
    EXPECT_TRUE(rates.allow("auth.failed", milliseconds(60'000)));
    EXPECT_TRUE(rates.allow("auth.failed", milliseconds(60'000)));
    EXPECT_TRUE(rates.allow("auth.failed", milliseconds(60'000)));
    EXPECT_FALSE(rates.allow("auth.failed", milliseconds(60'000))) << "no more than the burst";
}

TEST(LogRates, ZeroMeansNoLimit) {
    LogRates rates(0, 0);
    for (int i = 0; i < 1000; ++i) {
        EXPECT_TRUE(rates.allow("auth.failed", std::chrono::nanoseconds(0)));
    }
}

TEST(LogRates, NamesBeyondTheLimitShareOneRate) {
    LogRates rates(1, 1);
    const auto now = std::chrono::nanoseconds(0);
    for (std::size_t i = 0; i < kLogRatesMax; ++i) {
        EXPECT_TRUE(rates.allow("event." + std::to_string(i), now));
    }
    EXPECT_TRUE(rates.allow("one.more", now));
    EXPECT_FALSE(rates.allow("and.another", now));
    EXPECT_EQ(rates.take_suppressed().at(0).first, "other");
}

}  // namespace
}  // namespace alknet
