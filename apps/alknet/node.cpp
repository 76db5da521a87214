#include "node.hpp"

#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/call/adapter.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/doctor/handler.hpp>
#include <alknet/doctor/local_checks.hpp>
#include <alknet/identity/config_revision.hpp>
#include <alknet/identity/join.hpp>
#include <alknet/identity/key_use.hpp>
#include <alknet/identity/policy.hpp>
#include <alknet/identity/state.hpp>
#include <map>
#include <optional>
#include <utility>

namespace alknet::app {

namespace {

constexpr Duration kListenRetryDelay = std::chrono::seconds(1);

// `scope` is exact.
std::function<result<void>(const Identity&)> demand(std::string_view scope) {
    return [wanted = *identity::Scope::parse_exact(scope)](const Identity& identity) {
        return identity::require(identity, wanted);
    };
}

// What a service asks for where the configuration says nothing: a report tells of the machine and
// has the node dial, and a measurement takes what bandwidth there is.
std::string_view default_scope(std::string_view alpn) {
    return alpn == doctor::kDoctorAlpn  ? doctor::kDiagnoseScope
           : alpn == doctor::kBenchAlpn ? doctor::kBenchScope
                                        : std::string_view();
}

/// A listener that is wanted, and the one that becomes it.
struct Wanted {
    ListenerOptions options;
    std::optional<Listening> old;
};

/// Gives listeners that are wanted those of `open` that have their address: everything else can be
/// changed in place. Of a free port the name says which one is meant.
void claim(std::vector<Wanted>& wanted, std::vector<Listening>& open, bool by_name) {
    for (Wanted& one : wanted) {
        const auto found = std::ranges::find_if(open, [&](const Listening& listening) {
            return listening.options.address == one.options.address &&
                   (by_name ? listening.options.name == one.options.name
                            : one.options.address.port() != 0);
        });
        if (!one.old && found != open.end()) {
            one.old = std::move(*found);
            open.erase(found);
        }
    }
}

}  // namespace

std::vector<ListenerOptions> listener_options(const std::vector<config::Listener>& listeners) {
    std::vector<ListenerOptions> all;
    for (const config::Listener& listener : listeners) {
        for (std::size_t i = 0; i < listener.addresses.size(); ++i) {
            all.push_back(
                {.name = i == 0 ? listener.name : listener.name + "/" + std::to_string(i + 1),
                 .address = listener.addresses[i],
                 .quic = listener.quic,
                 .tcp = listener.tcp,
                 .alpns = listener.alpns,
                 .congestion = listener.congestion,
                 .proxies = listener.proxies});
        }
    }
    return all;
}

Node::Node(Loop& loop, config::Home home, config::Config config, NodeOptions options)
    : loop_(loop),
      home_(std::move(home)),
      config_(std::move(config)),
      options_(std::move(options)),
      log_(options_.log_sink) {}

result<std::unique_ptr<Node>> Node::create(Loop& loop, config::Home home, config::Config config,
                                           NodeOptions options) {
    std::unique_ptr<Node> node(
        new Node(loop, std::move(home), std::move(config), std::move(options)));
    ALKNET_CHECK(node->build());
    return node;
}

result<void> Node::build() {
    ALKNET_TRY(key_, home_.load_key(config_.fixed));
    ALKNET_CHECK(read_key_news());
    ALKNET_TRY(tls_, make_tls(config_.dynamic, nullptr));
    source_.text = std::move(options_.config_text);
    ALKNET_TRY(source_.stored, stored_peers(home_));
    source_.authorized = read_authorized_keys(home_.directory(), config_.dynamic);
    ALKNET_TRY(auto peers, accepted_peers(home_, config_.dynamic, source_.stored));
    identities_ =
        std::make_shared<identity::ConfigIdentityProvider>(loop_.clock(), std::move(peers));
    written_ = std::make_shared<Snapshot<identity::PeerList>>(
        fixed_peers(config_.dynamic, source_.stored));
    warn_of_terms();
    ALKNET_TRY(audit_,
               identity::AuditLog::start(
                   {.home = home_.directory(), .rules = config_.dynamic.audit, .log = log_}));
    audit_->set_revision(identity::config_revision(source_.text, source_.stored));
    decisions_ = audit_;
    if (options_.events != nullptr) {
        options_.events->set_next(audit_);
        decisions_ = options_.events;
    }
    ALKNET_TRY(state_,
               store::Store::open(state_file(home_), {.database = identity::state_options()}));
    ALKNET_TRY(auto secrets, home_.load_secrets());
    ALKNET_TRY(resolver_, make_identities());

    ALKNET_CHECK(register_handlers(*registry_, loop_));
    EndpointOptions options{.network = options_.network,
                            .tls = tls_,
                            .registry = registry_,
                            .identities = resolver_,
                            .limits = config_.dynamic.limits,
                            .secrets = secrets,
                            .qlog_directory = config_.fixed.qlog_directory,
                            .log = log_,
                            .metrics = metrics_,
                            .audit = decisions_};
    if (options_.loops != nullptr) {
        const auto handlers = [this](HandlerRegistry& registry, Loop& loop) {
            return register_handlers(registry, loop);
        };
        ALKNET_TRY(endpoint_, Endpoint::create(*options_.loops, std::move(options), handlers));
    } else {
        endpoint_ = Endpoint::create(loop_, std::move(options));
    }
    apply_rules(config_.dynamic);
    record_applied(source_.text);
    audit("node.started", nullptr);
    return {};
}

result<std::shared_ptr<IdentityProvider>> Node::make_identities() {
    ALKNET_TRY(const auto database, open_state(home_));
    ALKNET_TRY(auto newest, identity::load_newest_tokens(*database));
    signed_tokens_ = std::make_shared<identity::SignedTokenProvider>(
        loop_.clock(), identity::SignedTokenOptions{.audience = key_->id(),
                                                    .peers = identities_,
                                                    .state = state_,
                                                    .newest = std::move(newest)});
    apply_token_rules(config_.dynamic.signed_tokens);
    auto chain = std::make_shared<identity::IdentityChain>(
        std::vector<std::shared_ptr<IdentityProvider>>{identities_, signed_tokens_});
    auto audited = std::make_shared<identity::AuditedIdentities>(std::move(chain), decisions_);
    return std::make_shared<identity::KeyUse>(
        std::move(audited),
        identity::KeyUseOptions{
            .peers = identities_, .state = state_, .changed = options_.state_changed, .log = log_});
}

void Node::apply_token_rules(const identity::SignedTokenRules& rules) {
    signed_tokens_->set_rules(rules);
    if (rules.v1) {
        log_.warn("tokens.signed_v1",
                  {{"key", "tokens.signed_v1"},
                   {"effect", "signed tokens that name neither node nor purpose are accepted"}});
    }
}

void Node::audit(std::string_view event, const error* why) const {
    AuditEntry entry{.event = event};
    if (why != nullptr) {
        entry.reason = why->cause().id;
        entry.detail = why->detail();
    }
    entry.more.emplace_back("node", key_->id().fingerprint());
    decisions_->record(std::move(entry));
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

// Every service of the node, once for each loop. The doctor's refuse strangers, whatever the rules
// say, and peers without their scope from the first rules on (apply_rules).
result<void> Node::register_handlers(HandlerRegistry& registry, Loop& loop) const {
    ALKNET_CHECK(registry.add(std::make_shared<EchoHandler>()));
    ALKNET_CHECK(add_resume(registry, loop));
    ALKNET_CHECK(registry.add(make_join_handler()));
    if (options_.operations != nullptr) {
        ALKNET_CHECK(registry.add(std::make_shared<call::CallAdapter>(
            call::CallAdapterOptions{.registry = options_.operations, .metrics = metrics_})));
    }
    ALKNET_CHECK(registry.add(make_rotate_handler()));
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
        const auto probe = doctor::make_system_probe(directory);
        return doctor::local_checks(*probe, {.ports = false});
    };
    ALKNET_CHECK(registry.add(std::make_shared<doctor::DoctorHandler>(std::move(diagnosis)),
                              {.identity_required = true}));
    doctor::DoctorHandlerOptions bench = doctor::bench_handler_options();
    bench.udp_drops = doctor::udp_drops;
    return registry.add(std::make_shared<doctor::DoctorHandler>(std::move(bench)),
                        {.identity_required = true});
}

std::shared_ptr<ProtocolHandler> Node::make_join_handler() const {
    identity::JoinHandlerOptions options;
    options.node = key_->id();
    options.state = state_;
    options.fixed = [written = written_] { return written->get(); };
    options.changed = options_.state_changed;
    options.admitted = [identities = identities_](const std::string& fingerprint) {
        return identities->peers()->find_fingerprint(fingerprint) != nullptr;
    };
    options.log = log_;
    options.audit = decisions_;
    return std::make_shared<identity::JoinHandler>(std::move(options));
}

std::shared_ptr<const identity::PeerList> Node::fixed_peers(
    const config::DynamicConfig& config, const identity::PeerList& stored) const {
    WrittenPeers written = written_peers(place_of(home_), config, stored);
    for (const identity::RefusedLine& refused : written.refused) {
        log_.warn("authorized_keys.refused", {{"file", config.authorized_keys.file.native()},
                                              {"line", refused.line},
                                              {"reason", refused.reason}});
    }
    return std::make_shared<const identity::PeerList>(std::move(written.list));
}

result<std::vector<Listening>> Node::listen() {
    const auto& listeners =
        options_.listeners.empty() ? config_.dynamic.listeners : options_.listeners;
    for (ListenerOptions& options : listener_options(listeners)) {
        ALKNET_TRY(Listening opened, open(std::move(options), next_key()));
        listening_.push_back(std::move(opened));
    }
    publish_listening();
    return listening_;
}

result<Listening> Node::open(ListenerOptions options, std::string key) {
    ListenerOptions keyed = options;
    keyed.name = key;
    auto bound = endpoint_->listen(keyed);
    const bool everywhere =
        options.address.family() == SocketAddress::Family::v6 && options.address.is_any();
    if (!bound && everywhere && !bound.error().is(causes::kAddressInUse)) {
        // A system without IPv6, most likely: then this is what is left of everywhere.
        keyed.address = SocketAddress::v4({}, options.address.port());
        if (const auto bound_v4 = endpoint_->listen(keyed)) {
            log_.warn("listener.no_ipv6",
                      {{"listener", options.name}, {"detail", bound.error().detail()}});
            return Listening{
                .options = std::move(options), .bound = *bound_v4, .key = std::move(key)};
        }
    }
    if (!bound) {
        return unexpected(std::move(bound).error());
    }
    return Listening{.options = std::move(options), .bound = *bound, .key = std::move(key)};
}

result<std::shared_ptr<const tls::TlsContext>> Node::make_tls(const config::DynamicConfig& config,
                                                              const tls::TlsContext* before) const {
    return tls::TlsContext::create(
        {.key = key_,
         .certificates = config.certificates,
         .authorities = {},
         .ticket_keys = before == nullptr ? nullptr : before->ticket_keys()});
}

void Node::apply_rules(const config::DynamicConfig& config) {
    ways_.set(std::make_shared<const WaysOfKeys>(ways_of_keys(config.peers)));
    std::map<std::string, AlpnPolicy> policies;
    for (const std::string& alpn : registry_->alpns()) {
        AlpnPolicy& policy = policies[alpn];
        const std::string_view needed = default_scope(alpn);
        const bool for_peers = !needed.empty();
        policy.identity_required = for_peers;
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

task<result<Node::Source>> Node::read() {
    ALKNET_CO_TRY(identity::PeerList stored, co_await state_->transact(identity::load_peers));
    ALKNET_CO_TRY(std::string text, config::read_config_text(home_.config_file()));
    // Of the file that was named last: if another one is named, the text differs too.
    co_return Source{.text = std::move(text),
                     .stored = std::move(stored),
                     .authorized = read_authorized_keys(home_.directory(), config_.dynamic)};
}

task<bool> Node::edited() {
    const auto now = co_await read();
    co_return now ? *now != source_ : !now.error().is(errc::cancelled);
}

task<result<void>> Node::reload() {
    config_changed_.set();
    auto source = co_await read();
    result<void> applied;
    if (source) {
        source_ = *std::move(source);
        applied = apply(source_);
    } else {
        applied = unexpected(std::move(source).error());
    }
    if (!applied && applied.error().is(errc::cancelled)) {
        co_return applied;
    }
    if (!applied) {
        const error& why = applied.error();
        audit("config.rejected", &why);
        log_.error("config.rejected",
                   {{"id", why.cause().id}, {"what", why.cause().what}, {"detail", why.detail()}});
        co_return applied;
    }
    if (const auto news = read_key_news(); !news) {
        log_.error("key.news_unread", {{"detail", news.error().message()}});
    }
    audit("config.reloaded", nullptr);
    log_.info("config.reloaded",
              {{"listeners", listening_.size()},
               {"peers", identities_->peers()->peers().size()},
               {"revision", identity::config_revision(source_.text, source_.stored)}});
    co_await endpoint_->recheck_identities();
    co_return applied;
}

std::vector<SocketAddress> Node::listening() const {
    std::vector<SocketAddress> all;
    for (const Listening& one : listening_) {
        all.push_back(one.bound);
    }
    return all;
}

NodeInfo Node::info() const {
    std::vector<ListenerInfo> listeners;
    for (const Listening& one : listening_) {
        listeners.push_back({.name = one.options.name,
                             .address = one.bound.to_string(),
                             .quic = one.options.quic,
                             .tcp = one.options.tcp});
    }
    const Duration up = loop_.clock().now() - began_;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(up).count();
    return {.node_id = key_->id().hex(),
            .fingerprint = key_->id().fingerprint(),
            .version = ALKNET_VERSION,
            .process = ::getpid(),
            .home = home_.directory().native(),
            .uptime_s = static_cast<std::uint64_t>(seconds),
            .loops = options_.loops == nullptr ? 1 : options_.loops->size(),
            .listeners = std::move(listeners),
            .services = registry_->alpns(),
            .connections = endpoint_->connections(),
            .half_open = endpoint_->half_open(),
            .peers = identities_->peers()->peers().size()};
}

// Everything that can fail comes first.
result<void> Node::apply(const Source& source) {
    ALKNET_TRY(config::Config config, home_.parse_config(source.text));
    ALKNET_TRY(auto tls, make_tls(config.dynamic, tls_.get()));
    ALKNET_TRY(auto peers, accepted_peers(home_, config.dynamic, source.stored));
    warn_of_admins(*peers);
    audit_->set_revision(identity::config_revision(source.text, source.stored));
    audit_->set_rules(config.dynamic.audit);
    identities_->replace(std::move(peers));
    written_->set(fixed_peers(config.dynamic, source.stored));
    terms_changed_.set();
    if (config.fixed != config_.fixed) {
        log_.warn("config.restart_needed",
                  {{"reason", "a key that is read at start only has changed"}});
        config.fixed = config_.fixed;
    }
    tls_ = std::move(tls);
    endpoint_->set_tls(tls_);
    endpoint_->set_limits(config.dynamic.limits);
    endpoint_->change_registry([limits = config.dynamic.resume](HandlerRegistry& registry) {
        const RegisteredHandler* found = registry.find(resume::kResumeAlpn);
        if (found == nullptr) {
            return;
        }
        if (auto* handler = dynamic_cast<resume::ResumeHandler*>(found->handler.get())) {
            handler->set_limits(limits);
        }
    });
    options_.log_sink->set_level(config.dynamic.log_level);
    apply_rules(config.dynamic);
    apply_token_rules(config.dynamic.signed_tokens);
    if (options_.listeners.empty()) {
        apply_listeners(config.dynamic.listeners);
    }
    config_ = std::move(config);
    record_applied(source.text);
    return {};
}

void Node::apply_listeners(const std::vector<config::Listener>& listeners) {
    std::vector<Wanted> wanted;
    for (ListenerOptions& options : listener_options(listeners)) {
        wanted.push_back({.options = std::move(options), .old = std::nullopt});
    }
    std::vector<Listening> before = std::exchange(listening_, {});
    claim(wanted, before, true);
    claim(wanted, before, false);
    missing_.clear();
    for (const Listening& old : before) {
        endpoint_->unlisten(old.key);
        log_.info("listener.closed",
                  {{"listener", old.options.name}, {"local_addr", old.bound.to_string()}});
    }
    for (Wanted& one : wanted) {
        if (one.old) {
            change(listening_.emplace_back(std::move(*one.old)), std::move(one.options));
        } else {
            open_or_retry(std::move(one.options));
        }
    }
    publish_listening();
}

void Node::publish_listening() {
    listening_now_.set(std::make_shared<const std::vector<Listening>>(listening_));
}

void Node::change(Listening& listening, ListenerOptions options) {
    auto changed = open(options, listening.key);
    if (changed) {
        listening = std::move(*changed);
        return;
    }
    const error& why = changed.error();
    log_.error("listener.failed", {{"listener", options.name},
                                   {"id", why.cause().id},
                                   {"detail", why.detail()},
                                   {"effect", "it stays as it was"}});
}

void Node::open_or_retry(ListenerOptions options) {
    auto opened = open(options, next_key());
    if (opened) {
        log_.info("listener.opened",
                  {{"listener", options.name}, {"local_addr", opened->bound.to_string()}});
        listening_.push_back(std::move(*opened));
        return;
    }
    const error& why = opened.error();
    log_.error("listener.failed", {{"listener", options.name},
                                   {"id", why.cause().id},
                                   {"detail", why.detail()},
                                   {"effect", "it is tried again every second"}});
    missing_.push_back(std::move(options));
    listeners_missing_.set();
}

task<result<void>> Node::retry_listeners() {
    for (;;) {
        ALKNET_CO_CHECK(co_await listeners_missing_.wait());
        ALKNET_CO_CHECK(co_await loop_.sleep(kListenRetryDelay));
        std::erase_if(missing_, [this](const ListenerOptions& options) {
            auto opened = open(options, next_key());
            if (opened) {
                log_.info("listener.opened",
                          {{"listener", options.name}, {"local_addr", opened->bound.to_string()}});
                listening_.push_back(std::move(*opened));
            }
            return opened.has_value();
        });
        publish_listening();
        if (missing_.empty()) {
            listeners_missing_.clear();
        }
    }
}

task<void> Node::stop() {
    co_await endpoint_->shutdown();
    audit("node.stopped", nullptr);
}

}  // namespace alknet::app
