// The services of a node, and who may use them.
#include "node.hpp"
#include "services.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/call/adapter.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/doctor/handler.hpp>
#include <alknet/doctor/local_checks.hpp>
#include <alknet/identity/join.hpp>
#include <alknet/identity/policy.hpp>
#include <map>
#include <utility>

namespace alknet::app {

namespace {

// `scope` is exact.
std::function<result<void>(const Identity&)> demand(std::string_view scope) {
    return [wanted = *identity::Scope::parse_exact(scope)](const Identity& identity) {
        return identity::require(identity, wanted);
    };
}

// What a service asks for where the configuration says nothing: a report tells of the machine and
// has the node dial, and a measurement takes what bandwidth there is.
std::string_view default_scope(std::string_view alpn, const std::vector<FurtherService>& more) {
    const auto found = std::ranges::find(more, alpn, &FurtherService::alpn);
    if (found != more.end()) {
        return found->scope;
    }
    return alpn == doctor::kDoctorAlpn  ? doctor::kDiagnoseScope
           : alpn == doctor::kBenchAlpn ? doctor::kBenchScope
                                        : std::string_view();
}

}  // namespace

// Every service of the node, once for each loop. The doctor's and the programs' refuse strangers,
// whatever the rules say, and peers without their scope from the first rules on (apply_rules).
result<void> Node::register_handlers(HandlerRegistry& registry, Loop& loop) const {
    ALKNET_CHECK(registry.add(std::make_shared<EchoHandler>()));
    ALKNET_CHECK(add_resume(registry, loop));
    ALKNET_CHECK(registry.add(make_join_handler()));
    if (options_.operations != nullptr) {
        ALKNET_CHECK(registry.add(std::make_shared<call::CallAdapter>(call::CallAdapterOptions{
            .registry = options_.operations, .identities = resolver_, .metrics = metrics_})));
    }
    ALKNET_CHECK(registry.add(make_rotate_handler()));
    ALKNET_CHECK(http_->update(registry));
    ALKNET_CHECK(add_ssh(registry, loop));
    doctor::DoctorHandlerOptions diagnosis;
    diagnosis.program = "alknet " ALKNET_VERSION;
    diagnosis.dialer = Dialer::create(loop, options_.network, tls_, log_);
    diagnosis.beginnings = [this](const SocketAddress& remote) {
        return endpoint_->beginnings_from(remote);
    };
    diagnosis.may_dial = [this](const PeerIdentity& peer, doctor::Way way) {
        const config::Ways ways = ways_to(*ways_.get(), peer);
        return doctor::is_quic(way) ? ways.quic : ways.tcp;
    };
    diagnosis.checks = [directory = home_.directory()] {
        const auto probe = doctor::make_system_probe(directory, services());
        return doctor::local_checks(*probe, {.ports = false});
    };
    ALKNET_CHECK(registry.add(std::make_shared<doctor::DoctorHandler>(std::move(diagnosis)),
                              {.identity_required = true}));
    doctor::DoctorHandlerOptions bench = doctor::bench_handler_options();
    bench.udp_drops = doctor::udp_drops;
    ALKNET_CHECK(registry.add(std::make_shared<doctor::DoctorHandler>(std::move(bench)),
                              {.identity_required = true}));
    for (const FurtherService& one : options_.services) {
        ALKNET_CHECK(registry.add(one.make(loop), {.identity_required = true}));
    }
    return {};
}

// One for each loop; a client that comes back to another loop than its stream's is handed on.
result<void> Node::add_resume(HandlerRegistry& registry, Loop& loop) const {
    resume::ResumeHandlerOptions options;
    options.serve = [this](std::shared_ptr<Connection> connection) {
        return endpoint_->serve(std::move(connection));
    };
    options.may_open = [this, &registry](std::string_view alpn, const ConnectionInfo& through) {
        auto may = may_open(registry, alpn, through);
        if (!may) {
            AuditEntry entry{.event = "stream.refused"};
            entry.fingerprint = through.peer.fingerprint();
            entry.remote = through.remote;
            entry.service = alpn;
            entry.reason = may.error().cause().id;
            entry.detail = may.error().detail();
            entry.repeats = true;
            decisions_->record(std::move(entry));
        }
        return may;
    };
    options.limits = config_.dynamic.resume;
    options.directory = resumable_;
    options.log = log_;
    options.metrics = metrics_;
    return registry.add(resume::ResumeHandler::create(loop, std::move(options)));
}

result<void> Node::may_open(const HandlerRegistry& registry, std::string_view alpn,
                            const ConnectionInfo& through) const {
    const RegisteredHandler* found = registry.find(alpn);
    const auto open = listening_now_.get();
    const auto listening = std::ranges::find_if(*open, [&](const Listening& one) {
        return one.bound == through.local ||
               (one.bound.is_any() && one.bound.port() == through.local.port());
    });
    if (found == nullptr || listening == open->end()) {
        return fail(causes::kNoHandler, std::string(alpn));
    }
    const std::vector<std::string>& offered = listening->options.alpns;
    if (!offered.empty() && std::ranges::find(offered, alpn) == offered.end()) {
        return fail(causes::kNoHandler, std::string(alpn));
    }
    const bool allowed =
        through.transport == Transport::quic ? found->policy.quic : found->policy.tcp;
    if (!allowed) {
        return fail(causes::kForbidden, "not over this transport");
    }
    return {};
}

std::shared_ptr<ProtocolHandler> Node::make_join_handler() const {
    identity::JoinHandlerOptions options;
    options.node = [own = own_id_] { return *own->get(); };
    options.state = state_;
    options.fixed = [fixed = joining_] { return *fixed->get(); };
    options.changed = options_.state_changed;
    options.admitted = [identities = identities_](const std::string& fingerprint) {
        return identities->peers()->find_fingerprint(fingerprint) != nullptr;
    };
    options.log = log_;
    options.audit = decisions_;
    return std::make_shared<identity::JoinHandler>(std::move(options));
}

void Node::apply_rules(const config::DynamicConfig& config, const std::optional<RunAs>& run_as) {
    ways_.set(std::make_shared<const WaysOfKeys>(ways_of_keys(config.peers)));
    apply_ssh(config, run_as);
    apply_status(config.http_status);
    std::map<std::string, AlpnPolicy> policies;
    for (const std::string& alpn : registry_->alpns()) {
        AlpnPolicy& policy = policies[alpn];
        const std::string_view needed = default_scope(alpn, options_.services);
        const bool for_peers = !needed.empty();
        policy.identity_required = for_peers;
        policy.renews = alpn == call::kCallAlpn;
        if (for_peers) {
            policy.demand = demand(needed);
        }
        if (const auto rules = config.alpns.find(alpn); rules != config.alpns.end()) {
            policy.identity_required = for_peers || rules->second.identity_required;
            if (!rules->second.scope.empty()) {
                policy.identity_required = true;
                policy.demand = demand(rules->second.scope);
            }
            policy.quic = rules->second.transports.quic;
            policy.tcp = rules->second.transports.tcp;
        }
        policy.tcp = policy.tcp && !is_for_quic_alone(alpn);
    }
    endpoint_->change_registry([policies](HandlerRegistry& registry) {
        for (const auto& [alpn, policy] : policies) {
            registry.set_policy(alpn, policy);
        }
    });
    for (const auto& [alpn, rules] : config.alpns) {
        if (registry_->find(alpn) == nullptr) {
            log_.warn("config.unused", {{"alpn", alpn}, {"reason", "no handler serves this"}});
        }
    }
}

}  // namespace alknet::app
