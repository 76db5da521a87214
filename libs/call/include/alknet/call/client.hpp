// CallClient: calls operations at the other end of a connection, any number at a time over one
// stream. It serves operations of its own too, if it has any.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/call/limits.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/rt/loop.hpp>
#include <memory>
#include <optional>
#include <string>

namespace alknet::call {

struct CallClientOptions {
    std::shared_ptr<const OperationRegistry> registry{};  // null: the other end can call nothing
    CallLimits limits{};
};

struct CallOptions {
    /// Told to the other end, and kept here.
    Duration timeout = std::chrono::seconds(30);
    std::string traceparent{};
    std::optional<std::string> auth_token{};
    /// The run goes on for so long without whoever called: the answer has its id, as `run`.
    std::optional<Duration> detached_for{};
    Json forwarded_for{};   // for whom, as the other end may believe or not
    std::size_t depth = 0;  // how many calls it is inside of
    /// Of the answer's frame; a larger one is kLimit.
    std::size_t answer_bytes_max = kFrameBytesMax;
};

/// Of a call that an operation makes on another node while it runs: it has the time that is left,
/// the same trace, and is one deeper. Cancelling the operation aborts it there.
[[nodiscard]] CallOptions options_within(const CallContext& context, TimePoint now);

struct SubscribeOptions {
    std::optional<Duration> timeout{};  // nullopt: as long as it lasts
    std::string traceparent{};
    std::optional<std::uint64_t> resume_after{};  // the number of the last item that was taken
    Json forwarded_for{};
    std::size_t depth = 0;
};

/// Of a client, which outlives it. Its end aborts what has not ended.
class Subscription {
public:
    /// How many items wait here; then the stream is read no further.
    static constexpr std::size_t kItemsMax = 32;

    virtual ~Subscription() = default;
    /// nullopt: it has ended in order. Errors: what it ended with; kProtocol when the numbers of
    /// the items do not rise; kCancelled, and it goes on.
    virtual task<result<std::optional<Item>>> next() = 0;
};

class CallClient {
public:
    /// The connection was dialled with kCallAlpn, and is this object's from now on.
    [[nodiscard]] static std::unique_ptr<CallClient> create(Loop& loop,
                                                            std::shared_ptr<Connection> connection,
                                                            CallClientOptions options = {});
    virtual ~CallClient() = default;

    /// Cancelling it, or its time being up, aborts the call at the other end. Errors: those that
    /// the other end tells (see to_error); kTimeout; kLimit when too many wait or the frame is too
    /// large; what ended the connection; kCancelled.
    virtual task<result<Json>> call(std::string operation, Json input,
                                    CallOptions options = {}) = 0;

    /// On a stream of its own, whose pace is the taker's, where the connection has several; on the
    /// only one, items that are not taken hold up everything else. Errors as of `call`; those that
    /// the other end tells come from `next`.
    virtual task<result<std::unique_ptr<Subscription>>> subscribe(
        std::string operation, Json input, SubscribeOptions options = {}) = 0;

    /// Calls that wait for an answer.
    [[nodiscard]] virtual std::size_t pending() const noexcept = 0;
    /// Ends the connection in order, and what waits for it. To be awaited before this goes.
    virtual task<void> close() = 0;
};

}  // namespace alknet::call
