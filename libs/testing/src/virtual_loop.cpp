#include <alknet/testing/idle_poller.hpp>
#include <alknet/testing/virtual_loop.hpp>
#include <memory>

namespace alknet::sim {

VirtualLoop::VirtualLoop() : loop_(clock_, std::make_unique<IdlePoller>()) {}

void VirtualLoop::advance(Duration by) {
    const TimePoint end = time_after(clock_.now(), by);
    loop_.run_until_idle();
    while (loop_.next_deadline().value_or(TimePoint::max()) <= end) {
        clock_.advance_to(*loop_.next_deadline());
        loop_.run_until_idle();
    }
    clock_.advance_to(end);
    loop_.run_until_idle();
}

bool VirtualLoop::run(task<void> work, Duration limit) {
    const TimePoint end = time_after(clock_.now(), limit);
    TaskScope scope(loop_);
    scope.spawn(std::move(work), "test");
    loop_.run_until_idle();
    while (scope.size() > 0) {
        const auto deadline = loop_.next_deadline();
        if (!deadline || *deadline > end || *deadline == TimePoint::max()) {
            return false;
        }
        clock_.advance_to(*deadline);
        loop_.run_until_idle();
    }
    scope.rethrow();
    return true;
}

std::string VirtualLoop::leftovers() const {
    std::string text;
    for (const std::string_view name : loop_.task_names()) {
        text.append(text.empty() ? "tasks left: " : ", ").append(name);
    }
    if (loop_.armed_timers() > 0) {
        text.append(text.empty() ? "" : "; ")
            .append(std::to_string(loop_.armed_timers()))
            .append(" timers left");
    }
    return text;
}

}  // namespace alknet::sim
