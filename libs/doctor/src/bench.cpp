#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/doctor/bench.hpp>
#include <alknet/doctor/frames.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>

#include "carry.hpp"
#include "cpu_time.hpp"
#include "frame_stream.hpp"

namespace alknet::doctor {

namespace {

constexpr int kLooks = 5;
constexpr std::size_t kPieceBytes = 16 << 10;

std::uint64_t us(Duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

class Bench {
public:
    Bench(Loop& loop, std::shared_ptr<Connection> connection, BenchOptions options,
          BenchResult& into)
        : loop_(loop),
          connection_(std::move(connection)),
          options_(std::move(options)),
          result_(into) {}

    task<result<void>> run();

private:
    task<result<void>> look();
    task<result<void>> send();
    task<result<void>> receive();
    task<result<void>> tell_progress();
    void took(Flow& flow, std::size_t bytes, std::uint64_t waited_us);
    void counted(const Counted& counted, bool last);
    void read_meter(FlowEnd& end) const;
    [[nodiscard]] std::uint64_t processor() const {
        return options_.processor_time ? options_.processor_time() : cpu_microseconds();
    }
    [[nodiscard]] std::uint64_t drops() const {
        return options_.udp_drops ? options_.udp_drops() : 0;
    }
    [[nodiscard]] bool complete() const {
        return (!result_.up || result_.up->complete) && (!result_.down || result_.down->complete);
    }

    Loop& loop_;
    std::shared_ptr<Connection> connection_;
    BenchOptions options_;
    BenchResult& result_;
    std::unique_ptr<BiStream> stream_;
    FrameReader reader_;
    // When it began, and what had been spent by then.
    TimePoint began_{};
    TimePoint first_down_{};
    std::uint64_t processor_ = 0;
    std::uint64_t drops_ = 0;
    ConnectionStats stats_{};
};

task<result<void>> Bench::look() {
    for (int i = 0; i < kLooks; ++i) {
        const TimePoint began = loop_.refresh_now();
        ALKNET_CO_CHECK(co_await write_frame(*stream_, encode_frame(FrameType::look, {})));
        ALKNET_CO_TRY(const Frame frame,
                      co_await read_expected(reader_, *stream_, FrameType::seen));
        ALKNET_CO_CHECK(decode_seen(frame.body));
        const std::uint32_t took = us32(loop_.refresh_now() - began);
        result_.rtt_us = result_.rtt_us == 0 ? took : std::min(result_.rtt_us, took);
    }
    co_return result<void>();
}

void Bench::read_meter(FlowEnd& end) const {
    const ConnectionStats now = connection_->stats();
    end.us = us(loop_.refresh_now() - began_);
    end.cpu_us = processor() - processor_;
    end.udp_drops = drops() - drops_;
    end.packets_sent = now.packets_sent - stats_.packets_sent;
    end.packets_lost = now.packets_lost - stats_.packets_lost;
    end.rtt_us = now.smoothed_rtt == Duration() ? 0 : us32(now.smoothed_rtt);
}

task<result<void>> Bench::send() {
    const Bytes frame = encode_frame(FrameType::data, Bytes(kPieceBytes));
    FlowEnd& sender = result_.up->sender;
    std::uint64_t sent = 0;
    while (loop_.refresh_now() - began_ < options_.time && sent < BenchOptions::kBytesMax) {
        const TimePoint before = loop_.now();
        ALKNET_CO_CHECK(co_await stream_->write(frame));
        sender.waited_us += us(loop_.refresh_now() - before);
        sent += kPieceBytes;
    }
    read_meter(sender);
    co_return co_await write_frame(*stream_, encode_frame(FrameType::end, {}));
}

void Bench::took(Flow& flow, std::size_t bytes, std::uint64_t waited_us) {
    const TimePoint now = loop_.now();
    if (flow.bytes == 0) {
        first_down_ = now;
    } else {
        flow.receiver.waited_us += waited_us;
    }
    flow.bytes += bytes;
    flow.us = us(now - first_down_);
}

// What the other end says of octets that it has taken, or given.
void Bench::counted(const Counted& counted, bool last) {
    const FlowEnd end{.us = counted.microseconds,
                      .cpu_us = counted.cpu_microseconds,
                      .waited_us = counted.waited_microseconds,
                      .packets_sent = counted.packets_sent,
                      .packets_lost = counted.packets_lost,
                      .udp_drops = counted.udp_drops,
                      .rtt_us = counted.rtt_us};
    // Older nodes do not tell which of the two it is.
    const bool given = counted.given || !result_.up;
    if (given) {
        result_.down->sender = end;
        read_meter(result_.down->receiver);
        result_.down->complete = last;
        return;
    }
    Flow& up = *result_.up;
    up.bytes = counted.bytes;
    up.us = counted.microseconds;
    up.receiver = end;
    up.complete = last;
    if (!last) {
        read_meter(up.sender);
    }
}

task<result<void>> Bench::receive() {
    while (!complete()) {
        const TimePoint before = loop_.refresh_now();
        ALKNET_CO_TRY(const auto frame, co_await read_frame(reader_, *stream_));
        if (!frame) {
            co_return fail(causes::kClosed, "the other end has ended the measurement");
        }
        const bool last = frame->type == FrameType::end;
        if (frame->type == FrameType::data && result_.down) {
            took(*result_.down, frame->body.size(), us(loop_.refresh_now() - before));
        } else if (last || frame->type == FrameType::counted) {
            ALKNET_CO_TRY(const Counted told, decode_counted(frame->body));
            if ((!result_.down && told.given) || (!result_.up && !last)) {
                co_return fail(causes::kProtocol, "a count of what was not asked for");
            }
            counted(told, last);
        } else {
            co_return fail(causes::kProtocol, "another frame than the expected ones");
        }
    }
    co_return result<void>();
}

task<result<void>> Bench::tell_progress() {
    for (;;) {
        ALKNET_CO_CHECK(co_await loop_.sleep(options_.progress_interval));
        options_.progress(result_);
    }
}

task<result<void>> Bench::run() {
    ALKNET_CO_TRY(stream_, co_await with_timeout(Carrying::kAnswerTimeout, connection_->open_bi()));
    ALKNET_CO_CHECK(co_await with_timeout(Carrying::kAnswerTimeout, look()));
    began_ = loop_.refresh_now();
    processor_ = processor();
    drops_ = drops();
    stats_ = connection_->stats();
    const TaskContext context = co_await current_context();
    TaskScope beside(loop_, context.cancel);
    if (options_.down) {
        result_.down.emplace();
        const Download order{.bytes = BenchOptions::kBytesMax,
                             .milliseconds = static_cast<std::uint32_t>(us(options_.time) / 1000)};
        ALKNET_CO_CHECK(co_await write_frame(*stream_, encode(order)));
    }
    if (options_.up) {
        result_.up.emplace();
        beside.spawn(send(), "bench.send");
    }
    if (options_.progress) {
        beside.spawn(tell_progress(), "bench.progress");
    }
    auto received = co_await with_timeout(options_.time + BenchOptions::kPatience, receive());
    beside.cancel();
    (void)co_await beside.join();
    co_return received;
}

}  // namespace

task<result<void>> bench(Loop& loop, std::shared_ptr<Connection> connection, BenchOptions options,
                         BenchResult& into) {
    options.time = std::min(options.time, BenchOptions::kTimeMax);
    Bench work(loop, std::move(connection), std::move(options), into);
    co_return co_await work.run();
}

}  // namespace alknet::doctor
