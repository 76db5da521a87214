// Session: the way of one connection from the end of its handshake to its close: identity, policy,
// handler, linger, close.
#pragma once

#include <alknet/core/auth.hpp>
#include <alknet/core/handler.hpp>
#include <alknet/core/registry.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/quic/endpoint.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/rt/wait.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "counters.hpp"

namespace alknet {

struct EndpointState;

struct Session {
    std::shared_ptr<Connection> connection;
    quic::Connection* quic = nullptr;    // `connection`, if it is one
    StreamConnection* stream = nullptr;  // the same
    Ticket ticket;
    bool admitted = true;        // false: its IP had reached its limit when it was established
    std::shared_ptr<void> keep;  // what the connection needs
    std::shared_ptr<ProtocolHandler> handler;  // once the connection is its
    std::optional<Identity> identity;
    bool cut = false;  // because of what changed since it was admitted
    TimePoint opened;
    std::uint64_t serial = 0;  // in the order in which they began
    Event ended;
};

/// Runs a connection to its end, in the scope of the endpoint. `ticket` may be empty, in tests.
std::shared_ptr<Session> start_session(EndpointState& state, std::shared_ptr<Session> session);

/// Gives the connection what its identity entitles it to under the limits of now.
void apply_limits(const EndpointState& state, Session& session);

/// What a peer is told of why its connection ends. Details stay here, because they may tell more
/// than it should know; but who is known is told the scope that it lacks.
[[nodiscard]] std::string reason_of(const error& why);

/// Tells the audit log what was decided about a connection: `connection.admitted` without an error,
/// else `refused`, which is an event.
void audit_decision(const EndpointState& state, const Connection& connection,
                    const std::optional<Identity>& identity, const error* why,
                    std::string_view refused);

}  // namespace alknet
