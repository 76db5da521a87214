#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/ssh/ssh_config.hpp>
#include <string>

namespace alknet::ssh {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

result<std::vector<std::string>> no_files(const std::string&) {
    return std::vector<std::string>();
}
result<HostSettings> settings(std::string_view text, std::string host = "db") {
    HostSettingsReader reader(std::move(host), no_files);
    ALKNET_CHECK(reader.read(text));
    return reader.settings();
}

TEST(SshConfig, TheFirstThatSaysSomethingCounts) {
    const auto got = settings(
        "# comment\n"
        "Host other\n  User nobody\n"
        "Host d* !dx\n"
        "\tHostName = db.example  # here\r\n"
        "  Port=2222\n"
        "  IdentityFile \"~/a key\"\n"
        "  IdentityAgent none\n"
        "Host *\n"
        "User bob\nPort 22\nHostName x\nIdentityFile b\nProxyJump a,b\n"
        "HostKeyAlias alias\nCompression yes\n");
    ASSERT_TRUE(got);
    EXPECT_EQ(got->host_name, "db.example");
    EXPECT_EQ(got->port, 2222);
    EXPECT_EQ(got->user, "bob");
    EXPECT_EQ(got->identity_agent, "none");
    EXPECT_EQ(got->proxy_jump, "a,b");
    EXPECT_EQ(got->host_key_alias, "alias");
    EXPECT_THAT(got->identity_files, ElementsAre("~/a key", "b"));
    EXPECT_TRUE(settings("Host d* !db\nUser x\n")->user.empty());
    EXPECT_EQ(settings("user x")->user, "x");
}

TEST(SshConfig, MatchBlocksArePassedOverButForAll) {
    const auto got =
        settings("Match host db\nUser a\nMatch all\nUser b\nMatch exec \"rm x\"\nPort 1\n");
    ASSERT_TRUE(got);
    EXPECT_EQ(got->user, "b");
    EXPECT_FALSE(got->port);
}

TEST(SshConfig, FilesThatAreIncludedEndWithTheirBlocks) {
    HostSettingsReader reader("db", [](const std::string& pattern) {
        EXPECT_EQ(pattern, "conf.d/*");
        return result<std::vector<std::string>>(
            {"Host other\nUser a\n", "Port 7\nHost db\nUser b\nHost other\n"});
    });
    ASSERT_TRUE(reader.read("Include conf.d/*\nHostName here\nHost other\nInclude never\n"));
    EXPECT_EQ(reader.settings().user, "b");
    EXPECT_EQ(reader.settings().port, 7);
    EXPECT_EQ(reader.settings().host_name, "here");
}

TEST(SshConfig, MistakesNameTheirLine) {
    for (const std::string_view line :
         {"Port x", "Port 0", "Port 65536", "User", "IdentityFile \"open"}) {
        const auto got = settings("\n" + std::string(line) + "\n");
        ASSERT_FALSE(got) << line;
        EXPECT_TRUE(got.error().is(causes::kConfigInvalid));
        EXPECT_THAT(got.error().detail(), HasSubstr("line 2"));
    }
}

TEST(SshConfig, HasLimits) {
    EXPECT_TRUE(settings(std::string(kConfigBytesMax, '\n')));
    const auto large = settings(std::string(kConfigBytesMax + 1, '\n'));
    EXPECT_TRUE(!large && large.error().is(causes::kLimit));
    EXPECT_TRUE(settings("#" + std::string(kConfigLineBytesMax - 1, 'x')));
    EXPECT_FALSE(settings("#" + std::string(kConfigLineBytesMax, 'x')));
    std::string files;
    for (std::size_t i = 0; i < kIdentityFilesMax; ++i) {
        files += "IdentityFile x\n";
    }
    EXPECT_TRUE(settings(files));
    EXPECT_FALSE(settings(files + "IdentityFile x\n"));
    std::size_t asked = 0;
    HostSettingsReader deep("db", [&](const std::string&) {
        ++asked;
        return result<std::vector<std::string>>({"Include itself\n"});
    });
    const auto ended = deep.read("Include itself\n");
    EXPECT_TRUE(!ended && ended.error().is(causes::kLimit));
    EXPECT_EQ(asked, kConfigDepthMax + 1);
    HostSettingsReader wide("db", [&](const std::string&) {
        return result<std::vector<std::string>>(std::vector<std::string>(kConfigFilesMax));
    });
    const auto many = wide.read("Include all\n");
    EXPECT_TRUE(!many && many.error().is(causes::kLimit));
}

TEST(SshConfig, ExpandsTokens) {
    const auto token = [](char name) -> std::optional<std::string> {
        return name == 'h' ? std::optional<std::string>("db") : std::nullopt;
    };
    EXPECT_EQ(expand_tokens("%h.example", token), "db.example");
    EXPECT_EQ(expand_tokens("%%h %x %", token), "%h %x %");
}

}  // namespace
}  // namespace alknet::ssh
