#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/call/adapter.hpp>
#include <alknet/call/operation_home.hpp>
#include <alknet/call/peer_import.hpp>
#include <alknet/rt/combine.hpp>
#include <map>
#include <memory>
#include <vector>

#include "faults.hpp"
#include "node.hpp"
#include "special.hpp"

namespace alknet::sim {

namespace {

using call::Json;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t kNodes = 5;
/// What each imports: of each neighbour four, and of any of them five.
constexpr std::size_t kTargets = 13;
constexpr Duration kFaultTime = seconds(45);
constexpr Duration kCallMax = seconds(20);
/// Beyond its deadline a call ends at once; its machine may be paused just then.
constexpr Duration kSlack = seconds(7);
constexpr Duration kBackWithin = minutes(4);
/// A second, beyond such a pause.
constexpr Duration kOutWithin = seconds(7);

/// What all nodes know of a call, whichever of them it has reached.
struct Issued {
    std::size_t executed = 0;
    std::size_t ended = 0;
    bool answered = false;
};

struct Books {
    Context& context;
    std::map<std::uint64_t, Issued> calls{};
    std::size_t running = 0;  // operations, on all nodes
    std::size_t answered = 0;
    bool issuing = true;
    /// Since when nobody of this pair may call: callee, caller.
    std::map<std::pair<std::string, std::string>, TimePoint> revoked{};
};

Identity itself() {
    Identity identity;
    identity.id = "self";
    identity.scopes = {"*:*:*"};
    return identity;
}

/// Runs at the callee; `context` says who its neighbour is.
task<result<Json>> work(Books& books, std::string callee, call::CallContext context, Json input) {
    const std::uint64_t number = input.find("call")->as_unsigned().value_or(0);
    const auto found = books.revoked.find({callee, context.identity->id});
    if (found != books.revoked.end() && books.context.world().now() > found->second + kOutWithin) {
        books.context.fail(
            fmt::format("{} calls {}, which it may not", context.identity->id, callee));
    }
    ++books.calls[number].executed;
    ++books.running;
    const TaskContext here = co_await current_context();
    const auto slept =
        co_await here.loop->sleep(milliseconds(input.find("ms")->as_unsigned().value_or(0)));
    --books.running;
    ALKNET_CO_CHECK(slept);
    co_return Json(number);
}

/// One run of a node: it serves `work/do`, a mutation, and imports that of two others, of each
/// alone and of any of the two, and what those have imported in turn.
class CallPart final : public NodePart {
public:
    struct Peer {
        std::string name;
        NodeAddress address;
    };
    CallPart(Loop& loop, Books& books, std::string name, std::vector<Peer> peers)
        : loop_(loop),
          books_(books),
          name_(std::move(name)),
          home_(call::OperationHome::create(loop)),
          registry_(std::make_shared<call::OperationRegistry>(home_)),
          random_(books.context.random().fork()) {
        call::Operation operation;
        operation.name = "work/do";
        operation.kind = call::Operation::Kind::mutation;
        operation.known_only = true;
        operation.run = [this](call::CallContext context, Json input) {
            return work(books_, name_, std::move(context), std::move(input));
        };
        books_.context.expect(registry_->add(std::move(operation)).has_value(), "an operation");
        for (const Peer& peer : peers) {
            add_import(peer.name, {peer});
        }
        add_import("any", std::move(peers));
        call::CallAdapterOptions options;
        options.registry = registry_;
        adapter_ = std::make_shared<call::CallAdapter>(options);
    }

    [[nodiscard]] std::shared_ptr<ProtocolHandler> handler() override { return adapter_; }
    task<void> run(Dialer& dialer) override {
        dialer_ = &dialer;
        const TaskContext context = co_await current_context();
        TaskScope scope(loop_, context.cancel);
        for (const auto& import : imports_) {
            scope.spawn(import->run(), "sim.import");
        }
        while (books_.issuing && co_await loop_.sleep(random_.duration({}, milliseconds(400)))) {
            scope.spawn(issue(), "sim.issue");
        }
        (void)co_await scope.join();
        dialer_ = nullptr;
        Cancel patient;
        co_await home_->close().under(patient);
    }

    [[nodiscard]] std::vector<std::string> targets() const {
        std::vector<std::string> names;
        for (const call::OperationPtr& one : registry_->visible_to(itself())) {
            if (one->hops > 0 && one->name.ends_with("/do")) {
                names.push_back(one->name);
            }
        }
        return names;
    }
    [[nodiscard]] std::size_t in_flight() const { return adapter_->in_flight(); }
    /// On the loop of this: the outcome of one call.
    task<void> call(std::string name, Duration work, Duration limit, bool& over, bool& good) {
        const auto outcome = co_await with_timeout(limit, ask(std::move(name), work, minutes(10)));
        good = outcome.has_value();
        over = true;
    }
    TaskScope& visits() { return visits_; }

private:
    void add_import(std::string prefix, std::vector<Peer> peers) {
        auto import =
            call::PeerImport::create(loop_, import_of(std::move(prefix), std::move(peers)));
        registry_->add(import->operations());
        imports_.push_back(std::move(import));
    }
    call::PeerImportOptions import_of(std::string prefix, std::vector<Peer> peers) {
        call::PeerImportOptions options;
        options.prefix = std::move(prefix);
        for (const Peer& peer : peers) {
            options.peers.push_back(peer.name);
        }
        options.hops_max = 1;
        options.dial = [this, peers = std::move(peers)](const std::string& name) {
            return dial(std::ranges::find(peers, name, &Peer::name)->address);
        };
        options.still = [](const std::string&, const Connection&) { return true; };
        options.wanted = [](std::string_view name) { return name.ends_with("/do"); };
        options.admit = [](std::string, std::vector<call::RemoteOperation> found) {
            return admit(std::move(found));
        };
        options.scope = [](std::string_view name) {
            return identity::Scope::parse_exact("import:call:" + std::string(name));
        };
        return options;
    }
    static task<result<std::vector<call::RemoteOperation>>> admit(
        std::vector<call::RemoteOperation> found) {
        co_return found;
    }
    task<result<std::shared_ptr<Connection>>> dial(NodeAddress address) {
        DialOptions options;
        options.alpns = {std::string(call::kCallAlpn)};
        options.transport.keep_alive = seconds(10);
        options.transport.idle_timeout = seconds(30);
        co_return co_await dialer_->dial(std::move(address), std::move(options));
    }

    task<result<Json>> ask(std::string name, Duration work, Duration limit) {
        const std::uint64_t number = books_.calls.size() + 1;
        books_.calls[number] = {};
        call::CallContext context;
        context.identity = itself();
        context.deadline = loop_.now() + limit;
        const auto ms = std::chrono::duration_cast<milliseconds>(work).count();
        Json input = Json::object({{"call", number}, {"ms", static_cast<std::uint64_t>(ms)}});
        const TimePoint begun = loop_.now();
        auto outcome = co_await with_timeout(
            limit + kSlack, registry_->call(std::move(name), std::move(context), std::move(input)));
        Issued& issued = books_.calls[number];
        ++issued.ended;
        issued.answered = outcome.has_value();
        if (outcome) {
            ++books_.answered;
            books_.context.expect(*outcome == Json(number), "an answer is that of its call");
        }
        books_.context.expect(loop_.now() - begun < limit + kSlack, "a call has its deadline");
        co_return outcome;
    }

    task<void> issue() {
        const std::vector<std::string> names = targets();
        if (names.empty()) {
            co_return;
        }
        const Duration limit = random_.duration(milliseconds(10), kCallMax);
        const Duration work = random_.chance(0.7) ? random_.duration({}, milliseconds(200))
                                                  : random_.duration({}, kCallMax);
        auto asking = ask(names[random_.below(names.size())], work, limit);
        // Some lose their patience.
        (void)co_await with_timeout(random_.chance(0.3) ? limit / 2 : Duration::max(),
                                    std::move(asking));
    }

    Loop& loop_;
    Books& books_;
    const std::string name_;
    std::shared_ptr<call::OperationHome> home_;
    std::shared_ptr<call::OperationRegistry> registry_;
    std::vector<std::unique_ptr<call::PeerImport>> imports_;
    std::shared_ptr<call::CallAdapter> adapter_;
    Random random_;
    Dialer* dialer_ = nullptr;
    TaskScope visits_{loop_};
};

class CallPlay {
public:
    explicit CallPlay(Context& context)
        : context_(context), ledger_(context, false), books_{.context = context} {
        parts_.resize(kNodes);
        for (std::size_t i = 0; i < kNodes; ++i) {
            NodeOptions options;
            options.server_plan = 0;
            nodes_.push_back(std::make_unique<Node>(ledger_, name_of(i), options));
        }
        for (std::size_t i = 0; i < kNodes; ++i) {
            nodes_[i]->options().part = [this, i](Loop& loop) { return make_part(loop, i); };
        }
        admit_all();
        for (const auto& node : nodes_) {
            node->start();
        }
    }
    void run();

private:
    static std::string name_of(std::size_t i) { return fmt::format("n{}", i % kNodes); }
    std::unique_ptr<NodePart> make_part(Loop& loop, std::size_t i) {
        std::vector<CallPart::Peer> peers;
        for (const std::size_t step : {1U, 2U}) {
            const Node& peer = *nodes_[(i + step) % kNodes];
            peers.push_back({.name = peer.name(), .address = peer.address(step == 1)});
        }
        auto part = std::make_unique<CallPart>(loop, books_, name_of(i), std::move(peers));
        parts_[i] = part.get();
        return part;
    }
    void admit(Node& node, const std::vector<const Node*>& guests);
    void admit_all();
    void revoke_later();
    void check_calls();
    void check_return();
    void check_abort();
    void shut_down();

    Context& context_;
    Ledger ledger_;
    Books books_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::vector<CallPart*> parts_;  // of their present runs
    bool revoking_ = true;
};

void CallPlay::admit(Node& node, const std::vector<const Node*>& guests) {
    for (const auto& other : nodes_) {
        const auto key = std::pair(node.name(), other->name());
        if (std::ranges::find(guests, other.get()) != guests.end()) {
            books_.revoked.erase(key);
        } else {
            books_.revoked.emplace(key, context_.world().now());
        }
    }
    node.admit(guests);
}

void CallPlay::admit_all() {
    std::vector<const Node*> all;
    for (const auto& node : nodes_) {
        all.push_back(node.get());
    }
    for (const auto& node : nodes_) {
        admit(*node, all);
    }
}

/// A reload may take somebody's access away, and give it back.
void CallPlay::revoke_later() {
    context_.world().after(context_.random().duration({}, seconds(6)), [this] {
        if (!revoking_) {
            return;
        }
        Node& node = *nodes_[context_.random().below(kNodes)];
        std::vector<const Node*> guests;
        for (const auto& other : nodes_) {
            if (context_.random().chance(0.7)) {
                guests.push_back(other.get());
            }
        }
        context_.note(fmt::format("{} admits {} others", node.name(), guests.size()));
        if (node.running()) {
            admit(node, guests);
        }
        revoke_later();
    });
}

void CallPlay::check_calls() {
    const auto open = [&] {
        return std::ranges::count_if(books_.calls,
                                     [](const auto& one) { return one.second.ended == 0; });
    };
    context_.world().run_until([&] { return open() == 0 && books_.running == 0; },
                               kCallMax + 2 * kSlack);
    context_.expect(open() == 0, fmt::format("{} calls have not ended", open()));
    context_.expect(books_.running == 0,
                    fmt::format("{} operations run for nobody", books_.running));
    for (const auto& [number, issued] : books_.calls) {
        context_.expect(issued.ended <= 1, fmt::format("call {} ends once", number));
        context_.expect(issued.executed <= 1, fmt::format("call {} runs once", number));
        context_.expect(!issued.answered || issued.executed == 1,
                        fmt::format("the answer of call {} was worked for", number));
    }
    const auto idle = [&] {
        return std::ranges::all_of(parts_,
                                   [](const CallPart* part) { return part->in_flight() == 0; });
    };
    context_.expect(context_.world().run_until(idle, kSlack), "no request is left behind");
    context_.note(fmt::format("{} calls, {} answered", books_.calls.size(), books_.answered));
}

/// Every operation comes back, also the ones over two nodes, and can be called.
void CallPlay::check_return() {
    const auto back = [&] {
        return std::ranges::all_of(
            parts_, [](const CallPart* part) { return part->targets().size() == kTargets; });
    };
    context_.expect(context_.world().run_until(back, kBackWithin), "all operations come back");
    for (CallPart* part : parts_) {
        for (const std::string& name : part->targets()) {
            bool good = false;
            const auto ask = [&] {
                bool over = false;
                part->visits().spawn(part->call(name, {}, kCallMax, over, good), "sim.ask");
                context_.world().run_until([&] { return over; }, kCallMax + kSlack);
                return good;
            };
            for (int tries = 0; tries < 20 && !ask(); ++tries) {
                context_.world().run_for(seconds(10));
            }
            context_.expect(good, fmt::format("{} can be called again", name));
        }
    }
}

void CallPlay::check_abort() {
    CallPart* part = parts_.front();
    for (const std::string& name : part->targets()) {
        bool over = false;
        bool good = false;
        part->visits().spawn(part->call(name, minutes(5), seconds(3), over, good), "sim.abort");
        context_.world().run_until([&] { return books_.running == 1; }, seconds(3));
        context_.expect(books_.running == 1, "a long call has begun");
        context_.world().run_until([&] { return over; }, seconds(4));
        context_.expect(over && !good, "it is aborted");
        context_.world().run_until([&] { return books_.running == 0; }, seconds(5));
        context_.expect(books_.running == 0, "what was aborted ends where it runs: " + name);
    }
}

void CallPlay::shut_down() {
    for (const auto& node : nodes_) {
        node->shut_down();
    }
    const bool down = context_.world().run_until(
        [&] { return std::ranges::all_of(nodes_, [](const auto& each) { return each->reap(); }); },
        seconds(30));
    context_.expect(down, "all shut down");
}

void CallPlay::run() {
    revoke_later();
    FaultOptions faults;
    faults.loss_max = 0.1;
    faults.udp_blocked = 0.1;
    faults.pause = 0.02;
    faults.clock_jump = 0.02;
    faults.partition = 0.05;
    faults.crash = 0.03;
    faults.reset_tcp = 0.1;
    {
        Faults striking(context_, nodes_, faults);
        context_.world().run_for(kFaultTime);
        striking.heal();
    }
    revoking_ = false;
    admit_all();
    books_.issuing = false;
    check_calls();
    check_return();
    check_abort();
    ledger_.set_ending();
    shut_down();
}

}  // namespace

/// Calls across nodes that come and go, among peers that gain and lose their access.
void call_across(Context& context) {
    CallPlay(context).run();
}

}  // namespace alknet::sim
