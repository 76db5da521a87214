// A client's channel whose data has a stream of its own on the connection below.
#pragma once

#include <alknet/net/connection.hpp>
#include <memory>
#include <optional>

#include "client_driver.hpp"

namespace alknet::ssh {

/// That stream, shared by whoever uses the channel and the tasks that serve it.
struct ClientStream {
    enum class State : std::uint8_t {
        undecided,  // it is being opened
        here,
        none,  // there was no room for one: the channel itself carries its data
        ended,
    };
    State state = State::undecided;
    std::unique_ptr<BiStream> stream{};
    Arrived in{};  // for `try_read`
    bool in_ended = false;
    std::optional<error> in_failed{};
    Bytes out{};  // of `try_write`, being written
    std::optional<error> out_failed{};
    bool finished = false;
    WaitList news{};  // decided, written, ended

    /// With all that waits for it.
    void end(std::uint64_t code) noexcept;
};

/// Opens the stream of an open channel, or says that there will be none: whoever has no room for a
/// stream now does not wait for it.
task<void> bring_stream(std::shared_ptr<ClientChannelState> state,
                        std::shared_ptr<Connection> connection);

/// The same channel, joined to its stream; `state->carrier` is that.
[[nodiscard]] std::unique_ptr<SshChannel> make_stream_channel(
    std::unique_ptr<SshChannel> inner, std::shared_ptr<ClientChannelState> state);

}  // namespace alknet::ssh
