#include "echo_way.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <array>

#include "carry.hpp"

namespace alknet::doctor {

namespace {

task<result<void>> round_trip(BiStream& stream) {
    const std::array<std::byte, kEchoBytes> sent{};
    ALKNET_CO_CHECK(co_await stream.write(sent));
    std::array<std::byte, kEchoBytes> back{};
    for (std::size_t size = 0; size < back.size();) {
        ALKNET_CO_TRY(const std::size_t got,
                      co_await stream.read(MutableBytes(back).subspan(size)));
        if (got == 0) {
            co_return fail(causes::kProtocol, "the echo ended before it was complete");
        }
        size += got;
    }
    co_return result<void>();
}

task<result<void>> round_trips(Loop& loop, Connection& connection, WayReport& way) {
    ALKNET_CO_TRY(const auto stream, co_await connection.open_bi());
    for (int i = 0; i < kEchoRounds; ++i) {
        const TimePoint began = loop.refresh_now();
        ALKNET_CO_CHECK(co_await round_trip(*stream));
        const std::uint32_t took = us32(loop.refresh_now() - began);
        way.rtt_us = way.rtt_us == 0 ? took : std::min(way.rtt_us, took);
    }
    co_return co_await stream->finish();
}

}  // namespace

task<result<void>> echo_way(Loop& loop, std::shared_ptr<Connection> connection, WayReport& way) {
    ALKNET_CO_CHECK(
        co_await with_timeout(Carrying::kAnswerTimeout, round_trips(loop, *connection, way)));
    co_return co_await exchange_datagrams(loop, *connection, way);
}

}  // namespace alknet::doctor
