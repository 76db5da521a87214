#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/http/fields.hpp>

namespace alknet::http {
namespace {

std::vector<std::string> list(std::string_view text) {
    std::vector<std::string> all;
    ListReader reader(text);
    while (const auto element = reader.next()) {
        all.emplace_back(*element);
    }
    return all;
}

TEST(Fields, NamesAreInLowerCaseAndInOrder) {
    Fields fields;
    EXPECT_TRUE(fields.empty());
    fields.add("Vary", "Accept");
    fields.add("Content-Type", "text/plain");
    fields.add("VARY", "Cookie");
    EXPECT_EQ(fields.size(), 3U);
    EXPECT_EQ(fields[0].name, "vary");
    EXPECT_EQ(fields.find("content-type"), "text/plain");
    EXPECT_EQ(fields.find("date"), std::nullopt);
    EXPECT_EQ(fields.count("vary"), 2U);
    EXPECT_EQ(fields.joined("vary"), "Accept, Cookie");
}

TEST(Fields, SetStandsInPlaceOfAll) {
    Fields fields;
    fields.add("a", "1");
    fields.add("b", "2");
    fields.add("A", "3");
    fields.set("A", "4");
    EXPECT_EQ(fields.count("a"), 1U);
    EXPECT_EQ(fields.find("a"), "4");
    fields.remove("B");
    EXPECT_EQ(fields.size(), 1U);
    fields.clear();
    EXPECT_TRUE(fields.empty());
}

TEST(Fields, EqualByNamesAndValues) {
    Fields a;
    a.add("x", "1");
    Fields b;
    b.add("y", "0");
    EXPECT_NE(a, b);
    b.add("X", "1");
    EXPECT_NE(a, b);
    b.remove("y");
    EXPECT_EQ(a, b);
}

TEST(Fields, WhatATokenIs) {
    EXPECT_TRUE(is_token("x-Y_1!"));
    for (const char* const text :
         {"", "a b", "a:", "a\t", "a\x7f", "\xc3\xa9", "(a)", "a/b", "a@b"}) {
        EXPECT_FALSE(is_token(text)) << text;
    }
}

TEST(Fields, WhatAValueIs) {
    for (const char* const text : {"", "a b", "a\tb", "\xff", "\"x\""}) {
        EXPECT_TRUE(is_field_value(text)) << text;
    }
    for (const std::string_view text : {" a", "a ", "\ta", "a\r", "a\nb", "a\x7f"}) {
        EXPECT_FALSE(is_field_value(text)) << text;
    }
    EXPECT_FALSE(is_field_value(std::string_view("a\0b", 3)));
}

TEST(Fields, ElementsOfAList) {
    using testing::ElementsAre;
    using testing::IsEmpty;
    EXPECT_THAT(list("a, b ,c"), ElementsAre("a", "b", "c"));
    EXPECT_THAT(list(""), IsEmpty());
    EXPECT_THAT(list(" , ,, "), IsEmpty());
    EXPECT_THAT(list("\"a,b\", c"), ElementsAre("\"a,b\"", "c"));
    EXPECT_THAT(list("\"a\\\",b\", c"), ElementsAre("\"a\\\",b\"", "c"));
    EXPECT_THAT(list("\"a, b"), ElementsAre("\"a, b"));
    EXPECT_THAT(list("\"a\\"), ElementsAre("\"a\\"));
}

TEST(Fields, Cases) {
    EXPECT_TRUE(equal_ignoring_case("Close", "cLOSE"));
    EXPECT_FALSE(equal_ignoring_case("close", "closed"));
    EXPECT_EQ(lower_case("A.Example:443"), "a.example:443");
    EXPECT_EQ(trim(" \t a b\t "), "a b");
    EXPECT_EQ(trim(" \t"), "");
}

}  // namespace
}  // namespace alknet::http
