// What decides how a node behaves, as a digest.
#pragma once

#include <alknet/identity/peers.hpp>
#include <string>
#include <string_view>

namespace alknet::identity {

/// 32 hex digits: of the text of alknet.toml, and of the peers and tokens of state.db
/// (docs/audit.md). Two nodes that behave alike may differ in it; of one node it changes whenever
/// either does.
[[nodiscard]] std::string config_revision(std::string_view text, const PeerList& stored);

}  // namespace alknet::identity
