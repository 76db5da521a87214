// SSH in a node: who serves it, what it may connect to, and the listener for clients that speak
// nothing else.
#include <ifaddrs.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <array>

#ifdef ALKNET_WITH_SSH
#include <alknet/call/adapter.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/ssh/adapter.hpp>

#include "ssh_operations.hpp"
#endif

#include "node.hpp"

namespace alknet::app {

namespace {

constexpr Duration kAgainDelay = std::chrono::seconds(1);

// What cannot be found out counts as this machine's.
bool is_of_this_machine(const SocketAddress& address) {
    if (address.is_any() || address.is_loopback()) {
        return true;
    }
    ifaddrs* all = nullptr;
    if (::getifaddrs(&all) != 0) {
        return true;
    }
    bool found = false;
    for (const ifaddrs* one = all; one != nullptr && !found; one = one->ifa_next) {
        found = one->ifa_addr != nullptr &&
                SocketAddress::from_native(one->ifa_addr).ip_text() == address.ip_text();
    }
    ::freeifaddrs(all);
    return found;
}

}  // namespace

#ifdef ALKNET_WITH_SSH

// What the adapters of all loops have in common.
struct SshShared {
    std::shared_ptr<ssh::Places> programs =
        std::make_shared<ssh::Places>(ssh::kProgramsOfIdentityMax);
    std::shared_ptr<ssh::Listeners> listeners = std::make_shared<ssh::Listeners>();
    std::shared_ptr<ssh::Places> listener_places =
        std::make_shared<ssh::Places>(ssh::kListenersOfIdentityMax);
    std::shared_ptr<ssh::SessionTable> table = std::make_shared<ssh::SessionTable>();
};

std::shared_ptr<SshShared> make_ssh_shared() {
    return std::make_shared<SshShared>();
}

namespace {

// Whose it is is said later.
identity::ForwardQuestion question_about(identity::ForwardClaim claim,
                                         const ssh::ForwardPlace& place) {
    return {.claim = claim,
            .peer = {},
            .host = place.host,
            .resolved = place.address,
            .path = place.path};
}

}  // namespace

result<void> Node::add_ssh_operations_to(call::OperationRegistry& registry) const {
    return add_ssh_operations(registry, loop_, ssh_shared_->table);
}

result<void> Node::add_ssh(HandlerRegistry& registry, Loop&) const {
    ssh::SshAdapterOptions options;
    options.host_key = key_;
    options.identities = resolver_;
    options.is_revoked = [this](const std::string& fingerprint) {
        const auto peers = identities_->peers();
        const identity::PeerRecord* const peer = peers->find_fingerprint(fingerprint);
        if (peer == nullptr) {
            return false;
        }
        const WallTime now = loop_.wall_now();
        const auto who = identity::identity_of(*peer, now);
        return !who || who->renewal_only || !identity::key_holds(*peer, fingerprint, now);
    };
    options.network = options_.network;
    using Claim = identity::ForwardClaim;
    options.may_connect = [this](const Identity& identity, const ssh::ForwardPlace& place) {
        return may_connect(identity, question_about(Claim::connect, place));
    };
    options.occupy = [this](const Identity& identity, const ssh::ForwardPlace& place) {
        return occupy(identity, question_about(Claim::connect, place));
    };
    options.may_listen = [this](const Identity& identity, const ssh::ForwardPlace& place) {
        return may_forward(identity, question_about(Claim::listen, place));
    };
    options.occupy_listening = [this](const Identity& identity, const ssh::ForwardPlace& place) {
        return occupy(identity, question_about(Claim::listen, place));
    };
    options.listeners = ssh_shared_->listeners;
    options.listener_places = ssh_shared_->listener_places;
    options.run_as = [this] { return *run_as_.get(); };
    options.programs = ssh_shared_->programs;
    // SSH is no way around what is asked of those who come to alknet/call.
    options.operations = options_.operations;
    options.may_call = [&registry](const Identity& identity, Transport transport) -> result<void> {
        const RegisteredHandler* const found = registry.find(call::kCallAlpn);
        return found == nullptr ? fail(causes::kNoHandler)
                                : admit(found->policy, transport, identity);
    };
    options.table = ssh_shared_->table;
    options.log = log_;
    options.audit = decisions_;
    return registry.add(std::make_shared<ssh::SshAdapter>(std::move(options)));
}

void Node::give_ssh_key(HandlerRegistry& registry, const std::shared_ptr<const NodeKey>& key) {
    const RegisteredHandler* const found = registry.find(ssh::kSshAlpn);
    auto* const adapter =
        found == nullptr ? nullptr : dynamic_cast<ssh::SshAdapter*>(found->handler.get());
    if (adapter != nullptr) {
        adapter->set_host_key(key);
    }
}

task<result<void>> Node::accept_ssh(SocketAddress address, TaskScope& connections) {
    ALKNET_CO_TRY(const auto listener, options_.network->listen_tcp(loop_, address));
    auto bound = *ssh_bound_.get();
    bound.push_back(listener->local_address());
    ssh_bound_.set(std::make_shared<const std::vector<SocketAddress>>(std::move(bound)));
    log_.info("ssh.listening", {{"local_addr", listener->local_address().to_string()}});
    for (;;) {
        auto accepted = co_await listener->accept();
        if (!accepted && accepted.error().is(errc::cancelled)) {
            co_return unexpected(std::move(accepted).error());
        }
        if (!accepted) {
            log_.warn("ssh.listen_failed", {{"detail", accepted.error().detail()}});
            ALKNET_CO_CHECK(co_await loop_.sleep(kAgainDelay));
            continue;
        }
        std::array<std::byte, 8> trace{};
        crypto::fill_random(trace);
        StreamConnectionOptions options;
        options.info.alpn = std::string(ssh::kSshAlpn);
        options.info.transport = Transport::tcp;
        options.info.server_side = true;
        options.info.local = accepted->local;
        options.info.remote = accepted->remote;
        options.info.trace_id = hex_encode(trace);
        connections.spawn(endpoint_->serve(make_stream_connection(
                              loop_, std::move(accepted->stream), std::move(options))),
                          "ssh.connection");
    }
}

#else

std::shared_ptr<SshShared> make_ssh_shared() {
    return nullptr;
}

result<void> Node::add_ssh(HandlerRegistry&, Loop&) const {
    return {};
}

result<void> Node::add_ssh_operations_to(call::OperationRegistry&) const {
    return {};
}

void Node::give_ssh_key(HandlerRegistry&, const std::shared_ptr<const NodeKey>&) {}

task<result<void>> Node::accept_ssh(SocketAddress, TaskScope&) {
    co_return fail(causes::kNotSupported, "this program is built without SSH");
}

#endif

void Node::apply_ssh(const config::DynamicConfig& config, const std::optional<RunAs>& run_as) {
    run_as_.set(std::make_shared<const std::optional<RunAs>>(run_as));
    forwarding_.set(std::make_shared<const std::vector<identity::ForwardRule>>(config.forwarding));
    const bool listens_elsewhere = ssh_.listen != config.ssh.listen;
    ssh_ = config.ssh;
    if (listens_elsewhere) {
        ssh_changed_.set();
    }
}

// The node's own sockets are nobody's target, whatever a rule says.
bool Node::listens_on(const SocketAddress& address) const {
    const auto same_port = [&](const SocketAddress& bound) {
        return bound.port() == address.port();
    };
    const auto listening = listening_now_.get();
    const auto ssh = ssh_bound_.get();
    const bool port = std::ranges::any_of(*listening, same_port, &Listening::bound) ||
                      std::ranges::any_of(*ssh, same_port);
    return port && is_of_this_machine(address);
}

result<void> Node::may_connect(const Identity& identity,
                               const identity::ForwardQuestion& question) const {
    if (question.path.empty() && listens_on(question.resolved)) {
        return fail(causes::kForbidden, "the node itself is no target");
    }
    return may_forward(identity, question);
}

result<void> Node::may_forward(const Identity& identity, identity::ForwardQuestion question) const {
    const auto peers = identities_->peers();
    const auto rules = forwarding_.get();
    const identity::PeerRecord* const peer = peers->find(identity.id);
    if (peer != nullptr) {
        question.peer = peer->name;
        question.roles = peer->roles;
    }
    if (peer == nullptr || !identity::decide_forward(*rules, question).allowed()) {
        return fail(causes::kForbidden, "no forwarding rule allows this");
    }
    return {};
}

result<std::shared_ptr<const void>> Node::occupy(const Identity& identity,
                                                 identity::ForwardQuestion question) const {
    const auto peers = identities_->peers();
    const auto rules = forwarding_.get();
    const identity::PeerRecord* const peer = peers->find(identity.id);
    if (peer == nullptr) {
        return fail(causes::kForbidden, "no forwarding rule allows this");
    }
    question.peer = peer->name;
    question.roles = peer->roles;
    const auto decision = identity::decide_forward(*rules, question);
    if (!decision.allowed()) {
        return fail(causes::kForbidden, "no forwarding rule allows this");
    }
    if (decision.rule->streams_max == 0) {
        return std::shared_ptr<const void>();
    }
    std::pair key(identity.id,
                  std::string(to_string(question.claim)) + " " + decision.rule->target.text());
    const std::scoped_lock lock(forward_places_->mutex);
    std::uint32_t& taken = forward_places_->taken[key];
    if (taken >= decision.rule->streams_max) {
        return fail(causes::kLimit, "streams_max of the forwarding rule");
    }
    ++taken;
    const auto give_up = [places = forward_places_, key = std::move(key)](const void*) {
        const std::scoped_lock again(places->mutex);
        const auto found = places->taken.find(key);
        if (--found->second == 0) {
            places->taken.erase(found);
        }
    };
    return std::shared_ptr<const void>(forward_places_.get(), give_up);
}

task<void> Node::listen_ssh(SocketAddress address, TaskScope& connections) {
    for (;;) {
        const auto ended = co_await accept_ssh(address, connections);
        if (ended.error().is(errc::cancelled)) {
            co_return;
        }
        log_.error("ssh.listen_failed", {{"local_addr", address.to_string()},
                                         {"id", ended.error().cause().id},
                                         {"detail", ended.error().detail()}});
        if (!co_await loop_.sleep(kAgainDelay)) {
            co_return;
        }
    }
}

// A change closes the listeners and opens those that are wanted then; connections live on.
task<result<void>> Node::serve_ssh() {
    TaskScope connections(loop_);
    result<void> told;
    while (told) {
        ssh_changed_.clear();
        ssh_bound_.set(std::make_shared<const std::vector<SocketAddress>>());
        TaskScope listeners(loop_);
        for (const SocketAddress& address : ssh_.listen) {
            listeners.spawn(listen_ssh(address, connections), "ssh.listener");
        }
        told = co_await ssh_changed_.wait();
        listeners.cancel();
        (void)co_await listeners.join();
    }
    connections.cancel();
    (void)co_await connections.join();
    co_return told;
}

}  // namespace alknet::app
