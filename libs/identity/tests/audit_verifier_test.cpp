// What was done to a log is found, and named with its place.
#include <alknet/base/causes.hpp>
#include <alknet/testing/temp_dir.hpp>

#include "audit_support.hpp"

namespace alknet::identity {
namespace {

using sim::TempDir;

struct Written {
    Written() {
        EXPECT_TRUE(append_to(dir.path(), drafts(5)));
        text = content_of(log);
        for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos;
             at = end + 1) {
            lines.push_back(text.substr(at, end - at + 1));
        }
        EXPECT_EQ(lines.size(), 5U);
    }
    // What is found once the file has these lines.
    std::string after(const std::vector<std::string>& changed) const {
        std::string joined;
        for (const std::string& line : changed) {
            joined += line;
        }
        replace_content(log, joined);
        return problems_of(verified(dir.path()));
    }

    TempDir dir;
    std::filesystem::path log = dir / kAuditFile;
    std::string text;
    std::vector<std::string> lines;
};

TEST(AuditVerifier, FindsNothingInWhatWasWritten) {
    const Written w;
    const AuditReport report = verified(w.dir.path());
    EXPECT_TRUE(report.whole()) << problems_of(report);
    EXPECT_EQ(report.records, 5U);
    EXPECT_EQ(report.first, 1U);
    EXPECT_EQ(report.last.seq, 5U);
    EXPECT_EQ(report.last.digest, audit_digest(w.lines[4].substr(0, w.lines[4].size() - 1)));
}

TEST(AuditVerifier, NamesTheLineThatWasChanged) {
    const Written w;
    auto lines = w.lines;
    lines[2].replace(lines[2].find("n2"), 2, "n7");
    EXPECT_EQ(w.after(lines),
              "audit.log:4: the line before this one is not the one that stood here\n");
    lines = w.lines;
    lines[4].replace(lines[4].find("n4"), 2, "n7");
    EXPECT_EQ(w.after(lines), "audit.log:5: record 5 is not the one that was noted\n");
    lines = w.lines;
    lines[2].insert(1, " ");
    EXPECT_EQ(w.after(lines),
              "audit.log:3: a line is no record\n"
              "audit.log:4: the line before this one is not the one that stood here\n");
}

TEST(AuditVerifier, NamesWhatWasTakenOutPutInOrCutOff) {
    const Written w;
    const auto& l = w.lines;
    EXPECT_EQ(w.after({l[0], l[1], l[3], l[4]}),
              "audit.log:3: record 3 is missing before this line\n"
              "audit.log:3: the line before this one is not the one that stood here\n");
    EXPECT_EQ(w.after({l[0], l[1], l[1], l[2], l[3], l[4]}),
              "audit.log:3: record 2 stands behind record 2\n"
              "audit.log:3: the line before this one is not the one that stood here\n");
    EXPECT_EQ(w.after({l[0], l[1], l[2]}), "audit.log:0: records 4 to 5 are missing at the end\n");
    EXPECT_EQ(w.after({l[1], l[2], l[3], l[4]}),
              "audit.log:0: record 1 is missing, and no record says that they were removed\n");
    EXPECT_EQ(w.after({}), "audit.log:0: records 1 to 5 are missing at the end\n");
}

TEST(AuditVerifier, AKilledWritersHalfLineIsNoProblem) {
    const Written w;
    replace_content(w.log, w.text + w.lines[0].substr(0, 20));
    const AuditReport report = verified(w.dir.path());
    EXPECT_TRUE(report.whole());
    EXPECT_EQ(report.torn, 20U);
    // But one that the head says was whole is.
    replace_content(w.log, w.text.substr(0, w.text.size() - 5));
    EXPECT_EQ(problems_of(verified(w.dir.path())), "audit.log:0: record 5 is missing at the end\n");
}

TEST(AuditVerifier, ALogThatIsGoneIsNamed) {
    const Written w;
    std::filesystem::remove(w.log);
    EXPECT_EQ(problems_of(verified(w.dir.path())),
              "audit.log:0: records 1 to 5 are missing at the end\n");
}

TEST(AuditVerifier, ALinkIsNoLog) {
    const Written w;
    std::filesystem::remove(w.log);
    std::filesystem::create_symlink("/dev/zero", w.log);
    EXPECT_FALSE(verify_audit(w.dir.path(), {}));
    EXPECT_FALSE(read_audit(w.dir.path(), 0, [](const AuditRecord&) { return result<void>(); }));
}

TEST(AuditVerifier, AHeadThatIsGoneOrDamagedIsSaid) {
    const Written w;
    replace_content(w.dir / kAuditHeadFile, "nonsense");
    EXPECT_EQ(problems_of(verified(w.dir.path())), "audit.head:0: the head is no head\n");
    std::filesystem::remove(w.dir / kAuditHeadFile);
    EXPECT_EQ(problems_of(verified(w.dir.path())), "audit.head:0: the head is not there\n");
    const TempDir nothing;
    EXPECT_TRUE(verified(nothing.path()).whole());
}

// Whoever can write all files can make a chain of their own: a head noted elsewhere finds it.
TEST(AuditVerifier, AHeadThatWasNotedElsewhereTellsARewrittenLog) {
    const Written w;
    const AuditHead noted = verified(w.dir.path()).last;
    const auto again = parse_audit_head(audit_head_text(noted));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, noted);
    EXPECT_TRUE(append_to(w.dir.path(), drafts(2)));
    EXPECT_TRUE(verified(w.dir.path(), noted).whole());
    std::filesystem::remove(w.log);
    std::filesystem::remove(w.dir / kAuditHeadFile);
    EXPECT_TRUE(append_to(w.dir.path(), drafts(9, "other")));
    EXPECT_TRUE(verified(w.dir.path()).whole());
    EXPECT_EQ(problems_of(verified(w.dir.path(), noted)),
              "audit.log:5: record 5 is not the one that was noted\n");
    for (const char* bad : {"", "5", "5:", "x:00", "5:00", ":00"}) {
        const auto parsed = parse_audit_head(bad);
        ASSERT_FALSE(parsed) << bad;
        EXPECT_TRUE(parsed.error().is(causes::kUsage));
    }
}

TEST(AuditVerifier, ManyProblemsAreCounted) {
    const TempDir dir;
    std::string text;
    for (std::size_t i = 0; i < kAuditProblemsMax + 5; ++i) {
        text += "no record\n";
    }
    EXPECT_TRUE(append_to(dir.path(), drafts(1)));
    replace_content(dir / kAuditFile, text);
    const AuditReport report = verified(dir.path());
    EXPECT_EQ(report.problems.size(), kAuditProblemsMax);
    EXPECT_GE(report.problem_count, kAuditProblemsMax + 5);
}

TEST(AuditVerifier, ALineWithoutEndIsHeldInPart) {
    const TempDir dir;
    EXPECT_TRUE(append_to(dir.path(), drafts(1)));
    replace_content(dir / kAuditFile,
                    content_of(dir / kAuditFile) + std::string(4 * kAuditLineBytesMax, 'x') + "\n");
    EXPECT_EQ(problems_of(verified(dir.path())),
              "audit.log:2: a line is longer than records are\n");
}

}  // namespace
}  // namespace alknet::identity
