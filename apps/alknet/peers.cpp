#include "peers.hpp"

#include <fmt/format.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/number.hpp>
#include <alknet/config/units.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/identity/renewal.hpp>
#include <alknet/identity/state.hpp>
#include <cstdlib>
#include <iterator>
#include <system_error>
#include <utility>

namespace alknet::app {

namespace {

constexpr int kLastYear = 2200;

std::optional<WallTime> day(std::string_view text) {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') {
        return std::nullopt;
    }
    const auto year = parse_number<int>(text.substr(0, 4));
    const auto month = parse_number<int>(text.substr(5, 2));
    const auto of_month = parse_number<int>(text.substr(8, 2));
    if (!year || !month || !of_month || *year < 1970 || *year > kLastYear || *month < 1 ||
        *of_month < 1) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date(std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*of_month)));
    return date.ok() ? std::optional<WallTime>(std::chrono::sys_days(date)) : std::nullopt;
}

}  // namespace

std::filesystem::path state_file(const config::Home& home) {
    return home.directory() / identity::kStateFile;
}

result<std::unique_ptr<store::Database>> open_state(const config::Home& home) {
    return store::Database::open(state_file(home), identity::state_options());
}

ConfigPlace place_of(const config::Home& home) {
    return {.file = home.config_file().native(), .home = home.directory()};
}

AuthorizedText read_authorized_keys(const std::filesystem::path& home,
                                    const config::DynamicConfig& config) {
    const std::filesystem::path& file = config.authorized_keys.file;
    if (file.empty()) {
        return {};
    }
    std::vector<std::filesystem::path> trusted{home};
    if (const char* user = std::getenv("HOME"); user != nullptr && *user != '\0') {
        trusted.emplace_back(user);
    }
    auto text = identity::read_authorized_keys(file, trusted);
    if (!text) {
        return {.text = {}, .problem = text.error().detail()};
    }
    return {.text = *std::move(text), .problem = {}};
}

WrittenPeers written_peers(const ConfigPlace& place, const config::DynamicConfig& config,
                           const identity::PeerList& stored) {
    WrittenPeers written{.list = config::peer_list(config, place.file), .refused = {}};
    if (config.authorized_keys.file.empty()) {
        return written;
    }
    const AuthorizedText file = read_authorized_keys(place.home, config);
    identity::PeerList all = written.list;
    all.peers.insert(all.peers.end(), stored.peers.begin(), stored.peers.end());
    const std::size_t others = all.peers.size();
    written.refused =
        identity::add_authorized(all, identity::parse_authorized_keys(file.text),
                                 {.file = config.authorized_keys.file.native(),
                                  .grants = config::authorized_grants(config, place.file)});
    written.list.peers.insert(written.list.peers.end(),
                              all.peers.begin() + static_cast<std::ptrdiff_t>(others),
                              all.peers.end());
    if (!file.problem.empty()) {
        written.refused.push_back({.line = 0, .reason = file.problem});
    }
    return written;
}

std::vector<std::string> refused_lines(const ConfigPlace& place,
                                       const config::DynamicConfig& config,
                                       const identity::PeerList& stored) {
    std::vector<std::string> texts;
    for (const identity::RefusedLine& one : written_peers(place, config, stored).refused) {
        const identity::Origin line{.file = config.authorized_keys.file.native(), .line = one.line};
        texts.push_back(line.text() + ": " + one.reason);
    }
    return texts;
}

result<std::shared_ptr<const identity::PeerDirectory>> all_peers(
    const config::Home& home, const config::DynamicConfig& config,
    const identity::PeerList& stored) {
    return peers_of(place_of(home), config, stored);
}

result<std::shared_ptr<const identity::PeerDirectory>> peers_of(const ConfigPlace& place,
                                                                const config::DynamicConfig& config,
                                                                const identity::PeerList& stored) {
    identity::PeerList list = written_peers(place, config, stored).list;
    list.peers.insert(list.peers.end(), stored.peers.begin(), stored.peers.end());
    list.tokens.insert(list.tokens.end(), stored.tokens.begin(), stored.tokens.end());
    list.changes = stored.changes;
    list.renewals = stored.renewals;
    return identity::PeerDirectory::create(std::move(list));
}

result<std::shared_ptr<const identity::PeerDirectory>> accepted_peers(
    const config::Home& home, const config::DynamicConfig& config,
    const identity::PeerList& stored) {
    ALKNET_TRY(auto peers, all_peers(home, config, stored));
    ALKNET_CHECK(identity::check_assertions(*peers));
    return peers;
}

WaysOfKeys ways_of_keys(const std::vector<config::Peer>& peers) {
    WaysOfKeys known;
    for (const config::Peer& peer : peers) {
        for (const std::string& key : peer.keys) {
            known.emplace(key, peer.transports);
        }
    }
    return known;
}

config::Ways ways_to(const WaysOfKeys& known, const PeerIdentity& peer) {
    auto found = known.find(peer.fingerprint());
    if (found == known.end() && peer.kind == PeerIdentity::Kind::raw_key) {
        found = known.find(peer.key.openssh_fingerprint());
    }
    return found == known.end() ? config::Ways() : found->second;
}

result<identity::PeerList> stored_peers(const config::Home& home) {
    std::error_code failure;
    if (!std::filesystem::exists(state_file(home), failure)) {
        return identity::PeerList();
    }
    ALKNET_TRY(const auto state, open_state(home));
    return identity::load_peers(*state);
}

config::Peer as_entry(const identity::PeerRecord& peer) {
    config::Peer entry;
    entry.name = peer.name;
    entry.keys = peer.fingerprints;
    for (const identity::Grant& grant : peer.grants) {
        if (grant.role.empty()) {
            entry.scopes.push_back(grant.scope.text());
        }
    }
    entry.roles = peer.roles;
    entry.resources = identity::resource_texts(peer.resources);
    entry.enabled = peer.enabled;
    entry.expires = peer.expires;
    entry.renew = peer.renew;
    if (auto address = NodeAddress::parse(peer.address); address && !address->host.empty()) {
        entry.address = *std::move(address);
    }
    return entry;
}

result<WallTime> parse_expiry(std::string_view text, WallTime now) {
    if (const auto date = day(text)) {
        return *date;
    }
    const auto duration = config::parse_duration(text);
    if (!duration || *duration > WallTime::max() - now) {
        return fail(causes::kUsage, "'" + std::string(text) +
                                        "' is neither a duration such as 30d nor a day such as "
                                        "2027-01-31");
    }
    return now + *duration;
}

result<WallTime> parse_future_expiry(std::string_view text, WallTime now) {
    ALKNET_TRY(const WallTime expires, parse_expiry(text, now));
    if (expires <= now) {
        return fail(causes::kUsage, "'" + std::string(text) + "' is over already");
    }
    return expires;
}

result<Duration> parse_renewal(std::string_view text) {
    if (text == kNever) {
        return Duration();
    }
    const auto duration = config::parse_duration(text);
    if (!duration || *duration < identity::kRenewMin || *duration > identity::kRenewMax) {
        return fail(causes::kUsage,
                    "'" + std::string(text) + "' is neither a duration from 1h to 3650d nor never");
    }
    return *duration;
}

std::string renewal_text(Duration renew) {
    return renew == Duration() ? std::string() : config::duration_text(renew);
}

std::string time_text(WallTime time) {
    const auto days = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(days);
    const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - days));
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace alknet::app
