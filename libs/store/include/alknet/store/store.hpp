// Store: a Database on a thread of its own, for use from loops. All work on it happens one after
// the other, so there is one writer.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/rt/blocking_pool.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/store/database.hpp>
#include <filesystem>
#include <memory>
#include <utility>

namespace alknet::store {

struct StoreOptions {
    DatabaseOptions database;
    /// Of work that waits. More is refused with kLimit.
    std::size_t queue_max = 256;
    /// False: work runs on the waiter's loop, for simulations.
    bool own_thread = true;
};

class Store final {
public:
    /// Blocks. Errors: those of Database::open; kIo.
    static result<std::shared_ptr<Store>> open(const std::filesystem::path& file,
                                               StoreOptions options);
    /// Waits for the work that runs; what has not begun never does.
    ~Store() = default;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    /// Runs `work(Database&)`, which returns a result, in one transaction. `work` owns what it
    /// uses. Once it has begun it ends, also when the caller is cancelled: then it has happened, or
    /// has not, as a whole. The store must live until this ends. Errors: those of the work and of
    /// Database::run; kLimit; kCancelled.
    template <class Work>
    auto transact(Work work) -> task<decltype(work(std::declval<Database&>()))> {
        return pool_->run([database = database_, work = std::move(work)]() mutable {
            return database->transaction(std::move(work));
        });
    }

private:
    Store(std::unique_ptr<Database> database, std::unique_ptr<BlockingPool> pool) noexcept
        : database_(std::move(database)), pool_(std::move(pool)) {}
    std::shared_ptr<Database> database_;
    std::unique_ptr<BlockingPool> pool_;  // dies first
};

}  // namespace alknet::store
