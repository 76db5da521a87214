// The streams of a server's connection that are to carry channels: which are awaited, and which
// have come and not said yet for what. All of its SSH sessions share it, on one loop.
#pragma once

#include <alknet/net/stream.hpp>
#include <alknet/rt/cancel.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/wait.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "channel_stream.hpp"

namespace alknet::ssh {

class ChannelStreams;

/// A channel's place among them, whether its stream has come or not. Destroying it gives the place
/// and the stream up.
class StreamTicket final {
public:
    StreamTicket(std::shared_ptr<ChannelStreams> streams, std::uint64_t token);
    StreamTicket(const StreamTicket&) = delete;
    StreamTicket& operator=(const StreamTicket&) = delete;
    ~StreamTicket();

    [[nodiscard]] std::uint64_t token() const noexcept { return token_; }
    /// Until there is a stream or the client has said that there will be none, within kBindTime.
    /// Gives the stream, which is there as long as this is, or null. Errors: kTimeout, kCancelled.
    task<result<BiStream*>> wait();
    /// The client brings none. False: it has brought one, or has said so before.
    bool decline() noexcept;
    [[nodiscard]] bool declined() const noexcept { return declined_; }

private:
    friend class ChannelStreams;
    /// Shared with the task that has the stream, which waits for `released`.
    struct Held {
        Event released;
    };
    void take(BiStream& stream, std::shared_ptr<Held> held) noexcept;

    const std::shared_ptr<ChannelStreams> streams_;
    const std::uint64_t token_;
    BiStream* stream_ = nullptr;
    std::shared_ptr<Held> held_;  // null: none has come
    bool declined_ = false;
    Event decided_;
};

class ChannelStreams final : public std::enable_shared_from_this<ChannelStreams> {
public:
    ChannelStreams() = default;
    ChannelStreams(const ChannelStreams&) = delete;
    ChannelStreams& operator=(const ChannelStreams&) = delete;

    /// null: there are kChannelStreamsMax.
    [[nodiscard]] std::unique_ptr<StreamTicket> expect();

    /// How a stream that has come begins, within kBindTime; where that is SSH, `into` has got what
    /// was read. Errors: kProtocol, kTimeout, kLimit (kUnboundStreamsMax); those of the stream.
    task<result<StreamBegin>> hear(BiStream& stream, Bytes& into);
    /// Ends all of that.
    void stop_hearing() noexcept;
    /// Gives a stream to the channel that waits for it, and returns when that is done with it.
    /// Errors: kProtocol when none waits.
    task<result<void>> serve(BiStream& stream, std::uint64_t token);

    [[nodiscard]] std::size_t size() const noexcept { return tickets_; }

private:
    friend class StreamTicket;
    std::map<std::uint64_t, StreamTicket*> awaited_;
    std::size_t tickets_ = 0;
    std::vector<Cancel*> hearing_;
};

}  // namespace alknet::ssh
