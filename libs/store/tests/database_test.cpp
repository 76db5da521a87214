#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <alknet/base/causes.hpp>
#include <alknet/store/database.hpp>
#include <alknet/testing/co_test.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <limits>

#include "failure.hpp"

namespace alknet::store {
namespace {

using sim::TempDir;

namespace fs = std::filesystem;
using sim::describe;

constexpr std::string_view kFirst = "CREATE TABLE word (id INTEGER PRIMARY KEY, word TEXT) STRICT";
constexpr std::string_view kSecond = "ALTER TABLE word ADD COLUMN rank INTEGER NOT NULL DEFAULT 7";

DatabaseOptions options(std::vector<std::string_view> schema = {kFirst}) {
    return {.schema = std::move(schema),
            .application_id = 77,
            .busy_timeout = std::chrono::milliseconds(1)};
}

std::unique_ptr<Database> opened(const fs::path& file, const DatabaseOptions& with = options()) {
    auto database = Database::open(file, with);
    EXPECT_TRUE(database) << describe(database);
    return database ? std::move(*database) : nullptr;
}

const Cause& refused(const fs::path& file, const DatabaseOptions& with = options()) {
    const auto database = Database::open(file, with);
    EXPECT_FALSE(database);
    EXPECT_TRUE(database || !database.error().detail().empty());
    return database ? causes::kInternal : database.error().cause();
}

std::int64_t count(Database& database) {
    const auto rows = database.query("SELECT count(*) FROM word");
    EXPECT_TRUE(rows) << describe(rows);
    return rows ? rows->front().integer(0) : -1;
}

TEST(Database, KeepsWhatItWasGiven) {
    const TempDir dir;
    const std::string text("a\0b \xc3\xa4", 6);
    const Bytes blob = to_bytes(as_bytes(std::string_view("\0\xff", 2)));
    {
        const auto database = opened(dir / "db");
        ASSERT_TRUE(database->run("CREATE TABLE any (i INTEGER, t TEXT, b BLOB, n TEXT, e BLOB)"));
        const auto stored =
            database->run("INSERT INTO any VALUES (?, ?, ?, ?, ?)",
                          {std::numeric_limits<std::int64_t>::min(), text, blob, Value(), Bytes()});
        ASSERT_TRUE(stored) << describe(stored);
    }
    const auto database = opened(dir / "db");
    const auto rows = database->query("SELECT * FROM any");
    ASSERT_TRUE(rows && rows->size() == 1);
    const Row& row = rows->front();
    EXPECT_EQ(row.integer(0), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(row.text(1), text);
    EXPECT_EQ(to_bytes(row.blob(2)), blob);
    EXPECT_TRUE(row.is_null(3));
    EXPECT_FALSE(row.is_null(4));
    EXPECT_TRUE(row.blob(4).empty());
    // Of another kind, or not there.
    EXPECT_EQ(row.integer(1), 0);
    EXPECT_EQ(row.text(0), "");
    EXPECT_TRUE(row.is_null(9));
    EXPECT_TRUE(database->check());
}

TEST(Database, IsForItsOwnerAlone) {
    const TempDir dir;
    const mode_t old = umask(0);
    const auto database = opened(dir / "db");
    umask(old);
    ASSERT_TRUE(database->run("INSERT INTO word (word) VALUES ('x')"));
    for (const char* name : {"db", "db-wal", "db-shm"}) {
        struct stat status{};
        ASSERT_EQ(stat((dir / name).c_str(), &status), 0) << name;
        EXPECT_EQ(status.st_mode & 0777U, 0600U) << name;
    }
    for (const unsigned mode : {0640U, 0604U, 0620U, 0602U}) {
        ASSERT_EQ(chmod((dir / "db").c_str(), mode), 0);
        EXPECT_EQ(&refused(dir / "db"), &causes::kStoreInvalid) << mode;
    }
    EXPECT_TRUE(check_owner_and_mode(0600, 1000, 1000));
    EXPECT_FALSE(check_owner_and_mode(0600, 1001, 1000));
    EXPECT_FALSE(check_owner_and_mode(0600, 0, 1000));
}

TEST(Database, MustBeAFile) {
    const TempDir dir;
    EXPECT_EQ(&refused(dir / "missing" / "db"), &causes::kIo);
    fs::create_directory(dir / "directory");
    EXPECT_EQ(&refused(dir / "directory"), &causes::kStoreInvalid);
    fs::create_symlink(dir / "elsewhere", dir / "link");
    EXPECT_EQ(&refused(dir / "link"), &causes::kStoreInvalid);
    EXPECT_FALSE(fs::exists(dir / "elsewhere"));
}

TEST(Database, GrowsStepByStep) {
    const TempDir dir;
    ASSERT_TRUE(opened(dir / "db")->run("INSERT INTO word (word) VALUES ('x')"));
    {
        const auto database = opened(dir / "db", options({kFirst, kSecond}));
        const auto rows = database->query("SELECT word, rank FROM word");
        ASSERT_TRUE(rows && rows->size() == 1);
        EXPECT_EQ(rows->front().integer(1), 7);
    }
    EXPECT_TRUE(opened(dir / "db", options({kFirst, kSecond})));
    EXPECT_EQ(&refused(dir / "db"), &causes::kStoreInvalid);  // it is newer than this program
}

TEST(Database, StaysAtItsVersionWhenAStepFails) {
    const TempDir dir;
    opened(dir / "db");
    EXPECT_EQ(&refused(dir / "db", options({kFirst, kSecond, "CREATE nonsense"})),
              &causes::kInternal);
    EXPECT_EQ(count(*opened(dir / "db")), 0);
}

TEST(Database, OfAnotherProgramIsLeftAlone) {
    const TempDir dir;
    opened(dir / "db");
    DatabaseOptions other = options();
    other.application_id = 78;
    EXPECT_EQ(&refused(dir / "db", other), &causes::kStoreInvalid);
    EXPECT_EQ(count(*opened(dir / "db")), 0);
    std::ofstream(dir / "text") << std::string(4096, 'x');
    ASSERT_EQ(chmod((dir / "text").c_str(), 0600), 0);
    EXPECT_EQ(&refused(dir / "text"), &causes::kStoreInvalid);
    EXPECT_EQ(fs::file_size(dir / "text"), 4096U);
}

TEST(Database, NoticesDamage) {
    const TempDir dir;
    {
        const auto database = opened(dir / "db");
        for (int i = 0; i < 200; ++i) {
            ASSERT_TRUE(
                database->run("INSERT INTO word (word) VALUES (?)", {std::string(90, 'w')}));
        }
    }
    const auto size = fs::file_size(dir / "db");
    std::fstream file(dir / "db", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(size / 2));
    file << std::string(size / 2, '\x5a');
    file.close();
    EXPECT_EQ(&refused(dir / "db"), &causes::kStoreInvalid);
}

TEST(Database, UndoesWhatFails) {
    const TempDir dir;
    const auto database = opened(dir / "db");
    const auto failed = database->transaction([](Database& self) -> result<int> {
        ALKNET_CHECK(self.run("INSERT INTO word (word) VALUES ('x')"));
        return fail(causes::kForbidden);
    });
    EXPECT_FALSE(failed);
    EXPECT_EQ(count(*database), 0);
    EXPECT_THROW((void)database->transaction([](Database& self) -> result<int> {
        ALKNET_CHECK(self.run("INSERT INTO word (word) VALUES ('x')"));
        throw std::runtime_error("a bug");
    }),
                 std::runtime_error);
    EXPECT_EQ(count(*database), 0);
    const auto done = database->transaction([](Database& self) -> result<int> {
        ALKNET_CHECK(self.run("INSERT INTO word (word) VALUES ('x')"));
        return 3;
    });
    EXPECT_EQ(done.value(), 3);
    EXPECT_EQ(count(*database), 1);
}

TEST(Database, SaysThatTheDiskIsFull) {
    const TempDir dir;
    const auto database = opened(dir / "db");
    const auto fill = [&] {
        return database->transaction([](Database& self) -> result<void> {
            for (int i = 0; i < 100; ++i) {
                ALKNET_CHECK(
                    self.run("INSERT INTO word (word) VALUES (?)", {std::string(9'000, 'w')}));
            }
            return {};
        });
    };
    ASSERT_TRUE(database->run("PRAGMA max_page_count=20"));
    const auto full = fill();
    ASSERT_FALSE(full);
    EXPECT_TRUE(full.error().is(causes::kDiskFull)) << describe(full);
    EXPECT_EQ(count(*database), 0);
    ASSERT_TRUE(database->run("PRAGMA max_page_count=2000"));
    EXPECT_TRUE(fill());
    EXPECT_EQ(count(*database), 100);
}

// So that whoever writes down what happens need not take it back.
TEST(Database, FindsOutBeforeItCommitsWhetherThereIsRoom) {
    const TempDir dir;
    const auto database = opened(dir / "db");
    (void)std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto write = [&](bool room) {
        return database->transaction([&](Database& self) -> result<void> {
            ALKNET_CHECK(self.run("INSERT INTO word (word) VALUES (?)", {std::string(9'000, 'w')}));
            const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
            EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, room ? &before : &none), 0);
            const result<void> flushed = self.flush();
            EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
            return flushed;
        });
    };
    EXPECT_FALSE(write(false));
    EXPECT_EQ(count(*database), 0);
    EXPECT_TRUE(write(true));
    EXPECT_EQ(count(*database), 1);
}

TEST(Database, SaysThatItMayOnlyRead) {
    const TempDir dir;
    const auto database = opened(dir / "db");
    ASSERT_TRUE(database->run("PRAGMA query_only=1"));
    const auto written = database->run("INSERT INTO word (word) VALUES ('x')");
    ASSERT_FALSE(written);
    EXPECT_TRUE(written.error().is(causes::kDiskReadOnly)) << describe(written);
}

TEST(Database, SaysWhatTheSystemRefused) {
    const auto cause = [](int code, int number) {
        return &sqlite_failure({.code = code, .system_error = number, .text = "x", .file = "db"})
                    .error()
                    .cause();
    };
    EXPECT_EQ(cause(SQLITE_IOERR_WRITE, ENOSPC), &causes::kDiskFull);
    EXPECT_EQ(cause(SQLITE_IOERR_WRITE, EDQUOT), &causes::kDiskFull);
    EXPECT_EQ(cause(SQLITE_CANTOPEN, EROFS), &causes::kDiskReadOnly);
    EXPECT_EQ(cause(SQLITE_CANTOPEN, EACCES), &causes::kIo);
    EXPECT_EQ(cause(SQLITE_IOERR, 0), &causes::kIo);
    EXPECT_EQ(cause(SQLITE_READONLY_DIRECTORY, 0), &causes::kDiskReadOnly);
    EXPECT_EQ(cause(SQLITE_CORRUPT_VTAB, 0), &causes::kStoreInvalid);
}

TEST(Database, HasALargestValue) {
    const TempDir dir;
    const auto database = opened(dir / "db");
    const std::string insert = "INSERT INTO word (word) VALUES (?)";
    const auto larger = database->run(insert, {std::string(kValueBytesMax + 1, 'w')});
    ASSERT_FALSE(larger);
    EXPECT_TRUE(larger.error().is(causes::kLimit)) << describe(larger);
    EXPECT_TRUE(database->run(insert, {std::string(kValueBytesMax - 100, 'w')}));
}

TEST(Database, HasALargestAnswer) {
    const TempDir dir;
    const auto database = opened(dir / "db");
    const auto numbers = [&](std::size_t count) {
        return database->query(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?) "
            "SELECT i FROM n",
            {static_cast<std::int64_t>(count)});
    };
    EXPECT_EQ(numbers(kRowsMax).value().size(), kRowsMax);
    const auto more = numbers(kRowsMax + 1);
    ASSERT_FALSE(more);
    EXPECT_TRUE(more.error().is(causes::kLimit));
}

TEST(Database, HasOneWriterAtATime) {
    const TempDir dir;
    const auto one = opened(dir / "db");
    const auto other = opened(dir / "db");
    const auto before = other->data_version();
    const auto outcome = one->transaction([&](Database& self) -> result<void> {
        ALKNET_CHECK(self.run("INSERT INTO word (word) VALUES ('x')"));
        const auto blocked = other->run("INSERT INTO word (word) VALUES ('y')");
        EXPECT_TRUE(!blocked && blocked.error().is(causes::kStoreBusy)) << describe(blocked);
        EXPECT_EQ(count(*other), 0);  // readers see what was
        return {};
    });
    EXPECT_TRUE(outcome);
    EXPECT_EQ(count(*other), 1);
    EXPECT_NE(other->data_version().value(), before.value());
}

}  // namespace
}  // namespace alknet::store
