#include <algorithm>
#include <alknet/base/assert.hpp>

#include "tcp.hpp"

namespace alknet::sim {

SimWorld::SimWorld(std::uint64_t seed)
    : fabric_(std::make_unique<Fabric>(seed)),
      random_(fabric_->random.fork()),
      order_(fabric_->random.fork()) {}

SimWorld::~SimWorld() = default;

TimePoint SimWorld::now() const noexcept {
    return fabric_->now;
}

WorldStats SimWorld::stats() const noexcept {
    return fabric_->stats;
}

SimHost& SimWorld::add_host(std::string name) {
    hosts_.push_back(std::make_unique<SimHost>(*fabric_, std::move(name), hosts_.size()));
    return *hosts_.back();
}

std::span<const std::unique_ptr<SimHost>> SimWorld::hosts() const noexcept {
    return hosts_;
}

void SimWorld::set_link(const SimHost& from, const SimHost& to, const LinkOptions& options) {
    Link& link = fabric_->link(from, to);
    link.options = options;
    link.udp_bytes = 0;
}

void SimWorld::set_all_links(const LinkOptions& options) {
    fabric_->set_all_links(options);
}

LinkOptions SimWorld::link(const SimHost& from, const SimHost& to) const {
    return fabric_->link(from, to).options;
}

void SimWorld::set_cut(const SimHost& a, const SimHost& b, bool cut) {
    fabric_->link(a, b).options.cut = cut;
    fabric_->link(b, a).options.cut = cut;
}

void SimWorld::reset_tcp(const SimHost& a, const SimHost& b) {
    for (const std::weak_ptr<TcpLink>& weak : fabric_->tcp_links) {
        const std::shared_ptr<TcpLink> link = weak.lock();
        if (link != nullptr && link->joins(a, b)) {
            link->break_both();
        }
    }
}

void SimWorld::add_name(std::string name, std::vector<SocketAddress> addresses) {
    fabric_->names[std::move(name)] = std::move(addresses);
}

void SimWorld::at(TimePoint when, std::function<void()> function) {
    fabric_->at(when, [this, function = std::move(function)] {
        function();
        wake_all();  // it may have given any process something to do
    });
}

void SimWorld::after(Duration delay, std::function<void()> function) {
    at(fabric_->now + delay, std::move(function));
}

void SimWorld::set_clock_watcher(std::function<void(const Clock*)> watcher) {
    clock_watcher_ = std::move(watcher);
}

void SimWorld::set_tracer(std::function<void(const TraceEvent&)> tracer) {
    fabric_->tracer = std::move(tracer);
}

std::uint64_t SimWorld::trace_hash() const noexcept {
    return fabric_->trace_hash;
}

// ---- driving ----

void SimWorld::wake_all() {
    for (SimProcess* process : fabric_->processes) {
        process->state().touched = true;
    }
}

/// When a process must be run because of its timers, in the world's time.
std::optional<TimePoint> SimWorld::due(SimProcess& process) {
    const SimHost& host = process.host();
    const std::optional<TimePoint> deadline = process.loop().next_deadline();
    if (!deadline || *deadline == TimePoint::max() || !host.runs()) {
        return std::nullopt;
    }
    SimProcess::State& state = process.state();
    if (state.deadline != deadline) {
        state.deadline = deadline;
        state.lateness = order_.duration({}, host.wake_latency_);
    }
    return host.clock_.to_world(*deadline) + state.lateness;
}

std::optional<TimePoint> SimWorld::next_event() {
    std::optional<TimePoint> next = fabric_->next_event();
    for (SimProcess* process : fabric_->processes) {
        const std::optional<TimePoint> when = due(*process);
        if (when && (!next || *when < *next)) {
            next = when;
        }
    }
    return next;
}

void SimWorld::step(SimProcess& process) {
    SimProcess::State& state = process.state();
    state.touched = false;
    if (clock_watcher_) {
        clock_watcher_(&process.host().clock());
    }
    // Timers before packets, or packets before timers: both happen.
    if (order_.chance(0.5)) {
        process.loop().run_until_idle();
    }
    process.loop().refresh_now();
    std::vector<SimUdpSocket*> readable;
    readable.swap(state.readable);
    for (SimUdpSocket* socket : readable) {
        if (std::ranges::find(state.udp, socket) != state.udp.end()) {
            socket->dispatch();
        }
    }
    process.loop().run_until_idle();
    if (clock_watcher_) {
        clock_watcher_(nullptr);
    }
}

bool SimWorld::step_processes() {
    std::vector<SimProcess*> runnable;
    for (SimProcess* process : fabric_->processes) {
        const std::optional<TimePoint> when = due(*process);
        if (process->host().runs() &&
            (process->state().touched || (when && *when <= fabric_->now))) {
            runnable.push_back(process);
        }
    }
    order_.shuffle(runnable);
    for (SimProcess* process : runnable) {
        step(*process);
    }
    return !runnable.empty();
}

void SimWorld::settle() {
    for (std::size_t round = 0;; ++round) {
        ALKNET_ASSERT(round < kRoundsPerInstantMax);
        const bool events = fabric_->run_due();
        if (!step_processes() && !events) {
            return;
        }
    }
}

bool SimWorld::run_until(const std::function<bool()>& done, Duration limit) {
    const TimePoint end = fabric_->now + limit;
    wake_all();
    for (;;) {
        settle();
        if (done()) {
            return true;
        }
        const std::optional<TimePoint> next = next_event();
        if (!next || *next > end) {
            break;
        }
        fabric_->now = std::max(fabric_->now, *next);
    }
    fabric_->now = end;
    return false;
}

void SimWorld::run_for(Duration duration) {
    (void)run_until([] { return false; }, duration);
}

}  // namespace alknet::sim
