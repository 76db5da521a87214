#include <gtest/gtest.h>
#include <alknet/http/conditional.hpp>

namespace alknet::http {
namespace {

// Sun, 06 Nov 1994 08:49:37 GMT, and a little.
const Validators kFile{.etag = "\"a\"",
                       .modified = WallTime(std::chrono::milliseconds(784'111'777'900))};
constexpr const char* kBefore = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr const char* kThen = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr const char* kAfter = "Sun, 06 Nov 1994 08:49:38 GMT";

Fields with(std::initializer_list<FieldView> list) {
    Fields fields;
    for (const FieldView& field : list) {
        fields.add(field.name, field.value);
    }
    return fields;
}

TEST(HttpDate, ThereAndBack) {
    EXPECT_EQ(http_date(kFile.modified), kThen);
    EXPECT_EQ(http_date(WallTime{}), "Thu, 01 Jan 1970 00:00:00 GMT");
    EXPECT_EQ(http_date(*parse_http_date("Thu, 29 Feb 2024 23:59:59 GMT")),
              "Thu, 29 Feb 2024 23:59:59 GMT");
}

TEST(HttpDate, WhatIsNone) {
    for (const char* const text :
         {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
          "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
          "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
          "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
          "Sun, 06 Nov 1994 08:49:60 GMT", "Sun, 06 Nov 1594 08:49:37 GMT",
          "Sun, 06 Nov 9999 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT"}) {
        EXPECT_FALSE(parse_http_date(text)) << text;
    }
}

TEST(Preconditions, TheTable) {
    using enum Precondition;
    struct Row {
        Fields fields;
        Precondition expected;
    };
    for (const Row& row : {
             Row{with({}), proceed},
             Row{with({{"if-none-match", "\"a\""}}), not_modified},
             Row{with({{"if-none-match", "W/\"a\""}}), not_modified},
             Row{with({{"if-none-match", "\"b\", \"a\""}}), not_modified},
             Row{with({{"if-none-match", "\"b\""}, {"if-none-match", "\"a\""}}), not_modified},
             Row{with({{"if-none-match", "*"}}), not_modified},
             Row{with({{"if-none-match", "\"b\""}}), proceed},
             Row{with({{"if-none-match", "a"}}), proceed},
             Row{with({{"if-none-match", "\"b\""}, {"if-modified-since", kThen}}), proceed},
             Row{with({{"if-modified-since", kThen}}), not_modified},
             Row{with({{"if-modified-since", kAfter}}), not_modified},
             Row{with({{"if-modified-since", kBefore}}), proceed},
             Row{with({{"if-modified-since", "yesterday"}}), proceed},
             Row{with({{"if-match", "\"a\""}}), proceed},
             Row{with({{"if-match", "*"}}), proceed},
             Row{with({{"if-match", "\"b\""}}), failed},
             Row{with({{"if-match", "W/\"a\""}}), failed},
             Row{with({{"if-match", "\"a\""}, {"if-unmodified-since", kBefore}}), proceed},
             Row{with({{"if-unmodified-since", kThen}}), proceed},
             Row{with({{"if-unmodified-since", kBefore}}), failed},
             Row{with({{"if-unmodified-since", "tomorrow"}}), proceed},
             Row{with({{"if-match", "\"b\""}, {"if-none-match", "\"a\""}}), failed},
         }) {
        std::string names;
        for (std::size_t i = 0; i < row.fields.size(); ++i) {
            names.append(row.fields[i].name).append(": ").append(row.fields[i].value).append("; ");
        }
        EXPECT_EQ(check_preconditions(row.fields, kFile), row.expected) << names;
    }
}

std::string range(const Fields& fields, std::uint64_t size = 100) {
    const RangeChoice choice = choose_range(fields, kFile, size);
    switch (choice.verdict) {
        case RangeVerdict::whole:
            return "whole";
        case RangeVerdict::unsatisfiable:
            return "unsatisfiable";
        case RangeVerdict::part:
            break;
    }
    return std::to_string(choice.range.first) + "+" + std::to_string(choice.range.size);
}

TEST(Range, TheTable) {
    struct Row {
        std::string_view range;
        std::string_view expected;
    };
    for (const Row& row : {
             Row{"bytes=0-0", "0+1"},
             Row{"bytes=0-99", "0+100"},
             Row{"bytes=10-19", "10+10"},
             Row{"bytes=10-", "10+90"},
             Row{"bytes=90-1000", "90+10"},
             Row{"bytes=-1", "99+1"},
             Row{"bytes=-1000", "0+100"},
             Row{"BYTES=0-0", "0+1"},
             Row{"bytes= 0-0", "0+1"},
             Row{"bytes=100-", "unsatisfiable"},
             Row{"bytes=1000-2000", "unsatisfiable"},
             Row{"bytes=-0", "unsatisfiable"},
             Row{"bytes=5-2", "whole"},
             Row{"bytes=", "whole"},
             Row{"bytes=-", "whole"},
             Row{"bytes=5", "whole"},
             Row{"bytes=a-b", "whole"},
             Row{"bytes=0-b", "whole"},
             Row{"bytes=+1-2", "whole"},
             Row{"bytes=1--2", "whole"},
             Row{"bytes=0-0,5-9", "whole"},
             Row{"bytes=18446744073709551616-", "whole"},
             Row{"lines=0-1", "whole"},
             Row{"bytes", "whole"},
         }) {
        EXPECT_EQ(range(with({{"range", row.range}})), row.expected) << row.range;
    }
    EXPECT_EQ(range(with({})), "whole");
    EXPECT_EQ(range(with({{"range", "bytes=0-0"}, {"range", "bytes=5-9"}})), "whole");
    EXPECT_EQ(range(with({{"range", "bytes=0-"}}), 0), "unsatisfiable");
    EXPECT_EQ(range(with({{"range", "bytes=-5"}}), 0), "unsatisfiable");
}

TEST(Range, OnlyIfItIsStillTheSame) {
    const auto with_condition = [](std::string_view condition) {
        return range(with({{"range", "bytes=1-2"}, {"if-range", condition}}));
    };
    EXPECT_EQ(with_condition("\"a\""), "1+2");
    EXPECT_EQ(with_condition(kThen), "1+2");
    EXPECT_EQ(with_condition("\"b\""), "whole");
    EXPECT_EQ(with_condition("W/\"a\""), "whole");
    EXPECT_EQ(with_condition(kBefore), "whole");
    EXPECT_EQ(with_condition(kAfter), "whole");
}

}  // namespace
}  // namespace alknet::http
