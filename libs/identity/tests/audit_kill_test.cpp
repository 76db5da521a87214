// A writer of the audit log is killed at each of its system calls: the chain is whole up to the
// last record that is there, and the next writer goes on with it.
#include <alknet/testing/killed_writer.hpp>
#include <alknet/testing/temp_dir.hpp>

#include "audit_support.hpp"

namespace alknet::identity {
namespace {

using sim::killed_at;
using sim::TempDir;

// `before` records are there, and the writer that is killed writes two more.
void kill_everywhere(std::size_t before, AuditLimits limits) {
    bool killed = true;
    std::size_t old_seen = 0;
    std::size_t new_seen = 0;
    const TempDir start;
    for (std::size_t i = 0; i < before; ++i) {
        ASSERT_TRUE(append_to(start.path(), drafts(1), limits));
    }
    const std::uint64_t last = verified(start.path()).last.seq;
    for (int stop = 0; killed; ++stop) {
        const TempDir dir;
        std::filesystem::copy(start.path(), dir.path());
        killed =
            killed_at(stop, [&] { return append_to(dir.path(), drafts(2), limits).has_value(); });
        const AuditReport found = verified(dir.path());
        ASSERT_TRUE(found.whole()) << "killed at call " << stop << "\n" << problems_of(found);
        ASSERT_GE(found.last.seq, last);
        (found.last.seq == last ? old_seen : new_seen) += 1;
        ASSERT_TRUE(append_to(dir.path(), drafts(1), limits));
        const AuditReport next = verified(dir.path());
        ASSERT_TRUE(next.whole()) << "after call " << stop << "\n" << problems_of(next);
        ASSERT_GT(next.last.seq, found.last.seq);
    }
    EXPECT_GT(old_seen, 3U);
    EXPECT_GT(new_seen, 1U);
}

TEST(AuditKill, TheFirstRecordsAreThereOrNot) {
    kill_everywhere(0, {});
}

TEST(AuditKill, FurtherOnesAreThereOrNot) {
    kill_everywhere(3, {});
}

TEST(AuditKill, SoWhileTheOldestFileGoes) {
    kill_everywhere(9, {.file_bytes_max = 300, .files_max = 3});
}

}  // namespace
}  // namespace alknet::identity
