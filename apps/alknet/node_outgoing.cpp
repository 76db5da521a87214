// The connections that a running node makes to its peers.
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <utility>

#include "node.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

constexpr Duration kHandshakeTimeout = std::chrono::seconds(10);
/// So that a peer that is gone is missed before somebody calls.
constexpr Duration kKeepAlive = std::chrono::seconds(20);

bool may_be_met(const identity::PeerRecord& peer, WallTime now) {
    const identity::Standing standing = identity::standing_of(peer, now);
    return standing == identity::Standing::valid || standing == identity::Standing::expiring;
}

}  // namespace

std::unique_ptr<Dialer> Node::make_dialer() const {
    auto dialer = Dialer::create(loop_, options_.network, tls_, log_);
    dialer->set_place(
        {.proxies = net::ProxySettings::from_environment(), .memory = nullptr, .network = {}});
    return dialer;
}

std::optional<Node::PeerTarget> Node::target_of(const identity::PeerRecord& peer,
                                                std::string_view alpn) const {
    const config::Peer entry = as_entry(peer);
    const auto id = entry.node_id();
    if (!entry.address || !id) {
        return std::nullopt;
    }
    PeerTarget target{.address = *entry.address, .options = {}};
    target.address.id = *id;
    target.options.alpns = {std::string(alpn)};
    target.options.transport.handshake_timeout = kHandshakeTimeout;
    const auto& written = config_.dynamic.peers;
    const auto rules = std::ranges::find(written, peer.name, &config::Peer::name);
    if (rules != written.end()) {  // nothing else is tried
        target.options.quic = rules->transports.quic;
        target.options.tcp = rules->transports.tcp;
        target.options.proxy = rules->transports.proxy;
        target.options.transport.congestion = rules->congestion;
    }
    return target;
}

task<result<std::shared_ptr<Connection>>> Node::dial_peer(std::string name, std::string alpn) {
    const auto peers = identities_->peers();
    const identity::PeerRecord* peer = peers->find_name(name);
    if (peer == nullptr) {
        co_return fail(causes::kUnknownPeer, name);
    }
    if (!may_be_met(*peer, loop_.wall_now())) {
        co_return fail(causes::kForbidden, "the peer '" + name + "' is disabled, or its term over");
    }
    auto target = target_of(*peer, alpn);
    if (!target) {
        co_return fail(causes::kUnknownPeer, name + ": the node does not know where it is");
    }
    target->options.transport.keep_alive = kKeepAlive;
    co_return co_await outgoing_->dial(std::move(target->address), std::move(target->options));
}

bool Node::is_peer(std::string_view name, const std::string& fingerprint) const {
    const auto peers = identities_->peers();
    const WallTime now = loop_.wall_now();
    const identity::PeerRecord* peer = peers->find_name(name);
    return peer != nullptr && peer == peers->find_fingerprint(fingerprint) &&
           may_be_met(*peer, now) && identity::key_holds(*peer, fingerprint, now);
}

result<std::string> Node::id_of_peer(std::string_view name) const {
    const auto peers = identities_->peers();
    const identity::PeerRecord* peer = peers->find_name(name);
    if (peer == nullptr) {
        return fail(causes::kUnknownPeer, std::string(name));
    }
    return peer->id;
}

}  // namespace alknet::app
