// The few threads beside the loops: the log writer, the watchdog, the pool for what blocks.
#pragma once

#include <alknet/base/result.hpp>
#include <functional>
#include <string_view>
#include <thread>

namespace alknet {

/// Starts a thread that takes no signal (they are for the loop that reads them) and shows `name`,
/// of which the system keeps 15 octets, in tools such as top. Errors: kIo.
[[nodiscard]] result<std::thread> start_thread(std::string_view name, std::function<void()> body);

}  // namespace alknet
