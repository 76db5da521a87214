#include <alknet/core/path_memory_file.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/testing/memory_log_sink.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <cstdlib>
#include <fstream>

namespace alknet {
namespace {

const WallTime kNow{std::chrono::seconds(1'767'225'600)};
const PathKey kKey{"0123456789abcdef", "node:1"};

class PathMemoryFile : public testing::Test {
protected:
    void write(std::string_view text) const { std::ofstream(file) << text; }
    PathMemory load() { return load_path_memory(file, Log(sink)); }

    sim::TempDir directory;
    std::filesystem::path file = directory / "paths";
    std::shared_ptr<sim::MemoryLogSink> sink = std::make_shared<sim::MemoryLogSink>();
};

TEST_F(PathMemoryFile, KeepsWhatSeveralProcessesLearnt) {
    EXPECT_EQ(load().size(), 0U);
    PathMemory mine;
    mine.worked(kKey, Rung::tcp_v4, kNow);
    ASSERT_TRUE(save_path_memory(file, mine));
    PathMemory theirs;
    theirs.worked({"n", "m"}, Rung::proxy, kNow);
    ASSERT_TRUE(save_path_memory(file, theirs));
    EXPECT_EQ(load().advice(kKey, kNow).remembered, Rung::tcp_v4);
    EXPECT_EQ(load().advice({"n", "m"}, kNow).remembered, Rung::proxy);
    EXPECT_EQ(sink->events().size(), 0U);
    struct stat status{};
    ASSERT_EQ(stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    EXPECT_FALSE(std::filesystem::exists(directory / "paths.new"));
}

TEST_F(PathMemoryFile, IgnoresWhatIsBrokenAndReplacesIt) {
    write("garbage");
    EXPECT_EQ(load().size(), 0U);
    EXPECT_EQ(sink->count("paths.ignored"), 1U);
    write(std::string(PathMemory::kTextBytesMax + 100, 'x'));
    EXPECT_EQ(load().size(), 0U);
    PathMemory mine;
    mine.worked(kKey, Rung::tcp_v4, kNow);
    ASSERT_TRUE(save_path_memory(file, mine));
    EXPECT_EQ(load().size(), 1U);
}

TEST_F(PathMemoryFile, LeavesTheFileToWhoHoldsTheLock) {
    const UniqueFd lock(
        open((directory / "paths.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_EQ(flock(lock.get(), LOCK_EX | LOCK_NB), 0);
    PathMemory mine;
    mine.worked(kKey, Rung::tcp_v4, kNow);
    EXPECT_TRUE(save_path_memory(file, mine));
    EXPECT_FALSE(std::filesystem::exists(file));
    flock(lock.get(), LOCK_UN);
    EXPECT_TRUE(save_path_memory(file, mine));
    EXPECT_TRUE(std::filesystem::exists(file));
}

TEST_F(PathMemoryFile, TellsWhereItCannotWrite) {
    const auto saved = save_path_memory(directory / "none/paths", {});
    ASSERT_FALSE(saved);
    EXPECT_TRUE(saved.error().is(causes::kIo));
    std::filesystem::create_directory(file);
    EXPECT_FALSE(save_path_memory(file, {}));
    EXPECT_FALSE(std::filesystem::exists(directory / "paths.new"));
}

}  // namespace
}  // namespace alknet
