#include <fcntl.h>
#include <sys/file.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/durable_file.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/identity/key_files.hpp>
#include <alknet/testing/killed_writer.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <functional>

#include "rotation_support.hpp"

namespace alknet::identity {
namespace {

namespace fs = std::filesystem;

struct Home {
    Home() { EXPECT_TRUE(key_number(0)->save(directory / "node.key")); }
    [[nodiscard]] KeyFiles files() const { return KeyFiles(directory / "node.key"); }
    [[nodiscard]] KeyState state() const { return load_key_state(files()).value(); }
    [[nodiscard]] std::string key() const { return state().key->id().fingerprint(); }

    sim::TempDir directory;
};

TEST(KeyFiles, GoFromOneKeyToTheNext) {
    const Home home;
    EXPECT_EQ(home.state().next, nullptr);
    EXPECT_TRUE(home.state().chain.empty());
    const auto made = prepare_key(home.files(), kBegin, kMonth);
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_TRUE(check_rotation(*made, kBegin));
    const KeyState during = home.state();
    EXPECT_EQ(during.key->id(), made->from);
    ASSERT_NE(during.next, nullptr);
    EXPECT_EQ(during.next->id(), made->to);
    EXPECT_EQ(during.chain, std::vector{*made});
    EXPECT_TRUE(during.until_key().empty());
    const auto again = prepare_key(home.files(), kBegin, kMonth);
    ASSERT_FALSE(again);
    EXPECT_TRUE(again.error().is(causes::kUsage));
    ASSERT_TRUE(switch_key(home.files()));
    const KeyState after = home.state();
    EXPECT_EQ(after.key->id(), made->to);
    EXPECT_EQ(after.next, nullptr);
    EXPECT_EQ(after.chain, std::vector{*made});
    EXPECT_EQ(after.until_key().size(), 1U);
    EXPECT_FALSE(fs::exists(home.files().next()));
    EXPECT_FALSE(switch_key(home.files()));
    EXPECT_FALSE(abandon_key(home.files()));
}

TEST(KeyFiles, GoBackToTheOldKey) {
    const Home home;
    const auto old = home.state().key;
    const auto made = prepare_key(home.files(), kBegin, kMonth).value();
    ASSERT_TRUE(note_told(home.files(), made.to));
    EXPECT_TRUE(take_key_back(home.files(), *old));  // there is nothing to take back
    ASSERT_NE(home.state().next, nullptr);
    ASSERT_TRUE(switch_key(home.files()));
    ASSERT_TRUE(take_key_back(home.files(), *old));
    const KeyState state = home.state();
    EXPECT_EQ(state.key->id(), made.from);
    ASSERT_NE(state.next, nullptr);
    EXPECT_EQ(state.next->id(), made.to);
    EXPECT_FALSE(abandon_key(home.files()));  // others were told of it still
    EXPECT_TRUE(switch_key(home.files()));
    const auto stranger = key_number(9);
    const auto refused = take_key_back(home.files(), *stranger);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kHomeInvalid));
    EXPECT_EQ(home.state().key->id(), made.to);
}

TEST(KeyFiles, StayAsTheyAreWhereTheChangeCannotBeWrittenDown) {
    const Home home;
    const std::string before = home.key();
    Rotation heard;
    const BeforeKeyChange refuse = [&](const Rotation& rotation) -> result<void> {
        heard = rotation;
        return fail(causes::kDiskFull, "audit.log");
    };
    EXPECT_TRUE(prepare_key(home.files(), kBegin, kMonth, refuse).error().is(causes::kDiskFull));
    EXPECT_EQ(heard.from.fingerprint(), before);
    EXPECT_FALSE(fs::exists(home.files().next()));
    EXPECT_EQ(home.state().next, nullptr);
    const auto made = prepare_key(home.files(), kBegin, kMonth).value();
    EXPECT_TRUE(abandon_key(home.files(), refuse).error().is(causes::kDiskFull));
    EXPECT_EQ(heard, made);
    ASSERT_NE(home.state().next, nullptr);
    EXPECT_TRUE(switch_key(home.files(), refuse).error().is(causes::kDiskFull));
    EXPECT_EQ(home.key(), before);
    EXPECT_EQ(home.state().next->id(), made.to);
    // What is refused for another reason is not written down at all.
    heard = {};
    EXPECT_FALSE(prepare_key(home.files(), kBegin, kMonth, refuse));
    ASSERT_TRUE(abandon_key(home.files()));
    EXPECT_FALSE(switch_key(home.files(), refuse));
    EXPECT_FALSE(abandon_key(home.files(), refuse));
    EXPECT_EQ(heard, Rotation());
}

TEST(KeyFiles, KeepTheYoungestStatements) {
    const Home home;
    std::vector<Rotation> made;
    for (std::size_t i = 0; i < kRotationChainMax + 2; ++i) {
        made.push_back(prepare_key(home.files(), kBegin, kMonth).value());
        ASSERT_TRUE(switch_key(home.files()));
    }
    EXPECT_EQ(home.state().chain, std::vector(made.begin() + 2, made.end()));
    // Those whose time is over are nothing to tell.
    const auto late = prepare_key(home.files(), kBegin + kMonth, kMonth);
    ASSERT_TRUE(late);
    EXPECT_EQ(home.state().chain, std::vector{*late});
}

TEST(KeyFiles, ForgetAKeyOfWhichNobodyWasTold) {
    const Home home;
    const auto first = prepare_key(home.files(), kBegin, kMonth);
    ASSERT_TRUE(first);
    ASSERT_TRUE(abandon_key(home.files()));
    EXPECT_EQ(home.state().next, nullptr);
    EXPECT_TRUE(home.state().chain.empty());
    EXPECT_FALSE(fs::exists(home.files().next()));
    EXPECT_FALSE(note_told(home.files(), first->to));
    const auto second = prepare_key(home.files(), kBegin, kMonth);
    ASSERT_TRUE(second);
    EXPECT_NE(second->to, first->to);
    EXPECT_FALSE(note_told(home.files(), first->to));
    ASSERT_TRUE(note_told(home.files(), second->to));
    ASSERT_TRUE(note_told(home.files(), second->to));
    const auto abandoned = abandon_key(home.files());
    ASSERT_FALSE(abandoned);
    EXPECT_TRUE(abandoned.error().is(causes::kUsage));
    // What was said of one key says nothing about the next.
    ASSERT_TRUE(switch_key(home.files()));
    ASSERT_TRUE(prepare_key(home.files(), kBegin, kMonth));
    EXPECT_TRUE(abandon_key(home.files()));
    EXPECT_EQ(home.state().chain, std::vector{*second});
}

TEST(KeyFiles, BelongToOneAtATime) {
    const Home home;
    ASSERT_TRUE(prepare_key(home.files(), kBegin, kMonth));
    const UniqueFd other(::open(home.directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_EQ(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
    const auto busy = switch_key(home.files());
    ASSERT_FALSE(busy);
    EXPECT_TRUE(busy.error().is(causes::kStoreBusy));
    EXPECT_FALSE(prepare_key(home.files(), kBegin, kMonth));
    EXPECT_FALSE(abandon_key(home.files()));
    EXPECT_FALSE(note_told(home.files(), home.state().next->id()));
}

TEST(KeyFiles, MayBeNamedByALink) {
    const Home home;
    const fs::path link = home.directory / "link";
    fs::create_symlink(home.directory / "node.key", link);
    const auto made = prepare_key(KeyFiles(link), kBegin, kMonth);
    ASSERT_TRUE(made);
    ASSERT_TRUE(switch_key(KeyFiles(link)));
    EXPECT_TRUE(fs::is_symlink(link));
    EXPECT_EQ(home.key(), made->to.fingerprint());
}

TEST(KeyFiles, SayNothingOfOtherKeys) {
    const Home home;
    ASSERT_TRUE(prepare_key(home.files(), kBegin, kMonth));
    fs::remove(home.files().next());
    EXPECT_EQ(home.state().next, nullptr);
    EXPECT_TRUE(home.state().chain.empty());
    ASSERT_TRUE(prepare_key(home.files(), kBegin, kMonth));
    ASSERT_TRUE(switch_key(home.files()));
    fs::remove(home.files().key());
    ASSERT_TRUE(key_number(7)->save(home.files().key()));
    EXPECT_TRUE(home.state().chain.empty());
    const auto write = [&](std::string_view text) {
        ASSERT_TRUE(
            write_durable_file(home.files().rotations(), as_bytes(text), {.replace = true}));
    };
    std::string long_chain;
    for (const Rotation& one : chain_of(kRotationChainMax + 1)) {
        long_chain += encode_rotation(one) + "\n";
    }
    for (const std::string& bad :
         {std::string("x"), long_chain,
          encode_rotation(from_to(0, 1)) + "\n" + encode_rotation(from_to(2, 3))}) {
        write(bad);
        const auto refused = load_key_state(home.files());
        ASSERT_FALSE(refused);
        EXPECT_TRUE(refused.error().is(causes::kKeyInvalid));
    }
}

TEST(KeyFiles, LeaveKeysOfOpensshAlone) {
    const sim::TempDir directory;
    ASSERT_TRUE(write_durable_file(directory / "id",
                                   as_bytes("-----BEGIN OPENSSH PRIVATE KEY-----\n"), {}));
    const auto refused = prepare_key(KeyFiles(directory / "id"), kBegin, kMonth);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kUsage));
}

using Work = std::function<bool(const KeyFiles&)>;

// `before` has been done; `work` is killed before each of its system calls. `whole` says what must
// be so after each of them; then it can be done again.
void kill_everywhere(
    const Work& before, const Work& work,
    const std::function<bool(const KeyState& before, const KeyState& found)>& old,
    const std::function<bool(const KeyState& before, const KeyState& found)>& now) {
    const Home start;
    ASSERT_TRUE(before(start.files()));
    const KeyState first = start.state();
    std::size_t old_seen = 0;
    std::size_t new_seen = 0;
    bool killed = true;
    for (int stop = 0; killed; ++stop) {
        const sim::TempDir copy;
        const fs::path home = copy / "home";
        fs::copy(start.directory.path(), home, fs::copy_options::recursive);
        const KeyFiles files(home / "node.key");
        killed = sim::killed_at(stop, [&] { return work(files); });
        const auto found = load_key_state(files);
        ASSERT_TRUE(found) << "killed at call " << stop << ": " << found.error().message();
        const bool is_old = old(first, *found);
        const bool is_new = now(first, *found);
        ASSERT_NE(is_old, is_new) << "killed at call " << stop;
        (is_old ? old_seen : new_seen) += 1;
        if (is_old) {
            ASSERT_TRUE(work(files)) << "after call " << stop;
            ASSERT_TRUE(now(first, load_key_state(files).value())) << "after call " << stop;
        }
    }
    EXPECT_GT(old_seen, 3U);
    EXPECT_GT(new_seen, 0U);
}

bool prepare(const KeyFiles& files) {
    return prepare_key(files, kBegin, kMonth).has_value();
}

bool has_next(const KeyState& before, const KeyState& found) {
    return found.key->id() == before.key->id() && found.next != nullptr &&
           found.chain.back().to == found.next->id();
}

bool has_none(const KeyState& before, const KeyState& found) {
    return found.key->id() == before.key->id() && found.next == nullptr && found.chain.empty();
}

bool is_switched(const KeyState& before, const KeyState& found) {
    return found.key->id() == before.next->id() && found.next == nullptr &&
           found.chain == before.chain;
}

TEST(KeyFilesKill, TheKeyToComeIsThereOrNot) {
    kill_everywhere([](const KeyFiles&) { return true; }, prepare, has_none, has_next);
}

TEST(KeyFilesKill, TheKeyIsTheOldOneOrTheNewOne) {
    const auto told = [](const KeyFiles& files) {
        return prepare(files) && note_told(files, load_key_state(files)->next->id()).has_value();
    };
    kill_everywhere(
        told, [](const KeyFiles& files) { return switch_key(files).has_value(); }, has_next,
        is_switched);
}

TEST(KeyFilesKill, TheKeyToComeIsForgottenOrNot) {
    kill_everywhere(
        prepare, [](const KeyFiles& files) { return abandon_key(files).has_value(); }, has_next,
        has_none);
}

}  // namespace
}  // namespace alknet::identity
