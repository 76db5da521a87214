// Who may do less than before.
#include <gtest/gtest.h>
#include <alknet/core/auth.hpp>
#include <alknet/core/grants.hpp>

namespace alknet {
namespace {

TEST(Grants, CoverWhatTheyAllowPartByPart) {
    EXPECT_TRUE(grant_covers("git:read", "git:read"));
    EXPECT_TRUE(grant_covers("git:*", "git:read"));
    EXPECT_TRUE(grant_covers("*:*:*", "git:read:site"));
    EXPECT_TRUE(grant_covers("*:*:*", "git:*"));
    EXPECT_TRUE(grant_covers("git:read:*", "git:read:site"));
    EXPECT_FALSE(grant_covers("git:read", "git:write"));
    EXPECT_FALSE(grant_covers("git:read", "git:*"));
    EXPECT_FALSE(grant_covers("git:*", "git:read:site"));
    EXPECT_FALSE(grant_covers("git:read:site", "git:read"));
    EXPECT_FALSE(grant_covers("", "git:read"));
}

Identity with(std::vector<std::string> scopes) {
    Identity identity;
    identity.id = "bob";
    identity.scopes = std::move(scopes);
    return identity;
}

TEST(IsNarrowed, OnlyByWhatMayNotBeDoneAnyMore) {
    const Identity before = with({"log:read", "git:write"});
    EXPECT_FALSE(is_narrowed(before, before));
    EXPECT_FALSE(is_narrowed(before, with({"git:*", "log:*"})));
    EXPECT_FALSE(is_narrowed(before, with({"*:*:*"})));
    EXPECT_TRUE(is_narrowed(before, with({"log:read", "git:read"})));
    EXPECT_TRUE(is_narrowed(before, std::nullopt));
    EXPECT_FALSE(is_narrowed(with({"log:read", "peer:renew"}), with({"log:read"})))
        << "it goes with the term";
}

}  // namespace
}  // namespace alknet
