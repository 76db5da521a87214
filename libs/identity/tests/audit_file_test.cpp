#include <sys/resource.h>
#include <sys/stat.h>
#include <alknet/base/causes.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <csignal>
#include <thread>

#include "audit_support.hpp"

namespace alknet::identity {
namespace {

using sim::TempDir;

TEST(AuditFile, WritesOneChainFromManyWriters) {
    const TempDir dir;
    std::vector<std::thread> writers;
    for (int i = 0; i < 4; ++i) {
        writers.emplace_back([&] {
            for (int k = 0; k < 10; ++k) {
                EXPECT_TRUE(append_to(dir.path(), drafts(3)));
            }
        });
    }
    for (std::thread& writer : writers) {
        writer.join();
    }
    const AuditReport report = verified(dir.path());
    EXPECT_TRUE(report.whole()) << problems_of(report);
    EXPECT_EQ(report.records, 120U);
    struct stat status{};
    ASSERT_EQ(::stat((dir / kAuditFile).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    ASSERT_EQ(::stat((dir / kAuditHeadFile).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST(AuditFile, GoesOnInFurtherFilesAndLetsTheOldestGo) {
    const TempDir dir;
    const AuditLimits limits{.file_bytes_max = 1000, .files_max = 3};
    for (int i = 0; i < 40; ++i) {
        ASSERT_TRUE(append_to(dir.path(), drafts(2), limits));
        const AuditReport report = verified(dir.path());
        ASSERT_TRUE(report.whole()) << i << problems_of(report);
        ASSERT_LE(audit_files(dir.path())->size(), 3U);
    }
    const AuditReport report = verified(dir.path());
    EXPECT_GT(report.first, 50U);
    EXPECT_LT(report.records, 40U);
    // One batch may need several files.
    ASSERT_TRUE(append_to(dir.path(), drafts(30), limits));
    EXPECT_TRUE(verified(dir.path()).whole()) << problems_of(verified(dir.path()));
    // Somebody else's removal of a file is none of ours.
    std::filesystem::remove(audit_files(dir.path())->front());
    EXPECT_FALSE(verified(dir.path()).whole());
}

TEST(AuditFile, TinyLimitsStillWriteEverything) {
    const TempDir dir;
    ASSERT_TRUE(append_to(dir.path(), drafts(10), {.file_bytes_max = 1, .files_max = 2}));
    EXPECT_TRUE(verified(dir.path()).whole());
    EXPECT_EQ(audit_files(dir.path())->size(), 2U);
}

TEST(AuditFile, CutsOffHalfALineAndSaysSo) {
    const TempDir dir;
    ASSERT_TRUE(append_to(dir.path(), drafts(2)));
    const std::string before = content_of(dir / kAuditFile);
    replace_content(dir / kAuditFile, before + before.substr(0, 33));
    ASSERT_TRUE(append_to(dir.path(), drafts(1)));
    const AuditReport report = verified(dir.path());
    EXPECT_TRUE(report.whole()) << problems_of(report);
    EXPECT_EQ(report.cuts, 1U);
    EXPECT_EQ(events_in(dir.path()), (std::vector<std::string>{"test.event", "test.event",
                                                               "audit.recovered", "test.event"}));
}

// A writer goes on behind what somebody took away, and does not mend it.
TEST(AuditFile, DoesNotHideWhatIsMissing) {
    const auto after = [](const std::function<void(const TempDir&)>& harm) {
        const TempDir dir;
        EXPECT_TRUE(append_to(dir.path(), drafts(4)));
        harm(dir);
        EXPECT_TRUE(append_to(dir.path(), drafts(2)));
        return verified(dir.path());
    };
    const auto keep = [](const TempDir& dir, std::size_t lines) {
        const std::string text = content_of(dir / kAuditFile);
        std::size_t end = 0;
        for (; lines > 0; --lines) {
            end = text.find('\n', end) + 1;
        }
        replace_content(dir / kAuditFile, text.substr(0, end));
    };
    EXPECT_TRUE(after([](const TempDir&) {}).whole());
    for (const AuditReport& report :
         {after([&](const TempDir& dir) { keep(dir, 2); }),
          after([](const TempDir& dir) { std::filesystem::remove(dir / kAuditFile); }),
          after([](const TempDir& dir) { std::filesystem::remove(dir / kAuditHeadFile); }),
          after([](const TempDir& dir) { replace_content(dir / kAuditHeadFile, "x"); }),
          after([](const TempDir& dir) {
              std::string text = content_of(dir / kAuditFile);
              text.replace(text.rfind("n3"), 2, "n9");
              replace_content(dir / kAuditFile, text);
          }),
          after([](const TempDir& dir) {
              std::string text = content_of(dir / kAuditFile);
              text.replace(text.rfind("{\"seq"), 5, "{ seq");
              replace_content(dir / kAuditFile, text);
          })}) {
        EXPECT_FALSE(report.whole());
        EXPECT_EQ(report.last.seq > 4 || report.first == 1, true);
    }
    const AuditReport cut = after([&](const TempDir& dir) { keep(dir, 2); });
    EXPECT_NE(problems_of(cut).find("records 3 to 4 are missing"), std::string::npos)
        << problems_of(cut);
}

class FileSizeLimit {
public:
    explicit FileSizeLimit(rlim_t most) {
        before_handler_ = std::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &before_);
        rlimit limit = before_;
        limit.rlim_cur = most;
        EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;
    ~FileSizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, before_handler_);
    }

private:
    rlimit before_{};
    void (*before_handler_)(int) = SIG_DFL;
};

TEST(AuditFile, WhatDoesNotFitLeavesTheLogAsItWas) {
    const TempDir dir;
    ASSERT_TRUE(append_to(dir.path(), drafts(3)));
    const std::string before = content_of(dir / kAuditFile);
    {
        const FileSizeLimit limit(before.size() + 50);
        EXPECT_FALSE(append_to(dir.path(), drafts(3)));
        EXPECT_EQ(content_of(dir / kAuditFile), before);
    }
    EXPECT_TRUE(verified(dir.path()).whole());
    ASSERT_TRUE(append_to(dir.path(), drafts(3)));
    EXPECT_EQ(verified(dir.path()).records, 6U);
}

TEST(AuditFile, FollowsNoLinksAndTakesNoFileThatOthersCanWrite) {
    const TempDir dir;
    std::filesystem::create_symlink(dir.write("elsewhere", ""), dir / kAuditFile);
    EXPECT_FALSE(append_to(dir.path(), drafts(1)));
    std::filesystem::remove(dir / kAuditFile);
    ASSERT_TRUE(append_to(dir.path(), drafts(1)));
    ASSERT_EQ(::chmod((dir / kAuditFile).c_str(), 0666), 0);
    const auto refused = append_to(dir.path(), drafts(1));
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kHomeInvalid));
}

TEST(AuditFile, WritesTimesOfAnyYear) {
    EXPECT_EQ(audit_time(WallTime()), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(audit_time(WallTime(std::chrono::milliseconds(2'208'988'800'123))),
              "2040-01-01T00:00:00.123Z");
}

}  // namespace
}  // namespace alknet::identity
