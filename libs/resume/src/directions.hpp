// The two directions of a resumable stream, as one end sees them. In each direction every octet has
// a position, counted from 0, and the end (FIN or RESET) has the position behind the last octet.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/resume/frames.hpp>
#include <cstdint>

#include "byte_ring.hpp"

namespace alknet::resume {

enum class Ending : std::uint8_t { open, finished, reset };

/// What this end says. Holds what the peer has not acknowledged.
class Sending {
public:
    explicit Sending(std::size_t ring_bytes) noexcept : ring_bytes_(ring_bytes) {}

    /// How many octets were taken.
    std::size_t write(BytesView data);
    void finish() noexcept;
    /// Drops what was not acknowledged. Nothing once the end has been acknowledged.
    void reset(std::uint64_t code) noexcept;

    /// The transport is new, and the peer there is. Errors: kProtocol.
    result<void> attach(const Position& peer);
    /// Errors: kProtocol.
    result<void> acknowledged(const Position& peer);
    /// Every position, the end included, is acknowledged.
    void acknowledged_all() noexcept { drop_until(written_ + 1); }
    /// Appends what may be sent now, up to about `size_max` octets in all of `into`.
    void produce(Bytes& into, std::size_t size_max);

    [[nodiscard]] Ending ending() const noexcept { return ending_; }
    [[nodiscard]] bool room() const noexcept { return ring_.size() < ring_bytes_; }
    /// Something was sent on any transport and is not acknowledged.
    [[nodiscard]] bool unanswered() const noexcept { return acknowledged_ < sent_; }
    [[nodiscard]] bool delivered() const noexcept {
        return ending_ != Ending::open && acknowledged_ == written_ + 1;
    }
    [[nodiscard]] bool end_sent() const noexcept { return sent_ == written_ + 1; }
    [[nodiscard]] const ByteRing& ring() const noexcept { return ring_; }
    [[nodiscard]] std::uint64_t written() const noexcept { return written_; }
    [[nodiscard]] std::uint64_t acknowledged() const noexcept { return acknowledged_; }
    void compact() { ring_.compact(); }

private:
    void drop_until(std::uint64_t position) noexcept;
    void sent_until(std::uint64_t position) noexcept;

    std::size_t ring_bytes_;
    ByteRing ring_;  // positions from acknowledged_ to written_
    std::uint64_t acknowledged_ = 0;
    std::uint64_t next_ = 0;     // to be sent on this transport
    std::uint64_t sent_ = 0;     // behind the last that was ever sent
    std::uint64_t written_ = 0;  // the end's position, once there is one
    std::uint64_t limit_ = 0;    // the peer takes octets below this
    Ending ending_ = Ending::open;
    std::uint64_t code_ = 0;
};

/// What the peer says. Holds what has come and was not yet read.
class Receiving {
public:
    explicit Receiving(std::size_t ring_bytes) noexcept : ring_bytes_(ring_bytes) {}

    /// 0: nothing there.
    std::size_t read(MutableBytes into) noexcept;
    /// Drops what has come and what comes.
    void stop() noexcept;

    // Errors: kProtocol.
    result<void> data(std::uint64_t offset, BytesView octets);
    result<void> fin(std::uint64_t offset);
    result<void> reset(std::uint64_t offset, std::uint64_t code);

    [[nodiscard]] Position position() const noexcept { return {received_, read_ + ring_bytes_}; }
    /// `position` as a frame will tell it.
    Position tell() noexcept { return told_ = position(); }
    /// The peer should hear of the position at once; or else a little later.
    [[nodiscard]] bool urgent() const noexcept;
    [[nodiscard]] bool news() const noexcept { return received_ != told_.received; }

    [[nodiscard]] bool readable() const noexcept { return ring_.size() > 0; }
    [[nodiscard]] bool stopped() const noexcept { return stopped_; }
    [[nodiscard]] Ending ending() const noexcept { return ending_; }
    [[nodiscard]] std::uint64_t code() const noexcept { return code_; }
    [[nodiscard]] const ByteRing& ring() const noexcept { return ring_; }
    [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
    void compact() { ring_.compact(); }

private:
    std::size_t ring_bytes_;
    ByteRing ring_;               // positions from read_ on
    std::uint64_t received_ = 0;  // every position below is here; the end included
    std::uint64_t read_ = 0;
    Position told_;
    Ending ending_ = Ending::open;
    std::uint64_t code_ = 0;
    bool stopped_ = false;
};

}  // namespace alknet::resume
