#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <alknet/base/causes.hpp>
#include <alknet/crypto/private_file.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <csignal>
#include <fstream>

#include "private_mode.hpp"

namespace alknet::crypto {
namespace {

using sim::TempDir;

namespace fs = std::filesystem;

unsigned mode_of(const fs::path& file) {
    struct stat status{};
    EXPECT_EQ(stat(file.c_str(), &status), 0);
    return status.st_mode & 07777U;
}

void write_plain(const fs::path& file, std::string_view text, unsigned mode) {
    std::ofstream(file) << text;
    ASSERT_EQ(chmod(file.c_str(), mode), 0);
}

TEST(PrivateFile, IsWrittenForItsOwnerAlone) {
    const TempDir dir;
    for (const mode_t mask : {0000, 0022, 0177, 0777}) {
        const fs::path file = dir / ("secret" + std::to_string(mask)).c_str();
        const mode_t old = umask(mask);
        const auto created = create_private_file(file, as_bytes("content"));
        umask(old);
        ASSERT_TRUE(created) << created.error().message();
        EXPECT_EQ(mode_of(file), 0600U);
        const auto content = read_private_file(file);
        ASSERT_TRUE(content);
        EXPECT_EQ(as_text(content->view()), "content");
    }
    EXPECT_EQ(dir.entries(), 4U);
}

TEST(PrivateFile, IsNeverWrittenOverAnother) {
    const TempDir dir;
    write_plain(dir / "file", "old", 0600);
    fs::create_symlink(dir / "nowhere", dir / "link");
    for (const char* name : {"file", "link"}) {
        const auto created = create_private_file(dir / name, as_bytes("new"));
        ASSERT_FALSE(created);
        EXPECT_TRUE(created.error().is(causes::kHomeExists));
    }
    EXPECT_EQ(as_text(read_private_file(dir / "file")->view()), "old");
    EXPECT_FALSE(fs::exists(dir / "nowhere"));
    EXPECT_EQ(dir.entries(), 2U);
}

TEST(PrivateFile, IsNotThereAtAllWhenItsDiskIsFull) {
    const TempDir dir;
    // The nearest thing to a full disk: files of this process may not grow.
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    rlimit small = before;
    small.rlim_cur = 10;
    setrlimit(RLIMIT_FSIZE, &small);
    const auto created = create_private_file(dir / "file", as_bytes("longer than ten octets"));
    setrlimit(RLIMIT_FSIZE, &before);
    ASSERT_FALSE(created);
    EXPECT_TRUE(created.error().is(causes::kIo));
    EXPECT_EQ(dir.entries(), 0U);
}

TEST(PrivateFile, NeedsItsDirectory) {
    const TempDir dir;
    const auto created = create_private_file(dir / "missing" / "file", as_bytes("x"));
    ASSERT_FALSE(created);
    EXPECT_TRUE(created.error().is(causes::kIo));
}

TEST(PrivateFile, MayHaveANameWithoutADirectory) {
    const TempDir dir;
    const fs::path before = fs::current_path();
    fs::current_path(dir.path());
    const auto created = create_private_file("plain", as_bytes("x"));
    const auto content = read_private_file("plain");
    fs::current_path(before);
    EXPECT_TRUE(created);
    EXPECT_TRUE(content);
}

TEST(PrivateFile, IsRefusedWhenOthersMayOpenIt) {
    const TempDir dir;
    write_plain(dir / "file", "x", 0600);
    for (const unsigned mode : {0640U, 0604U, 0620U, 0602U, 0610U, 0601U, 0660U}) {
        ASSERT_EQ(chmod((dir / "file").c_str(), mode), 0);
        const auto content = read_private_file(dir / "file");
        ASSERT_FALSE(content) << mode;
        EXPECT_TRUE(content.error().is(causes::kHomeInvalid));
        EXPECT_NE(content.error().detail().find("file"), std::string::npos);
    }
    ASSERT_EQ(chmod((dir / "file").c_str(), 0400), 0);
    EXPECT_TRUE(read_private_file(dir / "file"));
}

TEST(PrivateFile, BelongsToUsOrToRoot) {
    EXPECT_TRUE(check_private_mode(S_IFREG | 0600U, 1000, 1000));
    EXPECT_TRUE(check_private_mode(S_IFREG | 0400U, 0, 1000));
    EXPECT_FALSE(check_private_mode(S_IFREG | 0600U, 1001, 1000));
    EXPECT_FALSE(check_private_mode(S_IFREG | 0600U, 1000, 0));
    EXPECT_FALSE(check_private_mode(S_IFREG | 0640U, 1000, 1000));
}

TEST(PrivateFile, MustBeARegularFile) {
    const TempDir dir;
    const auto directory = read_private_file(dir.path());
    ASSERT_FALSE(directory);
    EXPECT_TRUE(directory.error().is(causes::kHomeInvalid));
    ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
    const auto fifo = read_private_file(dir / "fifo");
    ASSERT_FALSE(fifo);
    EXPECT_TRUE(fifo.error().is(causes::kHomeInvalid));
}

TEST(PrivateFile, MayBeReachedByASymbolicLink) {
    const TempDir dir;
    write_plain(dir / "file", "x", 0600);
    fs::create_symlink(dir / "file", dir / "link");
    EXPECT_TRUE(read_private_file(dir / "link"));
}

TEST(PrivateFile, ThatIsMissingSaysSo) {
    const TempDir dir;
    const auto content = read_private_file(dir / "nothing");
    ASSERT_FALSE(content);
    EXPECT_TRUE(content.error().is(causes::kConfigMissing));
}

TEST(PrivateFile, HasALargestSize) {
    const TempDir dir;
    write_plain(dir / "largest", std::string(kPrivateFileBytesMax, 'x'), 0600);
    EXPECT_EQ(read_private_file(dir / "largest").value().size(), kPrivateFileBytesMax);
    write_plain(dir / "larger", std::string(kPrivateFileBytesMax + 1, 'x'), 0600);
    const auto content = read_private_file(dir / "larger");
    ASSERT_FALSE(content);
    EXPECT_TRUE(content.error().is(causes::kLimit));
    write_plain(dir / "empty", "", 0600);
    EXPECT_EQ(read_private_file(dir / "empty").value().size(), 0U);
}

}  // namespace
}  // namespace alknet::crypto
