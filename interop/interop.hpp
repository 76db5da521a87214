// alknet_interop: the two halves of the interop tests that need the library itself.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/core/registry.hpp>
#include <alknet/net/network.hpp>
#include <alknet/rt/loop.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace alknet::interop {

/// Echo, and fixed answers under the names that curl and gtlsclient ask for.
result<std::shared_ptr<HandlerRegistry>> make_registry();

/// `serve DIRECTORY`: a node on a free loopback port with a key and certificate made in DIRECTORY
/// (which must not exist). Prints one JSON line when it listens; runs until it is killed.
/// `splice DIRECTORY HOST:PORT`: the same, with `kSpliceAlpn` for that TCP port, and resumable
/// streams. `behind DIRECTORY RANGE`: the same behind proxies, those with an address of RANGE.
struct ServeOptions {
    std::string splice_to{};  // empty: not
    std::string proxies{};    // empty: none
};
result<void> serve(const std::string& directory, const ServeOptions& given);

inline constexpr std::string_view kSpliceAlpn = "test/splice";
std::shared_ptr<ProtocolHandler> make_splice(Loop& loop, std::shared_ptr<net::Network> network,
                                             SocketAddress target);

/// `resume|migrate|key-update ADDRESS ALPN`: dials over QUIC, does that, and sees whether an echo
/// still comes back. Prints one JSON line.
result<void> dial(const std::string& what, const std::string& address, const std::string& alpn);

/// `schemas FILE`: for each group of a file of the JSON Schema test suite, one JSON line with which
/// values fit, or why the schema is refused.
result<void> schemas(const std::string& file);

}  // namespace alknet::interop
