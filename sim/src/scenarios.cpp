#include "context.hpp"
#include "play.hpp"
#include "special.hpp"

namespace alknet::sim {

namespace {

using std::chrono::seconds;

void calm(Context& context) {
    PlayOptions options;
    options.faults.weather = false;
    options.fault_time = seconds(10);
    play(context, options);
}

void lossy(Context& context) {
    PlayOptions options;
    play(context, options);
}

void narrow(Context& context) {
    PlayOptions options;
    options.narrow = true;
    options.bytes_max = 20'000;
    options.tcp = 0;
    options.faults.loss_max = 0.05;
    play(context, options);
}

void roam(Context& context) {
    PlayOptions options;
    options.nodes = 3;
    options.nodes_behind_nat = 2;
    options.keep_alive = true;  // else nobody reaches a client whose NAT forgot it
    options.migrate = true;
    options.roaming = true;
    options.faults.loss_max = 0.05;
    options.faults.rebind = 0.15;
    play(context, options);
}

void sleepy(Context& context) {
    PlayOptions options;
    options.nodes = 3;
    options.strict = false;
    options.fault_time = seconds(60);
    options.faults.loss_max = 0.05;
    options.faults.pause = 0.1;
    options.faults.suspend = 0.05;
    options.faults.clock_jump = 0.05;
    play(context, options);
}

void crash(Context& context) {
    PlayOptions options;
    options.nodes = 3;
    options.strict = false;
    options.fault_time = seconds(45);
    options.faults.loss_max = 0.05;
    options.faults.crash = 0.05;
    options.faults.partition = 0.05;
    options.faults.reset_tcp = 0.1;
    play(context, options);
}

void ten(Context& context) {
    PlayOptions options;
    options.nodes = 10;
    options.nodes_behind_nat = 2;
    options.calls_per_node = 3;
    options.operations_per_call = 4;
    options.bytes_max = 60'000;
    options.migrate = true;
    options.strict = false;
    options.fault_time = seconds(40);
    options.faults.rebind = 0.05;
    options.faults.pause = 0.02;
    options.faults.suspend = 0.005;
    options.faults.clock_jump = 0.02;
    options.faults.partition = 0.02;
    options.faults.crash = 0.01;
    options.faults.reset_tcp = 0.1;
    play(context, options);
}

void storm(Context& context) {
    PlayOptions options;
    options.nodes = 2;
    options.strict = false;
    options.migrate = true;
    options.fault_time = seconds(60);
    options.faults.pause = 0.05;
    options.faults.suspend = 0.02;
    options.faults.clock_jump = 0.05;
    options.faults.partition = 0.05;
    options.faults.crash = 0.02;
    options.faults.reset_tcp = 0.1;
    play(context, options);
}

}  // namespace

const std::vector<Scenario>& scenarios() {
    static const std::vector<Scenario> all = {
        {"calm", "two nodes, a good network: everything succeeds", calm},
        {"lossy", "two nodes, loss to 20 %, reordering, duplicates, flipped bits: the same", lossy},
        {"narrow", "windows of one packet, one stream at a time: each piece of credit counts",
         narrow},
        {"roam", "NATs rebind, clients migrate: QUIC does not mind", roam},
        {"sleepy", "paused and suspended machines, clocks that jump", sleepy},
        {"crash", "nodes that crash and come back, partitions", crash},
        {"ten", "ten nodes, a little of everything", ten},
        {"storm", "two nodes, a lot of everything", storm},
        {"resume", "resumable streams over connections that break: each octet once",
         resume_streams},
        {"call", "five nodes that call across one another: every call ends once", call_across},
        {"late", "a network that is away for a moment costs that moment", late},
        {"hole", "a path that becomes narrower without a word is used all the same", hole},
        {"forgotten", "a node that comes back tells those whom it has forgotten", forgotten},
        {"strangers", "wrong keys and revoked guests stay outside, resumed or not", strangers},
    };
    return all;
}

}  // namespace alknet::sim
