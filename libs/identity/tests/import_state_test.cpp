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
    std::string waiting(const std::string& peer = "office") {
        return waiting_digest(pins(), "far", peer);
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
    const std::string shown = waiting();
    EXPECT_FALSE(accept_pins(*state_, "other", shown));
    EXPECT_FALSE(accept_pins(*state_, "far", ""));
    EXPECT_EQ(accept_pins(*state_, "far", shown).value(), 2U);
    EXPECT_EQ(waiting(), "");
    EXPECT_FALSE(accept_pins(*state_, "far", shown)) << "nothing waits";
    EXPECT_FALSE(accept_pins(*state_, "far", ""));
    EXPECT_THAT(offer({{"a/b", "9"}, {"a/c", "2"}, {"a/d", "3"}}),
                ElementsAre("a/b", "a/c", "a/d"));
    EXPECT_THAT(offer({{"a/b", "1"}}), IsEmpty()) << "what was accepted once is not for ever";
}

TEST_F(ImportState, AcceptsWhatSomebodyWasShownAndNothingElse) {
    offer({{"a/b", "1"}});
    offer({{"a/b", "1"}}, "lab");
    offer({{"a/b", "2"}, {"a/c", "3"}});
    offer({{"a/b", "2"}, {"a/c", "3"}}, "lab");
    const std::string shown = waiting();
    EXPECT_NE(shown, waiting("lab")) << "it is of one peer";
    offer({{"a/b", "2"}, {"a/c", "4"}});
    EXPECT_FALSE(accept_pins(*state_, "far", shown)) << "something else waits by now";
    offer({{"a/b", "2"}});
    EXPECT_FALSE(accept_pins(*state_, "far", shown)) << "less, too";
    offer({{"a/b", "2"}, {"a/c", "3"}});
    EXPECT_EQ(accept_pins(*state_, "far", shown).value(), 2U);
    EXPECT_THAT(offer({{"a/b", "2"}, {"a/c", "3"}}, "lab"), IsEmpty());
}

TEST_F(ImportState, TakesNothingForTheFirstOfferThatMayNotBeIt) {
    offer({{"a/b", "1"}});
    EXPECT_EQ(remove_pins(*state_, "far").value(), 1U);
    // Beneath an import that runs.
    const auto in_force = offer_operations(*state_, "far", "office", {{"a/b", "9"}}, false);
    ASSERT_TRUE(in_force);
    EXPECT_THAT(*in_force, IsEmpty());
    ASSERT_THAT(pins(), SizeIs(1));
    EXPECT_TRUE(pins()[0].waits());
    EXPECT_THAT(offer({{"a/b", "9"}}), IsEmpty()) << "nor is it the first once it is known";
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
