// Changes of alknet.toml: whatever happens on the way, it is the old one or the new one, and what
// nobody confirms goes away.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/config/change.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <csignal>
#include <fstream>
#include <iterator>

namespace alknet::config {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::seconds;

constexpr std::string_view kNew = "[log]\nlevel = 'debug'\n";
constexpr Duration kLong = std::chrono::minutes(2);

WallTime at(std::int64_t second) {
    return WallTime(seconds(1'700'000'000 + second));
}

std::string read(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

void write(const fs::path& file, std::string_view text) {
    std::ofstream(file, std::ios::binary) << text;
    EXPECT_EQ(::chmod(file.c_str(), 0600), 0);
}

class ConfigChange : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(Home::create(root_ / "home",
                                 {.addresses = {}, .names = {"localhost"}, .program = "test 1"}));
        old_ = text();
    }
    [[nodiscard]] Home home() const { return *Home::open(root_ / "home"); }
    [[nodiscard]] fs::path file(std::string_view name = "") const {
        return root_ / "home" / ("alknet.toml" + std::string(name));
    }
    [[nodiscard]] std::string text() const { return read(file()); }
    result<void> replace(std::optional<Duration> confirm = std::nullopt, WallTime now = at(0),
                         std::string_view wanted = kNew) {
        return replace_config(home(), wanted, {.expected = text(), .now = now, .confirm = confirm});
    }
    [[nodiscard]] bool waits() const { return pending_change(home()).value().has_value(); }
    [[nodiscard]] Undone undo(WallTime now, bool at_once = false) {
        const auto undone = undo_change(home(), now, {.at_once = at_once});
        EXPECT_TRUE(undone) << (undone ? "" : undone.error().message());
        return undone.value_or(Undone::nothing);
    }

    sim::TempDir root_;
    std::string old_;
};

TEST_F(ConfigChange, KeepsWhatItReplacesAndItsPermissions) {
    ASSERT_EQ(::chmod(file().c_str(), 0640), 0);
    ASSERT_TRUE(replace());
    EXPECT_EQ(text(), kNew);
    EXPECT_EQ(read(file(".previous")), old_);
    EXPECT_FALSE(waits());
    struct stat status{};
    ASSERT_EQ(::stat(file().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0640U);
    EXPECT_EQ(undo(at(1'000'000)), Undone::nothing);
}

TEST_F(ConfigChange, IsUndoneUnlessItIsConfirmed) {
    ASSERT_TRUE(replace(kLong));
    EXPECT_EQ(text(), kNew);
    EXPECT_TRUE(waits());
    EXPECT_EQ(undo(at(119)), Undone::nothing);
    EXPECT_EQ(text(), kNew);
    EXPECT_EQ(undo(at(120)), Undone::restored);
    EXPECT_EQ(text(), old_);
    EXPECT_FALSE(waits());
    EXPECT_EQ(undo(at(121)), Undone::nothing);
}

TEST_F(ConfigChange, StaysOnceItIsConfirmed) {
    ASSERT_TRUE(replace(kLong));
    ASSERT_TRUE(confirm_change(home(), at(119)));
    EXPECT_EQ(undo(at(1000)), Undone::nothing);
    EXPECT_EQ(text(), kNew);
    EXPECT_TRUE(confirm_change(home(), at(1)).error().is(causes::kConfigNotPending));
}

TEST_F(ConfigChange, IsNotConfirmedTooLate) {
    ASSERT_TRUE(replace(kLong));
    EXPECT_TRUE(confirm_change(home(), at(120)).error().is(causes::kConfigNotPending));
    EXPECT_EQ(text(), old_);
}

TEST_F(ConfigChange, CanBeUndoneAtOnce) {
    ASSERT_TRUE(replace(kLong));
    EXPECT_EQ(undo(at(1), true), Undone::restored);
    EXPECT_EQ(text(), old_);
}

TEST_F(ConfigChange, OneAtATimeWaits) {
    ASSERT_TRUE(replace(kLong));
    EXPECT_TRUE(replace(std::nullopt, at(1), "").error().is(causes::kConfigPending));
    EXPECT_TRUE(replace(kLong, at(1), "").error().is(causes::kConfigPending));
    EXPECT_EQ(text(), kNew);
    // Once its time is over it is undone, and no longer in the way; but not what was expected.
    const auto late = replace(std::nullopt, at(200), "");
    EXPECT_TRUE(late.error().is(causes::kConfigChanged));
    EXPECT_EQ(text(), old_);
    EXPECT_TRUE(replace(std::nullopt, at(200), ""));
}

TEST_F(ConfigChange, IsRefusedWhileAnotherProgramIsAtIt) {
    const UniqueFd other(
        ::open((root_ / "home/config.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_EQ(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
    EXPECT_TRUE(replace().error().is(causes::kConfigBusy));
    EXPECT_TRUE(confirm_change(home(), at(0)).error().is(causes::kConfigBusy));
    EXPECT_EQ(text(), old_);
}

TEST_F(ConfigChange, IsRefusedWhenTheFileWasEditedMeanwhile) {
    const ReplaceOptions options{.expected = old_, .now = at(0), .confirm = kLong};
    write(file(), "# by hand\n");
    EXPECT_TRUE(replace_config(home(), kNew, options).error().is(causes::kConfigChanged));
    EXPECT_EQ(text(), "# by hand\n");
    EXPECT_FALSE(waits());
}

TEST_F(ConfigChange, LeavesAnEditByHandAlone) {
    ASSERT_TRUE(replace(kLong));
    write(file(), "# by hand\n");
    EXPECT_EQ(undo(at(120)), Undone::edited);
    EXPECT_EQ(text(), "# by hand\n");
    EXPECT_FALSE(waits());
}

TEST_F(ConfigChange, DoesNotFollowLinks) {
    fs::rename(file(), root_ / "elsewhere");
    fs::create_symlink(root_ / "elsewhere", file());
    EXPECT_TRUE(replace().error().is(causes::kConfigChanged));
    EXPECT_EQ(text(), old_);
    EXPECT_TRUE(fs::is_symlink(file()));
}

TEST_F(ConfigChange, WaitsBetweenTenSecondsAndADay) {
    EXPECT_TRUE(replace(kConfirmMin - seconds(1)).error().is(causes::kUsage));
    EXPECT_TRUE(replace(kConfirmMax + seconds(1)).error().is(causes::kUsage));
    EXPECT_TRUE(replace(kConfirmMax));
    EXPECT_EQ(pending_change(home()).value()->remaining(at(0)), kConfirmMax);
}

TEST_F(ConfigChange, DoesNotWaitForeverWhenTheClockIsSet) {
    ASSERT_TRUE(replace(kLong));
    const PendingChange pending = *pending_change(home()).value();
    EXPECT_EQ(pending.remaining(at(20)), seconds(100));
    // Set back a little: it waits no longer than it was given.
    EXPECT_EQ(pending.remaining(at(-200)), kLong);
    EXPECT_FALSE(pending.due(at(-200)));
    EXPECT_TRUE(pending.due(WallTime()));
    EXPECT_TRUE(pending.due(at(0) + hours(24 * 365 * 17)));
    EXPECT_EQ(undo(WallTime()), Undone::restored);
    EXPECT_EQ(text(), old_);
}

TEST_F(ConfigChange, ThatWasNotFinishedDoesNotWait) {
    ASSERT_TRUE(replace(kLong));
    // As it would be after a crash before the last write, or in the middle of undoing.
    write(file(), old_);
    EXPECT_FALSE(waits());
    EXPECT_TRUE(replace(std::nullopt, at(1)));
    EXPECT_EQ(undo(at(1000)), Undone::nothing);
    EXPECT_EQ(text(), kNew);
}

TEST_F(ConfigChange, DoesNotBelieveFilesOfOthers) {
    for (const char* nonsense :
         {"", "made = 1", "=", "made = 5\ndeadline = 1\napplied = ''\nprevious = ''\n",
          "made = -1\ndeadline = 9223372036854775807\n"}) {
        write(file(".pending"), nonsense);
        EXPECT_TRUE(pending_change(home()).error().is(causes::kHomeInvalid)) << nonsense;
        EXPECT_TRUE(undo_change(home(), at(0)).error().is(causes::kHomeInvalid));
        EXPECT_TRUE(replace().error().is(causes::kHomeInvalid));
    }
    fs::remove(file(".pending"));
    ASSERT_TRUE(replace(kLong));
    write(file(".previous"), "# something else\n");
    EXPECT_TRUE(undo_change(home(), at(200)).error().is(causes::kHomeInvalid));
    EXPECT_EQ(text(), kNew);
}

TEST_F(ConfigChange, RemembersWhatWasAccepted) {
    EXPECT_EQ(applied_config(home()).value(), old_);
    ASSERT_TRUE(record_applied(home(), kNew));
    EXPECT_EQ(applied_config(home()).value(), kNew);
}

// Runs `work` in a process of its own, which says with its exit code whether that succeeded.
template <class Work>
pid_t in_process(Work work) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(work() ? 0 : 1);
    }
    return child;
}

int ended(pid_t child) {
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status;
}

TEST_F(ConfigChange, ThatCannotBeWrittenChangesNothing) {
    const pid_t child = in_process([&] {
        (void)std::signal(SIGXFSZ, SIG_IGN);
        const rlimit nothing{.rlim_cur = 4, .rlim_max = 4};
        if (::setrlimit(RLIMIT_FSIZE, &nothing) != 0) {
            return false;
        }
        return !replace(kLong).has_value() && !replace().has_value();
    });
    EXPECT_EQ(ended(child), 0);
    EXPECT_EQ(text(), old_);
    EXPECT_FALSE(waits());
}

TEST_F(ConfigChange, IsUndoneWithoutSpaceOnTheDisk) {
    ASSERT_TRUE(replace(kLong));
    const pid_t child = in_process([&] {
        (void)std::signal(SIGXFSZ, SIG_IGN);
        const rlimit nothing{.rlim_cur = 0, .rlim_max = 0};
        return ::setrlimit(RLIMIT_FSIZE, &nothing) == 0 &&
               undo_change(home(), at(200)).value_or(Undone::nothing) == Undone::restored;
    });
    EXPECT_EQ(ended(child), 0);
    EXPECT_EQ(text(), old_);
}

TEST_F(ConfigChange, IsTheOldOrTheNewOneWheneverTheProcessIsKilled) {
    for (int round = 0; round < 40; ++round) {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe(ends.data()), 0);
        const pid_t child = in_process([&] {
            for (;;) {
                if (!replace(kLong) || ::write(ends[1], "a", 1) != 1 ||
                    undo(at(0), true) != Undone::restored || ::write(ends[1], "u", 1) != 1) {
                    return false;
                }
            }
        });
        // After so many steps, and then wherever it is.
        for (int step = 0; step <= round % 4; ++step) {
            char said = 0;
            ASSERT_EQ(::read(ends[0], &said, 1), 1);
        }
        ::kill(child, SIGKILL);
        (void)ended(child);
        ::close(ends[0]);
        ::close(ends[1]);
        const std::string now = text();
        ASSERT_TRUE(now == old_ || now == kNew) << now;
        // The new one never stands without its deadline.
        EXPECT_EQ(now == kNew, waits());
        (void)undo(at(1000));
        EXPECT_EQ(text(), old_);
        EXPECT_FALSE(waits());
    }
}

}  // namespace
}  // namespace alknet::config
