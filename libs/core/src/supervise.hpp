// Runs somebody else's task so that nothing it does reaches further than its own connection: an
// error and an exception are caught, and one that does not return is ended.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <cstdint>
#include <string>

namespace alknet {

enum class Ending : std::uint8_t { returned, threw, abandoned };

struct Outcome {
    Ending ending = Ending::returned;
    result<void> value;  // kInternal with the exception's text; kTimeout when abandoned
};

/// Runs `work` as `name`, below `ended`. Once that is requested, `work` has `unwind` to return;
/// then its frame is destroyed where it waits. Never throws, and ends whatever `work` does, unless
/// it blocks the thread.
task<Outcome> supervise(Loop& loop, task<result<void>> work, Cancel& ended, Duration unwind,
                        std::string name);

}  // namespace alknet
