#include <alknet/base/causes.hpp>

#include "support.hpp"

namespace alknet::identity {
namespace {

bool covered(const std::string& by, const std::string& wanted) {
    return covers(scope(by), scope(wanted));
}

TEST(Scope, IsServiceActionAndResource) {
    const Scope parsed = scope("git:read:a:b/c");
    EXPECT_EQ(parsed.service, "git");
    EXPECT_EQ(parsed.action, "read");
    EXPECT_EQ(parsed.resource, "a:b/c");
    EXPECT_EQ(parsed.text(), "git:read:a:b/c");
    EXPECT_EQ(scope("ssh:shell").text(), "ssh:shell");
    EXPECT_EQ(scope("call-2.x:a_b:r\xc3\xa4um").resource, "r\xc3\xa4um");
}

TEST(Scope, RefusesEverythingElse) {
    const std::string long_word(kScopeWordBytesMax + 1, 'a');
    const std::string long_resource(kScopeResourceBytesMax + 1, 'a');
    for (const std::string& text : {std::string(),
                                    std::string("git"),
                                    std::string("git:"),
                                    std::string(":read"),
                                    std::string("git::x"),
                                    std::string("git:read:"),
                                    std::string("Git:read"),
                                    std::string("git:re ad"),
                                    std::string(" git:read"),
                                    std::string("git:read:a b"),
                                    std::string("git:read:a\tb"),
                                    std::string("git:read:\xc2\xa0"),
                                    std::string("1git:read"),
                                    std::string("git:-read"),
                                    std::string("g*t:read"),
                                    std::string("git:read:\xff"),
                                    std::string("git:read:\xe2\x80\xae"),
                                    std::string("git:read\0", 9),
                                    "a:" + long_word,
                                    long_word + ":a",
                                    "a:b:" + long_resource,
                                    std::string("\xd0\xb0:read")}) {
        const auto parsed = Scope::parse(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_TRUE(parsed.error().is(causes::kScopeInvalid));
    }
    EXPECT_TRUE(Scope::parse(std::string(kScopeWordBytesMax, 'a') +
                             ":b:" + std::string(kScopeResourceBytesMax, 'a')));
}

TEST(Scope, ThatIsAskedForNamesOne) {
    EXPECT_TRUE(Scope::parse_exact("git:read:a*b"));
    for (const char* text : {"*:read", "git:*", "git:read:*", "git:read:a/*", "nonsense"}) {
        const auto parsed = Scope::parse_exact(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_TRUE(parsed.error().is(causes::kScopeInvalid));
    }
}

TEST(Scope, CoversItselfAndNothingElse) {
    EXPECT_TRUE(covered("git:read", "git:read"));
    EXPECT_TRUE(covered("git:read:site", "git:read:site"));
    EXPECT_FALSE(covered("git:read", "git:read:site"));
    EXPECT_FALSE(covered("git:read:site", "git:read"));
    EXPECT_FALSE(covered("git:read:site", "git:read:site2"));
    EXPECT_FALSE(covered("git:read:site", "git:write:site"));
    EXPECT_FALSE(covered("git:read:site", "sftp:read:site"));
    EXPECT_FALSE(covered("git:read:site", "git:read:SITE"));
}

TEST(Scope, WithAStarCoversMany) {
    EXPECT_TRUE(covered("git:*", "git:read"));
    EXPECT_FALSE(covered("git:*", "git:read:site"));
    EXPECT_TRUE(covered("git:*:*", "git:read:site"));
    EXPECT_TRUE(covered("git:read:*", "git:read"));
    EXPECT_TRUE(covered("*:read", "sftp:read"));
    EXPECT_TRUE(covered("*:*:*", "node:admin"));
    EXPECT_FALSE(covered("*:*:*", "git:*"));  // nobody asks for that
}

TEST(Scope, CoversWhatIsBelowAPrefix) {
    EXPECT_TRUE(covered("sftp:read:home/*", "sftp:read:home/a"));
    EXPECT_TRUE(covered("sftp:read:home/*", "sftp:read:home/a/b"));
    EXPECT_FALSE(covered("sftp:read:home/*", "sftp:read:home"));
    EXPECT_FALSE(covered("sftp:read:home/*", "sftp:read:home/"));
    EXPECT_FALSE(covered("sftp:read:home/*", "sftp:read:homes/a"));
    EXPECT_FALSE(covered("sftp:read:home/*", "sftp:read:home/../etc"));
    EXPECT_FALSE(covered("sftp:read:home/*", "sftp:read:home/a/.."));
    EXPECT_TRUE(covered("sftp:read:home/*", "sftp:read:home/..a"));
}

}  // namespace
}  // namespace alknet::identity
