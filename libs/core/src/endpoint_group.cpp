// An endpoint on several loops: one on each, which share what must be counted and known together.
#include <alknet/base/causes.hpp>
#include <alknet/core/endpoint.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "endpoint_state.hpp"

namespace alknet {

namespace {

using Work = task<void> (Endpoint::*)();

/// What the first loop waits for. It belongs to that loop.
struct Pending {
    std::size_t left = 0;
    WaitList done;
};

class EndpointGroup final : public Endpoint {
public:
    explicit EndpointGroup(LoopGroup& loops) : loops_(loops) {}
    ~EndpointGroup() override;
    result<void> build(EndpointOptions options, const RegisterHandlers& handlers);

    result<SocketAddress> listen(ListenerOptions options) override;
    bool unlisten(std::string_view name) override;
    [[nodiscard]] std::vector<SocketAddress> local_addresses() const override {
        return first().local_addresses();
    }
    void set_tls(std::shared_ptr<const tls::TlsContext> context) override {
        on_each([context](Endpoint& endpoint) { endpoint.set_tls(context); });
    }
    void set_limits(const EndpointLimits& limits) override {
        on_each([limits](Endpoint& endpoint) { endpoint.set_limits(limits); });
    }
    void change_registry(const std::function<void(HandlerRegistry&)>& change) override {
        on_each([change](Endpoint& endpoint) { endpoint.change_registry(change); });
    }
    task<void> recheck_identities() override { return run_on_each(&Endpoint::recheck_identities); }
    task<void> serve(std::shared_ptr<Connection> connection) override {
        const TaskContext context = co_await current_context();
        co_await on(*context.loop).serve(std::move(connection));
    }
    [[nodiscard]] std::vector<ConnectionReport> list_connections() const override;
    bool close_connection(std::string_view id) override;
    [[nodiscard]] std::uint64_t beginnings_from(
        const SocketAddress& remote) const noexcept override {
        return beginnings_->count(remote, loops_.at(0).clock().now());
    }
    [[nodiscard]] std::size_t connections() const noexcept override {
        return counters_->connections();
    }
    [[nodiscard]] std::size_t half_open() const noexcept override { return counters_->half_open(); }
    task<void> shutdown() override { return run_on_each(&Endpoint::shutdown); }

private:
    /// What lives on one loop.
    struct Seat {
        std::unique_ptr<Endpoint> endpoint;
        std::optional<TaskScope> tasks;
    };

    [[nodiscard]] Endpoint& on(const Loop& loop) const noexcept {
        for (std::size_t i = 1; i < seats_.size(); ++i) {
            if (&loops_.at(i) == &loop) {
                return *seats_[i]->endpoint;
            }
        }
        return first();
    }
    [[nodiscard]] Endpoint& first() const noexcept { return *seats_.front()->endpoint; }
    result<void> build_seat(std::uint32_t index, EndpointOptions options,
                            const std::shared_ptr<quic::Steering>& steering,
                            const RegisterHandlers& handlers);
    result<SocketAddress> listen_on(std::size_t index, const ListenerOptions& options);
    void take_back(const ListenerOptions& failed, std::size_t seats);
    void on_each(const std::function<void(Endpoint&)>& work);
    task<void> run_on_each(Work work);
    static task<void> run_and_tell(Endpoint& endpoint, Work work, Loop& first,
                                   std::shared_ptr<Pending> pending);

    LoopGroup& loops_;
    std::shared_ptr<Counters> counters_ = Counters::create();
    std::shared_ptr<RecentAddresses> beginnings_ = std::make_shared<RecentAddresses>();
    std::vector<std::unique_ptr<Seat>> seats_;
    std::map<std::string, ListenerOptions, std::less<>> listeners_;  // as they are on every loop
};

result<void> EndpointGroup::build(EndpointOptions options, const RegisterHandlers& handlers) {
    std::vector<Loop*> loops;
    for (std::size_t i = 0; i < loops_.size(); ++i) {
        loops.push_back(&loops_.at(i));
    }
    const auto steering = std::make_shared<quic::Steering>(std::move(loops));
    if (options.metrics == nullptr) {
        options.metrics = std::make_shared<Metrics>();
    }
    for (std::uint32_t i = 0; i < steering->size(); ++i) {
        seats_.push_back(std::make_unique<Seat>());
        result<void> built;
        loops_.run_on(i, [&] { built = build_seat(i, options, steering, handlers); });
        ALKNET_CHECK(built);
    }
    return {};
}

result<void> EndpointGroup::build_seat(std::uint32_t index, EndpointOptions options,
                                       const std::shared_ptr<quic::Steering>& steering,
                                       const RegisterHandlers& handlers) {
    Loop& loop = loops_.at(index);
    if (index > 0) {
        options.registry = std::make_shared<HandlerRegistry>();
        ALKNET_CHECK(handlers(*options.registry, loop));
    }
    SharedParts shared;
    shared.share = {index, steering->size()};
    shared.counters = counters_;
    shared.steering = steering;
    shared.beginnings = beginnings_;
    seats_[index]->endpoint = make_endpoint(loop, std::move(options), std::move(shared));
    seats_[index]->tasks.emplace(loop);
    return {};
}

EndpointGroup::~EndpointGroup() {
    for (std::size_t i = seats_.size(); i-- > 0;) {
        loops_.run_on(i, [&] {
            seats_[i]->tasks.reset();
            seats_[i]->endpoint.reset();
        });
    }
}

result<SocketAddress> EndpointGroup::listen_on(std::size_t index, const ListenerOptions& options) {
    result<SocketAddress> outcome;
    loops_.run_on(index, [&] { outcome = seats_[index]->endpoint->listen(options); });
    return outcome;
}

result<SocketAddress> EndpointGroup::listen(ListenerOptions options) {
    ALKNET_TRY(const SocketAddress bound, first().listen(options));
    ListenerOptions further = options;
    // Where the port was to be free, the others know which one it is.
    further.address = bound;
    for (std::size_t i = 1; i < seats_.size(); ++i) {
        if (auto outcome = listen_on(i, further); !outcome) {
            take_back(options, i);
            return outcome;
        }
    }
    const std::string name = options.name;
    listeners_.insert_or_assign(name, std::move(options));
    return bound;
}

// A loop that failed has changed nothing; the ones before it, `seats` of them, have.
void EndpointGroup::take_back(const ListenerOptions& failed, std::size_t seats) {
    const auto before = listeners_.find(failed.name);
    if (before == listeners_.end()) {
        (void)unlisten(failed.name);
        return;
    }
    ListenerOptions old = before->second;
    const auto bound = listen_on(0, old);
    for (std::size_t i = 1; bound && i < seats; ++i) {
        old.address = *bound;
        (void)listen_on(i, old);
    }
}

bool EndpointGroup::unlisten(std::string_view name) {
    if (!first().unlisten(name)) {
        return false;
    }
    for (std::size_t i = 1; i < seats_.size(); ++i) {
        // At once, for the port may be wanted again.
        loops_.run_on(i, [&] { (void)seats_[i]->endpoint->unlisten(name); });
    }
    if (const auto known = listeners_.find(name); known != listeners_.end()) {
        listeners_.erase(known);
    }
    return true;
}

std::vector<ConnectionReport> EndpointGroup::list_connections() const {
    std::vector<ConnectionReport> all;
    for (std::size_t i = 0; i < seats_.size(); ++i) {
        loops_.run_on(i, [&] {
            for (ConnectionReport& report : seats_[i]->endpoint->list_connections()) {
                all.push_back(std::move(report));
            }
        });
    }
    return all;
}

bool EndpointGroup::close_connection(std::string_view id) {
    bool closed = false;
    for (std::size_t i = 0; i < seats_.size() && !closed; ++i) {
        loops_.run_on(i, [&] { closed = seats_[i]->endpoint->close_connection(id); });
    }
    return closed;
}

void EndpointGroup::on_each(const std::function<void(Endpoint&)>& work) {
    work(first());
    for (std::size_t i = 1; i < seats_.size(); ++i) {
        loops_.at(i).post([work, &endpoint = *seats_[i]->endpoint] { work(endpoint); });
    }
}

task<void> EndpointGroup::run_and_tell(Endpoint& endpoint, Work work, Loop& first,
                                       std::shared_ptr<Pending> pending) {
    co_await (endpoint.*work)();
    first.post([pending] {
        --pending->left;
        pending->done.wake_all();
    });
}

task<void> EndpointGroup::run_on_each(Work work) {
    const auto pending = std::make_shared<Pending>();
    for (std::size_t i = 1; i < seats_.size(); ++i) {
        ++pending->left;
        loops_.at(i).post([work, pending, &seat = *seats_[i], &first = loops_.at(0)] {
            seat.tasks->spawn(run_and_tell(*seat.endpoint, work, first, pending), "core.group");
        });
    }
    co_await (first().*work)();
    while (pending->left > 0) {
        (void)co_await pending->done.wait_uncancellable();
    }
}

}  // namespace

result<std::unique_ptr<Endpoint>> Endpoint::create(LoopGroup& loops, EndpointOptions options,
                                                   const RegisterHandlers& handlers) {
    if (loops.size() == 1) {
        return create(loops.at(0), std::move(options));
    }
    auto group = std::make_unique<EndpointGroup>(loops);
    ALKNET_CHECK(group->build(std::move(options), handlers));
    return group;
}

}  // namespace alknet
