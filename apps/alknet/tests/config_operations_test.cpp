// The operations on the configuration, as a caller from elsewhere meets them once alknet/call is
// offered on the network, and as the owner of the machine meets them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <array>
#include <filesystem>
#include <functional>

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

TEST_F(ConfigOperations, ServersAndUsersOfCommandsAreNamedAtTheMachineAlone) {
    const std::string route =
        "[[http.site]]\nhealth = true\n[[http.site.route]]\npath = \"/a\"\nproxy = "
        "\"unix:/run/other.sock\"\n";
    const std::string server =
        "[[http.site]]\nhealth = true\n[[http.site.route]]\npath = \"/a\"\nproxy = "
        "\"http://127.0.0.1:1\"\n";
    const std::string self = "[ssh]\nrun_as_self = true\n";
    for (const std::string& text : {route, server, self, self + "shell = \"/bin/sh\"\n",
                                    std::string("[ssh]\nrun_as = \"nobody\"\n")}) {
        const auto refused = apply(remote(), text);
        ASSERT_FALSE(refused) << text;
        EXPECT_TRUE(refused.error().is(causes::kForbidden)) << refused.error().message();
        const auto applied = apply(local(), text);
        ASSERT_TRUE(applied) << applied.error().message();
        EXPECT_TRUE(apply(remote(), text + "# the same\n", {{"confirm", "30s"}}));
        ASSERT_TRUE(call("config/undo", remote(), Json::object({})));
        EXPECT_TRUE(apply(remote(), text, {{"dry_run", true}})) << "to look is no change";
    }
    // Nor is what is there put to another use; that less is run, or served, may be said anywhere.
    ASSERT_TRUE(apply(local(), self));
    EXPECT_FALSE(apply(remote(), self + "shell = \"/bin/sh\"\n", {{"force", true}}));
    EXPECT_TRUE(apply(remote(), "", {{"confirm", "30s"}}));
}

constexpr std::string_view kCarol =
    "[[peer]]\nname = \"carol\"\nkeys = [\"ed25519:"
    "1dc626ded96a2f4fce2d379a0783293be6aa7ec481e5a61ea9ba1c3cbf5e5265"
    "\"]\nscopes = [\"node:admin\", \"git:read\"]\n";
constexpr std::string_view kRules = "\"node:admin\", \"config:manage\"";

TEST_F(ConfigOperations, NobodyTakesTheRightToRuleFromItself) {
    const std::string bob = peers(kRules);
    const std::string carol(kCarol);
    ASSERT_TRUE(apply(local(), bob + carol));
    const std::array wanted = {
        carol,
        peers("\"git:read\"") + carol,
        peers("\"node:admin\"") + carol,
        bob + "enabled = false\n" + carol,
        bob + "expires = 2199-01-01\n" + carol,
        bob + carol + "[alpn.\"alknet/call\"]\nscope = \"git:read\"\n",
        bob + carol +
            "[[listener]]\nname = \"a\"\naddresses = [\"127.0.0.1:4433\"]\nalpns = "
            "[\"alknet/echo\"]\n",
    };
    for (const std::string& each : wanted) {
        const auto refused = apply(remote({"config:manage"}, "bob"), each);
        ASSERT_FALSE(refused) << each;
        EXPECT_TRUE(refused.error().is(causes::kOwnAccess)) << refused.error().message();
        EXPECT_EQ(text(), bob + carol);
        EXPECT_NE(
            apply(remote({"config:manage"}, "bob"), each, {{"dry_run", true}})->text_of("warning"),
            "");
    }
    EXPECT_TRUE(apply(remote({"config:manage"}, "another"), wanted[1]));
    ASSERT_TRUE(call("config/undo", local(), Json::object({})));
    ASSERT_TRUE(apply(remote({"config:manage"}, "bob"), wanted[5], {{"force", true}}));
    ASSERT_TRUE(call("config/undo", local(), Json::object({})));
    EXPECT_TRUE(apply(local(), wanted[6]));
}

TEST_F(ConfigOperations, SomeAdminCanAlwaysCall) {
    ASSERT_TRUE(apply(local(), peers(kRules)));
    const std::string wanted = peers(kRules) + "[alpn.\"alknet/call\"]\nscope = \"git:read\"\n";
    const auto refused = apply(local(), wanted);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kLastAdmin));
    EXPECT_THAT(refused.error().detail(), HasSubstr("git:read, which no admin has"));
    EXPECT_TRUE(apply(local(), wanted + std::string(kCarol)));
}

// Neither confirms what waits, undoes it, nor is lost: whoever applies is told.
TEST_F(ConfigOperations, NoSecondOneIsAppliedWhileOneWaits) {
    ASSERT_TRUE(apply(remote(), kEcho));
    for (const std::string_view each : {kEcho, std::string_view("")}) {
        for (const auto& who : {local(), remote()}) {
            const auto refused = apply(who, each);
            ASSERT_FALSE(refused) << each;
            EXPECT_TRUE(refused.error().is(causes::kConfigPending));
            EXPECT_THAT(refused.error().detail(), testing::MatchesRegex("until 20.*Z"));
            EXPECT_TRUE(apply(who, each, {{"dry_run", true}}));
        }
    }
    EXPECT_EQ(text(), kEcho);
    EXPECT_EQ(waiting(), minutes(2));
    info_.undone_in_s = 120;
    const auto reloaded = call("config/reload", remote({"config:reload"}), Json::object({}));
    ASSERT_TRUE(reloaded);
    EXPECT_EQ(reloaded->find("undone_in_s")->text(), "120");
    ASSERT_TRUE(call("config/confirm", remote(), Json::object({})));
    EXPECT_TRUE(*apply(local(), kEcho)->find("unchanged")->as_bool());
}

// Else the node would go on with what nobody has confirmed.
TEST_F(ConfigOperations, WhatWaitsCanBeUndoneWhateverBecomesOfThePeers) {
    const std::string role = "[[role]]\nname = \"ops\"\nscopes = [\"git:read\"]\n";
    ASSERT_TRUE(apply(remote(), role));
    const auto add = [&] {
        return call("peers/add", local(),
                    Json::object({{"name", "bob"}, {"roles", Json(Json::Array{"ops"})}}));
    };
    const auto refused = add();
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kConfigPending)) << refused.error().message();
    EXPECT_THAT(refused.error().detail(), HasSubstr("there is no role 'ops'"));
    EXPECT_TRUE(call("peers/add", local(), Json::object({{"name", "carol"}})));
    ASSERT_TRUE(call("config/confirm", remote(), Json::object({})));
    EXPECT_TRUE(add());
}

TEST_F(ConfigOperations, WriteDownWhatHappenedAlone) {
    const auto fails = [&](const std::string& name, Json::Object input = {}) {
        EXPECT_FALSE(call(name, local(), Json(std::move(input)))) << name;
    };
    std::filesystem::create_directories(root_ / "home/alknet.toml.previous/x");
    fails("config/apply", {{"text", kEcho}});
    std::filesystem::remove_all(root_ / "home/alknet.toml.previous");
    fails("key/switch");
    EXPECT_EQ(audited(), "");
    ASSERT_TRUE(apply(remote(), kEcho));
    virtual_loop_.advance(minutes(3));
    fails("config/confirm");  // too late, and so it is undone
    EXPECT_THAT(audited(), HasSubstr("config.undone"));
    EXPECT_THAT(audited(), testing::Not(HasSubstr("change.failed")));
    ASSERT_TRUE(apply(remote(), kEcho));
    write("# by hand\n");
    EXPECT_THAT(call("config/undo", local(), Json::object({}))->text_of("done"),
                HasSubstr("edited since"));
    EXPECT_THAT(audited(), testing::Not(HasSubstr("config.confirmed")));
    EXPECT_THAT(audited(), testing::Not(testing::ContainsRegex("config.undone.*config.undone")));
}

TEST_F(ConfigOperations, ChangeNothingThatCannotBeWrittenDown) {
    const std::string required = "[audit]\nrequired = true\n";
    ASSERT_TRUE(apply(local(), required));
    ASSERT_TRUE(call("peers/add", local(), Json::object({{"name", "bob"}})));
    const auto files = identity::KeyFiles(home().directory() / "node.key");
    const auto made =
        identity::prepare_key(files, virtual_loop_.clock().wall_now(), std::chrono::hours(1));
    ASSERT_TRUE(made);
    std::filesystem::rename(root_ / "home/audit.log", root_ / "kept");
    std::filesystem::create_directory(root_ / "home/audit.log");
    EXPECT_FALSE(apply(local(), required + std::string(kEcho)));
    EXPECT_FALSE(call("peers/remove", local(), Json::object({{"name", "bob"}})));
    EXPECT_FALSE(call("key/switch", local(), Json::object({})));
    EXPECT_EQ(text(), required);
    EXPECT_EQ(call("peers/list", local(), Json::object({}))->find("peers")->as_array()->size(), 1U);
    EXPECT_EQ(identity::load_key_state(files)->key->id(), made->from);
}

class KeySwitch : public OperationsWorld {
protected:
    void SetUp() override {
        OperationsWorld::SetUp();
        shown_ = identity::load_key_state(files())->key;
        const auto made =
            identity::prepare_key(files(), virtual_loop_.clock().wall_now(), std::chrono::hours(1));
        ASSERT_TRUE(made);
        next_ = made->to.fingerprint();
        info_.fingerprint = shown_->id().fingerprint();
    }
    [[nodiscard]] identity::KeyFiles files() const {
        return identity::KeyFiles(home().directory() / "node.key");
    }
    void expect_old() const {
        const auto state = identity::load_key_state(files());
        EXPECT_EQ(state->key->id(), shown_->id());
        ASSERT_NE(state->next, nullptr);
        EXPECT_EQ(state->next->id().fingerprint(), next_);
    }

    std::string next_;
};

TEST_F(KeySwitch, WaitsUntilTheFilesAreSuchAsANodeTakes) {
    for (const std::string_view bad :
         {"[limit]\n", "[[access.assert]]\npeer = \"bob\"\ndo = \"git:read\"\n",
          "[tls]\ncertificates = [{ chain = \"none.pem\", key = \"none.pem\" }]\n"}) {
        write(bad);
        EXPECT_FALSE(call("key/switch", local(), Json::object({}))) << bad;
        expect_old();
    }
    EXPECT_EQ(audited(), "");
    EXPECT_EQ(reloads_, 0);
    write("");
    on_reload_ = [&] {
        info_.fingerprint = next_;
        return result<void>();
    };
    ASSERT_TRUE(call("key/switch", local(), Json::object({})));
    EXPECT_EQ(identity::load_key_state(files())->key->id().fingerprint(), next_);
}

TEST_F(KeySwitch, IsTakenBackWhereTheNodeDoesNotFollow) {
    const auto refuse = [] { return result<void>(fail(causes::kConfigInvalid, "http.site")); };
    const auto ignore = [] { return result<void>(); };
    for (const std::function<result<void>()>& reload :
         {std::function<result<void>()>(refuse), std::function<result<void>()>(ignore)}) {
        on_reload_ = reload;
        const auto refused = call("key/switch", local(), Json::object({}));
        ASSERT_FALSE(refused);
        EXPECT_THAT(refused.error().detail(), HasSubstr("the key is the old one"));
        expect_old();
        EXPECT_THAT(audited(), HasSubstr(R"("event":"change.failed","reason":"E-HOME-INVALID",)"
                                         R"("of":"key.switched","uid":"1234")"));
    }
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
