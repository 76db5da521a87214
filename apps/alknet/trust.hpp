// How a person and the program agree on whom to believe: the question at a first contact, and what
// is said when somebody is not who they were.
#pragma once

#include <alknet/core/trusting_dialer.hpp>
#include <alknet/rt/loop.hpp>

#include "cli.hpp"

namespace alknet::app {

/// Where the home's known nodes stand.
inline constexpr std::string_view kKnownNodesFile = "known_nodes";

/// For a node whose home is `home`; empty: there is none. Asks on the terminal that controls this
/// process, if there is one, and never with --json.
[[nodiscard]] TrustOptions trust_options(Loop& loop, const CommandLine& line,
                                         const std::filesystem::path& home, bool tofu);

}  // namespace alknet::app
