#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/crypto/secret_bytes.hpp>
#include <alknet/identity/names.hpp>
#include <alknet/identity/peers.hpp>
#include <alknet/identity/renewal.hpp>
#include <cstring>
#include <utility>

namespace alknet::identity {

namespace {

std::string place(const PeerRecord& peer) {
    return "peer " + peer.name + " (" + peer.origin.text() + ")";
}

std::unexpected<error> taken(const PeerRecord& peer, const std::string& what,
                             const PeerRecord& by) {
    return fail(causes::kPeerExists, place(peer) + ": " + what + " " + place(by));
}

std::uint64_t first_octets(const TokenHash& hash) noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, hash.data(), sizeof value);
    return value;
}

// The clock may stand at the end of time.
WallTime later(WallTime time, Duration by) noexcept {
    return time > WallTime::max() - by ? WallTime::max() : time + by;
}

constexpr std::string_view kAnyService = "*";

result<void> check_count(const PeerRecord& peer) {
    return peer.grants.size() <= kGrantsPerPeerMax
               ? result<void>()
               : fail(causes::kLimit, place(peer) + ": more than " +
                                          std::to_string(kGrantsPerPeerMax) +
                                          " scopes, those of its roles and resources included");
}

}  // namespace

std::string Origin::text() const {
    return line == 0 ? file : file + ":" + std::to_string(line);
}

std::string_view to_string(Standing standing) noexcept {
    switch (standing) {
        case Standing::valid:
            return "valid";
        case Standing::expiring:
            return "expiring";
        case Standing::grace:
            return "grace";
        case Standing::expired:
            return "expired";
        case Standing::disabled:
            return "disabled";
    }
    return "unknown";
}

bool may_renew(const PeerRecord& peer) noexcept {
    return peer.expires && peer.renewable && peer.renew > Duration();
}

Standing standing_of(const PeerRecord& peer, WallTime now) noexcept {
    if (!peer.enabled) {
        return Standing::disabled;
    }
    if (!peer.expires) {
        return Standing::valid;
    }
    if (now >= later(*peer.expires, peer.renewable ? kExpiryGrace : Duration())) {
        return Standing::expired;
    }
    if (now >= *peer.expires) {
        return Standing::grace;
    }
    return later(now, kExpiryWarning) >= *peer.expires ? Standing::expiring : Standing::valid;
}

result<std::shared_ptr<const PeerDirectory>> PeerDirectory::create(PeerList list) {
    if (list.peers.size() > kPeersMax || list.roles.size() > kRolesMax ||
        list.tokens.size() > kTokensMax || list.assertions.size() > kAssertionsMax) {
        return fail(causes::kLimit, "at most " + std::to_string(kPeersMax) + " peers, " +
                                        std::to_string(kRolesMax) + " roles, " +
                                        std::to_string(kTokensMax) + " tokens and " +
                                        std::to_string(kAssertionsMax) + " assertions");
    }
    apply_renewals(list);  // which go by the keys that were written down
    apply_key_changes(list);
    std::shared_ptr<PeerDirectory> directory(new PeerDirectory(std::move(list)));
    ALKNET_CHECK(directory->index());
    return directory;
}

result<void> PeerDirectory::index() {
    for (const Role& role : list_.roles) {
        if (role.name.empty() || !roles_.emplace(role.name, &role).second) {
            return fail(causes::kConfigInvalid, "role '" + role.name +
                                                    "' has no name or is there "
                                                    "twice");
        }
    }
    for (std::size_t i = 0; i < list_.peers.size(); ++i) {
        ALKNET_CHECK(expand_roles(list_.peers[i]));
        ALKNET_CHECK(expand_resources(list_.peers[i]));
        ALKNET_CHECK(index_peer(i));
    }
    return index_tokens();
}

result<void> PeerDirectory::expand_roles(PeerRecord& peer) const {
    for (const std::string& name : peer.roles) {
        const auto role = roles_.find(name);
        if (role == roles_.end()) {
            return fail(causes::kConfigInvalid, place(peer) + ": there is no role '" + name + "'");
        }
        for (Grant grant : role->second->grants) {
            grant.role = name;
            peer.grants.push_back(std::move(grant));
        }
    }
    return check_count(peer);
}

// `git:read:@` is `git:read:website` for whoever has the resource website of git.
result<void> PeerDirectory::expand_resources(PeerRecord& peer) {
    const std::vector<Grant> given = std::exchange(peer.grants, {});
    for (const Grant& one : given) {
        if (one.scope.resource != kOwnResources) {
            peer.grants.push_back(one);
            ALKNET_CHECK(check_count(peer));
            continue;
        }
        for (const auto& [service, names] : peer.resources) {
            if (one.scope.service != kAnyService && one.scope.service != service) {
                continue;
            }
            for (const std::string& name : names) {
                Grant grant = one;
                grant.scope.service = service;
                grant.scope.resource = name;
                peer.grants.push_back(std::move(grant));
                ALKNET_CHECK(check_count(peer));
            }
        }
    }
    return {};
}

result<void> PeerDirectory::index_peer(std::size_t i) {
    const PeerRecord& peer = list_.peers[i];
    if (peer.id.empty() || peer.name.empty()) {
        return fail(causes::kConfigInvalid, peer.origin.text() + ": a peer needs a name");
    }
    if (peer.fingerprints.size() > kFingerprintsPerPeerMax) {
        return fail(causes::kLimit, place(peer) + ": more than " +
                                        std::to_string(kFingerprintsPerPeerMax) + " keys");
    }
    if (const auto [other, fresh] = by_id_.emplace(peer.id, i); !fresh) {
        return taken(peer, "its id is that of", list_.peers[other->second]);
    }
    if (const auto [other, fresh] = by_skeleton_.emplace(name_skeleton(peer.name), i); !fresh) {
        return taken(peer, "its name is, or looks like, that of", list_.peers[other->second]);
    }
    by_name_.emplace(peer.name, i);
    for (const std::string& fingerprint : peer.fingerprints) {
        if (const auto key = key_of_fingerprint(fingerprint)) {
            by_key_id_.emplace(key_id(*key), *key);
        }
        for (const std::string& alias : fingerprint_aliases(fingerprint)) {
            const auto [other, fresh] = by_fingerprint_.emplace(alias, i);
            if (!fresh && other->second != i) {
                return taken(peer, fingerprint + " belongs to", list_.peers[other->second]);
            }
        }
    }
    return {};
}

result<void> PeerDirectory::index_tokens() {
    std::map<std::string, const TokenRecord*> ids;
    for (std::size_t i = 0; i < list_.tokens.size(); ++i) {
        const TokenRecord& token = list_.tokens[i];
        if (token.id.empty() || !ids.emplace(token.id, &token).second || find_token(token.hash)) {
            return fail(causes::kPeerExists, "token " + token.id + " (" + token.origin.text() +
                                                 "): there is another one like it");
        }
        by_token_.emplace(first_octets(token.hash), i);
    }
    return {};
}

const PeerRecord* PeerDirectory::find(std::string_view id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &list_.peers[found->second];
}

const PeerRecord* PeerDirectory::find_name(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &list_.peers[found->second];
}

const PeerRecord* PeerDirectory::find_fingerprint(const std::string& proven) const {
    for (const std::string& alias : fingerprint_aliases(proven)) {
        const auto found = by_fingerprint_.find(alias);
        if (found != by_fingerprint_.end()) {
            return &list_.peers[found->second];
        }
    }
    return nullptr;
}

std::vector<NodeId> PeerDirectory::find_keys(const KeyId& key) const {
    std::vector<NodeId> keys;
    const auto [begin, end] = by_key_id_.equal_range(key);
    for (auto one = begin; one != end; ++one) {
        keys.push_back(one->second);
    }
    return keys;
}

const TokenRecord* PeerDirectory::find_token(const TokenHash& hash) const {
    const TokenRecord* match = nullptr;
    const auto [begin, end] = by_token_.equal_range(first_octets(hash));
    for (auto one = begin; one != end; ++one) {
        const TokenRecord& token = list_.tokens[one->second];
        match = crypto::equal_constant_time(token.hash, hash) ? &token : match;
    }
    return match;
}

std::optional<WallTime> PeerDirectory::next_change(WallTime now) const {
    std::optional<WallTime> next;
    const auto consider = [&](WallTime time) {
        if (time > now && (!next || time < *next)) {
            next = time;
        }
    };
    for (const PeerRecord& peer : list_.peers) {
        if (peer.enabled && peer.expires) {
            consider(*peer.expires);
            consider(later(*peer.expires, kExpiryGrace));
        }
        for (const auto& [key, end] : peer.ending) {
            consider(end);
        }
    }
    for (const TokenRecord& token : list_.tokens) {
        if (token.expires) {
            consider(*token.expires);
        }
    }
    return next;
}

result<Resources> parse_resources(const std::vector<std::string>& texts) {
    Resources all;
    for (const std::string& text : texts) {
        ALKNET_TRY(auto one, ServiceResource::parse(text));
        std::vector<std::string>& names = all[one.service];
        if (std::ranges::find(names, one.resource) == names.end()) {
            names.push_back(std::move(one.resource));
        }
    }
    return all;
}

std::vector<std::string> resource_texts(const Resources& resources) {
    std::vector<std::string> texts;
    for (const auto& [service, names] : resources) {
        for (const std::string& name : names) {
            texts.push_back(ServiceResource{.service = service, .resource = name}.text());
        }
    }
    return texts;
}

std::optional<Identity> identity_of(const PeerRecord& peer, WallTime now) {
    const Standing standing = standing_of(peer, now);
    if (standing == Standing::disabled || standing == Standing::expired) {
        return std::nullopt;
    }
    Identity identity{.id = peer.id, .scopes = {}, .resources = peer.resources};
    if (may_renew(peer)) {
        identity.scopes.emplace_back(kRenewScope);
    }
    if (standing == Standing::grace) {
        identity.resources.clear();
        identity.renewal_only = true;
        return identity;
    }
    for (const Grant& grant : peer.grants) {
        identity.scopes.push_back(grant.scope.text());
    }
    std::ranges::sort(identity.scopes);
    const auto twice = std::ranges::unique(identity.scopes);
    identity.scopes.erase(twice.begin(), twice.end());
    return identity;
}

}  // namespace alknet::identity
