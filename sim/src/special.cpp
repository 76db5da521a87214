#include "special.hpp"

#include <fmt/format.h>
#include <alknet/base/causes.hpp>

#include "node.hpp"

namespace alknet::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Some nodes on a network with a little loss.
class Stage {
public:
    Stage(Context& context, std::size_t nodes) : context_(context), ledger_(context, false) {
        LinkOptions link;
        link.delay = context.random().duration(milliseconds(1), milliseconds(80));
        link.loss = 0.02;
        context.world().set_all_links(link);
        for (std::size_t i = 0; i < nodes; ++i) {
            NodeOptions options;
            options.server_plan = 0;
            nodes_.push_back(std::make_unique<Node>(ledger_, fmt::format("node{}", i), options));
            nodes_.back()->start();
        }
    }
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;
    ~Stage() {
        for (const auto& node : nodes_) {
            node->shut_down();
        }
        const auto all_down = [&] {
            bool down = true;
            for (const auto& node : nodes_) {
                down = node->reap() && down;
            }
            return down;
        };
        context_.expect(context_.world().run_until(all_down, seconds(20)), "all shut down");
    }

    [[nodiscard]] Node& node(std::size_t index) { return *nodes_[index]; }

    /// The outcome of one visit of `from` at the address and with the key of `call.to`.
    Visit visit(Node& from, Call call, Duration rest = {}) {
        Visit visit;
        visit.rest = rest;
        visit.call = std::move(call);
        from.visit(visit);
        const bool over = context_.world().run_until([&] { return visit.over; }, seconds(60));
        context_.expect(over, "a visit ends");
        return visit;
    }

private:
    Context& context_;
    Ledger ledger_;
    std::vector<std::unique_ptr<Node>> nodes_;
};

std::string_view cause_of(const Visit& visit) {
    return visit.failure ? visit.failure->cause().id : "no error";
}

}  // namespace

/// The first packets of a dial are lost, and the last ones before a silence: timers mend it.
void late(Context& context) {
    Stage stage(context, 2);
    Node& caller = stage.node(0);
    Node& callee = stage.node(1);
    const auto cut_for = [&](Duration time) {
        context.world().set_cut(caller.host(), callee.host(), true);
        context.world().after(
            time, [&] { context.world().set_cut(caller.host(), callee.host(), false); });
    };
    Visit visit;
    visit.call.to = callee.address(context.random().chance(0.5));
    visit.call.quic = context.random().chance(0.8);
    visit.call.tcp = !visit.call.quic;
    visit.rest = visit.call.quic ? seconds(30) : Duration::zero();  // TCP has one stream
    cut_for(context.random().duration(milliseconds(100), seconds(3)));
    caller.visit(visit);
    context.expect(context.world().run_until([&] { return visit.reached; }, seconds(15)),
                   "a dial whose first packets are lost succeeds");
    if (visit.call.quic) {
        context.world().run_until([&] { return visit.over; }, visit.rest - seconds(1));
        cut_for(seconds(3));
    }
    context.expect(context.world().run_until([&] { return visit.over; }, seconds(20)),
                   "a request whose first packets are lost is answered");
    context.expect(!visit.failure, fmt::format("nothing fails: {}", cause_of(visit)));
}

/// A path that becomes narrower swallows large packets without a word.
void hole(Context& context) {
    Stage stage(context, 2);
    Node& caller = stage.node(0);
    Node& callee = stage.node(1);
    Visit visit;
    visit.call.to = callee.address(context.random().chance(0.5));
    visit.bytes = 60'000;
    visit.rest = seconds(5);
    caller.visit(visit);
    context.expect(context.world().run_until([&] { return visit.reached; }, seconds(20)),
                   "the first request is answered");
    context.world().run_for(seconds(3));
    LinkOptions narrow = context.world().link(caller.host(), callee.host());
    narrow.udp_payload_bytes_max = 1200 + context.random().below(200);
    context.world().set_all_links(narrow);
    context.expect(context.world().run_until([&] { return visit.over; }, seconds(60)),
                   "a request over a path that became narrow is answered");
    context.expect(!visit.failure, fmt::format("nothing fails: {}", cause_of(visit)));
}

/// A restarted node keeps the secret of its stateless resets, and nothing else of its connections.
/// Who sends on an old one must hear of it long before the idle timeout.
void forgotten(Context& context) {
    Stage stage(context, 2);
    Node& caller = stage.node(0);
    Node& callee = stage.node(1);
    const Duration rest = context.random().duration(seconds(24), seconds(32));
    Visit visit;
    visit.call.to = callee.address(context.random().chance(0.5));
    visit.rest = rest;
    caller.visit(visit);
    context.expect(context.world().run_until([&] { return visit.reached; }, rest / 2),
                   "the first request is answered");
    callee.crash();
    callee.start();
    // The probe timeouts of what is sent then come after one, three, seven, ... round trips.
    const bool over = context.world().run_until([&] { return visit.over; }, rest + seconds(8));
    if (context.expect(over, "the caller hears that it was forgotten")) {
        context.expect(visit.failure && visit.failure->is(causes::kStatelessReset),
                       fmt::format("it is a stateless reset, not {}", cause_of(visit)));
    }
    context.world().run_until([&] { return visit.over; }, seconds(100));
}

/// Whoever is not who he should be stays outside: at the first handshake and at a resumed one.
void strangers(Context& context) {
    Stage stage(context, 3);
    Node& caller = stage.node(0);
    Node& callee = stage.node(1);
    const Node& other = stage.node(2);
    for (const bool quic : {true, false}) {
        Call call;
        call.to = callee.address(false);
        call.quic = quic;
        call.tcp = !quic;
        const std::string over = quic ? "over QUIC" : "over TCP";
        // Who leaves at once may miss a ticket whose packet was lost. TCP has it before the answer.
        const Duration rest = quic ? seconds(5) : Duration::zero();
        context.expect(stage.visit(caller, call, rest).reached, "the right key is let in " + over);
        const Visit second = stage.visit(caller, call);
        context.expect(second.reached, "and again " + over);
        context.expect(second.resumed, "with the session resumed " + over);

        Call wrong = call;
        wrong.to.id = other.address(false).id;
        const Visit refused = stage.visit(caller, wrong);
        context.expect(refused.failure && refused.failure->is(causes::kPeerKeyMismatch),
                       fmt::format("a wrong key is found {}: {}", over, cause_of(refused)));

        Call guest = call;
        guest.alpn = kPrivateAlpn;
        const auto outside = [&](const std::string& when) {
            const Visit visit = stage.visit(caller, guest);
            context.expect(!visit.reached, fmt::format("a stranger is outside {} {}", when, over));
        };
        outside("before");
        callee.admit({&caller});
        context.expect(stage.visit(caller, guest).reached, "a guest is let in " + over);
        context.expect(stage.visit(caller, guest).reached, "a guest is let in again " + over);
        callee.admit({});
        outside("after");
    }
}

}  // namespace alknet::sim
