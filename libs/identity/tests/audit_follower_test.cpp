#include <algorithm>
#include <alknet/identity/audit_follower.hpp>
#include <alknet/testing/temp_dir.hpp>

#include "audit_support.hpp"

namespace alknet::identity {
namespace {

using sim::TempDir;

std::vector<std::uint64_t> numbers(AuditFollower& follower, std::size_t most = 1000) {
    std::vector<std::uint64_t> all;
    const auto records = follower.next(most);
    EXPECT_TRUE(records);
    for (const AuditRecord& record : records.value_or(std::vector<AuditRecord>())) {
        all.push_back(record.seq);
    }
    return all;
}
using Numbers = std::vector<std::uint64_t>;

TEST(AuditFollower, GivesWhatComesInPieces) {
    const TempDir dir;
    AuditFollower follower(dir.path(), 0);
    EXPECT_EQ(numbers(follower), Numbers{});  // there is no log yet
    EXPECT_EQ(last_audit_record(dir.path()), 0U);
    ASSERT_TRUE(append_to(dir.path(), drafts(5)));
    EXPECT_EQ(numbers(follower, 2), (Numbers{1, 2}));
    EXPECT_EQ(numbers(follower, 2), (Numbers{3, 4}));
    ASSERT_TRUE(append_to(dir.path(), drafts(1)));
    EXPECT_EQ(numbers(follower), (Numbers{5, 6}));
    EXPECT_EQ(numbers(follower), Numbers{});
    EXPECT_EQ(last_audit_record(dir.path()), 6U);
    AuditFollower later(dir.path(), 4);
    EXPECT_EQ(numbers(later), (Numbers{5, 6}));
}

TEST(AuditFollower, GoesOnInFurtherFiles) {
    const TempDir dir;
    const AuditLimits limits{.file_bytes_max = 2000, .files_max = 100};
    AuditFollower follower(dir.path(), 0);
    AuditFollower slow(dir.path(), 0);
    EXPECT_EQ(numbers(slow, 1), Numbers{});
    std::uint64_t last = 0;
    for (int i = 0; i < 30; ++i) {
        ASSERT_TRUE(append_to(dir.path(), drafts(2), limits));
        for (const std::uint64_t number : numbers(follower)) {
            ASSERT_EQ(number, ++last);
        }
        ASSERT_EQ(last, last_audit_record(dir.path()));
    }
    ASSERT_GT(audit_files(dir.path())->size(), 3U);
    for (std::uint64_t next = 1; next <= last; ++next) {
        ASSERT_EQ(numbers(slow, 1), Numbers{next});
    }
    EXPECT_EQ(numbers(slow, 1), Numbers{});
}

TEST(AuditFollower, GoesOnWhereFilesWentMeanwhile) {
    const TempDir dir;
    const AuditLimits limits{.file_bytes_max = 1000, .files_max = 3};
    ASSERT_TRUE(append_to(dir.path(), drafts(1), limits));
    AuditFollower follower(dir.path(), 0);
    EXPECT_EQ(numbers(follower), Numbers{1});
    for (int i = 0; i < 30; ++i) {
        ASSERT_TRUE(append_to(dir.path(), drafts(3), limits));
    }
    // What is still open is read to its end, and then there is a gap.
    const Numbers rest = numbers(follower);
    ASSERT_FALSE(rest.empty());
    EXPECT_EQ(rest.front(), 2U);
    EXPECT_EQ(rest.back(), last_audit_record(dir.path()));
    EXPECT_TRUE(std::ranges::is_sorted(rest));
    EXPECT_LT(rest.size(), rest.back() - rest.front());
    AuditFollower late(dir.path(), 1);
    const Numbers kept = numbers(late);
    ASSERT_FALSE(kept.empty());
    EXPECT_GT(kept.front(), 10U);
    EXPECT_EQ(kept.back() - kept.front() + 1, kept.size());
}

TEST(AuditFollower, PassesOverWhatIsNoRecord) {
    const TempDir dir;
    ASSERT_TRUE(append_to(dir.path(), drafts(2)));
    AuditFollower follower(dir.path(), 0);
    EXPECT_EQ(numbers(follower), (Numbers{1, 2}));
    // A killed writer leaves part of a line, which the next one cuts off, and says so.
    std::ofstream(dir / kAuditFile, std::ios::binary | std::ios::app) << "{\"seq\":3,\"pr";
    EXPECT_EQ(numbers(follower), Numbers{});
    ASSERT_TRUE(append_to(dir.path(), drafts(1)));
    EXPECT_EQ(numbers(follower), (Numbers{3, 4}));
    // Somebody has written into it what no writer does.
    std::ofstream(dir / kAuditFile, std::ios::binary | std::ios::app)
        << std::string(3 * kAuditLineBytesMax, 'x') << "\nnonsense\n";
    EXPECT_EQ(numbers(follower), Numbers{});
    (void)append_to(dir.path(), drafts(1));
    AuditFollower all(dir.path(), 0);
    const Numbers told = numbers(all);
    EXPECT_GE(told.size(), 5U);
    EXPECT_EQ(numbers(follower), Numbers(told.begin() + 4, told.end()));
}

}  // namespace
}  // namespace alknet::identity
