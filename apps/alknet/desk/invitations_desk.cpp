// What `alknet peer invite`, `invitations`, `confirm` and `uninvite` do: the inviting side.
#include <ifaddrs.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/config/units.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/invitation_state.hpp>
#include <alknet/identity/names.hpp>
#include <alknet/identity/state.hpp>
#include <array>
#include <memory>
#include <utility>

#include "cli.hpp"
#include "desk.hpp"
#include "introduce.hpp"
#include "joining.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

using identity::InvitationClaim;
using identity::InvitationRecord;

constexpr Duration kTtlMax = std::chrono::hours(24) * 3650;
constexpr std::string_view kRead = "peers:read";
constexpr std::string_view kManage = "peers:manage";

// The addresses of this machine that others may reach.
std::vector<std::string> machine_hosts() {
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) {
        return {};
    }
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> all(first, ::freeifaddrs);
    std::vector<std::string> hosts;
    for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr) {
            continue;
        }
        const SocketAddress address = SocketAddress::from_native(one->ifa_addr);
        const std::string text = address.ip_text();
        const bool link_local = text.starts_with("fe80:") || text.starts_with("169.254.");
        if (address.family() != SocketAddress::Family::none && !address.is_loopback() &&
            !link_local) {
            hosts.push_back(text);
        }
    }
    return hosts;
}

// Everywhere is each address of the machine.
std::vector<std::string> reached_at(const std::vector<SocketAddress>& listening) {
    std::vector<std::string> all;
    const auto add = [&](const std::string& host, std::uint16_t port) {
        std::string text = NodeAddress{.id = {}, .host = host, .port = port}.to_string();
        if (std::ranges::find(all, text) == all.end() &&
            all.size() < identity::kInvitationAddressesMax) {
            all.push_back(std::move(text));
        }
    };
    for (const SocketAddress& address : listening) {
        if (!address.is_any()) {
            add(address.ip_text(), address.port());
            continue;
        }
        for (const std::string& host : machine_hosts()) {
            add(host, address.port());
        }
    }
    return all;
}

result<std::vector<std::string>> addresses(const Desk& desk, const InvitationOptions& options) {
    if (options.addresses.empty()) {
        auto found = reached_at(desk.listening);
        if (found.empty()) {
            return fail(causes::kUsage, "say where this node is reached: --address HOST:PORT");
        }
        return found;
    }
    std::vector<std::string> all;
    for (const std::string& text : options.addresses) {
        ALKNET_TRY(NodeAddress address, NodeAddress::parse(text));
        if (address.id || address.host.empty()) {
            return fail(causes::kAddressInvalid, "--address takes HOST[:PORT], not " + text);
        }
        address.port = address.port.value_or(
            desk.listening.empty() ? kDefaultPort : desk.listening.front().port());
        all.push_back(address.to_string());
    }
    if (all.size() > identity::kInvitationAddressesMax ||
        std::ranges::any_of(all, [](const std::string& text) {
            return text.size() > identity::kInvitationAddressBytesMax;
        })) {
        return fail(causes::kUsage, "a line has room for 4 addresses of 255 characters");
    }
    return all;
}

result<InvitationOptions> options_of(const InvitationAddInput& input) {
    InvitationOptions options;
    options.scopes = texts_of(input.scopes);
    options.addresses = texts_of(input.addresses);
    options.only_for = or_empty(input.for_);
    options.confirm = input.confirm;
    options.name = or_empty(input.name);
    options.as = or_empty(input.as);
    options.expires = or_empty(input.expires);
    options.renew = or_empty(input.renew);
    const std::string ttl = or_empty(input.ttl);
    const std::uint32_t uses = input.uses.value_or(options.uses);
    if (!ttl.empty()) {
        const auto duration = config::parse_duration(ttl);
        if (!duration) {
            return fail(causes::kUsage, "ttl is a duration such as 10m");
        }
        options.ttl = *duration;
    }
    if (uses == 0 || uses > identity::kInvitationUsesMax) {
        return fail(causes::kUsage, "an invitation is for 1 to " +
                                        std::to_string(identity::kInvitationUsesMax) + " others");
    }
    options.uses = uses;
    return options;
}

// Of whoever joins.
result<void> add_term(InvitationRecord& record, const InvitationOptions& options, WallTime now) {
    if (!options.renew.empty()) {
        ALKNET_TRY(record.peer_renew, parse_renewal(options.renew));
    }
    if (options.expires.empty() || options.expires == kNever) {
        return record.peer_renew == Duration()
                   ? result<void>()
                   : fail(causes::kUsage, "--renew is about a term: say --expires too");
    }
    ALKNET_TRY(record.peer_expires, parse_future_expiry(options.expires, now));
    return *record.peer_expires > record.expires
               ? result<void>()
               : fail(causes::kUsage, "the term of whoever joins would end before the line does");
}

result<InvitationRecord> new_record(const InvitationOptions& options, WallTime now) {
    if (options.ttl < std::chrono::seconds(1) || options.ttl > kTtlMax) {
        return fail(causes::kUsage, "--ttl is from 1s to 3650d");
    }
    InvitationRecord record;
    record.id = identity::make_invitation_id();
    if (!options.name.empty()) {
        ALKNET_CHECK(identity::check_name(options.name));
        if (options.uses != 1) {
            return fail(causes::kUsage, "--name is for one who joins, not with --uses");
        }
        record.name = options.name;
    }
    if (!options.only_for.empty()) {
        ALKNET_TRY(record.only_for, identity::parse_fingerprint(options.only_for));
    }
    for (const std::string& text : options.scopes) {
        ALKNET_TRY(auto scope, identity::Scope::parse(text));
        record.scopes.push_back(std::move(scope));
    }
    record.confirm = options.confirm;
    record.uses_left = options.uses;
    // To the second, as it is stored and as the line says.
    record.expires = std::chrono::ceil<std::chrono::seconds>(now + options.ttl);
    ALKNET_CHECK(add_term(record, options, now));
    return record;
}

result<void> check_name_is_free(const Desk& desk, store::Database& state, const std::string& name) {
    if (name.empty()) {
        return {};
    }
    ALKNET_TRY(identity::PeerList stored, identity::load_peers(state));
    identity::PeerRecord peer;
    peer.id = "invited";
    peer.name = name;
    stored.peers.push_back(std::move(peer));
    ALKNET_CHECK(all_peers(desk.home, desk.config.dynamic, stored));
    return {};
}

void audit(const Desk& desk, std::string_view event, const std::string& id,
           const std::vector<identity::Scope>& scopes) {
    std::string text;
    for (const identity::Scope& scope : scopes) {
        text.append(text.empty() ? "" : ",").append(scope.text());
    }
    AuditEntry entry{.event = event};
    entry.more = {{"invitation", id}, {"scopes", std::move(text)}, desk.caller.named()};
    desk.audit(std::move(entry));
}

result<InvitationAdded> make(const Desk& desk, store::Database& state,
                             const InvitationAddInput& input) {
    ALKNET_TRY(const InvitationOptions options, options_of(input));
    ALKNET_TRY(InvitationRecord record, new_record(options, desk.now));
    identity::Invitation invitation;
    ALKNET_TRY(const auto key, desk.home.load_key(desk.config.fixed));
    invitation.node = key->id();
    crypto::fill_random(invitation.secret);
    invitation.expires =
        std::chrono::floor<std::chrono::seconds>(record.expires).time_since_epoch().count();
    invitation.confirm = record.confirm;
    ALKNET_TRY(invitation.name, own_name(options.as, key->id()));
    ALKNET_TRY(invitation.addresses, addresses(desk, options));
    record.hash = identity::invitation_hash(invitation.secret);
    if (const auto* risky = identity::unconfirmed(record, program_scopes(desk.config))) {
        return fail(causes::kUsage, "whoever gets " + risky->text() +
                                        " by an invitation may use programs of this node, or "
                                        "rule it, and must be confirmed: add --confirm");
    }
    ALKNET_CHECK(check_name_is_free(desk, state, options.name));
    ALKNET_CHECK(identity::add_invitation(state, record, desk.now));
    audit(desk, "invitation.made", record.id, record.scopes);
    return InvitationAdded{.invitation = identity::encode_invitation(invitation),
                           .id = record.id,
                           .expires = time_text(record.expires),
                           .confirm = record.confirm,
                           .uses = record.uses_left};
}

std::string_view standing(const InvitationRecord& record, WallTime now) {
    return record.uses_left == 0 ? "used" : now >= record.expires ? "ended" : "good";
}

std::vector<std::string> scope_texts(const InvitationRecord& record) {
    std::vector<std::string> texts;
    for (const identity::Scope& scope : record.scopes) {
        texts.push_back(scope.text());
    }
    return texts;
}

InvitationEntry entry_of(const InvitationRecord& record, WallTime now) {
    InvitationEntry entry{.id = record.id,
                          .standing = std::string(standing(record, now)),
                          .scopes = scope_texts(record),
                          .confirm = record.confirm,
                          .uses_left = record.uses_left,
                          .expires = time_text(record.expires),
                          .alarms = record.alarms,
                          .waiting = {}};
    if (!record.only_for.empty()) {
        entry.for_ = record.only_for;
    }
    if (record.peer_expires) {
        entry.peer_expires = time_text(*record.peer_expires);
    }
    if (record.peer_renew != Duration()) {
        entry.peer_renew = renewal_text(record.peer_renew);
    }
    for (const InvitationClaim& claim : record.claims) {
        if (claim.peer.empty()) {
            entry.waiting.push_back(
                {.key = claim.fingerprint, .name = claim.name, .digits = claim.code});
        }
    }
    return entry;
}

result<InvitationEntries> list(const Desk& desk, store::Database& state, const Nothing& /*input*/) {
    ALKNET_TRY(const auto all, identity::load_invitations(state));
    InvitationEntries entries;
    for (const InvitationRecord& record : all) {
        entries.invitations.push_back(entry_of(record, desk.now));
    }
    return entries;
}

result<InvitationRemoved> take_back(const Desk& desk, store::Database& state,
                                    const InvitationInput& input) {
    const std::string& id = input.id;
    ALKNET_TRY(const bool was, identity::remove_invitation(state, id));
    if (!was) {
        return fail(causes::kUsage, "there is no invitation '" + printable(id) + "'");
    }
    audit(desk, "invitation.removed", id, {});
    return InvitationRemoved{.done = "taken back"};
}

result<InvitationConfirmed> confirm(const Desk& desk, store::Database& state,
                                    const InvitationConfirmInput& input) {
    std::string digits = input.digits;
    std::erase_if(digits, [](char c) { return c == ' ' || c == '-'; });
    ALKNET_TRY(const auto stored, identity::load_peers(state));
    auto written = std::make_shared<const identity::PeerList>(
        written_peers(place_of(desk.home), desk.config.dynamic, stored).list);
    const auto fixed = fixed_for_joining(desk.home, desk.config, std::move(written));
    ALKNET_TRY(const auto confirmed, identity::confirm_claim(state, fixed, digits, desk.now));
    AuditEntry entry{.event = "invitation.confirmed"};
    entry.peer = confirmed.id;
    entry.fingerprint = confirmed.fingerprints.front();
    entry.more = {{"name", confirmed.name}, desk.caller.named()};
    desk.audit(std::move(entry));
    return InvitationConfirmed{
        .done = "confirmed", .name = confirmed.name, .keys = confirmed.fingerprints};
}

constexpr std::array kAddErrors = {&causes::kScopeInvalid, &causes::kKeyInvalid,
                                   &causes::kAddressInvalid, &causes::kPeerExists};
constexpr std::array kConfirmErrors = {&causes::kPeerExists, &causes::kAssertionFailed,
                                       &causes::kConfigPending};

constexpr std::array kOperations = {
    reading<list>({.name = "invitations/list",
                   .scope = kRead,
                   .about = "the invitations, and who waits to be confirmed"}),
    changing<make>({.name = "invitations/add",
                    .scope = kManage,
                    .about = "make a line that lets somebody in",
                    .errors = kAddErrors}),
    changing<confirm>({.name = "invitations/confirm",
                       .scope = kManage,
                       .about = "let in whoever sees the digits",
                       .errors = kConfirmErrors}),
    changing<take_back>(
        {.name = "invitations/remove", .scope = kManage, .about = "take an invitation back"}),
};

}  // namespace

result<std::string> own_name(const std::string& given, const NodeId& id) {
    if (!given.empty()) {
        ALKNET_CHECK(identity::check_name(given));
        return given;
    }
    std::array<char, identity::kNameBytesMax + 1> host{};
    if (::gethostname(host.data(), host.size() - 1) == 0 && identity::check_name(host.data())) {
        return std::string(host.data());
    }
    constexpr std::size_t kDigits = 8;
    return "node-" + id.hex().substr(0, kDigits);
}

std::span<const DeskOperation> invitation_operations() noexcept {
    return kOperations;
}

}  // namespace alknet::app
