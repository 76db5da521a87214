#include "play.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace alknet::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kReachableWithin = seconds(20);
constexpr Duration kShutdownWithin = seconds(20);
// An operation has 600 s, and a connection whose peer is gone ends by its idle timeout.
constexpr Duration kCallsEndWithin = seconds(1500);
constexpr Duration kIdleTimeoutMax = seconds(60);

class Play {
public:
    Play(Context& context, const PlayOptions& options)
        : context_(context), options_(options), ledger_(context, options.strict) {
        if (options.roaming) {
            ledger_.set_roaming();
        }
    }

    void run();

private:
    NodeOptions draw_node();
    void make_nodes();
    void plan_calls();
    Call draw_call(const Node& to);
    void check_reachable();
    void check_calls_end();
    void check_connections_end();
    void check_shutdown();
    bool run_until(const std::function<bool()>& done, Duration limit);
    bool everybody(const std::function<bool(Node&)>& predicate);

    Context& context_;
    PlayOptions options_;
    Ledger ledger_;
    std::vector<std::unique_ptr<Node>> nodes_;
};

NodeOptions Play::draw_node() {
    Random& random = context_.random();
    NodeOptions options;
    const auto congestion = [&] {
        return random.chance(0.5) ? quic::Congestion::bbr : quic::Congestion::cubic;
    };
    options.congestion = congestion();
    options.transport.congestion = congestion();
    options.bytes_max = options_.bytes_max / 2;
    options.limits.idle_timeout = random.duration(seconds(30), kIdleTimeoutMax);
    options.transport.idle_timeout = random.duration(seconds(30), kIdleTimeoutMax);
    options.transport.handshake_timeout = seconds(20);
    options.limits.handshake_timeout = seconds(20);
    if (options_.keep_alive || random.chance(0.5)) {
        options.transport.keep_alive = random.duration(seconds(2), seconds(10));
    }
    if (options_.narrow) {
        options.transport.stream_window_bytes = random.between(400, 1'000);
        options.transport.stream_window_bytes_max = options.transport.stream_window_bytes;
        options.transport.connection_window_bytes = random.between(400, 1'000);
        options.transport.connection_window_bytes_max = options.transport.connection_window_bytes;
        options.transport.streams_bidi_max = 1;
        options.transport.streams_uni_max = 1;
        options.limits.streams_unauthenticated_max = 1;
    } else if (random.chance(0.4)) {  // small windows: credit matters
        options.transport.stream_window_bytes = random.between(2'000, 20'000);
        options.transport.stream_window_bytes_max = options.transport.stream_window_bytes;
        options.transport.connection_window_bytes = random.between(10'000, 60'000);
        options.transport.connection_window_bytes_max = options.transport.connection_window_bytes;
        options.transport.unsent_bytes_max = random.between(4'000, 40'000);
        options.limits.connection_bytes_unauthenticated_max = random.between(20'000, 100'000);
    }
    if (!options_.narrow && random.chance(0.4)) {  // few streams: their return matters
        options.transport.streams_bidi_max = random.between(1, 3);
        options.transport.streams_uni_max = random.between(1, 3);
        options.limits.streams_unauthenticated_max = random.between(1, 3);
    }
    if (random.chance(0.3)) {
        options.transport.versions = {quic::Version::v2, quic::Version::v1};
    }
    options.transport.udp_payload_bytes_max = random.chance(0.5) ? 1200 : 1452;
    return options;
}

void Play::make_nodes() {
    Random& random = context_.random();
    for (std::size_t i = 0; i < options_.nodes; ++i) {
        nodes_.push_back(std::make_unique<Node>(ledger_, fmt::format("node{}", i), draw_node()));
        SimHost& host = nodes_.back()->host();
        host.set_offload(random.chance(0.7));
        host.set_wake_latency(random.duration({}, milliseconds(2)));
        if (i + options_.nodes_behind_nat >= options_.nodes) {
            host.put_behind_nat();
        }
        nodes_.back()->start();
    }
}

Call Play::draw_call(const Node& to) {
    Random& random = context_.random();
    Call call;
    call.tcp = random.chance(options_.tcp);
    call.quic = !call.tcp;
    call.to = to.address(false);
    call.plan = make_plan(random, random.between(1, options_.operations_per_call),
                          options_.bytes_max, call.quic);
    if (options_.migrate && call.quic) {
        for (std::uint64_t moves = random.below(3); moves > 0; --moves) {
            const auto at = static_cast<std::ptrdiff_t>(random.below(call.plan.size() + 1));
            call.plan.insert(call.plan.begin() + at,
                             {.kind = Operation::Kind::migrate, .after = milliseconds(500)});
        }
    }
    return call;
}

/// Calls begin all along the time of faults. A node that is down then calls nobody.
void Play::plan_calls() {
    Random& random = context_.random();
    const std::size_t callees = options_.nodes - options_.nodes_behind_nat;
    for (const auto& node : nodes_) {
        for (std::size_t i = 0; i < options_.calls_per_node; ++i) {
            Node* to = node.get();
            while (to == node.get()) {
                to = nodes_[random.below(callees)].get();
                if (callees == 1 && to == node.get()) {
                    break;
                }
            }
            if (to == node.get()) {
                continue;  // nobody else can be called
            }
            context_.world().after(random.duration({}, options_.fault_time),
                                   [&from = *node, call = draw_call(*to)] { from.call(call); });
        }
    }
}

bool Play::run_until(const std::function<bool()>& done, Duration limit) {
    return context_.world().run_until(
        [&] {
            for (const auto& node : nodes_) {
                (void)node->reap();
            }
            return done();
        },
        limit);
}

bool Play::everybody(const std::function<bool(Node&)>& predicate) {
    return std::ranges::all_of(nodes_, [&](const auto& node) { return predicate(*node); });
}

/// Each node that can be called is, by one other, over QUIC and TCP; those behind a NAT call.
void Play::check_reachable() {
    std::vector<std::unique_ptr<Visit>> visits;
    std::vector<std::string> names;
    const std::size_t callees = options_.nodes - options_.nodes_behind_nat;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        Node& from = *nodes_[i];
        const Node& to = *nodes_[(i + 1) % callees];
        for (const bool quic : {true, false}) {
            if (&from != &to) {
                visits.push_back(std::make_unique<Visit>());
                visits.back()->call.to = to.address(false);
                visits.back()->call.quic = quic;
                visits.back()->call.tcp = !quic;
                visits.back()->persistent = true;
                names.push_back(fmt::format("{} cannot reach {} by {} after the faults",
                                            from.name(), to.name(), quic ? "QUIC" : "TCP"));
                from.visit(*visits.back());
            }
        }
    }
    run_until(
        [&] {
            return std::ranges::all_of(visits, [](const auto& visit) { return visit->reached; });
        },
        kReachableWithin);
    for (std::size_t i = 0; i < visits.size(); ++i) {
        if (!visits[i]->reached) {
            context_.fail(names[i]);
        }
    }
    check_calls_end();  // the visits must be over before they die
}

void Play::check_calls_end() {
    const bool ended = run_until(
        [&] { return everybody([](Node& node) { return node.calls() == 0; }); }, kCallsEndWithin);
    for (const auto& node : nodes_) {
        if (!ended && node->calls() > 0) {
            context_.fail(fmt::format("calls of {} do not end: {}", node->name(), node->tasks()));
        }
    }
}

void Play::check_connections_end() {
    const bool ended = run_until(
        [&] {
            return everybody(
                [](Node& node) { return node.connections() == 0 && node.half_open() == 0; });
        },
        2 * kIdleTimeoutMax);
    for (const auto& node : nodes_) {
        if (!ended && node->connections() + node->half_open() > 0) {
            context_.fail(fmt::format("{} keeps {} connections that nobody uses, {} half open: {}",
                                      node->name(), node->connections(), node->half_open(),
                                      node->tasks()));
        }
    }
}

void Play::check_shutdown() {
    for (const auto& node : nodes_) {
        node->shut_down();
    }
    const bool ended = run_until([&] { return everybody([](Node& node) { return node.reap(); }); },
                                 kShutdownWithin);
    for (const auto& node : nodes_) {
        if (!ended && !node->reap()) {
            context_.fail(
                fmt::format("shutting down {} does not end: {}", node->name(), node->tasks()));
        }
    }
}

void Play::run() {
    make_nodes();
    plan_calls();
    {
        Faults faults(context_, nodes_, options_.faults);
        run_until([] { return false; }, options_.fault_time);
        faults.heal();
        check_reachable();
    }
    if (context_.random().chance(0.5)) {
        check_connections_end();
    } else {  // or in the middle of everything
        ledger_.set_ending();
        options_.fault_time = milliseconds(500);
        plan_calls();
        run_until([] { return false; }, context_.random().duration({}, seconds(3)));
    }
    check_shutdown();
    context_.expect(context_.world().stats().sends_invalid == 0, "a send that no kernel takes");
    context_.note(ledger_.summary());
    if (ledger_.counts.operations == 0) {
        context_.fail("nothing was done");
    }
}

}  // namespace

void play(Context& context, const PlayOptions& options) {
    Play(context, options).run();
}

}  // namespace alknet::sim
