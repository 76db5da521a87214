// StreamCore: a StreamState with those who wait for it. The application reads and writes it whether
// or not there is a transport; `pump` moves its frames while there is one. One loop.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/resume/frames.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/rt/wait.hpp>
#include <cstdint>
#include <functional>
#include <optional>

#include "state.hpp"

namespace alknet::resume {

/// When an end that is not heard of is given up. Zero `keep_alive`: never.
struct Patience {
    Duration keep_alive{};      // silence after which the peer is asked whether it is there …
    Duration unanswered{};      // … when something is not acknowledged
    Duration answer_timeout{};  // how long it may take to answer
    Duration probe_timeout{};   // the same after `probe`
};

class StreamCore {
public:
    /// An acknowledgement that could ride along with data waits so long for some.
    static constexpr Duration kAcknowledgeDelay = std::chrono::milliseconds(25);
    /// How long an end that is done waits for the other to see it.
    static constexpr Duration kGoodbyeTimeout = std::chrono::seconds(2);
    /// Octets that are given to the transport at a time.
    static constexpr std::size_t kBatchBytes = 32 << 10;

    StreamCore(Loop& loop, std::size_t ring_bytes, bool opener);

    [[nodiscard]] StreamState& state() noexcept { return state_; }
    [[nodiscard]] const StreamState& state() const noexcept { return state_; }

    // ---- for the application; as in BiStream

    task<result<std::size_t>> read(MutableBytes into);
    task<result<void>> write(BytesView data);
    result<void> finish();
    void reset(std::uint64_t code) noexcept;
    void stop(std::uint64_t code) noexcept;
    [[nodiscard]] std::uint64_t bytes_read() const noexcept { return bytes_read_; }

    // ---- the end

    /// It is lost: what is held is dropped, and every operation fails with `why` from now on.
    void break_with(error why) noexcept;
    [[nodiscard]] const std::optional<error>& broken() const noexcept { return broken_; }
    /// Nothing is to be moved any more: everything has arrived, or it is broken.
    void settle() noexcept;
    [[nodiscard]] bool settled() const noexcept { return settled_; }
    /// Called once it is broken or settled.
    void on_settled(std::function<void()> hook) { on_settled_ = std::move(hook); }

    // ---- the transport

    /// Moves frames until both ends are done (success) or the transport fails; `reader` may hold
    /// octets already. The position of the peer must have been attached. Errors: those of the
    /// transport; kTimeout for a silent one; kProtocol, and then `violated`.
    task<result<void>> pump(BiStream& transport, FrameReader& reader, const Patience& patience);
    /// The transport may have died without a sound: ask.
    void probe() noexcept;
    [[nodiscard]] bool violated() const noexcept { return violated_; }
    /// Called each time something has come while `pump` runs.
    void on_progress(std::function<void()> hook) { on_progress_ = std::move(hook); }

private:
    task<result<void>> receive_frames(BiStream& transport, FrameReader& reader);
    task<result<void>> send_frames(BiStream& transport);
    task<result<void>> watch(const Patience& patience);
    result<void> take(FrameReader& reader);
    [[nodiscard]] result<void> writable() const;
    void wake_all() noexcept;

    Loop& loop_;
    StreamState state_;
    std::optional<error> broken_;
    std::function<void()> on_settled_;
    std::function<void()> on_progress_;
    bool settled_ = false;
    bool violated_ = false;
    bool acknowledge_ = false;
    bool probing_ = false;
    std::uint64_t bytes_read_ = 0;
    TimePoint heard_at_;
    WaitList readable_;
    WaitList writable_;
    Event to_send_;
    Event heard_;
    Event attention_;  // the watch is to look again
    Timer acknowledge_timer_;
};

/// The next frame on a stream. Errors: those of the stream, kClosed at its end; kProtocol.
task<result<Frame>> read_frame(RecvStream& from, FrameReader& reader);
task<result<void>> write_frame(SendStream& to, Frame frame);

}  // namespace alknet::resume
