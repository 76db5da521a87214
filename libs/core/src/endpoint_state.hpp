// What the parts of an endpoint share: its options, what it counts, and the connections it has.
#pragma once

#include <alknet/core/endpoint.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/wait.hpp>
#include <memory>
#include <set>

#include "counters.hpp"
#include "recent_addresses.hpp"
#include "session.hpp"
#include "telemetry.hpp"

namespace alknet {

struct SessionOrder {
    bool operator()(const std::shared_ptr<Session>& a,
                    const std::shared_ptr<Session>& b) const noexcept {
        return a->serial < b->serial;
    }
};

/// What the endpoints of several loops share; of one alone, nothing.
struct SharedParts {
    net::PortShare share;
    std::shared_ptr<Counters> counters;
    std::shared_ptr<quic::Steering> steering;
    std::shared_ptr<RecentAddresses> beginnings;
};

/// One loop's endpoint. It is used on its loop's thread.
[[nodiscard]] std::unique_ptr<Endpoint> make_endpoint(Loop& loop, EndpointOptions options,
                                                      SharedParts shared);

struct EndpointState {
    EndpointState(Loop& l, EndpointOptions o, SharedParts s = {})
        : loop(l),
          options(std::move(o)),
          shared(std::move(s)),
          telemetry(l, options.log,
                    options.metrics ? options.metrics : std::make_shared<Metrics>()),
          handshakes(l),
          running(l) {}

    Loop& loop;
    EndpointOptions options;  // `tls` and `limits` are replaced while it runs
    const SharedParts shared;
    const std::shared_ptr<Counters> counters =
        shared.counters ? shared.counters : Counters::create();
    Telemetry telemetry;
    const std::shared_ptr<RecentAddresses> beginnings =  // of QUIC
        shared.beginnings ? shared.beginnings : std::make_shared<RecentAddresses>();
    /// By age, so that they are told of a shutdown in an order that does not depend on where the
    /// allocator put them: a seed of the simulation replays.
    std::set<std::shared_ptr<Session>, SessionOrder> sessions;
    std::uint64_t sessions_begun = 0;
    WaitList session_ended;
    bool stopping = false;
    TaskScope handshakes;  // cancelled when the endpoint stops accepting
    TaskScope running;     // each session and each listener's end; these end by themselves
};

}  // namespace alknet
