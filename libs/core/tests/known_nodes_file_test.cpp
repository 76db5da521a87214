// The file of known nodes: shared, locked, whole or not there.
#include <alknet/core/known_nodes_file.hpp>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/loop.hpp>

#include <alknet/rt/time.hpp>
#include <alknet/testing/killed_writer.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <alknet/testing/virtual_loop.hpp>
#include <fstream>
#include <string>

namespace alknet {
namespace {

const std::string kName = "node.example:4433";

result<void> keep(KnownNodes& known, const std::string& name, std::uint64_t nonce) {
    ALKNET_CHECK(known.begin(name, nonce));
    (void)known.saw(nonce, KnownIdentity());
    return known.keep(nonce);
}

/// Adds a name, on a loop of its own, as a program would.
result<void> learn(const KnownNodesFile& file, const std::string& name) {
    SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    const auto work = [&name](KnownNodes& known) { return keep(known, name, 7); };
    return block_on(*loop, file.change(*loop, work), "learn");
}

class KnownNodesFileTest : public testing::Test {
protected:
    result<void> change(const KnownNodesFile::Work& work) {
        result<void> outcome = fail(causes::kInternal, "did not end");
        EXPECT_TRUE(time.run(store(file.change(time.loop(), work), outcome)));
        return outcome;
    }
    static task<void> store(task<result<void>> work, result<void>& into) {
        into = co_await std::move(work);
    }
    result<void> begin(std::uint64_t nonce) {
        return change([nonce](KnownNodes& known) { return known.begin(kName, nonce); });
    }

    sim::TempDir home;
    KnownNodesFile file{home / "known_nodes"};
    sim::VirtualLoop time;
};

TEST_F(KnownNodesFileTest, KeepsWhatItIsTold) {
    EXPECT_EQ(file.load()->entries().size(), 0U);
    ASSERT_TRUE(learn(file, kName));
    ASSERT_TRUE(learn(file, "other.example:1"));
    const auto known = file.load();
    ASSERT_TRUE(known) << known.error().message();
    EXPECT_EQ(known->entries().size(), 2U);
    struct stat status{};
    ASSERT_EQ(stat(file.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(KnownNodesFileTest, AnErrorChangesNothing) {
    ASSERT_TRUE(learn(file, kName));
    const auto failed = change([](KnownNodes& known) -> result<void> {
        known.remove(kName);
        return fail(causes::kLimit);
    });
    EXPECT_TRUE(failed.error().is(causes::kLimit));
    EXPECT_NE(file.load()->find(kName), nullptr);
}

TEST_F(KnownNodesFileTest, FirstContactsLiveAsLongAsTheirHolds) {
    auto one = file.hold();
    ASSERT_TRUE(one);
    ASSERT_TRUE(begin(one->nonce));
    {
        const auto other = file.hold();
        ASSERT_TRUE(other);
        EXPECT_NE(other->nonce, one->nonce);
        ASSERT_TRUE(begin(other->nonce));
        EXPECT_EQ(file.load()->first_contacts().size(), 2U);
    }
    ASSERT_TRUE(change([](KnownNodes&) { return result<void>(); }));
    ASSERT_EQ(file.load()->first_contacts().size(), 1U);
    EXPECT_EQ(file.load()->first_contacts()[0].nonce, one->nonce);
    one = fail(causes::kClosed);
    ASSERT_TRUE(change([](KnownNodes&) { return result<void>(); }));
    EXPECT_TRUE(file.load()->first_contacts().empty());
}

TEST_F(KnownNodesFileTest, WaitsForTheLockAndNotForever) {
    // A change within a change finds the lock taken, as another process would.
    result<void> inner = result<void>();
    const TimePoint before = time.loop().now();
    ASSERT_TRUE(change([&](KnownNodes&) -> result<void> {
        sim::VirtualLoop other;
        EXPECT_TRUE(other.run(
            store(file.change(other.loop(), [](KnownNodes&) { return result<void>(); }), inner)));
        return {};
    }));
    ASSERT_FALSE(inner);
    EXPECT_TRUE(inner.error().is(causes::kStoreBusy)) << inner.error().message();
    EXPECT_EQ(time.loop().now(), before);
}

TEST_F(KnownNodesFileTest, RefusesWhatOthersCanWrite) {
    ASSERT_TRUE(learn(file, kName));
    ASSERT_EQ(chmod(file.path().c_str(), 0620), 0);
    EXPECT_TRUE(file.load().error().is(causes::kHomeInvalid));
    EXPECT_TRUE(learn(file, "more.example:1").error().is(causes::kHomeInvalid));
    std::filesystem::remove(file.path());
    std::filesystem::create_directory(file.path());
    EXPECT_TRUE(file.load().error().is(causes::kHomeInvalid));
}

TEST_F(KnownNodesFileTest, NamesFileAndLine) {
    std::ofstream(file.path()) << "alknet-known-nodes 1\nnode.example ca\n";
    EXPECT_EQ(file.load().error().detail(),
              file.path().native() + ": line 2: it does not begin with HOST:PORT");
    std::ofstream(file.path()) << std::string(KnownNodes::kTextBytesMax + 100, 'x');
    EXPECT_EQ(file.load().error().detail(), file.path().native() + ": the file is too long");
}

TEST_F(KnownNodesFileTest, TellsWhereItCannotWrite) {
    const KnownNodesFile nowhere(home / "none/known_nodes");
    EXPECT_TRUE(learn(nowhere, kName).error().is(causes::kIo));
    EXPECT_TRUE(nowhere.hold().error().is(causes::kIo));
}

TEST_F(KnownNodesFileTest, IsOldOrNewWhereverItsWriterDies) {
    ASSERT_TRUE(learn(file, kName));
    int before = 0;
    int after = 0;
    for (int stop = 0;; ++stop) {
        const std::string name = "n" + std::to_string(stop) + ":1";
        const bool killed = sim::killed_at(stop, [&] { return learn(file, name).has_value(); });
        const auto known = file.load();
        ASSERT_TRUE(known) << "killed at call " << stop << ": " << known.error().message();
        ASSERT_NE(known->find(kName), nullptr);
        (known->find(name) == nullptr ? before : after) += 1;
        if (!killed) {
            break;
        }
    }
    EXPECT_GT(before, 3);
    EXPECT_GT(after, 1);
    // And the next writer is not disturbed by what the dead ones left.
    EXPECT_TRUE(learn(file, "next:1"));
}

}  // namespace
}  // namespace alknet
