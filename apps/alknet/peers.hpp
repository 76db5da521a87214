// Everybody whom a home knows: those of alknet.toml, and those that commands have added to
// state.db.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/config/home.hpp>
#include <alknet/identity/authorized_keys.hpp>
#include <alknet/identity/peers.hpp>
#include <alknet/store/database.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::app {

[[nodiscard]] std::filesystem::path state_file(const config::Home& home);

/// Makes the file if it is not there. Errors: those of Database::open.
[[nodiscard]] result<std::unique_ptr<store::Database>> open_state(const config::Home& home);

/// One directory of both, and of the file that [identity] names. Errors: those of
/// PeerDirectory::create, which name the place.
[[nodiscard]] result<std::shared_ptr<const identity::PeerDirectory>> all_peers(
    const config::Home& home, const config::DynamicConfig& config,
    const identity::PeerList& stored);

/// Where a configuration stands.
struct ConfigPlace {
    std::string file;            // as its lines are named
    std::filesystem::path home;  // whose owner may write authorized_keys
};
[[nodiscard]] ConfigPlace place_of(const config::Home& home);

/// The same for a configuration that stands elsewhere.
[[nodiscard]] result<std::shared_ptr<const identity::PeerDirectory>> peers_of(
    const ConfigPlace& place, const config::DynamicConfig& config,
    const identity::PeerList& stored);

/// The same, if every assertion of alknet.toml holds: what a node accepts. Errors: likewise, and
/// kAssertionFailed.
[[nodiscard]] result<std::shared_ptr<const identity::PeerDirectory>> accepted_peers(
    const config::Home& home, const config::DynamicConfig& config,
    const identity::PeerList& stored);

/// The authorized_keys file as it is now.
struct AuthorizedText {
    std::string text;
    std::string problem;  // why it cannot be read; nobody is known by it then

    bool operator==(const AuthorizedText&) const = default;
};
[[nodiscard]] AuthorizedText read_authorized_keys(const std::filesystem::path& home,
                                                  const config::DynamicConfig& config);

/// Peers of alknet.toml and of authorized_keys, beside those that are stored, and the lines that
/// are refused.
struct WrittenPeers {
    identity::PeerList list;
    std::vector<identity::RefusedLine> refused;
};
[[nodiscard]] WrittenPeers written_peers(const ConfigPlace& place,
                                         const config::DynamicConfig& config,
                                         const identity::PeerList& stored);

/// The lines that are refused, each with its place and why.
[[nodiscard]] std::vector<std::string> refused_lines(const ConfigPlace& place,
                                                     const config::DynamicConfig& config,
                                                     const identity::PeerList& stored);
/// By which ways alone peers are dialled, by their keys as alknet.toml names them.
using WaysOfKeys = std::map<std::string, config::Ways>;
[[nodiscard]] WaysOfKeys ways_of_keys(const std::vector<config::Peer>& peers);
/// All, where nothing was said.
[[nodiscard]] config::Ways ways_to(const WaysOfKeys& known, const PeerIdentity& peer);

/// Those that commands have added, without making a file. Errors: those of Database::open.
[[nodiscard]] result<identity::PeerList> stored_peers(const config::Home& home);

/// As an entry of alknet.toml.
[[nodiscard]] config::Peer as_entry(const identity::PeerRecord& peer);

/// When a term ends: a duration from now ("30d") or a day in UTC ("2027-01-31").
/// Errors: kUsage.
[[nodiscard]] result<WallTime> parse_expiry(std::string_view text, WallTime now);
/// Of what is new, and so would be worth nothing from the beginning: an end that is past is
/// refused.
[[nodiscard]] result<WallTime> parse_future_expiry(std::string_view text, WallTime now);
/// In place of a term, or of what a peer may make of it: none.
inline constexpr std::string_view kNever = "never";
/// How far a peer may renew its own term: a duration, or kNever, which is zero. Errors: kUsage.
[[nodiscard]] result<Duration> parse_renewal(std::string_view text);
/// Empty for zero.
[[nodiscard]] std::string renewal_text(Duration renew);
/// `2027-01-31T00:00:00Z`
[[nodiscard]] std::string time_text(WallTime time);

}  // namespace alknet::app
