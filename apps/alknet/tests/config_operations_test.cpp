// The operations on the configuration, as a caller from elsewhere meets them once alknet/call is
// offered on the network, and as the owner of the machine meets them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>

#include "operations_world.hpp"

namespace alknet::app {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr std::string_view kEcho = "[alpn.\"alknet/echo\"]\nidentity_required = true\n";

std::string peers(std::string_view scopes) {
    return "[[peer]]\nname = \"bob\"\nkeys = [\"ed25519:"
           "e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc\"]\nscopes = [" +
           std::string(scopes) + "]\n";
}

using ConfigOperations = OperationsWorld;

TEST_F(ConfigOperations, WhoIsRemoteMustConfirmAndWhoIsLocalNeedNot) {
    const auto applied = apply(remote(), kEcho);
    ASSERT_TRUE(applied) << applied.error().message();
    EXPECT_EQ(applied->text_of("confirm_within"), "2m");
    EXPECT_EQ(waiting(), minutes(2));
    EXPECT_EQ(text(), kEcho);
    EXPECT_EQ(reloads_, 1);
    ASSERT_TRUE(call("config/undo", remote(), Json::object({})));
    EXPECT_EQ(text(), "");
    EXPECT_EQ(reloads_, 2);
    const auto at_home = apply(local(), kEcho);
    ASSERT_TRUE(at_home) << at_home.error().message();
    EXPECT_EQ(at_home->find("confirm_within"), nullptr);
    EXPECT_EQ(waiting(), std::nullopt);
}

TEST_F(ConfigOperations, WhoIsRemoteSaysHowLongAndNotThatItNeedsNone) {
    ASSERT_TRUE(apply(remote(), kEcho, {{"confirm", "30s"}}));
    EXPECT_EQ(waiting(), seconds(30));
    ASSERT_TRUE(call("config/undo", remote(), Json::object({})));
    for (const char* none : {"", "0s", "none", "9s", "25h"}) {
        const auto refused = apply(remote(), kEcho, {{"confirm", none}});
        ASSERT_FALSE(refused) << none;
        EXPECT_TRUE(refused.error().is(causes::kUsage));
    }
    // That no duration is given is nothing that a null could say either.
    ASSERT_TRUE(apply(remote(), kEcho, {{"confirm", Json()}}));
    EXPECT_EQ(waiting(), minutes(2));
}

TEST_F(ConfigOperations, OnlyANewConnectionConfirms) {
    const call::CallContext before = remote();
    const call::CallContext open_before = local();
    virtual_loop_.advance(seconds(1));
    ASSERT_TRUE(apply(before, kEcho));
    virtual_loop_.advance(seconds(1));
    for (const auto& old : {before, open_before}) {
        const auto refused = call("config/confirm", old, Json::object({}));
        ASSERT_FALSE(refused);
        EXPECT_TRUE(refused.error().is(causes::kForbidden));
        EXPECT_THAT(refused.error().detail(), HasSubstr("made after the change"));
    }
    EXPECT_TRUE(waiting());
    ASSERT_TRUE(call("config/confirm", remote(), Json::object({})));
    EXPECT_FALSE(waiting());
    EXPECT_EQ(text(), kEcho);
    const auto again = call("config/confirm", remote(), Json::object({}));
    EXPECT_TRUE(!again && again.error().is(causes::kConfigNotPending));
}

TEST_F(ConfigOperations, ANameDoesNotMakeACallerLocal) {
    ASSERT_TRUE(apply(remote({"*:*:*"}, std::string(kLocalAdmin)), kEcho));
    EXPECT_EQ(waiting(), minutes(2));
    ASSERT_TRUE(call("config/undo", local(), Json::object({})));
    call::CallContext somebody = remote();
    somebody.transport = Transport::local;
    ASSERT_TRUE(apply(somebody, kEcho));
    EXPECT_EQ(waiting(), minutes(2));
}

TEST_F(ConfigOperations, WhatIsReadAtStartIsChangedAtTheMachineAlone) {
    constexpr std::string_view kFixed = "[log]\nformat = \"json\"\n";
    const auto refused = apply(remote(), kFixed);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kForbidden));
    EXPECT_EQ(text(), "");
    EXPECT_FALSE(waiting());
    EXPECT_TRUE(apply(remote(), kFixed, {{"dry_run", true}}));
    EXPECT_TRUE(apply(local(), kFixed));
}

TEST_F(ConfigOperations, WhatIsServedToBrowsersIsNamedAtTheMachineAlone) {
    const std::string site = "[[http.site]]\nroot = \"" + root_.path().native() + "\"\n";
    const auto refused = apply(remote(), site);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kForbidden));
    ASSERT_TRUE(apply(local(), site));
    // What is there already may stay, under other names too, and may go.
    EXPECT_TRUE(apply(remote(), site + "names = [\"a.example\"]\n", {{"confirm", "30s"}}));
}

TEST_F(ConfigOperations, NobodyTakesTheRightToRuleFromItself) {
    const std::string ruling = peers("\"node:admin\"") +
                               "[[peer]]\nname = \"carol\"\nkeys = [\"ed25519:"
                               "1dc626ded96a2f4fce2d379a0783293be6aa7ec481e5a61ea9ba1c3cbf5e5265"
                               "\"]\nscopes = [\"node:admin\"]\n";
    ASSERT_TRUE(apply(local(), ruling));
    const std::string narrowed =
        peers("\"git:read\"") + ruling.substr(peers("\"node:admin\"").size());
    const auto peer = home().parse_config(ruling);
    ASSERT_TRUE(peer);
    const auto bob = config::peer_list(peer->dynamic, "").peers.front().id;
    const auto refused = apply(remote({"config:manage"}, bob), narrowed);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kLastAdmin)) << refused.error().message();
    EXPECT_EQ(text(), ruling);
    EXPECT_TRUE(apply(remote({"config:manage"}, "another"), narrowed));
}

TEST_F(ConfigOperations, ScopesDecideWhoMay) {
    for (const char* name :
         {"config/check", "config/diff", "config/apply", "config/confirm", "config/undo"}) {
        const auto refused = call(name, remote({"config:reload", "config:read"}), Json::object({}));
        ASSERT_FALSE(refused) << name;
        EXPECT_TRUE(refused.error().is(causes::kScopeMissing)) << name;
        call::CallContext stranger = remote();
        stranger.identity.reset();
        const auto unknown = call(name, stranger, Json::object({}));
        ASSERT_FALSE(unknown) << name;
        EXPECT_TRUE(unknown.error().is(causes::kAuthRequired)) << name;
    }
}

TEST_F(ConfigOperations, AreWrittenDownWithWhoAndWhichRevision) {
    ASSERT_TRUE(apply(local(), kEcho));
    EXPECT_THAT(audited(),
                testing::ContainsRegex(R"("event":"config.applied","then":"[0-9a-f]{32}",)"
                                       R"("uid":"1234","revision":"[0-9a-f]{32}")"));
    ASSERT_TRUE(apply(remote(), ""));
    EXPECT_THAT(audited(), HasSubstr(R"("confirm":"2m","by":"peer-bob")"));
    ASSERT_TRUE(call("config/confirm", remote(), Json::object({})));
    EXPECT_THAT(audited(), HasSubstr(R"("event":"config.confirmed")"));
}

TEST_F(ConfigOperations, CheckSaysWhatAFileWouldBeTold) {
    const auto good = call("config/check", local(), Json::object({}));
    ASSERT_TRUE(good) << good.error().message();
    EXPECT_TRUE(*good->find("valid")->as_bool());
    const auto bad =
        call("config/check", remote(), Json::object({{"text", "[limit]\n"}, {"file", "new.toml"}}));
    ASSERT_TRUE(bad);
    EXPECT_FALSE(*bad->find("valid")->as_bool());
    EXPECT_THAT(bad->find("problems")->as_array()->front().text_of("text"),
                HasSubstr("new.toml:1:"));
    EXPECT_EQ(reloads_, 0);
    // Also where what is there cannot be read, and then it can be replaced.
    write("[limit]\n");
    EXPECT_FALSE(*call("config/check", local(), Json::object({}))->find("valid")->as_bool());
    EXPECT_TRUE(apply(local(), kEcho));
}

// A machine without a battery, and one long after this was written.
TEST_F(ConfigOperations, WorkWhateverTheClockSays) {
    const auto now = [&] { return virtual_loop_.clock().wall_now(); };
    const WallTime in_1970{seconds(1)};
    const WallTime in_2040{seconds(2'208'988'800)};
    int round = 0;
    for (const WallTime time : {in_1970, in_2040, in_1970}) {
        const std::string name = "peer" + std::to_string(++round);
        virtual_loop_.clock().step_wall(time - now());
        ASSERT_TRUE(apply(remote(), kEcho)) << round;
        EXPECT_EQ(waiting(), minutes(2));
        virtual_loop_.advance(seconds(119));
        EXPECT_EQ(waiting(), seconds(1));
        ASSERT_TRUE(call("config/confirm", remote(), Json::object({})));
        ASSERT_TRUE(apply(local(), ""));
        ASSERT_TRUE(call("peers/add", local(), Json::object({{"name", name}, {"expires", "1h"}})));
        const auto listed = call("peers/list", local(), Json::object({}));
        ASSERT_TRUE(listed);
        for (const Json& peer : *listed->find("peers")->as_array()) {
            if (peer.text_of("name") == name) {
                EXPECT_EQ(peer.text_of("standing"), "expiring");
            }
        }
        const auto invited =
            call("invitations/add", local(),
                 Json::object({{"ttl", "10m"}, {"addresses", Json(Json::Array{"192.0.2.1:1"})}}));
        ASSERT_TRUE(invited) << invited.error().message();
        EXPECT_TRUE(invited->text_of("expires").starts_with(time == in_2040 ? "2040-" : "1970-"));
        ASSERT_TRUE(
            call("invitations/remove", local(), Json::object({{"id", invited->text_of("id")}})));
        ASSERT_TRUE(call(
            "tokens/add", local(),
            Json::object({{"scopes", Json(Json::Array{"git:read"})}, {"expires", "2199-01-01"}})));
    }
}

// What waits while the clock goes back by decades cannot be known to have waited long enough.
TEST_F(ConfigOperations, WhatWaitsIsUndoneWhenTheClockGoesBack) {
    virtual_loop_.clock().step_wall(std::chrono::hours(24 * 365 * 14));
    ASSERT_TRUE(apply(remote(), kEcho));
    virtual_loop_.clock().step_wall(-std::chrono::hours(24 * 365 * 50));
    virtual_loop_.advance(seconds(1));
    const auto late = call("config/confirm", remote(), Json::object({}));
    ASSERT_FALSE(late);
    EXPECT_TRUE(late.error().is(causes::kConfigNotPending));
    EXPECT_EQ(text(), "");
}

TEST_F(ConfigOperations, RefuseWhatTheyDoNotKnow) {
    EXPECT_TRUE(apply(local(), kEcho, {{"stray", 1}}).error().is(causes::kUsage));
    EXPECT_TRUE(call("config/apply", local(), Json::object({})).error().is(causes::kUsage));
    EXPECT_TRUE(
        apply(local(), std::string(config::kFileBytesMax + 1, '#')).error().is(causes::kUsage));
    EXPECT_EQ(text(), "");
}

}  // namespace
}  // namespace alknet::app
