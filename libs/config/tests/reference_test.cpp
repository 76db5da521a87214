#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <alknet/config/config.hpp>
#include <alknet/config/reference.hpp>

namespace alknet::config {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> lines(std::string_view text) {
    std::vector<std::string> all;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        all.emplace_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return all;
}

// What a person gets who takes the # from every setting.
std::string uncommented(std::string_view file) {
    std::string text;
    for (const std::string& line : lines(file)) {
        const std::string_view inner =
            std::string_view(line).substr(std::min<std::size_t>(2, line.size()));
        const bool setting = line.starts_with("# [") ||
                             (line.starts_with("# ") && inner.find(" = ") != std::string::npos &&
                              inner.find(' ') == inner.find(" = "));
        text.append(setting ? inner : line).append("\n");
    }
    return text;
}

TEST(ConfigReference, TheDefaultFileSaysWhatAnEmptyOneDoes) {
    const Parsed parsed = parse(default_file(), {});
    ASSERT_THAT(parsed.problems, IsEmpty()) << as_error(parsed.problems).message();
    const Parsed empty = parse("", {});
    EXPECT_EQ(parsed.config.fixed, empty.config.fixed);
    EXPECT_EQ(parsed.config.dynamic.listeners, empty.config.dynamic.listeners);
    EXPECT_THAT(parsed.config.dynamic.peers, IsEmpty());
}

TEST(ConfigReference, EveryCommentedSettingOfTheDefaultFileIsValid) {
    const std::string text = uncommented(default_file());
    const Parsed parsed = parse(text, {});
    ASSERT_THAT(parsed.problems, IsEmpty()) << as_error(parsed.problems).message() << text;
    // Those that have an example instead of a default.
    EXPECT_THAT(parsed.config.dynamic.peers, SizeIs(1));
    EXPECT_THAT(parsed.config.dynamic.certificates, SizeIs(1));
    EXPECT_FALSE(parsed.config.fixed.qlog_directory.empty());
    // Those that have a default.
    const Config empty = parse("", {}).config;
    EXPECT_EQ(parsed.config.fixed.key_file, empty.fixed.key_file);
    EXPECT_EQ(parsed.config.dynamic.listeners, empty.dynamic.listeners);
    EXPECT_EQ(parsed.config.dynamic.limits.idle_timeout, empty.dynamic.limits.idle_timeout);
    EXPECT_EQ(parsed.config.dynamic.limits.connection_bytes_max,
              empty.dynamic.limits.connection_bytes_max);
    EXPECT_EQ(parsed.config.dynamic.alpns.at("alknet/echo").scope, "echo:use");
    EXPECT_EQ(parsed.config.dynamic.alpns.at("alknet/echo").transports, Transports());
}

TEST(ConfigReference, TheDefaultFileNamesEveryKeyAndIsNarrow) {
    const std::string text = default_file();
    for (const TableInfo& table : reference()) {
        EXPECT_THAT(text, HasSubstr(table.header()));
        for (const KeyInfo& key : table.keys) {
            EXPECT_THAT(text, HasSubstr(std::string(key.name) + " = "));
            EXPECT_FALSE(key.about.empty());
            EXPECT_FALSE(key.type.empty());
            EXPECT_FALSE(key.example.empty()) << key.name;
        }
    }
    for (const std::string& line : lines(text)) {
        EXPECT_LE(line.size(), 100U) << line;
    }
}

TEST(ConfigReference, TheDefaultFileListensWhereItIsTold) {
    const Parsed parsed = parse(default_file({"127.0.0.1:7000", "[::1]:7000"}), {});
    ASSERT_THAT(parsed.problems, IsEmpty());
    ASSERT_THAT(parsed.config.dynamic.listeners, SizeIs(1));
    EXPECT_EQ(parsed.config.dynamic.listeners[0].addresses[1].to_string(), "[::1]:7000");
}

}  // namespace
}  // namespace alknet::config
