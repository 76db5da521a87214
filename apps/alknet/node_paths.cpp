// The ways from a running node to one of its peers.
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/doctor/examine.hpp>
#include <optional>
#include <utility>

#include "node.hpp"

namespace alknet::app {

namespace {

constexpr Duration kTimeout = std::chrono::seconds(5);

std::optional<std::string> text_of(const SocketAddress& address) {
    return address.family() == SocketAddress::Family::none ? std::nullopt
                                                           : std::optional(address.to_string());
}

std::optional<double> milliseconds(std::uint32_t microseconds) {
    constexpr double kPerMillisecond = 1000;
    return microseconds == 0 ? std::nullopt
                             : std::optional(static_cast<double>(microseconds) / kPerMillisecond);
}

PathReport report_of(const doctor::WayReport& way) {
    const bool fine = way.outcome == doctor::Outcome::connected;
    return {.way = std::string(to_string(way.way)),
            .outcome = std::string(to_string(way.outcome)),
            .remote = text_of(way.remote),
            .local = text_of(way.local),
            .handshake_ms = milliseconds(way.handshake_us),
            .rtt_ms = milliseconds(way.rtt_us),
            .packets_sent = way.datagrams_sent,
            .packets_back = way.datagrams_back,
            .detail = fine || way.detail.empty() ? std::nullopt : std::optional(way.detail)};
}

}  // namespace

// As the node itself would dial it: what alknet.toml says of the peer holds.
task<result<PathsOfPeer>> Node::paths(std::string name) {
    const auto peers = identities_->peers();
    const identity::PeerRecord* peer = peers->find_name(name);
    if (peer == nullptr) {
        co_return fail(causes::kUnknownPeer, name);
    }
    const config::Peer entry = as_entry(*peer);
    const auto id = entry.node_id();
    if (!entry.address || !id) {
        co_return fail(causes::kUnknownPeer, name + ": the node does not know where it is");
    }
    doctor::ExamineOptions examine;
    examine.address = *entry.address;
    examine.address.id = *id;
    examine.service = std::string(kEchoAlpn);
    examine.timeout = kTimeout;
    examine.depth = doctor::Depth::echo;
    examine.proxies = net::ProxySettings::from_environment();
    const auto& written = config_.dynamic.peers;
    const auto rules = std::ranges::find(written, name, &config::Peer::name);
    if (rules != written.end()) {
        examine.quic = rules->transports.quic;
        examine.tcp = rules->transports.tcp;
        examine.proxy = rules->transports.proxy;
    }
    DialOptions dial;
    dial.alpns = {examine.service};
    dial.quic = examine.quic;
    dial.tcp = examine.tcp;
    dial.proxy = examine.proxy;
    dial.transport.handshake_timeout = kTimeout;
    const NodeAddress address = examine.address;
    const auto dialer = Dialer::create(loop_, options_.network, tls_, log_);
    dialer->set_place({.proxies = examine.proxies, .memory = nullptr, .network = {}});
    auto pair = co_await doctor::examine(loop_, *options_.network, *dialer, std::move(examine));
    if (!pair) {
        co_await dialer->shutdown();
        co_return unexpected(std::move(pair).error());
    }
    PathsOfPeer shown{.peer = std::move(name), .ways = {}};
    for (const doctor::WayReport& way : pair->ways) {
        shown.ways.push_back(report_of(way));
    }
    shown.not_resolved = pair->not_resolved;
    const auto dialled = co_await dialer->dial_way(address, std::move(dial));
    if (dialled) {
        // Both count the same ways in the same order.
        shown.chosen = to_string(static_cast<doctor::Way>(dialled->rung));
        dialled->connection->close(close_code::kOk, {});
    }
    co_await dialer->shutdown();
    co_return shown;
}

}  // namespace alknet::app
