// The streams that handlers read and write, whatever carries them: QUIC, TLS over TCP, a unix
// socket, memory. At most one read and one write are pending on a stream at a time.
//
// Back-pressure is real: `write` ends when the bytes were taken under the flow control of the
// transport, and credit goes back to the peer when `read` has handed the bytes over.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/rt/task.hpp>
#include <cstdint>
#include <optional>

namespace alknet {

class RecvStream {
public:
    virtual ~RecvStream() = default;
    /// Reads at least one octet into `into`, which must not be empty; 0 means that the peer has
    /// finished. Errors: kReset with the peer's code, kClosed, kIdleTimeout, kCancelled.
    virtual task<result<std::size_t>> read(MutableBytes into) = 0;
    /// Tells the peer that nothing more will be read (STOP_SENDING). Later reads fail.
    virtual void stop(std::uint64_t code) noexcept = 0;
};

class SendStream {
public:
    virtual ~SendStream() = default;
    /// Ends when all of `data` has been taken; `data` need not live longer. Errors as in read;
    /// after kCancelled a part may have been taken, so only `reset` makes sense.
    virtual task<result<void>> write(BytesView data) = 0;
    /// No more writes will come (FIN). Does not wait for the peer to have received anything.
    virtual task<result<void>> finish() = 0;
    /// Gives up on what was not yet delivered (RESET_STREAM).
    virtual void reset(std::uint64_t code) noexcept = 0;
    /// Waits, beside reads and writes, until nobody wants what is written here any more. Errors
    /// alone: kReset with the peer's code, kClosed, kCancelled. A transport that hears of it only
    /// by writing waits for ever.
    virtual task<result<void>> wait_stopped();
};

/// Both halves. Destroying a stream resets (code 0) what was not finished, and stops what was not
/// read to its end.
class BiStream : public RecvStream, public SendStream {
public:
    [[nodiscard]] virtual std::uint64_t id() const noexcept = 0;
};

/// A duplex byte stream with non-blocking edges, which TLS and PROXY parsing stand on: TCP and unix
/// sockets, memory pipes, the simulated network. `read` and `write` are made of these.
class ByteStream : public BiStream {
public:
    /// nullopt: nothing there now, await `readable`. 0: the peer has finished.
    virtual result<std::optional<std::size_t>> try_read(MutableBytes into) = 0;
    /// How many octets were taken; 0: none now, await `writable`.
    virtual result<std::size_t> try_write(BytesView data) = 0;
    virtual task<result<void>> readable() = 0;
    virtual task<result<void>> writable() = 0;

    task<result<std::size_t>> read(MutableBytes into) override;
    task<result<void>> write(BytesView data) override;
    [[nodiscard]] std::uint64_t id() const noexcept override { return 0; }
};

}  // namespace alknet
