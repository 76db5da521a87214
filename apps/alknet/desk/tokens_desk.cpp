// What `alknet token` does. The secret is in the answer to the command that made it, and nowhere
// else.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <alknet/base/causes.hpp>
#include <alknet/identity/state.hpp>
#include <alknet/identity/token.hpp>
#include <array>
#include <utility>

#include "desk.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

using identity::TokenRecord;

constexpr std::size_t kLabelBytesMax = 256;
constexpr std::string_view kRead = "tokens:read";
constexpr std::string_view kManage = "tokens:manage";

result<TokenRecord> new_record(const Desk& desk, const TokenAddInput& input,
                               const identity::NewToken& made,
                               const identity::PeerDirectory& peers) {
    const std::string name = or_empty(input.peer);
    const std::string expires = or_empty(input.expires);
    const std::string label = or_empty(input.label);
    if (name.empty() == input.scopes.value.empty()) {
        return fail(causes::kUsage,
                    "a token is --peer NAME's, or an API key with --scopes of its own");
    }
    if (label.size() > kLabelBytesMax || printable(label) != label) {
        return fail(causes::kUsage, "--label takes at most 256 octets of plain text");
    }
    TokenRecord token;
    token.id = made.id;
    token.hash = made.hash;
    token.label = label;
    token.origin.file = std::string(identity::kStateFile) + ": token " + made.id;
    if (!name.empty()) {
        const identity::PeerRecord* peer = peers.find_name(name);
        if (peer == nullptr) {
            return fail(causes::kUnknownPeer, name);
        }
        token.peer = peer->id;
    }
    for (const Word& text : input.scopes.value) {
        ALKNET_TRY(auto scope, identity::Scope::parse(text.value));
        token.grants.push_back({.scope = std::move(scope), .origin = token.origin, .role = {}});
    }
    if (!expires.empty()) {
        ALKNET_TRY(token.expires, parse_future_expiry(expires, desk.now));
    }
    return token;
}

// Never the token itself.
void audit(const Desk& desk, std::string_view event, const TokenRecord& token) {
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
    desk.audit(std::move(entry));
}

result<TokenAdded> add(const Desk& desk, store::Database& state, const TokenAddInput& input) {
    const identity::NewToken made = identity::make_token();
    ALKNET_TRY(const auto stored, identity::load_peers(state));
    ALKNET_TRY(const auto peers, all_peers(desk.home, desk.config.dynamic, stored));
    ALKNET_TRY(const TokenRecord token, new_record(desk, input, made, *peers));
    if (peers->tokens().size() >= identity::kTokensMax) {
        return fail(causes::kLimit, "there are 100000 tokens");
    }
    ALKNET_CHECK(identity::save_token(state, token));
    audit(desk, "token.added", token);
    return TokenAdded{.id = made.id, .token = std::string(as_text(made.text.view()))};
}

result<TokenRemoved> remove(const Desk& desk, store::Database& state, const TokenInput& input) {
    const std::string& id = input.id;
    ALKNET_TRY(const bool was, identity::remove_token(state, id));
    if (!was) {
        return fail(causes::kUsage, "there is no token " + printable(id) +
                                        "; its id is what alknet token list shows");
    }
    TokenRecord token;
    token.id = id;
    audit(desk, "token.removed", token);
    return TokenRemoved{.removed = id};
}

std::string owner_of(const TokenRecord& token, const identity::PeerDirectory& peers) {
    const identity::PeerRecord* peer = peers.find(token.peer);
    return peer == nullptr ? "API key" : "peer " + peer->name;
}

result<TokenEntries> list(const Desk& desk, const identity::PeerList& stored,
                          const Nothing& /*input*/) {
    ALKNET_TRY(const auto peers, all_peers(desk.home, desk.config.dynamic, stored));
    TokenEntries all;
    for (const TokenRecord& token : peers->tokens()) {
        TokenEntry entry{
            .id = token.id, .owner = owner_of(token, *peers), .scopes = {}, .label = token.label};
        for (const identity::Grant& grant : token.grants) {
            entry.scopes.push_back(grant.scope.text());
        }
        if (token.expires) {
            entry.expires = time_text(*token.expires);
        }
        all.tokens.push_back(std::move(entry));
    }
    return all;
}

constexpr std::array kAddErrors = {&causes::kUnknownPeer, &causes::kScopeInvalid};

constexpr std::array kOperations = {
    looking<list>({.name = "tokens/list", .scope = kRead, .about = "which tokens there are"}),
    changing<add>({.name = "tokens/add",
                   .scope = kManage,
                   .about = "make a token of a peer, or an API key with scopes of its own",
                   .errors = kAddErrors}),
    changing<remove>({.name = "tokens/remove", .scope = kManage, .about = "take a token back"}),
};

}  // namespace

std::span<const DeskOperation> token_operations() noexcept {
    return kOperations;
}

}  // namespace alknet::app
