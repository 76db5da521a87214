// alknet_interop: the two halves of the interop tests that need the library itself.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/core/registry.hpp>
#include <memory>
#include <span>
#include <string>

namespace alknet::interop {

/// Echo, and fixed answers under the names that curl and gtlsclient ask for.
result<std::shared_ptr<HandlerRegistry>> make_registry();

/// `serve DIRECTORY`: a node on a free loopback port with a key and certificate made in DIRECTORY
/// (which must not exist). Prints one JSON line when it listens; runs until it is killed.
result<void> serve(const std::string& directory);

/// `resume|migrate|key-update ADDRESS ALPN`: dials over QUIC, does that, and sees whether an echo
/// still comes back. Prints one JSON line.
result<void> dial(const std::string& what, const std::string& address, const std::string& alpn);

}  // namespace alknet::interop
