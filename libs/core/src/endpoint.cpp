#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/core/endpoint.hpp>
#include <alknet/rt/combine.hpp>
#include <map>

#include "endpoint_state.hpp"
#include "listener.hpp"
#include "supervise.hpp"

namespace alknet {

namespace {

using Listeners = std::map<std::string, std::shared_ptr<Listener>, std::less<>>;

task<void> retire(std::shared_ptr<Listener> listener) {
    co_await listener->wait_unused();
    co_await listener->drain(close_code::kShutdown);
}

task<result<void>> tell_handler(std::shared_ptr<ProtocolHandler> handler) {
    co_await handler->shutdown();
    co_return result<void>{};
}

task<result<void>> tell_of_change(std::shared_ptr<ProtocolHandler> handler) {
    co_await handler->recheck_identities();
    co_return result<void>{};
}

// Whether the service would take the connection now. One that is not served any more drains.
result<void> admit_again(const EndpointState& state, const Session& session,
                         const std::optional<Identity>& identity) {
    const ConnectionInfo& info = session.connection->info();
    const RegisteredHandler* found = state.options.registry->find(info.alpn);
    return found == nullptr ? result<void>() : admit(found->policy, info.transport, identity);
}

task<result<void>> recheck(EndpointState& state, std::shared_ptr<Session> session) {
    result<std::optional<Identity>> identity = std::optional<Identity>();
    if (session->identity) {
        auto lookup = state.options.identities->resolve_from_fingerprint(
            session->connection->info().peer.fingerprint());
        identity = co_await with_timeout(state.options.limits.handshake_timeout, std::move(lookup));
    }
    // A directory that does not answer takes nobody's access away. Whom another recheck has cut off
    // meanwhile is told and recorded once.
    if (!identity || session->cut) {
        co_return result<void>{};
    }
    if (session->identity && is_narrowed(*session->identity, *identity)) {
        const error why(causes::kForbidden, "the peer has gone or may do less than before");
        audit_decision(state, *session->connection, session->identity, &why, "connection.cut");
        session->cut = true;
        session->connection->close(close_code::kForbidden, causes::kForbidden.what);
    } else if (const auto may = admit_again(state, *session, *identity); !may) {
        audit_decision(state, *session->connection, *identity, &may.error(), "connection.cut");
        session->cut = true;
        session->connection->close(default_close_code(may.error().condition()),
                                   reason_of(may.error()));
    }
    co_return result<void>{};
}

class EndpointImpl final : public Endpoint {
public:
    EndpointImpl(Loop& loop, EndpointOptions options, SharedParts shared)
        : state_(loop, std::move(options), std::move(shared)) {}

    result<SocketAddress> listen(ListenerOptions options) override;
    bool unlisten(std::string_view name) override;
    [[nodiscard]] std::vector<SocketAddress> local_addresses() const override;
    void set_tls(std::shared_ptr<const tls::TlsContext> context) override {
        state_.options.tls = std::move(context);
    }
    void set_limits(const EndpointLimits& limits) override;
    void change_registry(const std::function<void(HandlerRegistry&)>& change) override {
        change(*state_.options.registry);
    }
    task<void> recheck_identities() override;
    task<void> serve(std::shared_ptr<Connection> connection) override;
    [[nodiscard]] std::vector<ConnectionReport> list_connections() const override;
    bool close_connection(std::string_view id) override;
    [[nodiscard]] std::uint64_t beginnings_from(
        const SocketAddress& remote) const noexcept override {
        return state_.beginnings->count(remote, state_.loop.clock().now());
    }
    [[nodiscard]] std::size_t connections() const noexcept override {
        return state_.counters->connections();
    }
    [[nodiscard]] std::size_t half_open() const noexcept override {
        return state_.counters->half_open();
    }
    task<void> shutdown() override;

private:
    [[nodiscard]] std::vector<std::shared_ptr<ProtocolHandler>> handlers_in_use() const;
    task<void> tell(std::shared_ptr<ProtocolHandler> handler, Cancel& cancel);
    task<result<void>> finished();

    EndpointState state_;
    Listeners listeners_;
    std::size_t telling_ = 0;  // handlers whose shutdown has not returned
    Event stopped_;
};

result<SocketAddress> EndpointImpl::listen(ListenerOptions options) {
    if (state_.stopping) {
        return fail(causes::kShuttingDown);
    }
    const auto known = listeners_.find(options.name);
    if (known != listeners_.end()) {
        if (known->second->options().address != options.address) {
            return fail(causes::kConfigInvalid,
                        "listener " + options.name + " listens elsewhere; stop it first");
        }
        ALKNET_CHECK(known->second->update(std::move(options)));
        return known->second->address();
    }
    std::string name = options.name;
    ALKNET_TRY(auto listener, Listener::bind(state_, std::move(options)));
    listener->start();
    const SocketAddress address = listener->address();
    listeners_.emplace(std::move(name), std::move(listener));
    return address;
}

bool EndpointImpl::unlisten(std::string_view name) {
    const auto found = listeners_.find(name);
    if (found == listeners_.end()) {
        return false;
    }
    found->second->stop();
    state_.running.spawn(retire(std::move(found->second)), "core.retire");
    listeners_.erase(found);
    return true;
}

std::vector<SocketAddress> EndpointImpl::local_addresses() const {
    std::vector<SocketAddress> addresses;
    for (const auto& [name, listener] : listeners_) {
        addresses.push_back(listener->address());
    }
    return addresses;
}

void EndpointImpl::set_limits(const EndpointLimits& limits) {
    state_.options.limits = limits;
    for (const std::shared_ptr<Session>& session : state_.sessions) {
        apply_limits(state_, *session);
    }
}

task<void> EndpointImpl::recheck_identities() {
    // Sessions come and go while an identity is looked up.
    const std::vector<std::shared_ptr<Session>> now(state_.sessions.begin(), state_.sessions.end());
    const Duration unwind = state_.options.limits.handler_unwind_timeout;
    for (const std::shared_ptr<Session>& session : now) {
        if (session->handler != nullptr && !session->ended.is_set()) {
            (void)co_await supervise(state_.loop, recheck(state_, session),
                                     session->connection->closed(), unwind, "core.recheck");
        }
    }
    for (std::shared_ptr<ProtocolHandler>& handler : handlers_in_use()) {
        Cancel patience;
        Timer late(state_.loop, [&patience] { patience.request(); });
        late.arm_after(state_.options.limits.handshake_timeout);
        (void)co_await supervise(state_.loop, tell_of_change(std::move(handler)), patience, unwind,
                                 "core.recheck");
    }
}

task<void> EndpointImpl::serve(std::shared_ptr<Connection> connection) {
    if (state_.stopping) {
        connection->close(close_code::kShutdown, causes::kShuttingDown.what);
        co_return;
    }
    AdmissionVerdict verdict =
        state_.counters->admit(state_.options.limits, connection->remote(), true);
    state_.telemetry.admitted(connection->info().transport, verdict.admission);
    if (verdict.admission != quic::Admission::accept) {
        state_.telemetry.limit_hit(*verdict.struck, connection->remote());
        connection->close(close_code::kLimit, limit_key(*verdict.struck));
        co_return;
    }
    auto session = std::make_shared<Session>();
    session->connection = std::move(connection);
    session->ticket = std::move(verdict.ticket);
    session->admitted = session->ticket.established(state_.options.limits.connections_per_ip_max);
    start_session(state_, session);
    const result<void> ended = co_await session->ended.wait();
    if (!ended) {
        session->connection->close(close_code::kShutdown, causes::kShuttingDown.what);
        co_await session->ended.wait_uncancellable();
    }
}

std::vector<ConnectionReport> EndpointImpl::list_connections() const {
    std::vector<ConnectionReport> all;
    for (const std::shared_ptr<Session>& session : state_.sessions) {
        const ConnectionInfo& info = session->connection->info();
        ConnectionReport report{.id = info.trace_id,
                                .alpn = info.alpn,
                                .transport = info.transport,
                                .remote = session->connection->remote(),
                                .fingerprint = info.peer.fingerprint(),
                                .age = state_.loop.clock().now() - session->opened,
                                .stats = session->connection->stats()};
        if (session->identity) {
            report.identity = session->identity->id;
        }
        all.push_back(std::move(report));
    }
    return all;
}

bool EndpointImpl::close_connection(std::string_view id) {
    const auto found = std::ranges::find_if(state_.sessions, [&](const auto& session) {
        return !id.empty() && session->connection->info().trace_id == id;
    });
    if (found == state_.sessions.end()) {
        return false;
    }
    (*found)->connection->close(close_code::kOk, "closed by the node's owner");
    return true;
}

// ---- shutdown ----

std::vector<std::shared_ptr<ProtocolHandler>> EndpointImpl::handlers_in_use() const {
    auto handlers = state_.options.registry->handlers();
    for (const std::shared_ptr<Session>& session : state_.sessions) {
        // A handler that was taken out of the registry still has its old connections.
        if (session->handler != nullptr &&
            std::ranges::find(handlers, session->handler) == handlers.end()) {
            handlers.push_back(session->handler);
        }
    }
    return handlers;
}

task<void> EndpointImpl::tell(std::shared_ptr<ProtocolHandler> handler, Cancel& cancel) {
    const Duration unwind = state_.options.limits.handler_unwind_timeout;
    const Outcome outcome = co_await supervise(state_.loop, tell_handler(std::move(handler)),
                                               cancel, unwind, "core.handler_shutdown");
    if (outcome.ending != Ending::returned) {
        state_.telemetry.log().error("handler.shutdown_failed",
                                     {{"reason", outcome.value.error().cause().id},
                                      {"detail", outcome.value.error().detail()}});
    }
    --telling_;
    state_.session_ended.wake_all();
}

/// Until every handler has been told and every connection has ended.
task<result<void>> EndpointImpl::finished() {
    while (!state_.sessions.empty() || telling_ > 0) {
        ALKNET_CO_CHECK(co_await state_.session_ended.wait());
    }
    co_return result<void>{};
}

task<void> EndpointImpl::shutdown() {
    if (state_.stopping) {
        co_await stopped_.wait_uncancellable();
        co_return;
    }
    state_.stopping = true;
    for (const auto& [name, listener] : listeners_) {
        listener->stop();
    }
    state_.handshakes.cancel();

    Cancel
        patience;  // of the handlers' shutdown; nothing cuts this work short but the grace period
    TaskScope tellers(state_.loop);
    for (std::shared_ptr<ProtocolHandler>& handler : handlers_in_use()) {
        ++telling_;
        tellers.spawn(tell(std::move(handler), patience), "core.shutdown");
    }
    Cancel never;
    const Duration grace = state_.options.limits.shutdown_grace;
    (void)co_await with_timeout(grace, finished()).under(never);

    // Sessions supervise their handlers, so they end soon after their connections, come what may.
    const std::vector<std::shared_ptr<Session>> left(state_.sessions.begin(),
                                                     state_.sessions.end());
    for (const std::shared_ptr<Session>& session : left) {
        session->connection->close(close_code::kShutdown, causes::kShuttingDown.what);
    }
    patience.request();
    (void)co_await tellers.join();
    (void)co_await state_.handshakes.join();
    for (const auto& [name, listener] : listeners_) {
        co_await listener->drain(close_code::kShutdown);
    }
    (void)co_await state_.running.join();
    listeners_.clear();
    stopped_.set();
}

}  // namespace

std::unique_ptr<Endpoint> make_endpoint(Loop& loop, EndpointOptions options, SharedParts shared) {
    ALKNET_ASSERT(options.registry != nullptr);
    return std::make_unique<EndpointImpl>(loop, std::move(options), std::move(shared));
}

std::unique_ptr<Endpoint> Endpoint::create(Loop& loop, EndpointOptions options) {
    return make_endpoint(loop, std::move(options), {});
}

}  // namespace alknet
