// LoopGroup: a node's loops. The first is the one that its owner runs on the main thread; each of
// the others has a thread of its own. What lives on a loop is made, used and destroyed on its
// thread.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/rt/loop.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace alknet {

class LoopGroup {
public:
    static constexpr std::size_t kLoopsMax = 64;

    /// `count` loops, `first` included, which must outlive the group. The threads inherit the
    /// signal mask. Errors: kIo.
    static result<std::unique_ptr<LoopGroup>> start(Loop& first, std::size_t count);
    LoopGroup(const LoopGroup&) = delete;
    LoopGroup& operator=(const LoopGroup&) = delete;
    /// Ends the threads. Nothing may live on their loops any more.
    ~LoopGroup();

    [[nodiscard]] std::size_t size() const noexcept { return workers_.size() + 1; }
    [[nodiscard]] Loop& at(std::size_t index) noexcept;

    /// Runs `work` on the loop of `index`, and waits for it. From the first loop's thread only: the
    /// others never wait for one another, so that nothing can wait in a circle. Exceptions of
    /// `work` come out here.
    void run_on(std::size_t index, const std::function<void()>& work);

private:
    class Worker;
    explicit LoopGroup(Loop& first);

    Loop& first_;
    std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace alknet
