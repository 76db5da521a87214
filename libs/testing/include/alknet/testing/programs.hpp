// Real programs for tests: what to start, a loop to wait for them on, and whether they still live.
#pragma once

#include <sys/types.h>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/loop.hpp>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

namespace alknet::sim {

/// The command of a program in the system's Python, whose `text` stands in the command, so that any
/// user can run it.
std::vector<std::string> python(std::string text);

/// Whether a process is there and has not ended; one that was killed may be dead for a while before
/// somebody reaps it.
bool is_running(pid_t id);

/// Blocks until a process that is not our child has ended; at once if there is none. What a process
/// held open is closed before it counts as ended, so that the end of a pipe does not tell.
void await_end(pid_t id);

/// Tasks on a real loop.
struct RealLoop {
    RealLoop() { std::signal(SIGPIPE, SIG_IGN); }
    template <class T>
    T run(task<T> work) {
        return block_on(*loop, std::move(work));
    }
    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
};

}  // namespace alknet::sim
