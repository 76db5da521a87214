#include <algorithm>
#include <alknet/base/threads.hpp>
#include <alknet/rt/blocking_pool.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>

namespace alknet {

namespace {

using JobPointer = std::shared_ptr<detail::PoolJob>;

/// The waiter's loop gets the last reference, so that the job dies there.
void hand_back(JobPointer job) {
    Loop& loop = job->loop;
    loop.post([job = std::move(job)] { job->ended.set(); });
}

void call(detail::PoolJob& job) noexcept {
    if (!job.abandoned.load(std::memory_order_relaxed)) {
        job.call();
    }
}

}  // namespace

class BlockingPool::Queue {
public:
    explicit Queue(std::size_t jobs_max) : jobs_max_(jobs_max) {}

    [[nodiscard]] bool push(JobPointer job) {
        {
            const std::lock_guard lock(mutex_);
            if (jobs_.size() >= jobs_max_) {
                return false;
            }
            jobs_.push_back(std::move(job));
        }
        changed_.notify_one();
        return true;
    }

    /// False if the job is not there any more.
    [[nodiscard]] bool remove(const JobPointer& job) {
        const std::lock_guard lock(mutex_);
        return std::erase(jobs_, job) > 0;
    }

    /// A thread of the pool.
    void work() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
            if (stopping_) {
                return;
            }
            JobPointer job = std::move(jobs_.front());
            jobs_.pop_front();
            lock.unlock();
            call(*job);
            hand_back(std::move(job));
            lock.lock();
        }
    }

    /// Ends the threads and gives what has not begun.
    std::deque<JobPointer> stop() {
        std::deque<JobPointer> never_begun;
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
            never_begun.swap(jobs_);
        }
        changed_.notify_all();
        return never_begun;
    }

    [[nodiscard]] std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return jobs_.size();
    }

private:
    const std::size_t jobs_max_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    std::deque<JobPointer> jobs_;
};

BlockingPool::BlockingPool(BlockingPoolOptions options, std::shared_ptr<Queue> queue)
    : options_(std::move(options)), queue_(std::move(queue)) {}

result<std::unique_ptr<BlockingPool>> BlockingPool::create(BlockingPoolOptions options) {
    const std::string name = options.name;
    const std::size_t threads = options.threads;
    const auto queue = std::make_shared<Queue>(options.queue_max);
    std::unique_ptr<BlockingPool> pool(new BlockingPool(std::move(options), queue));
    for (std::size_t i = 0; i < threads; ++i) {
        ALKNET_TRY(auto thread, start_thread(name, [queue] { queue->work(); }));
        pool->threads_.push_back(std::move(thread));
    }
    return pool;
}

BlockingPool::~BlockingPool() {
    for (JobPointer& job : queue_->stop()) {
        hand_back(std::move(job));
    }
    for (std::thread& thread : threads_) {
        thread.join();
    }
}

result<void> BlockingPool::submit(std::shared_ptr<detail::PoolJob> job) {
    if (!queue_->push(job)) {
        return fail(causes::kLimit,
                    options_.name + " queue_max = " + std::to_string(options_.queue_max));
    }
    if (threads_.empty()) {
        Loop& loop = job->loop;
        loop.post([queue = queue_, job = std::move(job)] {
            if (queue->remove(job)) {
                call(*job);
                job->ended.set();
            }
        });
    }
    return {};
}

std::size_t BlockingPool::queued() const {
    return queue_->size();
}

}  // namespace alknet
