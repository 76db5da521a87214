// StreamState: a resumable stream as one end knows it, without transport, clock or task. The
// application's side fills and empties it; the transport's side takes frames and produces octets.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/resume/frames.hpp>
#include <cstdint>
#include <optional>

#include "directions.hpp"

namespace alknet::resume {

class StreamState {
public:
    /// `ring_bytes` bounds what is held in each direction, and is at least 1. The opener is the end
    /// that says when the stream may be forgotten.
    StreamState(std::size_t ring_bytes, bool opener) noexcept
        : opener_(opener), send_(ring_bytes), receive_(ring_bytes) {}

    // ---- for the application

    /// How many octets were taken; 0 when the ring is full or the direction has ended.
    std::size_t write(BytesView data) { return send_.write(data); }
    void finish() noexcept { send_.finish(); }
    void reset(std::uint64_t code) noexcept { send_.reset(code); }
    /// 0: nothing there now; then `receiving().ending()` tells whether more will come.
    std::size_t read(MutableBytes into) noexcept { return receive_.read(into); }
    void stop(std::uint64_t code) noexcept;

    [[nodiscard]] bool opener() const noexcept { return opener_; }
    [[nodiscard]] const Sending& sending() const noexcept { return send_; }
    [[nodiscard]] const Receiving& receiving() const noexcept { return receive_; }
    /// The peer wants no more of what this end says.
    [[nodiscard]] std::optional<std::uint64_t> unwanted() const noexcept { return unwanted_; }

    // ---- for the transport

    /// This end's position, for OPEN, RESUME or ACCEPT.
    Position tell() noexcept { return receive_.tell(); }
    /// A transport is there on which the peer has told its position. Errors: kProtocol.
    result<void> attach(const Position& peer);
    /// It is gone; what may be sent again stays, and nothing else.
    void detach();
    /// A frame that came on it. OPEN, RESUME, ACCEPT and REFUSE have no place there any more.
    /// Errors: kProtocol; the stream is then broken.
    result<void> receive(const Frame& frame);
    /// Appends what is to be sent now, up to about `size_max` octets. `acknowledge`: an
    /// acknowledgement that could wait should wait no more.
    void produce(Bytes& into, std::size_t size_max, bool acknowledge);
    /// The peer shall answer.
    void ping() noexcept { ping_ = true; }
    /// There is an acknowledgement that may wait a little.
    [[nodiscard]] bool acknowledgement_waits() const noexcept { return receive_.news(); }

    /// Both directions have ended, and this end's octets have arrived.
    [[nodiscard]] bool complete() const noexcept {
        return send_.delivered() && receive_.ending() != Ending::open;
    }
    /// DONE was sent on this transport (by the opener) or has come.
    [[nodiscard]] bool done() const noexcept { return done_; }

    [[nodiscard]] std::size_t held_bytes() const noexcept {
        return send_.ring().size() + receive_.ring().size();
    }
    /// Storage, used or not.
    [[nodiscard]] std::size_t capacity_bytes() const noexcept {
        return send_.ring().capacity() + receive_.ring().capacity();
    }

private:
    result<void> done_received();

    bool opener_;
    Sending send_;
    Receiving receive_;
    std::optional<std::uint64_t> stop_code_;
    std::optional<std::uint64_t> unwanted_;
    bool stop_sent_ = false;  // on this transport
    bool answer_ = false;
    bool ping_ = false;
    bool done_ = false;
};

}  // namespace alknet::resume
