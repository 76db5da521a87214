#include "context.hpp"

#include <fmt/format.h>
#include <cstdio>

#include "fake_system.hpp"

namespace alknet::sim {

namespace {

/// One line per event on standard error, with the world's time.
class StderrSink final : public LogSink {
public:
    StderrSink(const SimWorld& world, std::string name) : world_(world), name_(std::move(name)) {}

    [[nodiscard]] bool enabled(LogLevel) const noexcept override { return true; }
    void write(LogLevel level, std::string_view event,
               std::span<const LogField> fields) noexcept override {
        std::string line;
        for (const LogField& field : fields) {
            std::visit([&](const auto& value) { line += fmt::format(" {}={}", field.key, value); },
                       field.value);
        }
        fmt::print(stderr, "{:>14} {} {} {}{}\n", seconds_text(world_), name_, to_string(level),
                   event, line);
    }
    static std::string seconds_text(const SimWorld& world) {
        const std::chrono::duration<double> now = world.now().time_since_epoch();
        return fmt::format("{:.6f}", now.count());
    }

private:
    const SimWorld& world_;
    std::string name_;
};

}  // namespace

Context::Context(std::uint64_t seed, bool verbose) : seed_(seed), verbose_(verbose), world_(seed) {
    world_.set_clock_watcher([](const Clock* clock) { set_system_clock(clock); });
    if (verbose) {
        world_.set_tracer([this](const TraceEvent& event) {
            fmt::print(stderr, "{:>14} {:<12} {} > {} {}\n", StderrSink::seconds_text(world_),
                       event.what, event.from.to_string(), event.to.to_string(), event.bytes);
        });
    }
}

Context::~Context() {
    set_system_clock(nullptr);
}

Log Context::log(const std::string& name) {
    return verbose_ ? Log(std::make_shared<StderrSink>(world_, name)) : Log();
}

void Context::fail(std::string what) {
    note("FAILED: " + what);
    if (failures_.size() < kFailuresMax) {
        failures_.push_back(std::move(what));
    }
}

bool Context::expect(bool holds, std::string_view what) {
    if (!holds) {
        fail(std::string(what));
    }
    return holds;
}

void Context::note(std::string_view what) const {
    if (verbose_) {
        fmt::print(stderr, "{:>14} * {}\n", StderrSink::seconds_text(world_), what);
    }
}

}  // namespace alknet::sim
