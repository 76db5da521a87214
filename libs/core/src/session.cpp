#include "session.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/mutation.hpp>
#include <alknet/rt/combine.hpp>

#include "endpoint_state.hpp"
#include "supervise.hpp"

namespace alknet {

namespace {

/// How often a lingering connection is looked at: often when it is young, since most need one
/// round trip.
constexpr Duration kLingerStepFirst = std::chrono::milliseconds(1);
constexpr Duration kLingerStepMax = std::chrono::milliseconds(50);

AuthContext context_of(const Connection& connection) {
    const ConnectionInfo& info = connection.info();
    return {.alpn = info.alpn,
            .transport = info.transport,
            .remote = info.remote,
            .peer = info.peer,
            .identity = std::nullopt};
}

task<result<void>> resolve_identity(EndpointState& state, Session& session, AuthContext& auth) {
    const std::string fingerprint = auth.peer.fingerprint();
    if (fingerprint.empty() || state.options.identities == nullptr) {
        state.telemetry.auth_attempt(
            auth, fingerprint.empty() ? AuthResult::anonymous : AuthResult::unknown);
        co_return result<void>{};
    }
    auto identity =
        co_await with_timeout(state.options.limits.handshake_timeout,
                              state.options.identities->resolve_from_fingerprint(fingerprint));
    if (!identity) {
        state.telemetry.auth_attempt(auth, AuthResult::failed);
        co_return unexpected(std::move(identity).error().within("identity"));
    }
    auth.identity = std::move(*identity);
    session.identity = auth.identity;
    state.telemetry.auth_attempt(auth, auth.identity ? AuthResult::known : AuthResult::unknown);
    co_return result<void>{};
}

/// The handler that is to have the connection, if it may.
result<std::shared_ptr<ProtocolHandler>> handler_for(EndpointState& state, Session& session,
                                                     const AuthContext& auth) {
    const RegisteredHandler* found = state.options.registry->find(auth.alpn);
    if (found == nullptr) {
        return fail(causes::kNoHandler, auth.alpn);
    }
    const bool trusted = auth.peer.resumed && ALKNET_MUTATION(trust_resumed_guest);
    if (const auto may = admit(found->policy, auth.transport, auth.identity); !may && !trusted) {
        return unexpected(may.error());
    }
    if (auth.identity && session.ticket) {
        const std::size_t most = state.options.limits.connections_per_identity_max;
        if (!session.ticket.claim_identity(auth.identity->id, most)) {
            state.telemetry.limit_hit(Limit::connections_per_identity, auth.remote);
            return fail(causes::kLimit, std::string(limit_key(Limit::connections_per_identity)));
        }
    }
    return found->handler;
}

task<result<std::shared_ptr<ProtocolHandler>>> decide(EndpointState& state, Session& session,
                                                      AuthContext& auth) {
    if (!session.admitted) {
        state.telemetry.limit_hit(Limit::connections_per_ip, auth.remote);
        co_return fail(causes::kLimit, std::string(limit_key(Limit::connections_per_ip)));
    }
    ALKNET_CO_CHECK(co_await resolve_identity(state, session, auth));
    ALKNET_CO_TRY(auto handler, handler_for(state, session, auth));
    if (state.options.audit != nullptr) {
        ALKNET_CO_CHECK(state.options.audit->ready());
    }
    co_return handler;
}

/// Gives the handler's task, so that what it takes to get there is gone while that one runs.
task<result<task<result<void>>>> authorise(EndpointState& state, Session& session) {
    AuthContext auth = context_of(*session.connection);
    auto decided = co_await decide(state, session, auth);
    // A connection that has ended meanwhile was neither let in nor refused.
    if (decided || !decided.error().is(errc::cancelled)) {
        audit_decision(state, *session.connection, auth.identity,
                       decided ? nullptr : &decided.error(), "connection.refused");
    }
    ALKNET_CO_TRY(session.handler, std::move(decided));
    apply_limits(state, session);
    co_return session.handler->handle(session.connection, std::move(auth));
}

task<result<void>> authorise_and_handle(EndpointState& state, Session& session) {
    ALKNET_CO_TRY(auto handling, co_await authorise(state, session));
    co_return co_await std::move(handling);
}

/// Until what the handler wrote has been delivered, the connection ends or the time is up.
task<void> linger(EndpointState& state, Connection& connection) {
    const TimePoint deadline = state.loop.now() + state.options.limits.linger_timeout;
    Duration step = kLingerStepFirst;
    while (!connection.closed().requested() && state.loop.now() < deadline) {
        const ConnectionStats stats = connection.stats();
        if (stats.streams_open == 0 && stats.buffered_bytes == 0) {
            break;
        }
        (void)co_await state.loop.sleep(step).under(connection.closed());
        step = std::min(step * 2, kLingerStepMax);
    }
}

/// Errors that only say that the connection has ended.
bool is_an_end(const error& why) noexcept {
    return why.is(errc::closed) || why.is(errc::reset) || why.is(errc::cancelled) ||
           why.is(errc::timeout);
}

void report_failure(EndpointState& state, const Session& session, Ending ending, const error& why) {
    const ConnectionInfo& info = session.connection->info();
    if (ending == Ending::threw) {
        state.telemetry.handler_failed(info, HandlerFailure::exception, why);
    } else if (ending == Ending::abandoned) {
        state.telemetry.limit_hit(Limit::handler_unwind, info.remote);
        state.telemetry.handler_failed(info, HandlerFailure::stuck, why);
    } else if (session.handler != nullptr &&
               !(session.connection->close_reason() && is_an_end(why))) {
        state.telemetry.handler_failed(info, HandlerFailure::error, why);
    }
}

std::uint64_t code_for(const Session& session, Ending ending, const error& why) noexcept {
    if (ending == Ending::returned && session.handler != nullptr) {
        return session.handler->close_code(why);
    }
    if (why.is(causes::kNoHandler)) {
        return close_code::kNoHandler;
    }
    return default_close_code(why.condition());
}

/// Over a byte stream only somebody who is known is told anything: why, if the protocol has words
/// for it, else only that it is so.
task<void> tell_refusal(const EndpointState& state, const Session& session, const error& why) {
    const bool refused = session.handler == nullptr && session.identity && !session.cut;
    if (!refused || session.stream == nullptr || !why.is(errc::forbidden)) {
        co_return;
    }
    const RegisteredHandler* found = state.options.registry->find(session.connection->info().alpn);
    if (found != nullptr) {
        const std::shared_ptr<ProtocolHandler> handler = found->handler;
        const auto told = co_await with_timeout(state.options.limits.linger_timeout,
                                                handler->tell_refused(session.connection, why));
        if (told || !told.error().is(causes::kNotSupported)) {
            co_return;
        }
    }
    (void)co_await session.stream->deny();
}

task<void> run_session(EndpointState& state, std::shared_ptr<Session> session) {
    Connection& connection = *session->connection;
    state.telemetry.opened(connection.info());
    const Outcome outcome =
        co_await supervise(state.loop, authorise_and_handle(state, *session), connection.closed(),
                           state.options.limits.handler_unwind_timeout, connection.info().alpn);
    if (outcome.value) {
        co_await linger(state, connection);
        connection.close(state.stopping ? close_code::kShutdown : close_code::kOk, "");
    } else {
        const error& why = outcome.value.error();
        report_failure(state, *session, outcome.ending, why);
        co_await tell_refusal(state, *session, why);
        connection.close(code_for(*session, outcome.ending, why), reason_of(why));
    }
    state.telemetry.closed(connection, state.loop.now() - session->opened);
    session->ticket = Ticket();
    session->keep.reset();
    state.sessions.erase(session);
    session->ended.set();
    state.session_ended.wake_all();
}

}  // namespace

std::shared_ptr<Session> start_session(EndpointState& state, std::shared_ptr<Session> session) {
    session->opened = state.loop.now();
    session->serial = ++state.sessions_begun;
    if (session->quic == nullptr && session->stream == nullptr) {
        session->quic = dynamic_cast<quic::Connection*>(session->connection.get());
        session->stream = dynamic_cast<StreamConnection*>(session->connection.get());
    }
    state.sessions.insert(session);
    state.running.spawn(run_session(state, session), session->connection->info().alpn);
    return session;
}

void apply_limits(const EndpointState& state, Session& session) {
    const EndpointLimits& limits = state.options.limits;
    const bool known = session.identity.has_value();
    if (session.quic != nullptr) {
        const std::uint64_t streams =
            known ? limits.streams_max : limits.streams_unauthenticated_max;
        const std::uint64_t bytes =
            known ? limits.connection_bytes_max : limits.connection_bytes_unauthenticated_max;
        const quic::TransportOptions defaults;
        session.quic->set_stream_limits(streams, streams);
        session.quic->set_window_limits(bytes, std::min(bytes, defaults.stream_window_bytes_max));
    }
    if (session.stream != nullptr) {
        session.stream->set_idle_timeout(limits.idle_timeout);
    }
}

std::string reason_of(const error& why) {
    std::string reason(why.cause().what);
    if (why.is(causes::kScopeMissing)) {
        reason.append(": ").append(why.detail());
    }
    return reason;
}

void audit_decision(const EndpointState& state, const Connection& connection,
                    const std::optional<Identity>& identity, const error* why,
                    std::string_view refused) {
    if (state.options.audit == nullptr) {
        return;
    }
    const ConnectionInfo& info = connection.info();
    AuditEntry entry{.event = why == nullptr ? "connection.admitted" : refused};
    entry.peer = identity ? identity->id : std::string();
    entry.fingerprint = info.peer.fingerprint();
    entry.remote = connection.remote();
    entry.service = info.alpn;
    if (why != nullptr) {
        entry.reason = why->cause().id;
        entry.detail = why->detail();
    }
    entry.repeats = true;
    entry.more.emplace_back("transport", to_string(info.transport));
    state.options.audit->record(std::move(entry));
}

}  // namespace alknet
