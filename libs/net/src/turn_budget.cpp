#include "turn_budget.hpp"

#include <alknet/rt/loop.hpp>

namespace alknet::net {

task<result<void>> TurnBudget::renew(Loop& loop) {
    // Not `yield`: that runs what is ready, but no timer, and asks no descriptor.
    ALKNET_CO_CHECK(co_await loop.sleep_until(loop.now()));
    refill();
    co_return result<void>{};
}

}  // namespace alknet::net
