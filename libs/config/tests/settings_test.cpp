#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <alknet/config/reference.hpp>
#include <alknet/config/settings.hpp>
#include <set>

namespace alknet::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<Setting> settings_of(std::string_view text) {
    const Parsed parsed = parse(text, {.file = "test.toml", .base = "/n"});
    EXPECT_THAT(parsed.problems, IsEmpty()) << as_error(parsed.problems).message();
    return settings(parsed.config, text);
}

Setting find(const std::vector<Setting>& all, std::string_view path) {
    const auto found = std::ranges::find(all, path, &Setting::path);
    EXPECT_NE(found, all.end()) << path;
    return found == all.end() ? Setting() : *found;
}

std::vector<std::string> changes(std::string_view before, std::string_view after) {
    std::vector<std::string> texts;
    for (const Difference& one : differences(settings_of(before), settings_of(after))) {
        texts.push_back(one.text());
    }
    return texts;
}

constexpr std::string_view kFile =
    "[limits]\n"
    "idle_timeout = '30s'\n"
    "[[peer]]\nname = 'alice'\nkeys = []\nscopes = ['git:read']\n"
    "[[peer]]\nname = 'bob'\nkeys = []\nenabled = false\n"
    "[[role]]\nname = 'ops'\nscopes = ['node:status']\n"
    "[alpn.'alknet/echo']\nscope = 'echo:use'\n"
    "[[access.assert]]\npeer = 'alice'\ndo = 'git:read'\n"
    "[[access.assert]]\npeer = 'alice'\ndo = 'git:read'\n";

TEST(ConfigSettings, KnowTheirValueAndTheirLine) {
    const auto all = settings_of(kFile);
    EXPECT_EQ(find(all, "limits.idle_timeout"), (Setting{.header = "[limits]",
                                                         .entry = "limits",
                                                         .key = "idle_timeout",
                                                         .value = "\"30s\"",
                                                         .line = 2}));
    EXPECT_EQ(find(all, "limits.streams_max").line, 0U);
    EXPECT_EQ(find(all, "peer.alice.scopes").line, 6U);
    EXPECT_EQ(find(all, "peer.bob.enabled").value, "false");
    EXPECT_EQ(find(all, "peer.bob.enabled").line, 10U);
    EXPECT_EQ(find(all, "peer.alice.enabled").line, 0U);
    EXPECT_EQ(find(all, "alpn.alknet/echo.scope").header, "[alpn.\"alknet/echo\"]");
    EXPECT_EQ(find(all, "role.ops.scopes").header, "[[role]]");
    EXPECT_EQ(find(all, "listener.main.name").line, 0U);
    EXPECT_EQ(find(all, "access.assert.alice git:read.do").line, 18U);
    EXPECT_EQ(find(all, "access.assert.alice git:read#2.do").line, 21U);
    EXPECT_EQ(find(all, "log.level").value, "\"info\"");
}

TEST(ConfigSettings, AreAConfigurationThatMeansTheSame) {
    const auto all = settings_of(kFile);
    std::string text;
    std::string entry;
    for (const Setting& setting : all) {
        if (setting.entry != entry) {
            entry = setting.entry;
            text += setting.header + "\n";
        }
        text += setting.key + " = " + setting.value + "\n";
    }
    EXPECT_THAT(changes(kFile, text), IsEmpty());
    EXPECT_THAT(changes(text, kFile), IsEmpty());
}

TEST(ConfigSettings, NameEveryKeyThatTheParserKnows) {
    std::set<std::pair<std::string, std::string>> shown;
    std::string text = default_file();
    for (const TableInfo& table : reference()) {
        text += table.header() == "[[listener]]" || table.shape == TableInfo::Shape::single
                    ? ""
                    : table.header() + "\n";
        for (const KeyInfo& key : table.keys) {
            if (table.shape != TableInfo::Shape::single && table.name != "listener") {
                text.append(key.name).append(" = ").append(key.example).append("\n");
            }
        }
    }
    for (const Setting& setting : settings_of(text)) {
        shown.emplace(setting.header, setting.key);
    }
    for (const TableInfo& table : reference()) {
        for (const KeyInfo& key : table.keys) {
            // Without a default and not written: there is nothing to show.
            const bool nothing = key.default_text.empty() && !key.required &&
                                 table.shape == TableInfo::Shape::single;
            EXPECT_EQ(shown.contains({table.header(), std::string(key.name)}), !nothing)
                << table.header() << " " << key.name;
        }
    }
}

TEST(ConfigDifferences, AreOfMeaning) {
    EXPECT_THAT(changes("", "# nothing\n[limits]\nidle_timeout = '300s'\n[log]\nlevel='info'\n"),
                IsEmpty());
    EXPECT_THAT(changes(kFile, kFile), IsEmpty());
    EXPECT_THAT(changes("", "\n[limits]\nidle_timeout = '30s'\n"),
                ElementsAre("limits.idle_timeout: \"5m\" (default) -> \"30s\" (line 3)"));
    EXPECT_THAT(changes("[limits]\nidle_timeout = '30s'\n", ""),
                ElementsAre("limits.idle_timeout: \"30s\" (line 2) -> \"5m\" (default)"));
}

TEST(ConfigDifferences, OfEntriesNameWhatWasWritten) {
    const std::string alice = "[[peer]]\nname = 'alice'\nkeys = []\n";
    const std::string bob = "[[peer]]\nname = 'bob'\nkeys = []\nscopes = ['git:read']\n";
    EXPECT_THAT(
        changes(alice, bob + alice),
        ElementsAre("peer.bob.name: added \"bob\" (line 2)", "peer.bob.keys: added [] (line 3)",
                    "peer.bob.scopes: added [\"git:read\"] (line 4)"));
    EXPECT_THAT(
        changes(bob + alice, alice),
        ElementsAre("peer.bob.name: removed \"bob\" (line 2)", "peer.bob.keys: removed [] (line 3)",
                    "peer.bob.scopes: removed [\"git:read\"] (line 4)"));
    EXPECT_THAT(changes(alice + bob, bob + alice), IsEmpty());
}

}  // namespace
}  // namespace alknet::config
