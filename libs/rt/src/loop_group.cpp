#include <alknet/base/assert.hpp>
#include <alknet/base/threads.hpp>
#include <alknet/rt/loop_group.hpp>
#include <future>
#include <string>
#include <thread>

namespace alknet {

class LoopGroup::Worker {
public:
    explicit Worker(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker() {
        loop_->stop();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    result<void> start(const std::string& name) {
        ALKNET_TRY(thread_, start_thread(name, [this] { loop_->run(); }));
        return {};
    }
    [[nodiscard]] Loop& loop() noexcept { return *loop_; }

private:
    std::unique_ptr<Loop> loop_;
    std::thread thread_;
};

LoopGroup::LoopGroup(Loop& first) : first_(first) {}

LoopGroup::~LoopGroup() = default;

result<std::unique_ptr<LoopGroup>> LoopGroup::start(Loop& first, std::size_t count) {
    ALKNET_ASSERT(count > 0 && count <= kLoopsMax);
    std::unique_ptr<LoopGroup> group(new LoopGroup(first));
    for (std::size_t i = 1; i < count; ++i) {
        ALKNET_TRY(auto loop, Loop::create(first.clock()));
        group->workers_.push_back(std::make_unique<Worker>(std::move(loop)));
        ALKNET_CHECK(group->workers_.back()->start("loop-" + std::to_string(i + 1)));
    }
    return group;
}

Loop& LoopGroup::at(std::size_t index) noexcept {
    return index == 0 ? first_ : workers_[index - 1]->loop();
}

void LoopGroup::run_on(std::size_t index, const std::function<void()>& work) {
    if (index == 0) {
        work();
        return;
    }
    const auto task = std::make_shared<std::packaged_task<void()>>(work);
    std::future<void> done = task->get_future();
    at(index).post([task] { (*task)(); });
    done.get();
}

}  // namespace alknet
