#include "carry.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/doctor/diagnose.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <limits>

#include "frame_stream.hpp"

namespace alknet::doctor {

namespace {

constexpr Duration kBulkPatience = std::chrono::microseconds(kBulkPatienceUs);

task<result<void>> collect(Connection& connection, std::uint32_t& count) {
    for (;;) {
        ALKNET_CO_TRY(const Bytes datagram, co_await connection.recv_datagram());
        ++count;
    }
}

}  // namespace

std::uint32_t us32(Duration duration) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
    constexpr std::int64_t kMax = std::numeric_limits<std::uint32_t>::max();
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(us, 1, kMax));
}

task<result<void>> exchange_datagrams(Loop& loop, Connection& connection, WayReport& way) {
    if (connection.datagram_bytes_max() < Carrying::kDatagramBytes) {
        co_return result<void>();
    }
    const TaskContext context = co_await current_context();
    std::uint32_t back = 0;
    TaskScope scope(loop, context.cancel);
    scope.spawn(collect(connection, back), "doctor.datagrams");
    std::uint32_t sent = 0;
    result<void> slept;
    for (std::uint32_t i = 0; i < Carrying::kDatagrams && slept; ++i) {
        sent += connection.send_datagram(Bytes(Carrying::kDatagramBytes)) ? 1U : 0U;
        slept = co_await loop.sleep(Carrying::kDatagramInterval);
    }
    if (slept) {
        const Duration rtt = std::chrono::microseconds(way.rtt_us);
        slept = co_await loop.sleep(2 * rtt + std::chrono::milliseconds(100));
    }
    scope.cancel();
    (void)co_await scope.join();
    way.datagrams_sent = sent;
    way.datagrams_back = std::min(back, sent);
    co_return slept;
}

task<result<void>> Carrying::look() {
    const TimePoint began = loop_.refresh_now();
    ALKNET_CO_CHECK(co_await write_frame(*stream_, encode_frame(FrameType::look, {})));
    ALKNET_CO_TRY(const Frame frame, co_await read_expected(reader_, *stream_, FrameType::seen));
    const Duration took = loop_.refresh_now() - began;
    ALKNET_CO_TRY(seen_, decode_seen(frame.body));
    const auto wall = loop_.wall_now().time_since_epoch() - took / 2;
    unix_ms_ = std::chrono::duration_cast<std::chrono::milliseconds>(wall).count();
    way_.observed = seen_->observed;
    way_.datagrams_arrived = seen_->datagrams;
    way_.rtt_us = way_.rtt_us == 0 ? us32(took) : std::min(way_.rtt_us, us32(took));
    co_return result<void>();
}

// One after the other, so slowly that no queue fills.
task<result<void>> Carrying::send_datagrams() {
    if (connection_->datagram_bytes_max() == 0) {
        co_return result<void>();
    }
    ALKNET_CO_CHECK(co_await exchange_datagrams(loop_, *connection_, way_));
    co_return co_await look();
}

task<result<void>> Carrying::send_bulk() {
    constexpr std::uint32_t kChunk = 8 << 10;
    for (std::uint32_t sent = 0; sent < kBulkBytes; sent += kChunk) {
        ALKNET_CO_CHECK(
            co_await write_frame(*stream_, encode_frame(FrameType::data, Bytes(kChunk))));
    }
    co_return co_await write_frame(*stream_, encode_frame(FrameType::end, {}));
}

task<result<void>> Carrying::read_counts(TimePoint began) {
    for (;;) {
        ALKNET_CO_TRY(const auto frame, co_await read_frame(reader_, *stream_));
        const bool last = frame && frame->type == FrameType::end;
        if (!frame || (!last && frame->type != FrameType::counted)) {
            co_return fail(causes::kProtocol, "something else than a count");
        }
        ALKNET_CO_TRY(const Counted counted, decode_counted(frame->body));
        if (way_.up_bytes < counted.bytes) {
            way_.up_us = us32(loop_.refresh_now() - began);
            way_.up_bytes =
                static_cast<std::uint32_t>(std::min<std::uint64_t>(counted.bytes, kBulkBytes));
        }
        if (last) {
            co_return result<void>();
        }
    }
}

task<result<void>> Carrying::upload() {
    const TaskContext context = co_await current_context();
    const TimePoint began = loop_.refresh_now();
    TaskScope scope(loop_, context.cancel);
    scope.spawn(send_bulk(), "doctor.upload");
    auto counted = co_await with_timeout(kBulkPatience, read_counts(began));
    scope.cancel();
    (void)co_await scope.join();
    co_return counted;
}

task<result<void>> Carrying::read_bulk(TimePoint began) {
    for (;;) {
        ALKNET_CO_TRY(const auto frame, co_await read_frame(reader_, *stream_));
        if (!frame || (frame->type != FrameType::data && frame->type != FrameType::end)) {
            co_return fail(causes::kProtocol, "something else than data");
        }
        if (frame->type == FrameType::end) {
            co_return result<void>();
        }
        way_.down_bytes += static_cast<std::uint32_t>(frame->body.size());
        way_.down_us = us32(loop_.refresh_now() - began);
    }
}

task<result<void>> Carrying::download() {
    const TimePoint began = loop_.refresh_now();
    const Download order{.bytes = kBulkBytes, .milliseconds = kBulkPatienceUs / 1000};
    ALKNET_CO_CHECK(co_await write_frame(*stream_, encode(order)));
    co_return co_await with_timeout(kBulkPatience, read_bulk(began));
}

task<result<void>> Carrying::run() {
    ALKNET_CO_TRY(stream_, co_await with_timeout(kAnswerTimeout, connection_->open_bi()));
    for (int i = 0; i < kLooks; ++i) {
        ALKNET_CO_CHECK(co_await with_timeout(kAnswerTimeout, look()));
    }
    // From here on what fails is a finding, unless it is our own end.
    auto done = co_await carry();
    if (!done && !done.error().is(causes::kCancelled)) {
        way_.detail = done.error().message();
        co_return result<void>();
    }
    co_return done;
}

task<result<void>> Carrying::carry() {
    ALKNET_CO_CHECK(co_await with_timeout(kAnswerTimeout, send_datagrams()));
    ALKNET_CO_CHECK(co_await upload());
    co_return co_await download();
}

task<result<Report>> Carrying::read_report(Report ours) {
    const Bytes encoded = encode_report(ours);
    ALKNET_CO_CHECK(co_await write_frame(*stream_, encode_frame(FrameType::report, encoded)));
    ALKNET_CO_TRY(const Frame frame, co_await read_expected(reader_, *stream_, FrameType::report));
    co_return decode_report(frame.body);
}

task<result<Report>> Carrying::exchange(Report ours) {
    // The other end may dial us back meanwhile.
    co_return co_await with_timeout(3 * kAnswerTimeout, read_report(std::move(ours)));
}

}  // namespace alknet::doctor
