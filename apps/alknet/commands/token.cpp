// alknet token: API keys, and tokens of peers. The secret is printed once, when it is made.
#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/utf8.hpp>
#include <alknet/identity/state.hpp>
#include <alknet/identity/token.hpp>

#include "commands.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

using identity::TokenRecord;
using Action = TokenOptions::Action;

constexpr std::size_t kLabelBytesMax = 256;

struct Desk {
    config::Home home;
    config::Config config;
    const TokenOptions& options;
    WallTime now;
};

result<TokenRecord> new_record(const Desk& desk, const identity::NewToken& made,
                               const identity::PeerDirectory& peers) {
    const TokenOptions& options = desk.options;
    if (options.peer.empty() == options.scopes.empty()) {
        return fail(causes::kUsage,
                    "a token is --peer NAME's, or an API key with --scopes of its own");
    }
    if (options.label.size() > kLabelBytesMax || printable(options.label) != options.label) {
        return fail(causes::kUsage, "--label takes at most 256 octets of plain text");
    }
    TokenRecord token;
    token.id = made.id;
    token.hash = made.hash;
    token.label = options.label;
    token.origin.file = std::string(identity::kStateFile) + ": token " + made.id;
    if (!options.peer.empty()) {
        const identity::PeerRecord* peer = peers.find_name(options.peer);
        if (peer == nullptr) {
            return fail(causes::kUnknownPeer, options.peer);
        }
        token.peer = peer->id;
    }
    for (const std::string& text : options.scopes) {
        ALKNET_TRY(auto scope, identity::Scope::parse(text));
        token.grants.push_back({.scope = std::move(scope), .origin = token.origin, .role = {}});
    }
    if (!options.expires.empty()) {
        ALKNET_TRY(token.expires, parse_expiry(options.expires, desk.now));
    }
    return token;
}

result<ExitCode> add(const CommandLine& line, const Desk& desk) {
    const identity::NewToken made = identity::make_token();
    ALKNET_TRY(const auto state, open_state(desk.home));
    ALKNET_CHECK(state->transaction([&](store::Database& database) -> result<void> {
        ALKNET_TRY(const auto stored, identity::load_peers(database));
        ALKNET_TRY(const auto peers, all_peers(desk.home, desk.config.dynamic, stored));
        ALKNET_TRY(const TokenRecord token, new_record(desk, made, *peers));
        if (peers->tokens().size() >= identity::kTokensMax) {
            return fail(causes::kLimit, "there are 100000 tokens");
        }
        return identity::save_token(database, token);
    }));
    const std::string_view secret = as_text(made.text.view());
    if (line.json) {
        ALKNET_CHECK(
            print_line(Json::object({{"id", made.id}, {"token", std::string(secret)}}).text()));
        return ExitCode::ok;
    }
    ALKNET_CHECK(print_line(secret));
    return ExitCode::ok;
}

result<ExitCode> remove(const CommandLine& line, const Desk& desk) {
    ALKNET_TRY(const auto state, open_state(desk.home));
    ALKNET_TRY(const bool was, state->transaction([&](store::Database& database) {
        return identity::remove_token(database, desk.options.id);
    }));
    if (!was) {
        return fail(causes::kUsage, "there is no token " + printable(desk.options.id) +
                                        "; its id is what alknet token list shows");
    }
    ALKNET_CHECK(line.json ? print_line(Json::object({{"removed", desk.options.id}}).text())
                           : print_line("removed " + desk.options.id));
    return ExitCode::ok;
}

std::string owner_of(const TokenRecord& token, const identity::PeerDirectory& peers) {
    const identity::PeerRecord* peer = peers.find(token.peer);
    return peer == nullptr ? "API key" : "peer " + peer->name;
}

result<ExitCode> list(const CommandLine& line, const Desk& desk) {
    ALKNET_TRY(const auto stored, stored_peers(desk.home));
    ALKNET_TRY(const auto peers, all_peers(desk.home, desk.config.dynamic, stored));
    Json::Array entries;
    std::string text;
    for (const TokenRecord& token : peers->tokens()) {
        std::vector<std::string> scopes;
        for (const identity::Grant& grant : token.grants) {
            scopes.push_back(grant.scope.text());
        }
        const Json expires = token.expires ? Json(time_text(*token.expires)) : Json();
        entries.push_back(Json::object({{"id", token.id},
                                        {"owner", owner_of(token, *peers)},
                                        {"scopes", Json::list(scopes)},
                                        {"label", token.label},
                                        {"expires", expires}}));
        text += fmt::format("{}  {}  {}{}{}\n", token.id, owner_of(token, *peers),
                            fmt::join(scopes, ","),
                            token.expires ? "  until " + time_text(*token.expires) : "",
                            token.label.empty() ? "" : "  " + token.label);
    }
    ALKNET_CHECK(line.json ? print_line(Json::object({{"tokens", std::move(entries)}}).text())
                           : print_text(text));
    return ExitCode::ok;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const TokenOptions& options) {
    ALKNET_TRY(auto home, open_home(line));
    ALKNET_TRY(auto config, home.load_config());
    const Desk desk{.home = std::move(home),
                    .config = std::move(config),
                    .options = options,
                    .now = SystemClock().wall_now()};
    switch (options.action) {
        case Action::add:
            return add(line, desk);
        case Action::remove:
            return remove(line, desk);
        case Action::list:
            break;
    }
    return list(line, desk);
}

}  // namespace alknet::app
