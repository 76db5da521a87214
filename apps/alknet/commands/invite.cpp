// alknet peer invite, invitations, confirm, uninvite: the inviting side.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ifaddrs.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/invitation_state.hpp>
#include <alknet/identity/names.hpp>
#include <alknet/identity/state.hpp>
#include <memory>

#include "audit_change.hpp"
#include "commands.hpp"
#include "control_client.hpp"
#include "introduce.hpp"
#include "output.hpp"
#include "peers.hpp"
#include "qr_text.hpp"

namespace alknet::app {

namespace {

using identity::InvitationClaim;
using identity::InvitationRecord;
using Action = InvitationOptions::Action;

struct Desk {
    config::Home home;
    config::Config config;
    const InvitationOptions& options;
    WallTime now;
};

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

// Where the node listens while it runs, which may be elsewhere than the configuration says (serve
// --listen, port 0, a file that was edited since); else where it would.
std::vector<SocketAddress> listeners_of(const Desk& desk) {
    std::vector<SocketAddress> all;
    if (const auto info = ask_running_node(desk.home, "node/info", Json()); info && *info) {
        const Json* open = (*info)->find("listeners");
        if (open != nullptr && open->as_array() != nullptr) {
            for (const Json& one : *open->as_array()) {
                if (const auto address = SocketAddress::parse(one.text_of("address"))) {
                    all.push_back(*address);
                }
            }
        }
    }
    if (all.empty()) {
        for (const config::Listener& listener : desk.config.dynamic.listeners) {
            all.insert(all.end(), listener.addresses.begin(), listener.addresses.end());
        }
    }
    return all;
}

// Everywhere is each address of the machine.
std::vector<std::string> reached_at(const std::vector<SocketAddress>& listeners) {
    std::vector<std::string> all;
    const auto add = [&](const std::string& host, std::uint16_t port) {
        std::string text = NodeAddress{.id = {}, .host = host, .port = port}.to_string();
        if (std::ranges::find(all, text) == all.end() &&
            all.size() < identity::kInvitationAddressesMax) {
            all.push_back(std::move(text));
        }
    };
    for (const SocketAddress& address : listeners) {
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

result<std::vector<std::string>> addresses(const Desk& desk) {
    const std::vector<SocketAddress> listeners = listeners_of(desk);
    if (desk.options.addresses.empty()) {
        auto found = reached_at(listeners);
        if (found.empty()) {
            return fail(causes::kUsage, "say where this node is reached: --address HOST:PORT");
        }
        return found;
    }
    std::vector<std::string> all;
    for (const std::string& text : desk.options.addresses) {
        ALKNET_TRY(NodeAddress address, NodeAddress::parse(text));
        if (address.id || address.host.empty()) {
            return fail(causes::kAddressInvalid, "--address takes HOST[:PORT], not " + text);
        }
        address.port =
            address.port.value_or(listeners.empty() ? kDefaultPort : listeners.front().port());
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

result<InvitationRecord> new_record(const Desk& desk) {
    const InvitationOptions& options = desk.options;
    if (options.ttl < std::chrono::seconds(1)) {
        return fail(causes::kUsage, "--ttl is at least 1s");
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
    record.expires = std::chrono::ceil<std::chrono::seconds>(desk.now + options.ttl);
    return record;
}

result<void> check_name_is_free(const Desk& desk, store::Database& state) {
    if (desk.options.name.empty()) {
        return {};
    }
    ALKNET_TRY(identity::PeerList stored, identity::load_peers(state));
    identity::PeerRecord peer;
    peer.id = "invited";
    peer.name = desk.options.name;
    stored.peers.push_back(std::move(peer));
    ALKNET_CHECK(all_peers(desk.home, desk.config.dynamic, stored));
    return {};
}

result<void> show(const CommandLine& line, const Desk& desk, const InvitationRecord& record,
                  const std::string& text) {
    if (line.json) {
        return print_line(Json::object({{"invitation", text},
                                        {"id", record.id},
                                        {"expires", time_text(record.expires)},
                                        {"confirm", record.confirm}})
                              .text());
    }
    ALKNET_CHECK(print_line(text));
    const bool terminal = ::isatty(STDOUT_FILENO) == 1;
    if (desk.options.qr || (terminal && !desk.options.no_qr)) {
        ALKNET_TRY(const std::string code, qr_text(text, terminal));
        ALKNET_CHECK(print_text(code));
    }
    if (terminal) {
        ALKNET_CHECK(print_line(
            fmt::format("good until {}, for {}; take it back: alknet peer "
                        "uninvite {}",
                        time_text(record.expires),
                        record.uses_left == 1 ? "one" : fmt::format("{} others", record.uses_left),
                        record.id)));
    }
    if (terminal && record.confirm) {
        ALKNET_CHECK(
            print_line("ask for the six digits that the other side sees, then: alknet peer confirm "
                       "DIGITS"));
    }
    return {};
}

result<void> audit(const Desk& desk, std::string_view event, const std::string& id,
                   const std::vector<identity::Scope>& scopes) {
    std::string text;
    for (const identity::Scope& scope : scopes) {
        text.append(text.empty() ? "" : ",").append(scope.text());
    }
    AuditEntry entry{.event = event};
    entry.more = {{"invitation", id}, {"scopes", std::move(text)}};
    return audit_change(desk.home, desk.config, std::move(entry), {});
}

result<ExitCode> make(const CommandLine& line, const Desk& desk) {
    ALKNET_TRY(InvitationRecord record, new_record(desk));
    identity::Invitation invitation;
    ALKNET_TRY(const auto key, desk.home.load_key(desk.config.fixed));
    invitation.node = key->id();
    crypto::fill_random(invitation.secret);
    invitation.expires =
        std::chrono::floor<std::chrono::seconds>(record.expires).time_since_epoch().count();
    invitation.confirm = record.confirm;
    ALKNET_TRY(invitation.name, own_name(desk.options.as, key->id()));
    ALKNET_TRY(invitation.addresses, addresses(desk));
    record.hash = identity::invitation_hash(invitation.secret);
    ALKNET_TRY(const auto state, open_state(desk.home));
    ALKNET_CHECK(state->transaction([&](store::Database& database) -> result<void> {
        ALKNET_CHECK(check_name_is_free(desk, database));
        ALKNET_CHECK(identity::add_invitation(database, record, desk.now));
        return audit(desk, "invitation.made", record.id, record.scopes);
    }));
    ALKNET_CHECK(show(line, desk, record, identity::encode_invitation(invitation)));
    return ExitCode::ok;
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

Json as_json(const InvitationRecord& record, WallTime now) {
    Json::Array waiting;
    for (const InvitationClaim& claim : record.claims) {
        if (claim.peer.empty()) {
            waiting.push_back(Json::object(
                {{"key", claim.fingerprint}, {"name", claim.name}, {"digits", claim.code}}));
        }
    }
    return Json::object({{"id", record.id},
                         {"standing", standing(record, now)},
                         {"scopes", Json::list(scope_texts(record))},
                         {"for", record.only_for.empty() ? Json() : Json(record.only_for)},
                         {"confirm", record.confirm},
                         {"uses_left", std::uint64_t{record.uses_left}},
                         {"expires", time_text(record.expires)},
                         {"alarms", std::uint64_t{record.alarms}},
                         {"waiting", std::move(waiting)}});
}

std::string as_text(const InvitationRecord& record, WallTime now) {
    std::string text = fmt::format("{} ({})\n  until    {}\n", record.id, standing(record, now),
                                   time_text(record.expires));
    text += fmt::format("  uses     {} left\n", record.uses_left);
    for (const std::string& scope : scope_texts(record)) {
        text += fmt::format("  scope    {}\n", scope);
    }
    if (!record.only_for.empty()) {
        text += fmt::format("  for      {}\n", record.only_for);
    }
    if (record.alarms != 0) {
        text += fmt::format("  alarms   {}: somebody else has seen the line\n", record.alarms);
    }
    for (const InvitationClaim& claim : record.claims) {
        if (claim.peer.empty()) {
            text += fmt::format("  waiting  {} {} sees {}\n", claim.name, claim.fingerprint,
                                claim.code);
        }
    }
    return text;
}

result<ExitCode> list(const CommandLine& line, const Desk& desk) {
    ALKNET_TRY(const auto state, open_state(desk.home));
    ALKNET_TRY(const auto all, identity::load_invitations(*state));
    Json::Array entries;
    std::string text;
    for (const InvitationRecord& record : all) {
        entries.push_back(as_json(record, desk.now));
        text += as_text(record, desk.now);
    }
    ALKNET_CHECK(line.json ? print_line(Json::object({{"invitations", std::move(entries)}}).text())
                           : print_text(all.empty() ? "there are no invitations\n" : text));
    return ExitCode::ok;
}

result<ExitCode> take_back(const CommandLine& line, const Desk& desk) {
    ALKNET_TRY(const auto state, open_state(desk.home));
    ALKNET_TRY(const bool found, state->transaction([&](store::Database& database) -> result<bool> {
        ALKNET_TRY(const bool was, identity::remove_invitation(database, desk.options.word));
        if (was) {
            ALKNET_CHECK(audit(desk, "invitation.removed", desk.options.word, {}));
        }
        return was;
    }));
    if (!found) {
        return fail(causes::kUsage, "there is no invitation '" + desk.options.word + "'");
    }
    ALKNET_CHECK(print_line(line.json ? Json::object({{"done", "taken back"}}).text()
                                      : "taken back; who has joined by it stays"));
    return ExitCode::ok;
}

result<ExitCode> confirm(const CommandLine& line, const Desk& desk) {
    std::string digits = desk.options.word;
    std::erase_if(digits, [](char c) { return c == ' ' || c == '-'; });
    ALKNET_TRY(const auto state, open_state(desk.home));
    ALKNET_TRY(const auto stored, stored_peers(desk.home));
    const auto written = written_peers(place_of(desk.home), desk.config.dynamic, stored).list;
    ALKNET_TRY(const auto peer,
               state->transaction([&](store::Database& database) -> result<identity::PeerRecord> {
                   ALKNET_TRY(auto confirmed,
                              identity::confirm_claim(database, written, digits, desk.now));
                   AuditEntry entry{.event = "invitation.confirmed"};
                   entry.peer = confirmed.id;
                   entry.fingerprint = confirmed.fingerprints.front();
                   entry.more.emplace_back("name", confirmed.name);
                   ALKNET_CHECK(audit_change(desk.home, desk.config, std::move(entry), {}));
                   return confirmed;
               }));
    ALKNET_CHECK(print_line(
        line.json ? Json::object({{"done", "confirmed"},
                                  {"name", peer.name},
                                  {"keys", Json::list(peer.fingerprints)}})
                        .text()
                  : fmt::format("confirmed {} ({})", peer.name, peer.fingerprints.front())));
    return ExitCode::ok;
}

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

result<ExitCode> run(const CommandLine& line, const InvitationOptions& options) {
    ALKNET_TRY(auto home, open_home(line));
    ALKNET_TRY(auto config, home.load_config());
    const Desk desk{.home = std::move(home),
                    .config = std::move(config),
                    .options = options,
                    .now = SystemClock().wall_now()};
    switch (options.action) {
        case Action::make:
            return make(line, desk);
        case Action::confirm:
            return confirm(line, desk);
        case Action::take_back:
            return take_back(line, desk);
        case Action::list:
            break;
    }
    return list(line, desk);
}

}  // namespace alknet::app
