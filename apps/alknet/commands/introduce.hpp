// What both sides of an introduction share.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/crypto/node_id.hpp>
#include <string>

namespace alknet::app {

/// How this node calls itself: as given, else as the machine is called, else by its id.
/// Errors: kUsage.
[[nodiscard]] result<std::string> own_name(const std::string& given, const NodeId& id);

}  // namespace alknet::app
