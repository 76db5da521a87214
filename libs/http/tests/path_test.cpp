#include <gtest/gtest.h>
#include <alknet/http/path.hpp>

namespace alknet::http {
namespace {

std::string relative(std::string_view text) {
    const auto path = parse_file_path(text);
    return path ? path->relative() + (path->directory ? " dir" : "") : "refused";
}

TEST(FilePath, WhatIsMeant) {
    struct Row {
        std::string_view path;
        std::string_view meant;
    };
    for (const Row& row : {
             Row{"/", ". dir"},
             Row{"/a", "a"},
             Row{"/a/", "a dir"},
             Row{"/a/b.txt", "a/b.txt"},
             Row{"//a//b", "a/b"},
             Row{"/a/./b", "a/b"},
             Row{"/a/.", "a dir"},
             Row{"/a/../b", "b"},
             Row{"/a/..", ". dir"},
             Row{"/a/b/../", "a dir"},
             Row{"/%61", "a"},
             Row{"/a%20b", "a b"},
             Row{"/%c3%a9", "\xc3\xa9"},
             Row{"/%2e/a", "a"},
             Row{"/a/%2E%2e/b", "b"},
             Row{"/...", "..."},
             Row{"/..a", "..a"},
             Row{"/%252e%252e/a", "%2e%2e/a"},
             Row{"/..", "refused"},
             Row{"/a/../..", "refused"},
             Row{"/%2e%2e/a", "refused"},
             Row{"/.%2e/a", "refused"},
             Row{"/a%2fb", "refused"},
             Row{"/..%2fa", "refused"},
             Row{"/a%5cb", "refused"},
             Row{"/..%5ca", "refused"},
             Row{"/a%00b", "refused"},
             Row{"/a%0a", "refused"},
             Row{"/a%7f", "refused"},
             Row{"/%ff", "refused"},
             Row{"/%c0%ae%c0%ae/a", "refused"},
             Row{"/%", "refused"},
             Row{"/%4", "refused"},
             Row{"/%zz", "refused"},
             Row{"a", "refused"},
             Row{"", "refused"},
             Row{"*", "refused"},
         }) {
        EXPECT_EQ(relative(row.path), row.meant) << row.path;
    }
}

TEST(FilePath, Segments) {
    std::string path;
    for (std::size_t i = 0; i < kSegmentsMax; ++i) {
        path += "/a";
    }
    EXPECT_TRUE(parse_file_path(path));
    EXPECT_FALSE(parse_file_path(path + "/a"));
}

TEST(FilePath, WrittenAgain) {
    EXPECT_EQ(parse_file_path("//a/../b c/%C3%A9?/")->canonical(), "/b%20c/%C3%A9%3F/");
    EXPECT_EQ(parse_file_path("/")->canonical(), "/");
    EXPECT_EQ(parse_file_path("//evil.example")->canonical(), "/evil.example");
    EXPECT_EQ(percent_encode_path("a/b~c d\xff"), "a/b~c%20d%FF");
}

TEST(Percent, Decodes) {
    EXPECT_EQ(percent_decode("a%2Fb%2f"), "a/b/");
    EXPECT_EQ(percent_decode("%zz"), std::nullopt);
    EXPECT_EQ(percent_decode("a%2"), std::nullopt);
    EXPECT_EQ(percent_decode(""), "");
}

}  // namespace
}  // namespace alknet::http
