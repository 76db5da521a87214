// RunTable: runs of operations that outlive whoever asked for them (`detach`), and what became of
// them. It lives on the loop of its home, and what runs there ends with that.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/call/json.hpp>
#include <alknet/call/operation_home.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/rt/wait.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace alknet::call {

class RunTable : public std::enable_shared_from_this<RunTable> {
public:
    /// Those that run, and those that have ended and are kept.
    static constexpr std::size_t kRunsMax = 1024;
    static constexpr std::size_t kRunsPerIdentityMax = 64;
    /// Of all outputs that are kept, as JSON.
    static constexpr std::size_t kOutputBytesMax = 16 << 20;
    /// After the end.
    static constexpr Duration kKeptFor = std::chrono::minutes(10);

    struct Run {
        explicit Run(Cancel* parent) : cancel(parent) {}
        std::string id{};
        std::uint64_t number = 0;  // in the order in which they began
        Identity owner{};
        StillKnown still{};
        std::string operation{};
        Cancel cancel;
        Event ended;
        std::optional<result<Json>> outcome{};
        TimePoint until = TimePoint::max();  // it is kept
        std::size_t bytes = 0;
    };
    using RunPtr = std::shared_ptr<Run>;

    struct Start {
        Identity owner;
        StillKnown still;  // null: the owner is always known
        std::string operation;
        Duration limit;
        task<result<Json>> work;
    };
    /// Errors: kLimit: an owner's own runs make room once they have ended, the oldest first.
    result<RunPtr> start(std::shared_ptr<OperationHome> home, Start start);
    /// Null: there is none, or it is somebody else's.
    [[nodiscard]] RunPtr find(const std::string& id, const std::optional<Identity>& asking,
                              TimePoint now);
    /// Ends the runs whose owner has gone or may do less than before.
    task<void> recheck_identities();

    [[nodiscard]] std::size_t size() const noexcept { return runs_.size(); }

private:
    result<void> make_room(const Identity& owner, TimePoint now);
    void forget(const std::string& id);
    void forget_old(TimePoint now);
    static task<void> work(std::shared_ptr<RunTable> table, RunPtr run, Duration limit,
                           task<result<Json>> work);
    void end(Run& run, result<Json> outcome, TimePoint now);

    std::map<std::string, RunPtr> runs_;
    std::uint64_t started_ = 0;
    std::size_t bytes_ = 0;
};

/// runs/get, runs/wait and runs/cancel.
void add_run_operations(OperationRegistry& registry, std::shared_ptr<RunTable> runs);

}  // namespace alknet::call
