// What the operations of the desk say of themselves, and whether it is so.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/identity/import_state.hpp>
#include <alknet/identity/key_files.hpp>
#include <map>
#include <set>

#include "desk.hpp"
#include "operations_world.hpp"
#include "peers.hpp"

namespace alknet::app {
namespace {

constexpr std::string_view kKey =
    "ed25519:e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc";
constexpr std::string_view kEcho = "[alpn.\"alknet/echo\"]\nidentity_required = true\n";

class DeskOperations : public OperationsWorld {
protected:
    Json described(std::string_view name) {
        auto shown = call("services/schema", local(), Json::object({{"name", name}}));
        EXPECT_TRUE(shown) << name;
        return shown ? *std::move(shown) : Json();
    }
    // It works, and gives what its schema says.
    Json works(std::string name, Json input) {
        const Json shown = described(name);
        const auto schema = call::Schema::compile(*shown.find("output"));
        auto output = call(name, local(), std::move(input));
        if (!schema || !output) {
            ADD_FAILURE() << name << ": " << (output ? "its schema" : output.error().message());
            return {};
        }
        const auto violation = schema->check(*output);
        EXPECT_FALSE(violation) << name << violation->pointer << ": " << violation->reason;
        seen_.insert(std::move(name));
        return *std::move(output);
    }
    Json given(std::string name, std::initializer_list<std::pair<std::string, Json>> input = {}) {
        return works(std::move(name), Json::object(input));
    }
    // It does not, for a reason that it declares.
    void refuses(const std::string& name, const Cause& cause, Json input) {
        const auto output = call(name, local(), std::move(input));
        ASSERT_FALSE(output) << name;
        EXPECT_TRUE(output.error().is(cause)) << name << ": " << output.error().message();
        const Json shown = described(name);
        const Json::Array& errors = *shown.find("errors")->as_array();
        EXPECT_TRUE(std::ranges::any_of(errors,
                                        [&](const Json& one) {
                                            return one.text_of("cause") == cause.id &&
                                                   one.text_of("about") == cause.what &&
                                                   !one.text_of("code").empty();
                                        }))
            << name << " " << cause.id;
        seen_.insert(name);
    }

    static void refuses_to(std::string_view whom, const result<Json>& answer, const Cause& cause) {
        ASSERT_FALSE(answer) << whom;
        EXPECT_TRUE(answer.error().is(cause)) << whom << ": " << answer.error().message();
    }

    std::set<std::string> seen_;
};

// Each member is described, and so are the members of what it holds.
void expect_described(const Json& schema, const std::string& where) {
    ASSERT_NE(schema.as_object(), nullptr) << where;
    const std::string_view type = schema.text_of("type");
    if (type == "object") {
        for (const auto& [name, member] : *schema.find("properties")->as_object()) {
            expect_described(member, fmt::format("{}/{}", where, name));
        }
    } else if (type == "array") {
        expect_described(*schema.find("items"), where + "/*");
    } else {
        EXPECT_NE(schema.find("type"), nullptr) << where;
    }
}

TEST_F(DeskOperations, SayWhatTheyTakeAndGive) {
    for (const DeskOperation* one : desk_operations()) {
        const Json shown = described(one->name);
        expect_described(*shown.find("input"), std::string(one->name));
        expect_described(*shown.find("output"), std::string(one->name));
    }
}

TEST_F(DeskOperations, GiveWhatTheySay) {
    const Json name = "bob";
    const Json keys = Json::Array{kKey};
    const Json scopes = Json::Array{"git:read"};
    const Json added = given(
        "peers/add",
        {{"name", name}, {"keys", keys}, {"expires", "2199-01-01"}, {"address", "node.example:7"}});
    EXPECT_EQ(added.text_of("done"), "added");
    EXPECT_EQ(added.find("peer")->text_of("address"), "node.example:7");
    EXPECT_EQ(added.find("peer")->find("keys")->text(), keys.text());
    (void)given("peers/disable", {{"name", name}});
    (void)given("peers/enable", {{"name", name}});
    const Json renewed = given("peers/renew", {{"name", name}, {"expires", "30d"}});
    EXPECT_NE(renewed.find("peer")->text_of("expires"), "");
    // What there is not is left out.
    const Json other = given("peers/add", {{"name", "dave"}});
    EXPECT_EQ(other.find("peer")->find("expires"), nullptr);
    (void)given("peers/remove", {{"name", "dave"}});
    (void)given("peers/scopes", {{"name", name}, {"add", scopes}});
    (void)given("peers/name", {{"name", name}, {"new_name", "robert"}});
    EXPECT_EQ(given("peers/list").find("peers")->as_array()->size(), 1U);
    const Json token = given("tokens/add", {{"peer", "robert"}, {"expires", "2199-01-01"}});
    (void)given("tokens/add", {{"scopes", scopes}, {"label", "the build"}});
    EXPECT_EQ(given("tokens/list").find("tokens")->as_array()->size(), 2U);
    (void)given("tokens/remove", {{"id", token.text_of("id")}});
    (void)given("peers/remove", {{"name", "robert"}});
    const Json line =
        given("invitations/add",
              {{"for", kKey}, {"scopes", scopes}, {"addresses", Json(Json::Array{"192.0.2.1:1"})}});
    const Json listed = given("invitations/list");
    EXPECT_EQ(listed.find("invitations")->as_array()->front().text_of("for"), kKey);
    (void)given("invitations/remove", {{"id", line.text_of("id")}});
    EXPECT_EQ(given("config/check", {{"text", "[limit]\n"}}).find("problems")->as_array()->size(),
              1U);
    (void)given("config/diff", {{"text", kEcho}});
    for (const char* name_of_end : {"config/confirm", "config/undo"}) {
        const Json applied = given("config/apply", {{"text", kEcho}, {"confirm", "30s"}});
        EXPECT_EQ(applied.text_of("confirm_within"), "30s");
        (void)given(name_of_end);
        EXPECT_TRUE(apply(local(), ""));
    }
    ASSERT_TRUE(apply(local(), "[[call.import]]\npeer = \"office\"\nprefix = \"far\"\n"));
    EXPECT_EQ(given("imports/list").find("imports")->as_array()->size(), 1U);
    std::string waiting;
    {
        const auto state = open_state(home());
        ASSERT_TRUE(state);
        ASSERT_TRUE(identity::offer_operations(**state, "far", "office",
                                               {{.operation = "a/b", .digest = "1"}}, false));
        waiting = identity::waiting_digest(identity::load_pins(**state).value(), "far", "office");
    }
    (void)given("imports/accept", {{"prefix", "far"}, {"digest", waiting}});
    ASSERT_TRUE(apply(local(), ""));
    EXPECT_EQ(given("imports/remove", {{"prefix", "far"}}).find("operations")->as_unsigned(), 1U);
    const auto key = identity::prepare_key(identity::KeyFiles(home().directory() / "node.key"),
                                           virtual_loop_.clock().wall_now(), std::chrono::hours(1));
    ASSERT_TRUE(key);
    info_.fingerprint = key->to.fingerprint();
    EXPECT_EQ(given("key/switch").text_of("from"), key->from.fingerprint());
    // For this one somebody has to join, and for that somebody has to come from elsewhere.
    seen_.insert("invitations/confirm");
    seen_.insert("peer/renew");
    for (const DeskOperation* one : desk_operations()) {
        EXPECT_TRUE(seen_.contains(std::string(one->name))) << one->name;
    }
}

TEST_F(DeskOperations, LetAPeerRenewItsOwnTerm) {
    const Json added = given("peers/add", {{"name", "bob"},
                                           {"expires", "1h"},
                                           {"renew", "30d"},
                                           {"scopes", Json(Json::Array{"git:read"})}});
    EXPECT_EQ(added.find("peer")->text_of("renew"), "30d");
    write("[[peer]]\nname = \"carol\"\nkeys = []\nexpires = 2026-01-02\nrenew = \"7d\"\n");
    const auto end_of = [&](std::string_view name) {
        for (const Json& one : *given("peers/list").find("peers")->as_array()) {
            if (one.text_of("name") == name) {
                return std::string(one.text_of("expires"));
            }
        }
        return std::string();
    };
    const std::string id(added.find("peer")->text_of("id"));
    const auto renew = [&](const std::string& peer) {
        return call("peer/renew", remote({std::string(kRenewScope)}, peer), Json::object({}));
    };
    for (const auto& [name, peer] :
         std::map<std::string, std::string>{{"bob", id}, {"carol", "carol"}}) {
        const std::string before = end_of(name);
        const auto renewed = renew(peer);
        ASSERT_TRUE(renewed) << name << ": " << renewed.error().message();
        EXPECT_NE(renewed->text_of("expires"), before);
        EXPECT_EQ(renewed->text_of("expires"), end_of(name)) << name;
        EXPECT_EQ(renewed->text_of("expires"),
                  time_text(virtual_loop_.clock().wall_now() +
                            std::chrono::hours(24 * (name == "bob" ? 30 : 7))));
    }
    EXPECT_NE(audited().find("\"event\":\"peer.renewed\""), std::string::npos) << audited();
    EXPECT_EQ(reloads_, 3);
    // Bob's is far away now, and a term that its owner has given another end is that again.
    refuses_to("bob", renew(id), causes::kRenewEarly);
    write("[[peer]]\nname = \"carol\"\nkeys = []\nexpires = 2026-01-03\nrenew = \"7d\"\n");
    EXPECT_EQ(end_of("carol"), "2026-01-03T00:00:00Z");
    write("");
    (void)given("peers/renew", {{"name", "bob"}, {"expires", "1h"}, {"renew", "never"}});
    refuses_to("bob", renew(id), causes::kForbidden);
    refuses_to("nobody", renew("peer-nobody"), causes::kForbidden);
    refuses_to("an owner", call("peer/renew", local(), Json::object({})), causes::kUsage);
    const auto other = call("peer/renew", remote({"git:read"}, id), Json::object({}));
    refuses_to("others", other, causes::kScopeMissing);
}

TEST_F(DeskOperations, FailForReasonsThatTheyDeclare) {
    const Json::Array admin{"node:admin"};
    (void)given("peers/add",
                {{"name", "alice"}, {"keys", Json(Json::Array{kKey})}, {"scopes", Json(admin)}});
    const auto object = [](std::initializer_list<std::pair<std::string, Json>> members) {
        return Json::object(members);
    };
    const Json::Array wrong{"x"};
    refuses("peers/add", causes::kPeerExists, object({{"name", "alice"}}));
    refuses("peers/add", causes::kKeyInvalid, object({{"name", "a"}, {"keys", Json(wrong)}}));
    refuses("peers/add", causes::kScopeInvalid, object({{"name", "a"}, {"scopes", Json(wrong)}}));
    refuses("peers/add", causes::kAddressInvalid, object({{"name", "a"}, {"address", ":::"}}));
    for (const char* name : {"peers/remove", "peers/disable", "peers/enable"}) {
        refuses(name, causes::kUnknownPeer, object({{"name", "nobody"}}));
    }
    refuses("peers/renew", causes::kUnknownPeer, object({{"name", "nobody"}, {"expires", "1h"}}));
    refuses("peers/name", causes::kUnknownPeer, object({{"name", "nobody"}, {"new_name", "b"}}));
    refuses("peers/scopes", causes::kScopeInvalid,
            object({{"name", "alice"}, {"add", Json(wrong)}}));
    refuses("peers/remove", causes::kLastAdmin, object({{"name", "alice"}}));
    refuses("peers/scopes", causes::kLastAdmin,
            object({{"name", "alice"}, {"remove", Json(admin)}}));
    refuses("tokens/add", causes::kUnknownPeer, object({{"peer", "nobody"}}));
    refuses("tokens/add", causes::kScopeInvalid, object({{"scopes", Json(wrong)}}));
    refuses("invitations/add", causes::kScopeInvalid, object({{"scopes", Json(wrong)}}));
    refuses("invitations/add", causes::kKeyInvalid, object({{"for", "x"}}));
    refuses("invitations/add", causes::kAddressInvalid,
            object({{"addresses", Json(Json::Array{":::"})}}));
    refuses("config/diff", causes::kConfigInvalid, object({{"text", "[limit]\n"}}));
    refuses("config/apply", causes::kConfigInvalid, object({{"text", "[limit]\n"}}));
    refuses("config/confirm", causes::kConfigNotPending, object({}));
    refuses("config/undo", causes::kConfigNotPending, object({}));
}

}  // namespace
}  // namespace alknet::app
