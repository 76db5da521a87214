// What alknet.toml says that matters to whoever joins by an invitation.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/config/home.hpp>
#include <alknet/identity/invitation_state.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::app {

/// The place that names a peer so, or so that it looks alike, elsewhere than in its entry: a
/// forwarding rule, an import or an assertion. Empty: none does.
[[nodiscard]] std::string named_by(const config::Config& config, std::string_view name);

/// Scopes by which a program of the node's, or an operation that it imports, is reached, where the
/// configuration has chosen them.
[[nodiscard]] std::vector<identity::Scope> program_scopes(const config::Config& config);

/// `list`: the peers of alknet.toml. What would be undone is read from the home's files when it is
/// asked for.
[[nodiscard]] identity::FixedPeers fixed_for_joining(
    const config::Home& home, const config::Config& config,
    std::shared_ptr<const identity::PeerList> list);

/// Errors: kConfigPending where a change of alknet.toml waits and, once it is undone, a node would
/// not take these peers of state.db.
result<void> check_with_undone(const config::Home& home, const identity::PeerList& stored);

}  // namespace alknet::app
