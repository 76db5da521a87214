// What a connection to alknet/echo carries: round trips and single datagrams. Anybody may ask.
#pragma once

#include <alknet/doctor/report.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <memory>

namespace alknet::doctor {

inline constexpr int kEchoRounds = 5;
inline constexpr std::size_t kEchoBytes = 16;

/// Fills in the round trip (the shortest) and the datagrams. Errors: kTimeout, kProtocol, those of
/// the stream, kCancelled.
task<result<void>> echo_way(Loop& loop, std::shared_ptr<Connection> connection, WayReport& way);

}  // namespace alknet::doctor
