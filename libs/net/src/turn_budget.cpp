#include "turn_budget.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/loop.hpp>

namespace alknet::net {

task<result<void>> TurnBudget::renew(Loop& loop) {
    const TaskContext context = co_await current_context();
    co_await loop.yield();
    refill();
    if (context.cancel != nullptr && context.cancel->requested()) {
        co_return fail(causes::kCancelled);
    }
    co_return result<void>{};
}

}  // namespace alknet::net
