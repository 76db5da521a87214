#include <gtest/gtest.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/file_watch.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <alknet/testing/virtual_clock.hpp>
#include <fstream>
#include <functional>
#include <optional>

namespace alknet {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Real files, and virtual time for what waits between them.
class FileWatchTest : public testing::Test {
protected:
    static void write(const fs::path& path, std::string_view text) { std::ofstream(path) << text; }

    void open(const fs::path& path) { watch = *FileWatch::open(*loop, path); }

    static task<void> count_changes(FileWatch& watch, int& changes, std::optional<error>& failure) {
        for (;;) {
            const auto outcome = co_await watch.changed();
            if (!outcome) {
                failure = outcome.error();
                co_return;
            }
            ++changes;
        }
    }

    /// The kernel tells before the call that changes the file returns, so a few turns are enough.
    void settle() {
        for (int i = 0; i < 5; ++i) {
            loop->turn(false);
        }
    }
    void pass(Duration time) {
        settle();
        clock.advance(time);
        settle();
    }
    /// The changes that `action` leads to, when all is quiet again.
    int changes_after(const std::function<void()>& action) {
        changes = 0;
        settle();
        action();
        for (int i = 0; i < 10; ++i) {
            pass(milliseconds(300));
        }
        return changes;
    }

    sim::VirtualClock clock;
    std::unique_ptr<Loop> loop = std::make_unique<Loop>(clock, *make_epoll_poller());
    sim::TempDir temporary;
    const fs::path& directory = temporary.path();
    fs::path file = directory / "alknet.toml";
    std::unique_ptr<FileWatch> watch;
    int changes = 0;
    std::optional<error> failure;
    TaskScope scope{*loop};
};

TEST_F(FileWatchTest, TellsOfWritesReplacementsAndRemovals) {
    write(file, "one");
    open(file);
    scope.spawn(count_changes(*watch, changes, failure), "watch");
    EXPECT_EQ(changes_after([] {}), 0);
    EXPECT_EQ(changes_after([&] { write(file, "two"); }), 1);
    EXPECT_EQ(changes_after([&] { write(file, "two"); }), 1) << "the same size in the same tick";
    EXPECT_EQ(changes_after([&] {
                  write(directory / "new", "three");
                  fs::rename(directory / "new", file);
              }),
              1);
    EXPECT_EQ(changes_after([&] { fs::permissions(file, fs::perms::owner_read); }), 1);
    EXPECT_EQ(changes_after([&] { fs::remove(file); }), 1);
    EXPECT_EQ(changes_after([&] { write(file, "four"); }), 1);
    EXPECT_EQ(changes_after([&] { fs::rename(file, directory / "old"); }), 1);
    EXPECT_FALSE(failure);
}

TEST_F(FileWatchTest, IgnoresWhatHappensToOthers) {
    write(file, "one");
    open(file);
    scope.spawn(count_changes(*watch, changes, failure), "watch");
    EXPECT_EQ(changes_after([&] {
                  write(directory / "alknet.toml~", "backup");
                  write(directory / ".alknet.toml.swp", "swap");
                  fs::remove(directory / "alknet.toml~");
              }),
              0);
}

TEST_F(FileWatchTest, SeesALinkInTheDirectoryThatTurns) {
    fs::create_directory(directory / "v1");
    fs::create_directory(directory / "v2");
    write(directory / "v1" / "alknet.toml", "one");
    write(directory / "v2" / "alknet.toml", "two, longer");
    fs::create_symlink("v1", directory / "data");
    fs::create_symlink("data/alknet.toml", file);
    open(file);
    scope.spawn(count_changes(*watch, changes, failure), "watch");
    EXPECT_EQ(changes_after([&] {
                  fs::create_symlink("v2", directory / "next");
                  fs::rename(directory / "next", directory / "data");
              }),
              1);
}

TEST_F(FileWatchTest, WaitsUntilItIsQuietButNotForEver) {
    write(file, "one");
    open(file);
    scope.spawn(count_changes(*watch, changes, failure), "watch");
    settle();
    write(file, "two");
    pass(milliseconds(150));
    write(file, "three");
    pass(milliseconds(150));
    EXPECT_EQ(changes, 0) << "not yet quiet for 200 ms";
    pass(milliseconds(50));
    EXPECT_EQ(changes, 1);

    for (int i = 0; i < 19; ++i) {
        write(file, "busy");
        pass(milliseconds(100));
    }
    EXPECT_EQ(changes, 1);
    write(file, "busy");
    pass(milliseconds(100));
    EXPECT_EQ(changes, 2) << "told after 2 s of never being quiet";
}

TEST_F(FileWatchTest, ACancelledWaitForgetsNothing) {
    write(file, "one");
    open(file);
    {
        TaskScope short_lived(*loop);
        short_lived.spawn(count_changes(*watch, changes, failure), "watch");
        settle();
        write(file, "two");
        settle();
        short_lived.cancel();
        settle();
    }
    EXPECT_TRUE(failure && failure->is(causes::kCancelled));
    scope.spawn(count_changes(*watch, changes, failure), "watch");
    EXPECT_EQ(changes_after([] {}), 1);
}

TEST_F(FileWatchTest, ADirectoryThatGoesIsAnErrorInTheEnd) {
    write(file, "one");
    open(file);
    scope.spawn(count_changes(*watch, changes, failure), "watch");
    EXPECT_EQ(changes_after([&] { fs::remove_all(directory); }), 1);
    EXPECT_TRUE(failure && failure->is(causes::kIo));
    const auto none = FileWatch::open(*loop, file);
    EXPECT_TRUE(!none && none.error().is(causes::kIo));
}

}  // namespace
}  // namespace alknet
