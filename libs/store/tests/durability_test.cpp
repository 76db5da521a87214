// A writer is killed at each of its system calls, one run for each: what is found then is the state
// from before or from after, and once from each.
#include <fcntl.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/durable_file.hpp>
#include <alknet/store/database.hpp>
#include <alknet/testing/killed_writer.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <fstream>
#include <sstream>

namespace alknet::store {
namespace {

using sim::killed_at;
using sim::TempDir;

namespace fs = std::filesystem;

std::string content(const fs::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

struct Seen {
    int before = 0;
    int after = 0;
};

TEST(Durability, AFileIsOldOrNewWhereverItsWriterDies) {
    const std::string old_text(9'000, 'o');
    const std::string new_text(12'000, 'n');
    Seen seen;
    bool killed = true;
    for (int stop = 0; killed; ++stop) {
        const TempDir dir;
        ASSERT_TRUE(write_durable_file(dir / "file", as_bytes(old_text), {}));
        killed = killed_at(stop, [&] {
            return write_durable_file(dir / "file", as_bytes(new_text), {.replace = true})
                .has_value();
        });
        const std::string found = content(dir / "file");
        ASSERT_TRUE(found == old_text || found == new_text) << "killed at call " << stop;
        (found == old_text ? seen.before : seen.after) += 1;
        // And the next writer is not disturbed by what the dead one left.
        ASSERT_TRUE(write_durable_file(dir / "file", as_bytes("next"), {.replace = true}));
    }
    EXPECT_GT(seen.before, 3);
    EXPECT_GT(seen.after, 1);
}

TEST(Durability, ANewFileIsWholeOrNotThereWhereverItsWriterDies) {
    const std::string text(9'000, 'n');
    Seen seen;
    bool killed = true;
    for (int stop = 0; killed; ++stop) {
        const TempDir dir;
        killed = killed_at(
            stop, [&] { return write_durable_file(dir / "file", as_bytes(text), {}).has_value(); });
        if (fs::exists(dir / "file")) {
            ASSERT_EQ(content(dir / "file"), text) << "killed at call " << stop;
            ++seen.after;
        } else {
            ++seen.before;
        }
    }
    EXPECT_GT(seen.before, 3);
    EXPECT_GT(seen.after, 1);
}

TEST(Durability, AFileThatIsThereIsKeptUnlessItMayBeReplaced) {
    const TempDir dir;
    ASSERT_TRUE(write_durable_file(dir / "file", as_bytes("old"), {}));
    const auto second = write_durable_file(dir / "file", as_bytes("new"), {});
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is(causes::kHomeExists));
    EXPECT_EQ(content(dir / "file"), "old");
    fs::create_symlink(dir / "file", dir / "link");
    ASSERT_TRUE(write_durable_file(dir / "link", as_bytes("new"), {.replace = true}));
    EXPECT_FALSE(fs::is_symlink(dir / "link"));
    EXPECT_EQ(content(dir / "file"), "old");
}

constexpr std::string_view kSchema = "CREATE TABLE pair (side TEXT, value INTEGER) STRICT";

DatabaseOptions options() {
    return {.schema = {kSchema}, .application_id = 77};
}

// Both sides change in one transaction, or not at all.
result<void> set_both(const fs::path& file, std::int64_t value) {
    ALKNET_TRY(const auto database, Database::open(file, options()));
    return database->transaction([&](Database& self) -> result<void> {
        ALKNET_CHECK(self.run("DELETE FROM pair"));
        ALKNET_CHECK(self.run("INSERT INTO pair VALUES ('left', ?)", {value}));
        return self.run("INSERT INTO pair VALUES ('right', ?)", {value});
    });
}

std::int64_t both(const fs::path& file) {
    const auto database = Database::open(file, options());
    EXPECT_TRUE(database) << (database ? "" : database.error().message());
    if (!database) {
        return -1;
    }
    EXPECT_TRUE((*database)->check());
    const auto rows = (*database)->query("SELECT value FROM pair ORDER BY side");
    EXPECT_TRUE(rows);
    if (!rows || rows->size() != 2 || (*rows)[0].integer(0) != (*rows)[1].integer(0)) {
        return -1;
    }
    return (*rows)[0].integer(0);
}

TEST(Durability, ATransactionHappenedOrDidNotWhereverItsWriterDies) {
    Seen seen;
    bool killed = true;
    for (int stop = 0; killed; ++stop) {
        const TempDir dir;
        const fs::path file = dir / "db";
        ASSERT_TRUE(set_both(file, 1));
        killed = killed_at(stop, [&] { return set_both(file, 2).has_value(); });
        const std::int64_t found = both(file);
        ASSERT_TRUE(found == 1 || found == 2) << found << ", killed at call " << stop;
        (found == 1 ? seen.before : seen.after) += 1;
    }
    EXPECT_GT(seen.before, 10);
    EXPECT_GT(seen.after, 1);
}

TEST(Durability, AFileIsMadeOrCanBeMadeWhereverItsMakerDies) {
    bool killed = true;
    for (int stop = 0; killed; ++stop) {
        const TempDir dir;
        killed = killed_at(stop, [&] { return set_both(dir / "db", 1).has_value(); });
        ASSERT_TRUE(set_both(dir / "db", 2)) << "killed at call " << stop;
        ASSERT_EQ(both(dir / "db"), 2);
    }
}

}  // namespace
}  // namespace alknet::store
