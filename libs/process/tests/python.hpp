// Programs for these tests: Python, whose text is in the command, so that any user can read it.
#pragma once

#include <alknet/rt/combine.hpp>
#include <alknet/rt/loop.hpp>
#include <csignal>
#include <string>
#include <vector>

namespace alknet::process {

inline std::vector<std::string> python(std::string text) {
    return {ALKNET_PYTHON, "-u", "-c", std::move(text)};
}

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

}  // namespace alknet::process
