// What only the start of a long-lived program needs, given back.
#pragma once

namespace alknet::app {

/// Returns freed heap to the system, and unmaps code that nobody runs now: reading the command line
/// and the configuration, and the set-up of libraries, are more than half of what a start touches.
/// Code that runs again is mapped again from the page cache. Any thread, at any time; costs some
/// microseconds and the faults that follow.
void give_back_start() noexcept;

}  // namespace alknet::app
