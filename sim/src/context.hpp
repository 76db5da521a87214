// What a scenario is given: a world that follows from the seed, and a place for complaints.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/testing/sim_world.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace alknet::sim {

class Context {
public:
    Context(std::uint64_t seed, bool verbose);
    ~Context();

    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
    [[nodiscard]] bool verbose() const noexcept { return verbose_; }
    [[nodiscard]] SimWorld& world() noexcept { return world_; }
    [[nodiscard]] Random& random() noexcept { return world_.random(); }
    /// For a node of this name; silent unless verbose.
    [[nodiscard]] Log log(const std::string& name);

    /// An invariant is broken. The scenario goes on, as far as it makes sense.
    void fail(std::string what);
    /// `fail(what)` unless `holds`; returns `holds`.
    bool expect(bool holds, std::string_view what);
    /// For the person who replays: a line with the time, if verbose.
    void note(std::string_view what) const;
    [[nodiscard]] const std::vector<std::string>& failures() const noexcept { return failures_; }

private:
    static constexpr std::size_t kFailuresMax = 20;
    std::uint64_t seed_;
    bool verbose_;
    SimWorld world_;
    std::vector<std::string> failures_;
};

struct Scenario {
    std::string_view name;
    std::string_view about;
    void (*run)(Context& context);
};

/// All of them. A seed without a scenario's name takes the one at seed modulo their number.
[[nodiscard]] const std::vector<Scenario>& scenarios();

}  // namespace alknet::sim
