// Faults: what happens to a network and its machines while nodes talk over it. Everything that is
// done here can be ended by `heal`.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "node.hpp"

namespace alknet::sim {

/// Which faults a scenario has. Each chance is by round; a round lasts about a second.
struct FaultOptions {
    bool weather = true;  // loss up to 20 %, reordering, duplicates, flipped bits, delay, bandwidth
    double loss_max = 0.2;
    double rebind = 0;  // of hosts behind a NAT
    double pause = 0;   // up to pause_max
    Duration pause_max = std::chrono::seconds(5);
    double suspend = 0;  // up to suspend_max
    Duration suspend_max = std::chrono::seconds(90);
    double clock_jump = 0;  // of the wall clock, up to two days either way
    double partition = 0;   // of two hosts, or of one from all others
    Duration partition_max = std::chrono::seconds(12);
    double crash = 0;  // and a new start within down_max
    Duration down_max = std::chrono::seconds(8);
    double reset_tcp = 0;
    double udp_blocked =
        0;  // of a direction between two hosts, with the weather: dropped or refused
};

class Faults {
public:
    /// `nodes` outlive it. Strikes from now on until `heal`.
    Faults(Context& context, std::span<const std::unique_ptr<Node>> nodes, FaultOptions options);
    Faults(const Faults&) = delete;
    Faults& operator=(const Faults&) = delete;

    /// A good network, everybody awake and running. No fault comes after it.
    void heal();

private:
    void round();
    void change_weather();
    [[nodiscard]] LinkOptions draw_link();
    void strike(Node& node);
    void part(Node& node);
    void restart_later(Node& node);
    /// Ends what `heal` has not yet ended.
    void later(Duration delay, std::function<void()> function);

    Context& context_;
    std::span<const std::unique_ptr<Node>> nodes_;
    FaultOptions options_;
    Random random_;
    // Shared with what is scheduled: after `heal` nothing of it happens.
    std::shared_ptr<bool> active_ = std::make_shared<bool>(true);
};

}  // namespace alknet::sim
