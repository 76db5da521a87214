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

    /// Calls that wait for an answer.
    [[nodiscard]] virtual std::size_t pending() const noexcept = 0;
    /// Ends the connection in order, and what waits for it. To be awaited before this goes.
    virtual task<void> close() = 0;
};

}  // namespace alknet::call
