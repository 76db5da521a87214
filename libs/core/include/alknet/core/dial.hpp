// Dialling a node: resolve its address, reach it by QUIC or TLS over TCP, verify it.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/result.hpp>
#include <alknet/core/node_address.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/net/network.hpp>
#include <alknet/quic/endpoint.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/tls/context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace alknet {

struct DialOptions {
    std::vector<std::string> alpns;  // 1 to 8
    bool quic = true;                // tried first
    bool tcp = true;
    /// By default from the address: a pin if it has an id, else the CAs. A pin is never replaced by
    /// anything but another pin of the same id, or by VerifyNothing.
    std::optional<tls::Verify> verify;
    quic::TransportOptions transport;  // of QUIC; its timeouts are TCP's too
};

/// Owns the sockets that it dials from; connections keep what they need alive. One loop.
class Dialer {
public:
    /// A further attempt begins when the one before has failed, or after this long.
    static constexpr Duration kAttemptStagger = std::chrono::milliseconds(250);
    /// How far ahead of TCP all of QUIC is.
    static constexpr Duration kQuicLead = std::chrono::milliseconds(1000);
    /// Addresses of one name that are tried.
    static constexpr std::size_t kAddressesMax = 8;

    static std::unique_ptr<Dialer> create(Loop& loop, std::shared_ptr<net::Network> network,
                                          std::shared_ptr<const tls::TlsContext> tls, Log log);
    virtual ~Dialer() = default;

    /// Resolves the address and tries what it finds: QUIC, then TLS over TCP, each with the same
    /// verification; the first that succeeds wins and the others are taken back. Errors:
    /// kAlpnInvalid, kShuttingDown, kCancelled; kUsage without any transport, or for a weaker
    /// verification than the address asks for; those of Network::resolve, quic::Endpoint::connect,
    /// Network::connect_tcp and tls::connect_tls: with several attempts, the one that says most.
    virtual task<result<std::shared_ptr<Connection>>> dial(NodeAddress address,
                                                           DialOptions options) = 0;
    /// For the next dials.
    virtual void set_tls(std::shared_ptr<const tls::TlsContext> tls) = 0;
    /// Closes everything that was dialled, with code 0. Later dials fail.
    virtual task<void> shutdown() = 0;
};

}  // namespace alknet
