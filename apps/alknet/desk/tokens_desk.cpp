// What `alknet token` does. The secret is in the answer to the command that made it, and nowhere
// else.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <alknet/base/causes.hpp>
#include <alknet/call/members.hpp>
#include <alknet/identity/state.hpp>
#include <alknet/identity/token.hpp>
#include <array>
#include <utility>

#include "audit_change.hpp"
#include "desk.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

using identity::TokenRecord;

constexpr std::size_t kLabelBytesMax = 256;
constexpr std::size_t kTextBytesMax = 4096;
constexpr std::string_view kRead = "tokens:read";
constexpr std::string_view kManage = "tokens:manage";

struct NewTokenInput {
    std::string peer;
    std::vector<std::string> scopes;
    std::string expires;
    std::string label;
};

result<NewTokenInput> input_of(Json json) {
    call::Members members(std::move(json));
    NewTokenInput input;
    input.peer = members.text("peer", kTextBytesMax).value_or("");
    input.scopes = members.texts("scopes", identity::kGrantsPerPeerMax, kTextBytesMax);
    input.expires = members.text("expires", kTextBytesMax).value_or("");
    input.label = members.text("label", kTextBytesMax).value_or("");
    ALKNET_CHECK(members.done());
    return input;
}

result<TokenRecord> new_record(const Desk& desk, const NewTokenInput& input,
                               const identity::NewToken& made,
                               const identity::PeerDirectory& peers) {
    if (input.peer.empty() == input.scopes.empty()) {
        return fail(causes::kUsage,
                    "a token is --peer NAME's, or an API key with --scopes of its own");
    }
    if (input.label.size() > kLabelBytesMax || printable(input.label) != input.label) {
        return fail(causes::kUsage, "--label takes at most 256 octets of plain text");
    }
    TokenRecord token;
    token.id = made.id;
    token.hash = made.hash;
    token.label = input.label;
    token.origin.file = std::string(identity::kStateFile) + ": token " + made.id;
    if (!input.peer.empty()) {
        const identity::PeerRecord* peer = peers.find_name(input.peer);
        if (peer == nullptr) {
            return fail(causes::kUnknownPeer, input.peer);
        }
        token.peer = peer->id;
    }
    for (const std::string& text : input.scopes) {
        ALKNET_TRY(auto scope, identity::Scope::parse(text));
        token.grants.push_back({.scope = std::move(scope), .origin = token.origin, .role = {}});
    }
    if (!input.expires.empty()) {
        ALKNET_TRY(token.expires, parse_future_expiry(input.expires, desk.now));
    }
    return token;
}

// Never the token itself.
result<void> audit(const Desk& desk, std::string_view event, const TokenRecord& token) {
    std::vector<std::string> scopes;
    for (const identity::Grant& grant : token.grants) {
        scopes.push_back(grant.scope.text());
    }
    AuditEntry entry{.event = event};
    entry.peer = token.peer;
    entry.more = {{"token", token.id},
                  {"scopes", fmt::format("{}", fmt::join(scopes, ","))},
                  {"expires", token.expires ? time_text(*token.expires) : ""},
                  desk.caller.named()};
    return audit_change(desk.home, desk.config, std::move(entry), desk.revision);
}

result<Json> add(const Desk& desk, store::Database& state, Json json) {
    ALKNET_TRY(const NewTokenInput input, input_of(std::move(json)));
    const identity::NewToken made = identity::make_token();
    ALKNET_TRY(const auto stored, identity::load_peers(state));
    ALKNET_TRY(const auto peers, all_peers(desk.home, desk.config.dynamic, stored));
    ALKNET_TRY(const TokenRecord token, new_record(desk, input, made, *peers));
    if (peers->tokens().size() >= identity::kTokensMax) {
        return fail(causes::kLimit, "there are 100000 tokens");
    }
    ALKNET_CHECK(identity::save_token(state, token));
    ALKNET_CHECK(audit(desk, "token.added", token));
    return Json::object({{"id", made.id}, {"token", as_text(made.text.view())}});
}

result<Json> remove(const Desk& desk, store::Database& state, Json json) {
    call::Members members(std::move(json));
    const std::string id = members.text("id", kTextBytesMax).value_or("");
    ALKNET_CHECK(members.done());
    ALKNET_TRY(const bool was, identity::remove_token(state, id));
    if (!was) {
        return fail(causes::kUsage, "there is no token " + printable(id) +
                                        "; its id is what alknet token list shows");
    }
    TokenRecord token;
    token.id = id;
    ALKNET_CHECK(audit(desk, "token.removed", token));
    return Json::object({{"removed", id}});
}

std::string owner_of(const TokenRecord& token, const identity::PeerDirectory& peers) {
    const identity::PeerRecord* peer = peers.find(token.peer);
    return peer == nullptr ? "API key" : "peer " + peer->name;
}

result<Json> list(const Desk& desk, const identity::PeerList& stored, Json json) {
    ALKNET_CHECK(call::Members(std::move(json)).done());
    ALKNET_TRY(const auto peers, all_peers(desk.home, desk.config.dynamic, stored));
    Json::Array entries;
    for (const TokenRecord& token : peers->tokens()) {
        std::vector<std::string> scopes;
        for (const identity::Grant& grant : token.grants) {
            scopes.push_back(grant.scope.text());
        }
        entries.push_back(
            Json::object({{"id", token.id},
                          {"owner", owner_of(token, *peers)},
                          {"scopes", Json::list(scopes)},
                          {"label", token.label},
                          {"expires", token.expires ? Json(time_text(*token.expires)) : Json()}}));
    }
    return Json::object({{"tokens", std::move(entries)}});
}

using Field = call::Field;
constexpr std::array kOfNew = {
    Field{.name = "peer", .about = "whose it is: a peer's name"},
    Field{.name = "scopes", .type = Field::Type::texts, .about = "of one that is nobody's"},
    Field{.name = "expires", .about = "a duration from now, or a day in UTC"},
    Field{.name = "label", .about = "what it is for"}};
constexpr std::array kOfOne = {Field{.name = "id", .required = true, .about = "of the token"}};

constexpr std::array kOperations = {
    DeskOperation{
        .name = "tokens/list", .scope = kRead, .about = "which tokens there are", .look = list},
    DeskOperation{.name = "tokens/add",
                  .scope = kManage,
                  .about = "make a token: peer or scopes, expires, label",
                  .fields = kOfNew,
                  .change = add},
    DeskOperation{.name = "tokens/remove",
                  .scope = kManage,
                  .about = "take a token back: id",
                  .fields = kOfOne,
                  .change = remove},
};

}  // namespace

std::span<const DeskOperation> token_operations() noexcept {
    return kOperations;
}

}  // namespace alknet::app
