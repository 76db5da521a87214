#include "faults.hpp"

#include <fmt/format.h>

namespace alknet::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

double seconds_of(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

Faults::Faults(Context& context, std::span<const std::unique_ptr<Node>> nodes, FaultOptions options)
    : context_(context), nodes_(nodes), options_(options), random_(context.random().fork()) {
    change_weather();
    later(seconds(1), [this] { round(); });
}

void Faults::later(Duration delay, std::function<void()> function) {
    context_.world().after(delay, [active = active_, function = std::move(function)] {
        if (*active) {
            function();
        }
    });
}

void Faults::round() {
    if (random_.chance(0.15)) {
        change_weather();
    }
    for (const auto& node : nodes_) {
        strike(*node);
    }
    if (random_.chance(options_.reset_tcp) && nodes_.size() > 1) {
        Node& one = *nodes_[random_.below(nodes_.size())];
        Node& other = *nodes_[random_.below(nodes_.size())];
        context_.note(fmt::format("TCP between {} and {} is reset", one.name(), other.name()));
        context_.world().reset_tcp(one.host(), other.host());
    }
    later(random_.duration(milliseconds(500), milliseconds(1500)), [this] { round(); });
}

LinkOptions Faults::draw_link() {
    LinkOptions link;
    link.delay = random_.duration(milliseconds(1), milliseconds(120));
    link.jitter = random_.duration({}, milliseconds(30));
    if (!options_.weather) {
        return link;
    }
    const auto up_to = [&](double most) {
        return random_.chance(0.3) ? 0.0 : most * static_cast<double>(random_.below(1000)) / 1000;
    };
    link.loss = up_to(options_.loss_max);
    link.duplicate = up_to(0.1);
    link.reorder = up_to(0.15);
    link.reorder_delay = random_.duration(milliseconds(1), milliseconds(80));
    link.corrupt = up_to(0.03);
    link.congestion = up_to(0.05);
    if (random_.chance(0.4)) {
        link.bits_per_second = random_.between(1'000'000, 50'000'000);
        link.queue_bytes = random_.between(20'000, 500'000);
    }
    constexpr std::array<std::size_t, 4> kPayloads = {1200, 1280, 1400, 1472};
    link.udp_payload_bytes_max = kPayloads[random_.below(kPayloads.size())];
    if (options_.udp_blocked > 0 && random_.chance(options_.udp_blocked)) {
        link.udp_rejected = random_.chance(0.5);
        link.udp_bytes_max = 0;
    }
    return link;
}

void Faults::change_weather() {
    for (const auto& from : nodes_) {
        for (const auto& to : nodes_) {
            if (from != to) {
                LinkOptions link = draw_link();
                link.cut = context_.world().link(from->host(), to->host()).cut;
                context_.world().set_link(from->host(), to->host(), link);
            }
        }
        from->host().set_send_blocked(random_.chance(0.3) ? 0.1 : 0);
    }
    context_.note("the weather changes");
}

void Faults::strike(Node& node) {
    SimHost& host = node.host();
    if (host.behind_nat() && random_.chance(options_.rebind)) {
        const bool address = random_.chance(0.4);
        context_.note(
            fmt::format("{}: its NAT rebinds ({})", node.name(), address ? "address" : "port"));
        host.rebind_nat(address ? SimHost::NatChange::address : SimHost::NatChange::port);
    }
    if (random_.chance(options_.pause)) {
        const Duration time = random_.duration(milliseconds(20), options_.pause_max);
        context_.note(fmt::format("{}: paused for {:.3f} s", node.name(), seconds_of(time)));
        host.pause();
        later(time, [&host] { host.resume(); });
    }
    if (!host.asleep() && random_.chance(options_.suspend)) {
        const Duration time = random_.duration(milliseconds(100), options_.suspend_max);
        const auto clock = random_.chance(0.5) ? SimHost::MonotonicInSleep::stops
                                               : SimHost::MonotonicInSleep::goes_on;
        context_.note(fmt::format("{}: asleep for {:.3f} s", node.name(), seconds_of(time)));
        host.suspend();
        later(time, [&host, clock] { host.wake(clock); });
    }
    if (random_.chance(options_.clock_jump)) {
        const Duration by = random_.duration(-std::chrono::hours(48), std::chrono::hours(48));
        context_.note(
            fmt::format("{}: its wall clock jumps by {:.0f} s", node.name(), seconds_of(by)));
        host.clock().jump_wall(by);
    }
    if (random_.chance(options_.partition)) {
        part(node);
    }
    if (node.running() && random_.chance(options_.crash)) {
        context_.note(fmt::format("{}: crashes", node.name()));
        node.crash();
        restart_later(node);
    }
}

void Faults::part(Node& node) {
    const Duration time = random_.duration(milliseconds(50), options_.partition_max);
    const bool from_all = random_.chance(0.5);
    for (const auto& other : nodes_) {
        if (other.get() == &node || (!from_all && random_.chance(0.5))) {
            continue;
        }
        context_.note(fmt::format("{} and {} are apart for {:.3f} s", node.name(), other->name(),
                                  seconds_of(time)));
        context_.world().set_cut(node.host(), other->host(), true);
        later(time, [this, &node, &other = *other] {
            context_.world().set_cut(node.host(), other.host(), false);
        });
    }
}

void Faults::restart_later(Node& node) {
    later(random_.duration({}, options_.down_max), [this, &node] {
        if (!node.running()) {
            context_.note(fmt::format("{}: starts again", node.name()));
            node.start();
        }
    });
}

void Faults::heal() {
    *active_ = false;
    context_.note("all faults end");
    context_.world().set_all_links({});
    for (const auto& node : nodes_) {
        node->host().set_send_blocked(0);
        node->host().wake(SimHost::MonotonicInSleep::stops);
        node->host().resume();
        if (!node->running()) {
            node->start();
        }
    }
}

}  // namespace alknet::sim
