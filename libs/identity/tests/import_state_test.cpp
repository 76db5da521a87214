#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/identity/import_state.hpp>
#include <alknet/identity/state.hpp>
#include <alknet/testing/temp_dir.hpp>

namespace alknet::identity {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class ImportState : public testing::Test {
protected:
    std::set<std::string, std::less<>> offer(const std::vector<OfferedOperation>& offered,
                                             const std::string& peer = "office") {
        const auto in_force = offer_operations(*state_, "far", peer, offered, true);
        EXPECT_TRUE(in_force) << in_force.error().message();
        return in_force.value_or(std::set<std::string, std::less<>>());
    }
    std::vector<OperationPin> pins() { return load_pins(*state_).value(); }

    sim::TempDir directory_;
    std::unique_ptr<store::Database> state_ =
        store::Database::open(directory_ / kStateFile, state_options()).value();
};

TEST_F(ImportState, AcceptsWhatIsOfferedFirst) {
    EXPECT_THAT(offer({}), IsEmpty());
    EXPECT_THAT(offer({{"a/b", "1"}, {"a/c", "2"}}), ElementsAre("a/b", "a/c"));
    EXPECT_THAT(offer({{"a/b", "1"}, {"a/c", "2"}}), ElementsAre("a/b", "a/c"));
    EXPECT_THAT(pins(), SizeIs(2));
}

TEST_F(ImportState, HoldsBackWhatIsNewOrHasChanged) {
    offer({{"a/b", "1"}, {"a/c", "2"}});
    EXPECT_THAT(offer({{"a/b", "9"}, {"a/c", "2"}, {"a/d", "3"}}), ElementsAre("a/c"));
    EXPECT_EQ(accept_pins(*state_, "other").value(), 0U);
    EXPECT_EQ(accept_pins(*state_, "far").value(), 2U);
    EXPECT_EQ(accept_pins(*state_, "far").value(), 0U);
    EXPECT_THAT(offer({{"a/b", "9"}, {"a/c", "2"}, {"a/d", "3"}}),
                ElementsAre("a/b", "a/c", "a/d"));
    EXPECT_THAT(offer({{"a/b", "1"}}), IsEmpty()) << "what was accepted once is not for ever";
}

TEST_F(ImportState, RemembersWhatIsGoneOnlyIfItWasAccepted) {
    offer({{"a/b", "1"}});
    offer({{"a/c", "2"}});
    EXPECT_THAT(pins(), SizeIs(2));
    offer({});
    ASSERT_THAT(pins(), SizeIs(1));
    EXPECT_FALSE(pins()[0].waits());
    EXPECT_FALSE(pins()[0].in_force());
    EXPECT_THAT(offer({{"a/b", "other"}}), IsEmpty()) << "it cannot come back as something else";
    EXPECT_THAT(offer({{"a/b", "1"}}), ElementsAre("a/b"));
}

TEST_F(ImportState, KeepsPeersApart) {
    offer({{"a/b", "1"}});
    EXPECT_THAT(offer({{"a/b", "2"}}, "lab"), ElementsAre("a/b"));
    EXPECT_THAT(offer({{"a/b", "2"}}), IsEmpty());
    EXPECT_EQ(remove_pins(*state_, "far").value(), 2U);
    EXPECT_THAT(pins(), IsEmpty());
}

}  // namespace
}  // namespace alknet::identity
