// Composition: what a running operation calls in turn, with the rights that were given to it and
// never with its caller's.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/rt/task.hpp>
#include <cstddef>
#include <string>

namespace alknet::call {

/// Of one run of an operation that has an Authority; it ends with that run, and belongs to the loop
/// on which that is.
class Composition {
public:
    /// Calls inside one another.
    static constexpr std::size_t kDepthMax = 16;
    /// Calls of one run at a time.
    static constexpr std::size_t kFanOutMax = 64;

    Composition(const OperationRegistry& registry, const Operation& operation,
                const CallContext& context);
    Composition(const Composition&) = delete;
    Composition& operator=(const Composition&) = delete;
    ~Composition() = default;

    /// In the task of the run: what ends that, an abort or its time, ends this too. Errors:
    /// kInternal for what the authority does not reach or lacks the scope for, which is no fault of
    /// whoever called; kLimit; kTimeout; those of the operation.
    task<result<Json>> call(std::string name, Json input);

private:
    class Running;
    const OperationRegistry& registry_;
    const Operation& operation_;
    const Transport transport_;
    const TimePoint connected_;
    const TimePoint deadline_;
    const std::string traceparent_;
    const std::size_t depth_;
    std::size_t running_ = 0;
};

}  // namespace alknet::call
