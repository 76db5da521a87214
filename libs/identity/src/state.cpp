#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/renewal.hpp>
#include <alknet/identity/rotation_state.hpp>
#include <alknet/identity/state.hpp>
#include <map>

namespace alknet::identity {

namespace {

using store::Database;
using store::Row;
using store::Value;

constexpr std::string_view kSchema1 = R"(
CREATE TABLE peer (
    id      TEXT PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    enabled INTEGER NOT NULL,
    expires INTEGER,                -- seconds since 1970
    address TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE peer_key (
    fingerprint TEXT PRIMARY KEY,
    peer        TEXT NOT NULL REFERENCES peer ON DELETE CASCADE,
    position    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE peer_scope (
    peer  TEXT NOT NULL REFERENCES peer ON DELETE CASCADE,
    scope TEXT NOT NULL,
    PRIMARY KEY (peer, scope)
) STRICT, WITHOUT ROWID;
CREATE TABLE peer_role (
    peer TEXT NOT NULL REFERENCES peer ON DELETE CASCADE,
    role TEXT NOT NULL,
    PRIMARY KEY (peer, role)
) STRICT, WITHOUT ROWID;
CREATE TABLE peer_resource (
    peer TEXT NOT NULL REFERENCES peer ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (peer, kind, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE token (
    id      TEXT PRIMARY KEY,
    hash    BLOB NOT NULL UNIQUE,
    peer    TEXT,                   -- of alknet.toml too, so no reference; NULL: an API key
    label   TEXT NOT NULL,
    expires INTEGER                 -- seconds since 1970
) STRICT, WITHOUT ROWID;
CREATE TABLE token_scope (
    token TEXT NOT NULL REFERENCES token ON DELETE CASCADE,
    scope TEXT NOT NULL,
    PRIMARY KEY (token, scope)
) STRICT, WITHOUT ROWID;
)";
constexpr std::string_view kSchema2 = R"(
CREATE TABLE invitation (
    id        TEXT PRIMARY KEY,
    hash      BLOB NOT NULL UNIQUE,  -- of the secret
    name      TEXT NOT NULL,
    only_for  TEXT NOT NULL,
    confirm   INTEGER NOT NULL,
    uses_left INTEGER NOT NULL,
    expires   INTEGER NOT NULL,      -- seconds since 1970
    alarms    INTEGER NOT NULL,
    draws     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE invitation_scope (
    invitation TEXT NOT NULL REFERENCES invitation ON DELETE CASCADE,
    scope      TEXT NOT NULL,
    PRIMARY KEY (invitation, scope)
) STRICT, WITHOUT ROWID;
CREATE TABLE invitation_claim (
    invitation  TEXT NOT NULL REFERENCES invitation ON DELETE CASCADE,
    fingerprint TEXT NOT NULL,
    name        TEXT NOT NULL,
    code        TEXT NOT NULL,
    peer        TEXT NOT NULL,       -- empty: not confirmed
    PRIMARY KEY (invitation, fingerprint)
) STRICT, WITHOUT ROWID;
)";
constexpr std::string_view kSchema3 = R"(
CREATE TABLE signed_token (
    signer TEXT PRIMARY KEY,
    newest INTEGER NOT NULL          -- seconds since 1970
) STRICT, WITHOUT ROWID;
)";
// What was said of a key holds as long as the row is there.
constexpr std::string_view kSchema4 = R"(
CREATE TABLE key_change (
    old  TEXT PRIMARY KEY,
    new  TEXT NOT NULL UNIQUE,
    ends INTEGER NOT NULL,           -- seconds since 1970
    used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)";
// Of import_state.hpp. Digests are empty where there is nothing.
constexpr std::string_view kSchema5 = R"(
CREATE TABLE import_pin (
    prefix    TEXT NOT NULL,
    peer      TEXT NOT NULL,          -- of alknet.toml too, so no reference
    operation TEXT NOT NULL,
    accepted  TEXT NOT NULL,
    offered   TEXT NOT NULL,
    PRIMARY KEY (prefix, peer, operation)
) STRICT, WITHOUT ROWID;
)";
// Of renewal.hpp. What an invitation says of the term of whoever joins is the same as of a peer's.
constexpr std::string_view kSchema6 = R"(
ALTER TABLE peer ADD COLUMN renew INTEGER NOT NULL DEFAULT 0;               -- seconds
ALTER TABLE invitation ADD COLUMN peer_expires INTEGER;                     -- seconds since 1970
ALTER TABLE invitation ADD COLUMN peer_renew INTEGER NOT NULL DEFAULT 0;    -- seconds
CREATE TABLE renewal (
    peer    TEXT PRIMARY KEY,         -- of alknet.toml, so no reference
    key     TEXT NOT NULL,
    was     INTEGER NOT NULL,         -- seconds since 1970
    expires INTEGER NOT NULL          -- likewise
) STRICT, WITHOUT ROWID;
)";
constexpr std::int32_t kApplicationId = 0x616c6b31;  // "alk1"

Value seconds(const std::optional<WallTime>& time) {
    if (!time) {
        return std::monostate();
    }
    return static_cast<std::int64_t>(
        std::chrono::floor<std::chrono::seconds>(*time).time_since_epoch().count());
}

result<std::optional<WallTime>> time_of(const Row& row, std::size_t column) {
    if (row.is_null(column)) {
        return std::nullopt;
    }
    constexpr auto kMax = std::chrono::floor<std::chrono::seconds>(WallTime::max());
    const std::int64_t value = row.integer(column);
    if (value < 0 || value > kMax.time_since_epoch().count()) {
        return fail(causes::kStoreInvalid, "a time is out of range");
    }
    return WallTime(std::chrono::seconds(value));
}

result<Duration> renewal_of(const Row& row, std::size_t column) {
    constexpr auto kMax = std::chrono::floor<std::chrono::seconds>(kRenewMax);
    const std::int64_t value = row.integer(column);
    if (value < 0 || value > kMax.count()) {
        return fail(causes::kStoreInvalid, "what a peer may renew is out of range");
    }
    return std::chrono::seconds(value);
}

Origin origin(std::string what) {
    return {.file = std::string(kStateFile) + ": " + std::move(what), .line = 0};
}

std::unexpected<error> bad_row(const error& why, const std::string& where) {
    return fail(causes::kStoreInvalid, where + ": " + why.detail());
}

result<Grant> grant_of(std::string_view text, const std::string& owner) {
    auto scope = Scope::parse(text);
    if (!scope) {
        return bad_row(scope.error(), owner);
    }
    return Grant{.scope = *std::move(scope), .origin = origin(owner), .role = {}};
}

struct Loading {
    PeerList list;
    std::map<std::string, std::size_t, std::less<>> peers;
    std::map<std::string, std::size_t, std::less<>> tokens;

    /// Foreign keys see to it that it is there.
    PeerRecord* peer(std::string_view id) {
        const auto found = peers.find(id);
        return found == peers.end() ? nullptr : &list.peers[found->second];
    }
};

result<void> load_records(Database& state, Loading& into) {
    ALKNET_TRY(
        const auto rows,
        state.query("SELECT id, name, enabled, expires, address, renew FROM peer ORDER BY name"));
    for (const Row& row : rows) {
        PeerRecord peer;
        peer.id = row.text(0);
        peer.name = row.text(1);
        peer.enabled = row.integer(2) != 0;
        ALKNET_TRY(peer.expires, time_of(row, 3));
        peer.address = row.text(4);
        ALKNET_TRY(peer.renew, renewal_of(row, 5));
        peer.origin = origin("peer " + peer.name);
        into.peers.emplace(peer.id, into.list.peers.size());
        into.list.peers.push_back(std::move(peer));
    }
    return {};
}

result<void> load_keys(Database& state, Loading& into) {
    ALKNET_TRY(const auto rows,
               state.query("SELECT peer, fingerprint FROM peer_key ORDER BY peer, position"));
    for (const Row& row : rows) {
        if (PeerRecord* peer = into.peer(row.text(0))) {
            auto fingerprint = parse_fingerprint(row.text(1));
            if (!fingerprint) {
                return bad_row(fingerprint.error(), peer->origin.text());
            }
            peer->fingerprints.push_back(*std::move(fingerprint));
        }
    }
    return {};
}

result<void> load_rights(Database& state, Loading& into) {
    ALKNET_TRY(const auto scopes, state.query("SELECT peer, scope FROM peer_scope"));
    for (const Row& row : scopes) {
        if (PeerRecord* peer = into.peer(row.text(0))) {
            ALKNET_TRY(Grant grant, grant_of(row.text(1), "peer " + peer->name));
            peer->grants.push_back(std::move(grant));
        }
    }
    ALKNET_TRY(const auto roles, state.query("SELECT peer, role FROM peer_role"));
    for (const Row& row : roles) {
        if (PeerRecord* peer = into.peer(row.text(0))) {
            peer->roles.emplace_back(row.text(1));
        }
    }
    ALKNET_TRY(const auto resources, state.query("SELECT peer, kind, name FROM peer_resource"));
    for (const Row& row : resources) {
        if (PeerRecord* peer = into.peer(row.text(0))) {
            peer->resources[std::string(row.text(1))].emplace_back(row.text(2));
        }
    }
    return {};
}

result<void> load_tokens(Database& state, Loading& into) {
    ALKNET_TRY(const auto rows,
               state.query("SELECT id, hash, peer, label, expires FROM token ORDER BY id"));
    for (const Row& row : rows) {
        TokenRecord token;
        token.id = row.text(0);
        if (row.blob(1).size() != token.hash.size()) {
            return fail(causes::kStoreInvalid, "token " + token.id + " has no digest");
        }
        std::ranges::copy(row.blob(1), token.hash.begin());
        token.peer = row.text(2);
        token.label = row.text(3);
        ALKNET_TRY(token.expires, time_of(row, 4));
        token.origin = origin("token " + token.id);
        into.tokens.emplace(token.id, into.list.tokens.size());
        into.list.tokens.push_back(std::move(token));
    }
    ALKNET_TRY(const auto scopes, state.query("SELECT token, scope FROM token_scope"));
    for (const Row& row : scopes) {
        const auto found = into.tokens.find(row.text(0));
        if (found != into.tokens.end()) {
            TokenRecord& token = into.list.tokens[found->second];
            ALKNET_TRY(Grant grant, grant_of(row.text(1), "token " + token.id));
            token.grants.push_back(std::move(grant));
        }
    }
    return {};
}

result<void> save_rights(Database& state, const PeerRecord& peer) {
    for (const Grant& grant : peer.grants) {
        ALKNET_CHECK(state.run("INSERT OR IGNORE INTO peer_scope VALUES (?, ?)",
                               {peer.id, grant.scope.text()}));
    }
    for (const std::string& role : peer.roles) {
        ALKNET_CHECK(state.run("INSERT OR IGNORE INTO peer_role VALUES (?, ?)", {peer.id, role}));
    }
    for (const auto& [kind, names] : peer.resources) {
        for (const std::string& name : names) {
            ALKNET_CHECK(state.run("INSERT OR IGNORE INTO peer_resource VALUES (?, ?, ?)",
                                   {peer.id, kind, name}));
        }
    }
    return {};
}

result<bool> remove_from(Database& state, const std::string& table, std::string_view id) {
    ALKNET_TRY(const auto gone, state.query("DELETE FROM " + table + " WHERE id = ? RETURNING id",
                                            {std::string(id)}));
    return !gone.empty();
}

}  // namespace

store::DatabaseOptions state_options() {
    return {.schema = {kSchema1, kSchema2, kSchema3, kSchema4, kSchema5, kSchema6},
            .application_id = kApplicationId};
}

std::string make_peer_id() {
    std::array<std::byte, 8> random{};
    crypto::fill_random(random);
    return "peer-" + hex_encode(random);
}

result<PeerList> load_peers(Database& state) {
    Loading loading;
    ALKNET_CHECK(load_records(state, loading));
    ALKNET_CHECK(load_keys(state, loading));
    ALKNET_CHECK(load_rights(state, loading));
    ALKNET_CHECK(load_tokens(state, loading));
    ALKNET_TRY(loading.list.changes, load_key_changes(state));
    ALKNET_TRY(loading.list.renewals, load_renewals(state));
    return std::move(loading.list);
}

result<void> save_peer(Database& state, const PeerRecord& peer) {
    ALKNET_TRY(const auto before,
               state.query("DELETE FROM peer WHERE id = ? RETURNING id", {peer.id}));
    if (before.empty()) {
        ALKNET_CHECK(forget_key_changes(state, peer.fingerprints));
    }
    const auto renew = std::chrono::floor<std::chrono::seconds>(peer.renew).count();
    ALKNET_CHECK(state.run("INSERT INTO peer VALUES (?, ?, ?, ?, ?, ?)",
                           {peer.id, peer.name, std::int64_t{peer.enabled}, seconds(peer.expires),
                            peer.address, std::int64_t{renew}}));
    std::int64_t position = 0;
    for (const std::string& fingerprint : peer.fingerprints) {
        ALKNET_CHECK(
            state.run("INSERT INTO peer_key VALUES (?, ?, ?)", {fingerprint, peer.id, position++}));
    }
    return save_rights(state, peer);
}

result<bool> remove_peer(Database& state, std::string_view id) {
    ALKNET_TRY(const auto rows,
               state.query("SELECT fingerprint FROM peer_key WHERE peer = ?", {std::string(id)}));
    std::vector<std::string> keys;
    for (const Row& row : rows) {
        keys.emplace_back(row.text(0));
    }
    ALKNET_CHECK(forget_key_changes(state, keys));
    ALKNET_CHECK(state.run("DELETE FROM token WHERE peer = ?", {std::string(id)}));
    return remove_from(state, "peer", id);
}

result<void> save_token(Database& state, const TokenRecord& token) {
    const Value peer = token.peer.empty() ? Value() : Value(token.peer);
    ALKNET_CHECK(
        state.run("INSERT INTO token VALUES (?, ?, ?, ?, ?)",
                  {token.id, to_bytes(token.hash), peer, token.label, seconds(token.expires)}));
    for (const Grant& grant : token.grants) {
        ALKNET_CHECK(state.run("INSERT OR IGNORE INTO token_scope VALUES (?, ?)",
                               {token.id, grant.scope.text()}));
    }
    return {};
}

result<bool> remove_token(Database& state, std::string_view id) {
    return remove_from(state, "token", id);
}

result<void> save_newest_token(Database& state, const NewestToken& token, std::uint64_t now_s) {
    ALKNET_CHECK(state.run("DELETE FROM signed_token WHERE newest <= ?",
                           {static_cast<std::int64_t>(now_s)}));
    return state.run(
        "INSERT INTO signed_token VALUES (?, ?) ON CONFLICT (signer) DO UPDATE SET newest = "
        "max(newest, excluded.newest)",
        {token.signer.fingerprint(), static_cast<std::int64_t>(token.unix_s)});
}

result<std::vector<NewestToken>> load_newest_tokens(Database& state) {
    ALKNET_TRY(const auto rows, state.query("SELECT signer, newest FROM signed_token"));
    std::vector<NewestToken> all;
    for (const Row& row : rows) {
        const auto signer = key_of_fingerprint(row.text(0));
        if (!signer || row.integer(1) < 0) {
            return fail(causes::kStoreInvalid, "a signed token's key or time makes no sense");
        }
        all.push_back({.signer = *signer, .unix_s = static_cast<std::uint64_t>(row.integer(1))});
    }
    return all;
}

}  // namespace alknet::identity
