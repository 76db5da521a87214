#include "node.hpp"

#include <unistd.h>
#include <alknet/identity/config_revision.hpp>
#include <alknet/identity/key_use.hpp>
#include <alknet/identity/state.hpp>
#include <utility>

#include "joining.hpp"

namespace alknet::app {

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
    own_id_->set(std::make_shared<const NodeId>(key_->id()));
    ALKNET_CHECK(read_key_news());
    ALKNET_TRY(tls_, make_tls(key_, config_.dynamic, nullptr));
    source_.text = std::move(options_.config_text);
    ALKNET_TRY(source_.stored, stored_peers(home_));
    source_.authorized = read_authorized_keys(home_.directory(), config_.dynamic);
    ALKNET_TRY(auto peers, accepted_peers(home_, config_.dynamic, source_.stored));
    identities_ =
        std::make_shared<identity::ConfigIdentityProvider>(loop_.clock(), std::move(peers));
    written_ = std::make_shared<Snapshot<identity::PeerList>>(
        fixed_peers(config_.dynamic, source_.stored));
    joining_->set(std::make_shared<const identity::FixedPeers>(
        fixed_for_joining(home_, config_, written_->get())));
    warn_of_terms();
    ALKNET_TRY(audit_,
               identity::AuditLog::start(
                   {.home = home_.directory(), .rules = config_.dynamic.audit, .log = log_}));
    revision_ = identity::config_revision(source_.text, source_.stored);
    audit_->set_revision(revision_);
    decisions_ = audit_;
    if (options_.events != nullptr) {
        options_.events->set_next(audit_);
        decisions_ = options_.events;
    }
    ALKNET_TRY(state_,
               store::Store::open(state_file(home_), {.database = identity::state_options()}));
    ALKNET_TRY(auto secrets, home_.load_secrets());
    ALKNET_TRY(resolver_, make_identities());

    http_ = make_http_service(
        {.own = {home_.directory(), config_.fixed.key_file},
         .log = log_,
         .metrics = metrics_,
         .network = options_.network,
         .listens_on = [this](const SocketAddress& address) { return listens_on(address); },
         .identities = resolver_,
         .serve =
             [this](std::shared_ptr<Connection> connection) {
                 return endpoint_->serve(std::move(connection));
             }});
    ALKNET_TRY(const auto serve_sites, http_->prepare(config_.dynamic));
    serve_sites();
    ALKNET_TRY(const auto run_as, find_run_as(config_.dynamic.ssh));
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
    outgoing_ = make_dialer();
    apply_rules(config_.dynamic, run_as);
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

result<std::shared_ptr<const tls::TlsContext>> Node::make_tls(std::shared_ptr<const NodeKey> key,
                                                              const config::DynamicConfig& config,
                                                              const tls::TlsContext* before) {
    return tls::TlsContext::create(
        {.key = std::move(key),
         .certificates = config.certificates,
         .authorities = {},
         .ticket_keys = before == nullptr ? nullptr : before->ticket_keys()});
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
    refused_ = applied ? std::nullopt : std::optional(applied.error());
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
    log_.info("config.reloaded", {{"listeners", listening_.size()},
                                  {"peers", identities_->peers()->peers().size()},
                                  {"revision", revision_}});
    co_await recheck_identities();
    co_return applied;
}

NodeInfo Node::info() const {
    std::vector<ListenerInfo> listeners;
    for (const Listening& one : listening_) {
        listeners.push_back({.name = one.options.name,
                             .address = one.bound.to_string(),
                             .quic = one.options.quic,
                             .tcp = one.options.tcp});
    }
    const std::optional<NodeId> next = key_news_->get()->next();
    const Duration up = loop_.clock().now() - began_;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(up).count();
    return {.node_id = key_->id().hex(),
            .fingerprint = key_->id().fingerprint(),
            .next_key = next ? std::optional(next->fingerprint()) : std::nullopt,
            .version = ALKNET_VERSION,
            .process = ::getpid(),
            .home = home_.directory().native(),
            .uptime_s = static_cast<std::uint64_t>(seconds),
            .loops = options_.loops == nullptr ? 1 : options_.loops->size(),
            .listeners = std::move(listeners),
            .services = registry_->alpns(),
            .connections = endpoint_->connections(),
            .half_open = endpoint_->half_open(),
            .peers = identities_->peers()->peers().size(),
            .revision = revision_,
            .config_refused = refused_ ? std::optional(refused_->message()) : std::nullopt,
            .undone_in_s = undone_in()};
}

// A user who is gone runs nothing, and whatever else has changed holds all the same: a peer that is
// removed most of all.
std::optional<RunAs> Node::who_runs_commands(const config::SshRules& rules) {
    auto found = find_run_as(rules);
    if (!found) {
        log_.error("ssh.no_user", {{"detail", found.error().detail()}});
        return std::nullopt;
    }
    return *std::move(found);
}

// Everything that can fail comes first.
result<void> Node::apply(const Source& source) {
    ALKNET_TRY(config::Config config, home_.parse_config(source.text));
    auto key = key_now();
    // Whoever resumes a handshake with the old key would not learn of the new one.
    const bool same_key = key->id() == key_->id();
    ALKNET_TRY(auto tls, make_tls(key, config.dynamic, same_key ? tls_.get() : nullptr));
    ALKNET_TRY(auto peers, accepted_peers(home_, config.dynamic, source.stored));
    ALKNET_TRY(const auto serve_sites, http_->prepare(config.dynamic));
    const auto run_as = who_runs_commands(config.dynamic.ssh);
    warn_of_admins(*peers);
    revision_ = identity::config_revision(source.text, source.stored);
    audit_->set_revision(revision_);
    audit_->set_rules(config.dynamic.audit);
    identities_->replace(std::move(peers));
    written_->set(fixed_peers(config.dynamic, source.stored));
    joining_->set(std::make_shared<const identity::FixedPeers>(
        fixed_for_joining(home_, config, written_->get())));
    terms_changed_.set();
    if (config.fixed != config_.fixed) {
        log_.warn("config.restart_needed",
                  {{"reason", "a key that is read at start only has changed"}});
        config.fixed = config_.fixed;
    }
    tls_ = std::move(tls);
    endpoint_->set_tls(tls_);
    outgoing_->set_tls(tls_);
    if (!same_key) {
        take_key(std::move(key));
    }
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
    serve_sites();
    endpoint_->change_registry([http = http_, log = log_](HandlerRegistry& registry) {
        if (const auto updated = http->update(registry); !updated) {
            log.error("http.unregistered", {{"detail", updated.error().detail()}});
        }
    });
    options_.log_sink->set_level(config.dynamic.log_level);
    apply_rules(config.dynamic, run_as);
    apply_token_rules(config.dynamic.signed_tokens);
    if (options_.listeners.empty()) {
        apply_listeners(config.dynamic.listeners);
    }
    config_ = std::move(config);
    record_applied(source.text);
    return {};
}

task<void> Node::stop() {
    co_await endpoint_->shutdown();
    co_await outgoing_->shutdown();
    audit("node.stopped", nullptr);
}

}  // namespace alknet::app
