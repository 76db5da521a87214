// A socket and a stream, joined: what comes from one goes to the other, its end too.
#pragma once

#include <alknet/net/stream.hpp>
#include <alknet/rt/task.hpp>
#include <cstdint>

namespace alknet::ssh {

enum class PumpEnd : std::uint8_t {
    finished,  // `from` has ended, which `to` was told
    unwanted,  // whoever reads `to` wants no more; the other direction may go on
};

/// Until either. Errors: those of both. Nothing is kept while nothing comes.
task<result<PumpEnd>> pump_into(BiStream& to, ByteStream& from);
/// The other way round, until the end of `from`; little is kept while nothing comes.
task<result<void>> pump_from(BiStream& from, ByteStream& to);

}  // namespace alknet::ssh
