// Signals, read on a loop instead of interrupting it.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/rt/fd_readiness.hpp>
#include <alknet/rt/loop.hpp>
#include <initializer_list>
#include <memory>

namespace alknet::app {

class Signals {
public:
    static result<void> block(std::initializer_list<int> signals);
    static result<std::unique_ptr<Signals>> open(Loop& loop, std::initializer_list<int> signals);
    task<result<int>> next();

private:
    explicit Signals(Loop& loop) noexcept : ready_(loop) {}
    UniqueFd fd_;
    FdReadiness ready_;
};

}  // namespace alknet::app
