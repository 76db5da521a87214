#include <fmt/format.h>
#include <algorithm>
#include <memory>
#include <vector>

#include "faults.hpp"
#include "node.hpp"
#include "special.hpp"

namespace alknet::sim {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kFaultTime = seconds(45);
constexpr Duration kOpenWithin = minutes(3);
constexpr Duration kEndWithin = minutes(10);
constexpr Duration kReadWithin = minutes(1);
constexpr std::uint64_t kBytesMax = 150'000;

/// A node, a client of it behind a NAT, and streams between them that must not notice what happens.
class ResumePlay {
public:
    explicit ResumePlay(Context& context) : context_(context), ledger_(context, false) {
        for (const char* const name : {"node", "client"}) {
            nodes_.push_back(std::make_unique<Node>(ledger_, name, draw_node()));
        }
        client().host().put_behind_nat();
        for (const auto& each : nodes_) {
            each->host().set_offload(context.random().chance(0.7));
            each->start();
        }
        node().admit({&client()});  // whom it does not know has ten minutes to come back
    }
    void run();

private:
    [[nodiscard]] Node& node() { return *nodes_[0]; }
    [[nodiscard]] Node& client() { return *nodes_[1]; }
    NodeOptions draw_node();
    FaultOptions draw_faults();
    void begin();
    void break_later();
    void sleep_long();
    void check_streams();
    void shut_down();
    [[nodiscard]] bool all(bool Lasting::* what) const {
        return std::ranges::all_of(streams_, [&](const auto& each) { return (*each).*what; });
    }

    Context& context_;
    Ledger ledger_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::vector<std::unique_ptr<Lasting>> streams_;
    bool breaking_ = true;
};

NodeOptions ResumePlay::draw_node() {
    Random& random = context_.random();
    NodeOptions options;
    options.server_plan = 0;
    options.limits.idle_timeout = random.duration(seconds(20), minutes(2));
    options.transport.idle_timeout = random.duration(seconds(20), minutes(2));
    options.transport.keep_alive = random.duration(seconds(5), seconds(25));
    options.transport.udp_payload_bytes_max = random.chance(0.5) ? 1200 : 1452;
    return options;
}

FaultOptions ResumePlay::draw_faults() {
    FaultOptions faults;
    faults.loss_max = 0.1;
    faults.udp_blocked = 0.2;
    faults.rebind = 0.05;
    faults.pause = 0.02;
    faults.suspend = 0.02;
    faults.clock_jump = 0.02;
    faults.partition = 0.05;
    faults.partition_max = seconds(30);
    faults.reset_tcp = 0.1;
    return faults;
}

void ResumePlay::begin() {
    Random& random = context_.random();
    for (std::uint64_t i = random.between(1, 3); i > 0; --i) {
        auto stream = std::make_unique<Lasting>();
        stream->to = node().address(false);
        stream->operation = {
            .kind = random.chance(0.7) ? Operation::Kind::exchange : Operation::Kind::request,
            .up = random.below(kBytesMax + 1),
            .down = random.below(kBytesMax + 1)};
        stream->pace = random.duration(milliseconds(1), seconds(4));
        client().last(*stream);
        streams_.push_back(std::move(stream));
    }
}

/// Connections vanish at any moment, for no reason that anybody knows.
void ResumePlay::break_later() {
    context_.world().after(context_.random().duration({}, seconds(8)), [this] {
        if (!breaking_) {
            return;
        }
        Lasting& stream = *streams_[context_.random().below(streams_.size())];
        if (const auto carrier = stream.carrier.lock(); carrier && !stream.over) {
            context_.note("a connection is cut");
            carrier->close(close_code::kOk, "cut");
        }
        break_later();
    });
}

/// Of either machine, far beyond what any connection survives.
void ResumePlay::sleep_long() {
    Random& random = context_.random();
    SimHost& host = random.chance(0.7) ? client().host() : node().host();
    const Duration time = random.duration(minutes(1), hours(8));
    context_.note(fmt::format("{}: asleep for {} s", host.name(),
                              std::chrono::duration_cast<seconds>(time).count()));
    host.suspend();
    context_.world().run_for(time);
    host.wake(random.chance(0.7) ? SimHost::MonotonicInSleep::stops
                                 : SimHost::MonotonicInSleep::goes_on);
}

void ResumePlay::check_streams() {
    context_.world().run_until([&] { return all(&Lasting::over); }, kEndWithin);
    for (std::size_t i = 0; i < streams_.size(); ++i) {
        const Lasting& stream = *streams_[i];
        const std::string which = fmt::format("stream {} of {}", i + 1, streams_.size());
        if (!context_.expect(stream.over, which + " comes to its end")) {
            context_.fail(client().tasks());
        }
        context_.expect(!stream.failure, which + " has no error: " +
                                             (stream.failure ? stream.failure->message() : ""));
        context_.note(fmt::format("{}: {} resumptions", which, stream.resumptions));
    }
    // Delivered is what the node holds; its service may still be reading. What came was the right
    // octets in their order, or the ledger has said so.
    const auto whole = [&] {
        return static_cast<std::size_t>(
            std::ranges::count_if(ledger_.transfers(), &Transfer::finished));
    };
    context_.world().run_until([&] { return whole() == 2 * streams_.size(); }, kReadWithin);
    context_.expect(whole() == 2 * streams_.size(),
                    fmt::format("{} directions of {} streams have brought all octets", whole(),
                                streams_.size()));
}

void ResumePlay::shut_down() {
    for (const auto& each : nodes_) {
        each->shut_down();
    }
    const bool down = context_.world().run_until(
        [&] {
            return std::ranges::count_if(nodes_, [](const auto& each) { return !each->reap(); }) ==
                   0;
        },
        seconds(20));
    context_.expect(down, "all shut down");
}

void ResumePlay::run() {
    begin();
    break_later();
    {
        Faults faults(context_, nodes_, draw_faults());
        context_.world().run_for(kFaultTime);
        breaking_ = false;
        faults.heal();
    }
    context_.world().run_until([&] { return all(&Lasting::opened); }, kOpenWithin);
    context_.expect(all(&Lasting::opened), "every stream can be opened after the faults");
    if (context_.random().chance(0.5)) {
        sleep_long();
    }
    check_streams();
    ledger_.set_ending();
    shut_down();
    context_.note(ledger_.summary());
}

}  // namespace

/// Whatever becomes of the connections, each octet of a resumable stream arrives once.
void resume_streams(Context& context) {
    ResumePlay(context).run();
}

}  // namespace alknet::sim
