// CallStream: one stream of a connection, whose its requests are, and what is under way on it.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/core/auth.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/intrusive_list.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/rt/wait.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "write_turn.hpp"

namespace alknet::call {

struct CallStream final : ListHook<struct ByTokenTag>, std::enable_shared_from_this<CallStream> {
    CallStream(Loop& on, std::uint64_t as, std::unique_ptr<BiStream> carrier,
               std::optional<Identity> whose, Cancel* parent, bool gathers)
        : loop(on),
          number(as),
          stream(std::move(carrier)),
          identity(std::move(whose)),
          cancel(parent),
          turn(on, gathers) {}

    task<result<void>> write(Bytes frame) {
        sent = loop.now();
        return turn.write(*stream, std::move(frame));
    }
    task<result<std::size_t>> read(MutableBytes into) {
        listening = true;
        auto size = co_await stream->read(into);
        listening = false;
        hear();
        co_return size;
    }
    task<void> finish() { return turn.finish(*stream); }

    void hear() noexcept {
        heard = loop.now();
        doubted.reset();
    }

    /// Ends it, and what runs on it: the other end is told why.
    void cut(error why) {
        if (!fault) {
            fault = std::move(why);
            cancel.request();
        }
    }

    Loop& loop;
    const std::uint64_t number;
    const std::unique_ptr<BiStream> stream;
    std::optional<Identity> identity;
    StillKnown still{};  // asks again whose it is; null: it is always known
    Cancel cancel;       // of its reader and of its requests
    std::optional<error> fault{};
    WriteTurn turn;
    FrameDecoder decoder{kFrameBytesAnonymousMax};
    bool asked = false;       // a first request was seen
    std::size_t running = 0;  // requests, and items that are being written
    std::size_t held = 0;     // what of bytes_max its decoder has
    WaitList idle;            // woken when one of those has ended
    // Whether the other end is still there; see peer_beats.cpp.
    TimePoint sent = loop.now();
    TimePoint heard = loop.now();
    bool listening = false;              // the reader waits for what comes
    bool beats = false;                  // the other end does
    std::optional<TimePoint> doubted{};  // from when on it has been silent for too long
};

}  // namespace alknet::call
