// What the parts of an endpoint share: its options, what it counts, and the connections it has.
#pragma once

#include <alknet/core/endpoint.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/wait.hpp>
#include <memory>
#include <unordered_set>

#include "counters.hpp"
#include "session.hpp"
#include "telemetry.hpp"

namespace alknet {

struct EndpointState {
    EndpointState(Loop& l, EndpointOptions o)
        : loop(l),
          options(std::move(o)),
          telemetry(l, options.log,
                    options.metrics ? options.metrics : std::make_shared<Metrics>()),
          handshakes(l),
          running(l) {}

    Loop& loop;
    EndpointOptions options;  // `tls` and `limits` are replaced while it runs
    std::shared_ptr<Counters> counters = Counters::create();
    Telemetry telemetry;
    std::unordered_set<std::shared_ptr<Session>> sessions;
    WaitList session_ended;
    bool stopping = false;
    TaskScope handshakes;  // cancelled when the endpoint stops accepting
    TaskScope running;     // each session and each listener's end; these end by themselves
};

}  // namespace alknet
