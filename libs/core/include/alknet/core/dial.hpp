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
#include <string>
#include <vector>

namespace alknet {

struct DialOptions {
    std::vector<std::string> alpns;  // 1 to 8
    bool quic = true;                // tried first
    bool tcp = true;
    tls::Verify verify;  // from the address: a pin if it has an id, else the CAs
    quic::TransportOptions transport;
};

/// Owns the sockets that it dials from; connections keep what they need alive. One loop.
class Dialer {
public:
    static std::unique_ptr<Dialer> create(Loop& loop, std::shared_ptr<net::Network> network,
                                          std::shared_ptr<const tls::TlsContext> tls, Log log);
    virtual ~Dialer() = default;
    /// Errors: those of resolve, quic::Endpoint::connect and tls::connect_tls; with several
    /// attempts, the error of the first kind that says most.
    virtual task<result<std::shared_ptr<Connection>>> dial(NodeAddress address,
                                                           DialOptions options) = 0;
    /// Closes everything that was dialled.
    virtual task<void> shutdown() = 0;
};

}  // namespace alknet
