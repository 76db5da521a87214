#include "node.hpp"

#include <fmt/format.h>
#include <alknet/base/causes.hpp>
#include <alknet/resume/handler.hpp>
#include <alknet/rt/combine.hpp>

namespace alknet::sim {

namespace {

/// Resumable streams last longer than the connections below them, sleep included.
constexpr Duration kLastingLimit = std::chrono::hours(24);
constexpr Duration kLastingPace = std::chrono::milliseconds(300);
constexpr Duration kOpenPause = std::chrono::seconds(1);

/// The service of every node: Traffic's other side.
class WorkHandler final : public ProtocolHandler {
public:
    WorkHandler(Ledger& ledger, Loop& loop, const NodeOptions& options, std::string_view alpn)
        : ledger_(ledger), loop_(loop), options_(options), alpn_(alpn) {}

    [[nodiscard]] std::vector<std::string> alpns() const override { return {alpn_}; }
    task<result<void>> handle(std::shared_ptr<Connection> connection, AuthContext) override {
        TrafficOptions options;
        const bool quic = connection->info().transport == Transport::quic;
        options.connection = std::move(connection);
        if (alpn_ == kLastingAlpn) {
            options.resumable = true;
            options.pace = kLastingPace;
            options.operation_limit = kLastingLimit;
        } else if (quic) {
            options.plan = make_plan(ledger_.context().random(), options_.server_plan,
                                     options_.bytes_max, true);
        }
        Traffic traffic(ledger_, loop_, std::move(options));
        co_await traffic.follow();
        co_return result<void>{};
    }

private:
    Ledger& ledger_;
    Loop& loop_;
    NodeOptions options_;
    std::string alpn_;
};

/// Nodes write no errors to the log unless something is wrong with them.
class ErrorSink final : public LogSink {
public:
    ErrorSink(Ledger& ledger, std::string name) : ledger_(ledger), name_(std::move(name)) {}
    [[nodiscard]] bool enabled(LogLevel level) const noexcept override {
        return level == LogLevel::error;
    }
    void write(LogLevel, std::string_view event,
               std::span<const LogField> fields) noexcept override {
        std::string text = fmt::format("{} logged {}", name_, event);
        for (const LogField& field : fields) {
            std::visit([&](const auto& value) { text += fmt::format(" {}={}", field.key, value); },
                       field.value);
        }
        ledger_.context().fail(text);
    }

private:
    Ledger& ledger_;
    std::string name_;
};

}  // namespace

// ---- one run of the program ----

class Node::Incarnation {
public:
    Incarnation(Node& node);

    task<void> run_call(Call call);
    task<void> run_visit(Visit& visit);
    task<void> run_lasting(Lasting& lasting);
    void take_down() { outer_.spawn(descend(), "sim.descend"); }
    [[nodiscard]] bool down() const noexcept { return down_; }
    /// After `down`: destroys everything and says what is left.
    std::string leftovers();

    std::unique_ptr<SimProcess> process;
    std::unique_ptr<Endpoint> endpoint;
    std::unique_ptr<Dialer> dialer;
    std::unique_ptr<TaskScope> calls;
    std::shared_ptr<resume::ResumeHandler> resumable;
    std::unique_ptr<NodePart> part;

private:
    task<void> descend();
    task<result<std::shared_ptr<Connection>>> dial(Call call);
    task<result<Dialled>> dial(Lasting& lasting, std::optional<Rung> better_than);
    std::unique_ptr<net::UdpSocket> other_socket(const Connection& connection);

    Node& node_;
    TaskScope outer_;
    bool down_ = false;
};

Node::Incarnation::Incarnation(Node& node)
    : process(node.host_.start()), node_(node), outer_(process->loop()) {
    Context& context = node.ledger_.context();
    Log log = context.verbose() ? context.log(node.name())
                                : Log(std::make_shared<ErrorSink>(node.ledger_, node.name()));
    tls::ContextOptions tls_options;
    tls_options.key = node.key_;
    tls_options.ticket_keys = node.ticket_keys_;
    const auto tls = *tls::TlsContext::create(tls_options);

    EndpointOptions options;
    options.network = process->network();
    options.tls = tls;
    options.registry = std::make_shared<HandlerRegistry>();
    options.identities = node.guests_;
    for (const std::string_view alpn : {kWorkAlpn, kPrivateAlpn, kLastingAlpn}) {
        const AlpnPolicy policy{.identity_required = alpn == kPrivateAlpn};
        const auto added = options.registry->add(
            std::make_shared<WorkHandler>(node.ledger_, process->loop(), node.options_, alpn),
            policy);
        context.expect(added.has_value(), "the work handler can be added");
    }
    resume::ResumeHandlerOptions streams;
    streams.serve = [this](std::shared_ptr<Connection> made) {
        return endpoint->serve(std::move(made));
    };
    streams.log = log;
    resumable = resume::ResumeHandler::create(process->loop(), std::move(streams));
    context.expect(options.registry->add(resumable).has_value(),
                   "so can that of resumable streams");
    if (node.options_.part) {
        part = node.options_.part(process->loop());
        context.expect(options.registry->add(part->handler()).has_value(),
                       "so can that of the part");
    }
    options.limits = node.options_.limits;
    options.secrets = node.secrets_;
    options.log = log;
    endpoint = Endpoint::create(process->loop(), std::move(options));

    ListenerOptions listener;
    listener.name = "main";
    listener.address = SocketAddress::v6({}, kNodePort);
    listener.congestion = node.options_.congestion;
    const auto bound = endpoint->listen(std::move(listener));
    if (!bound) {
        context.fail(fmt::format("{} cannot listen: {}", node.name(), bound.error().message()));
    }
    dialer = Dialer::create(process->loop(), process->network(), tls, log);
    calls = std::make_unique<TaskScope>(process->loop());
    if (part != nullptr) {
        calls->spawn(part->run(*dialer), "sim.part");
    }
}

task<result<std::shared_ptr<Connection>>> Node::Incarnation::dial(Call call) {
    DialOptions options;
    options.alpns = {call.alpn};
    options.quic = call.quic;
    options.tcp = call.tcp;
    options.transport = node_.options_.transport;
    NodeAddress to = call.to;
    co_return co_await dialer->dial(std::move(to), std::move(options));
}

task<result<Dialled>> Node::Incarnation::dial(Lasting& lasting, std::optional<Rung> better_than) {
    DialOptions options;
    options.alpns = {std::string(resume::kResumeAlpn)};
    options.transport = node_.options_.transport;
    options.better_than = better_than;
    NodeAddress to = lasting.to;
    auto way = co_await dialer->dial_way(std::move(to), std::move(options));
    if (way) {
        lasting.carrier = way->connection;
    }
    co_return way;
}

std::unique_ptr<net::UdpSocket> Node::Incarnation::other_socket(const Connection& connection) {
    const bool v4 = connection.remote().family() == SocketAddress::Family::v4;
    const SocketAddress any = v4 ? SocketAddress::v4({}, 0) : SocketAddress::v6({}, 0);
    auto socket = process->network()->bind_udp(process->loop(), any, {});
    return socket ? std::move(*socket) : nullptr;
}

task<void> Node::Incarnation::run_call(Call call) {
    Ledger& ledger = node_.ledger_;
    std::shared_ptr<Connection> connection;
    for (int tried = 1; connection == nullptr; ++tried) {
        ++ledger.counts.dials;
        auto dialled = co_await dial(call);
        if (dialled) {
            connection = std::move(*dialled);
            break;
        }
        ++ledger.counts.dials_failed;
        ledger.ended_with("dial", dialled.error(), tried < call.tries);
        if (dialled.error().is(errc::cancelled) || tried >= call.tries) {
            co_return;
        }
    }
    ledger.context().expect(connection->info().peer.key == *call.to.id, "the peer has the key");
    TrafficOptions options;
    options.connection = connection;
    options.plan = std::move(call.plan);
    if (connection->info().transport != Transport::quic) {
        options.plan.resize(std::min<std::size_t>(options.plan.size(), 1));
    }
    options.make_socket = [this, connection = connection.get()] {
        return other_socket(*connection);
    };
    Traffic traffic(ledger, process->loop(), std::move(options));
    co_await traffic.lead();
}

task<void> Node::Incarnation::run_visit(Visit& visit) {
    auto dialled = co_await dial(visit.call);
    while (!dialled && visit.persistent) {
        // As a person would: an answer to an earlier packet may have said that nobody is there.
        node_.ledger_.context().note("visit: " + dialled.error().message());
        if (!co_await process->loop().sleep(std::chrono::seconds(1))) {
            break;
        }
        dialled = co_await dial(visit.call);
    }
    if (dialled) {
        visit.resumed = (*dialled)->info().peer.resumed;
        TrafficOptions options;
        options.connection = *dialled;
        const Operation request{
            .kind = Operation::Kind::request, .up = visit.bytes, .down = visit.bytes};
        options.plan = {request};
        if (visit.rest > Duration::zero()) {
            options.plan.push_back({.kind = Operation::Kind::rest, .after = visit.rest});
            options.plan.push_back(request);
        }
        options.slow_readers = 0;
        options.on_success = [&visit] { visit.reached = true; };
        options.on_failure = [&visit](const error& why) { visit.failure = why; };
        Traffic traffic(node_.ledger_, process->loop(), std::move(options));
        co_await traffic.lead();
    } else {
        visit.failure = dialled.error();
    }
    visit.over = true;
}

task<void> Node::Incarnation::run_lasting(Lasting& lasting) {
    resume::ResumeClientOptions options;
    options.knock = [this, &lasting] {
        DialOptions dialling;
        dialling.alpns = {std::string(resume::kResumeAlpn)};
        return dialer->knock(lasting.to, std::move(dialling));
    };
    options.on_resumed = [&lasting](const resume::Resumption&) { ++lasting.resumptions; };
    const auto streams = resume::ResumableClient::create(
        process->loop(),
        [this, &lasting](std::optional<Rung> better_than) { return dial(lasting, better_than); },
        std::move(options));
    auto opened = co_await streams->open(std::string(kLastingAlpn));
    while (!opened && !opened.error().is(errc::cancelled)) {
        node_.ledger_.context().note("open: " + opened.error().message());
        if (!co_await process->loop().sleep(kOpenPause)) {
            break;
        }
        opened = co_await streams->open(std::string(kLastingAlpn));
    }
    if (opened) {
        lasting.opened = true;
        TrafficOptions traffic_options;
        traffic_options.connection = std::move(*opened);
        traffic_options.plan = {lasting.operation};
        traffic_options.on_failure = [&lasting](const error& why) { lasting.failure = why; };
        traffic_options.resumable = true;
        traffic_options.pace = lasting.pace;
        traffic_options.operation_limit = kLastingLimit;
        Traffic traffic(node_.ledger_, process->loop(), std::move(traffic_options));
        co_await traffic.lead();
    } else {
        lasting.failure = opened.error();
    }
    co_await streams->shutdown(Duration::zero());
    lasting.over = true;
}

task<void> Node::Incarnation::descend() {
    calls->cancel();
    (void)co_await calls->join();
    co_await dialer->shutdown();
    co_await endpoint->shutdown();
    down_ = true;
}

std::string Node::Incarnation::leftovers() {
    std::string left;
    if (endpoint->connections() != 0) {
        left += fmt::format(" {} connections", endpoint->connections());
    }
    if (resumable->streams() != 0) {
        left += fmt::format(" {} resumable streams", resumable->streams());
    }
    resumable.reset();
    calls.reset();
    dialer.reset();
    endpoint.reset();
    part.reset();
    for (const std::string_view name : process->loop().task_names()) {
        left += fmt::format(" task {}", name);
    }
    if (process->loop().armed_timers() > 0) {
        left += fmt::format(" {} timers", process->loop().armed_timers());
    }
    if (process->sockets() > 0) {
        left += fmt::format(" {} sockets", process->sockets());
    }
    return left;
}

// ---- node ----

Node::Node(Ledger& ledger, std::string name, NodeOptions options)
    : ledger_(ledger),
      options_(std::move(options)),
      host_(ledger.context().world().add_host(std::move(name))),
      key_(NodeKey::generate()),
      ticket_keys_(tls::TicketKeys::create()),
      secrets_(quic::make_secrets()),
      guests_(*StaticIdentityProvider::create({})) {}

Node::~Node() = default;

NodeAddress Node::address(bool v6) const {
    NodeAddress address;
    address.id = key_->id();
    address.host = v6 ? host_.v6(0).ip_text() : host_.v4(0).ip_text();
    address.port = kNodePort;
    return address;
}

void Node::start() {
    present_ = std::make_unique<Incarnation>(*this);
}

void Node::crash() {
    if (present_ != nullptr) {
        present_->process->detach();
        shut_down();
    }
}

void Node::shut_down() {
    if (present_ != nullptr) {
        present_->take_down();
        past_.push_back(std::move(present_));
    }
}

void Node::call(Call call) {
    if (present_ != nullptr) {
        present_->calls->spawn(present_->run_call(std::move(call)), "sim.call");
    }
}

std::size_t Node::calls() const noexcept {
    return present_ == nullptr ? 0 : present_->calls->size();
}

std::size_t Node::connections() const noexcept {
    return present_ == nullptr ? 0 : present_->endpoint->connections();
}

std::size_t Node::half_open() const noexcept {
    return present_ == nullptr ? 0 : present_->endpoint->half_open();
}

void Node::visit(Visit& visit) {
    present_->calls->spawn(present_->run_visit(visit), "sim.visit");
}

void Node::last(Lasting& lasting) {
    present_->calls->spawn(present_->run_lasting(lasting), "sim.lasting");
}

namespace {

task<void> recheck(Endpoint& endpoint) {
    co_await endpoint.recheck_identities();
}

}  // namespace

void Node::admit(const std::vector<const Node*>& guests) {
    std::vector<StaticPeer> peers;
    for (const Node* guest : guests) {
        StaticPeer peer;
        peer.identity.id = guest->name();
        peer.identity.scopes = {"*:*:*"};
        peer.fingerprints = {guest->key_->id().fingerprint()};
        peers.push_back(std::move(peer));
    }
    ledger_.context().expect(guests_->replace(std::move(peers)).has_value(),
                             "the list of guests can be replaced");
    if (present_ != nullptr) {
        present_->calls->spawn(recheck(*present_->endpoint), "sim.recheck");
    }
}

std::string Node::tasks() const {
    std::string text;
    const auto add = [&](const Incarnation& each) {
        for (const std::string_view task : each.process->loop().task_names()) {
            text += fmt::format(" {}", task);
        }
    };
    for (const auto& each : past_) {
        add(*each);
    }
    if (present_ != nullptr) {
        add(*present_);
    }
    return text;
}

bool Node::reap() {
    for (std::size_t i = 0; i < past_.size();) {
        if (!past_[i]->down()) {
            ++i;
            continue;
        }
        const std::string left = past_[i]->leftovers();
        if (!left.empty()) {
            ledger_.context().fail(fmt::format("{} leaves behind:{}", name(), left));
        }
        past_.erase(past_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return past_.empty();
}

}  // namespace alknet::sim
