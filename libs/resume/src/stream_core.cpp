#include "stream_core.hpp"

#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/race.hpp>
#include <vector>

namespace alknet::resume {

StreamCore::StreamCore(Loop& loop, std::size_t ring_bytes, bool opener)
    : loop_(loop),
      state_(ring_bytes, opener),
      heard_at_(loop.now()),
      acknowledge_timer_(loop, [this] {
          acknowledge_ = true;
          to_send_.set();
      }) {}

// ---- the application ----

task<result<std::size_t>> StreamCore::read(MutableBytes into) {
    ALKNET_ASSERT(!into.empty());
    for (;;) {
        if (broken_) {
            co_return unexpected(*broken_);
        }
        const Receiving& receiving = state_.receiving();
        if (receiving.stopped()) {
            co_return fail(causes::kClosed, "reading was stopped");
        }
        if (const std::size_t size = state_.read(into); size > 0) {
            bytes_read_ += size;
            if (receiving.urgent()) {
                to_send_.set();
            }
            co_return size;
        }
        if (receiving.ending() == Ending::finished) {
            co_return 0;
        }
        if (receiving.ending() == Ending::reset) {
            co_return fail(causes::kReset, "by the other side", receiving.code());
        }
        ALKNET_CO_CHECK(co_await readable_.wait());
    }
}

result<void> StreamCore::writable() const {
    if (broken_) {
        return unexpected(*broken_);
    }
    if (state_.unwanted()) {
        return fail(causes::kReset, "the other side wants no more", *state_.unwanted());
    }
    if (state_.sending().ending() != Ending::open) {
        return fail(causes::kClosed, "the stream is finished");
    }
    return {};
}

task<result<void>> StreamCore::write(BytesView data) {
    while (!data.empty()) {
        ALKNET_CO_CHECK(writable());
        const bool idle = !state_.sending().unanswered();
        const std::size_t taken = state_.write(data);
        if (taken == 0) {
            ALKNET_CO_CHECK(co_await writable_.wait());
            continue;
        }
        data = data.subspan(taken);
        to_send_.set();
        if (idle) {
            attention_.set();
        }
    }
    co_return result<void>{};
}

result<void> StreamCore::finish() {
    if (state_.sending().ending() == Ending::finished && !broken_) {
        return {};
    }
    ALKNET_CHECK(writable());
    state_.finish();
    wake_all();
    return {};
}

void StreamCore::reset(std::uint64_t code) noexcept {
    state_.reset(code);
    wake_all();
}

void StreamCore::stop(std::uint64_t code) noexcept {
    state_.stop(code);
    wake_all();
}

void StreamCore::wake_all() noexcept {
    readable_.wake_all();
    writable_.wake_all();
    to_send_.set();
    attention_.set();
}

// ---- the end ----

void StreamCore::break_with(error why) noexcept {
    if (broken_ || settled_) {
        return;
    }
    broken_ = std::move(why);
    state_.reset(0);
    state_.stop(0);
    settle();
}

void StreamCore::settle() noexcept {
    if (settled_) {
        return;
    }
    settled_ = true;
    acknowledge_timer_.disarm();
    wake_all();
    if (const auto hook = std::exchange(on_settled_, nullptr)) {
        hook();
    }
}

// ---- the transport ----

task<result<void>> StreamCore::pump(BiStream& transport, FrameReader& reader,
                                    const Patience& patience) {
    acknowledge_ = false;
    probing_ = false;
    heard_at_ = loop_.now();
    std::vector<task<result<void>>> works;
    works.push_back(receive_frames(transport, reader));
    works.push_back(send_frames(transport));
    if (patience.keep_alive > Duration::zero()) {
        works.push_back(watch(patience));
    }
    Raced<void> first = co_await race(std::move(works));
    acknowledge_timer_.disarm();
    co_return std::move(first.outcome);
}

result<void> StreamCore::take(FrameReader& reader) {
    for (;;) {
        auto frame = reader.next();
        if (frame && !*frame) {
            break;
        }
        auto taken = frame ? state_.receive(**frame) : unexpected(std::move(frame).error());
        if (!taken) {
            violated_ = true;
            return taken;
        }
    }
    readable_.wake_all();
    if (state_.sending().room() || state_.unwanted()) {
        writable_.wake_all();
    }
    if (state_.acknowledgement_waits() && !acknowledge_timer_.armed()) {
        acknowledge_timer_.arm_after(kAcknowledgeDelay);
    }
    to_send_.set();
    return {};
}

task<result<void>> StreamCore::receive_frames(BiStream& transport, FrameReader& reader) {
    for (;;) {
        ALKNET_CO_CHECK(take(reader));
        const auto size = co_await transport.read(reader.space());
        if (size && *size > 0) {
            reader.commit(*size);
            heard_at_ = loop_.now();
            heard_.set();
            if (on_progress_) {
                on_progress_();
            }
            continue;
        }
        if (!state_.done()) {
            co_return size ? fail(causes::kClosed, "the transport stream ended")
                           : unexpected(size.error());
        }
        if (state_.opener()) {
            co_return result<void>{};  // it has seen that this end is done
        }
        Event never;  // this end's half is ended by whoever sends
        ALKNET_CO_CHECK(co_await never.wait());
    }
}

task<result<void>> StreamCore::send_frames(BiStream& transport) {
    Bytes batch;
    for (;;) {
        to_send_.clear();
        state_.produce(batch, kBatchBytes, std::exchange(acknowledge_, false));
        if (!state_.acknowledgement_waits()) {
            acknowledge_timer_.disarm();
        }
        if (!batch.empty()) {
            ALKNET_CO_CHECK(co_await transport.write(batch));
            batch.clear();
            continue;
        }
        if (state_.done()) {
            ALKNET_CO_CHECK(co_await transport.finish());
            if (state_.opener()) {
                ALKNET_CO_CHECK(co_await loop_.sleep(kGoodbyeTimeout));
            }
            co_return result<void>{};
        }
        batch = Bytes();  // an idle stream needs none
        ALKNET_CO_CHECK(co_await to_send_.wait());
    }
}

void StreamCore::probe() noexcept {
    probing_ = true;
    attention_.set();
}

task<result<void>> StreamCore::watch(const Patience& patience) {
    for (;;) {
        attention_.clear();
        const bool waits = state_.sending().unanswered();
        const TimePoint due = heard_at_ + (waits ? patience.unanswered : patience.keep_alive);
        if (!probing_ && loop_.now() < due) {
            const auto looked = co_await with_timeout(due - loop_.now(), attention_.wait());
            if (!looked && !looked.error().is(errc::timeout)) {
                co_return looked;
            }
            continue;
        }
        const Duration limit =
            std::exchange(probing_, false) ? patience.probe_timeout : patience.answer_timeout;
        heard_.clear();
        state_.ping();
        to_send_.set();
        const auto answered = co_await with_timeout(limit, heard_.wait());
        if (!answered) {
            const bool silent = answered.error().is(errc::timeout);
            co_return silent ? fail(causes::kTimeout, "the other side is silent") : answered;
        }
    }
}

task<result<Frame>> read_frame(RecvStream& from, FrameReader& reader) {
    for (;;) {
        ALKNET_CO_TRY(auto frame, reader.next());
        if (frame) {
            co_return std::move(*frame);
        }
        ALKNET_CO_TRY(const std::size_t size, co_await from.read(reader.space()));
        if (size == 0) {
            co_return fail(causes::kClosed, "the transport stream ended");
        }
        reader.commit(size);
    }
}

task<result<void>> write_frame(SendStream& to, Frame frame) {
    Bytes octets;
    append_frame(octets, frame);
    co_return co_await to.write(octets);
}

}  // namespace alknet::resume
