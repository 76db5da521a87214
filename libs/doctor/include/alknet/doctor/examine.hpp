// Examines the ways to a node: real dials with the real service on each, and over those that work
// what they carry; then both ends exchange reports. What follows from it is diagnose()'s.
#pragma once

#include <alknet/core/dial.hpp>
#include <alknet/doctor/diagnose.hpp>
#include <alknet/doctor/local_checks.hpp>
#include <alknet/net/network.hpp>
#include <alknet/net/proxy.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace alknet::doctor {

/// How far an examination goes.
enum class Depth : std::uint8_t {
    dial,  // handshakes alone
    echo,  // handshakes, round trips and single datagrams; the service must be alknet/echo
    all,   // what the ways carry too, and reports are exchanged
};

struct ExamineOptions {
    NodeAddress address;
    std::optional<tls::Verify> verify;           // of an address without an id; else authorities
    std::string service;                         // the ALPN of the dials; empty: the doctor's own
    Duration timeout = std::chrono::seconds(5);  // of each handshake
    Depth depth = Depth::all;
    bool quic = true;
    bool tcp = true;
    /// The proxy is one of the ways, but for nodes on this machine, unless it is the only one
    /// asked for. The dialer must have been given the same (Dialer::set_place).
    bool proxy = true;
    net::ProxySettings proxies;
    std::string program;
    std::vector<Check> checks;      // of this machine
    std::uint16_t listens_udp = 0;  // where this node runs, to be dialled back; 0: it does not
    std::uint16_t listens_tcp = 0;
};

/// Sends octets without meaning, and to the node alone whose key was verified. Errors: kCancelled;
/// what else goes wrong is in the report.
task<result<PairReport>> examine(Loop& loop, net::Network& network, Dialer& dialer,
                                 ExamineOptions options);

/// What the dials of several examinations, each to a node with a known key, tell of TLS over TCP.
[[nodiscard]] TlsSeen tls_seen(const std::vector<PairReport>& pairs);

}  // namespace alknet::doctor
