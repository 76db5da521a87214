// StreamHandler: the base of services that treat each bidirectional stream by itself. It accepts
// streams and runs one task for each; what goes wrong in one of them ends that stream alone.
#pragma once

#include <alknet/core/handler.hpp>
#include <alknet/rt/wait.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace alknet {

struct StreamHandlerOptions {
    /// Streams of one connection that are served at a time. Further ones wait in the transport,
    /// whose own limit (limits.streams_max) holds the peer back.
    std::size_t streams_max = 64;
};

/// What a stream belongs to; lives as long as its task.
struct StreamContext {
    std::shared_ptr<Connection> connection;
    AuthContext auth;
};

class StreamHandler : public ProtocolHandler {
public:
    explicit StreamHandler(StreamHandlerOptions options = {}) : options_(options) {}

    /// Accepts until the connection ends or the handler is told to shut down, and returns when the
    /// last stream has been served.
    task<result<void>> handle(std::shared_ptr<Connection> connection, AuthContext auth) override;

    /// Connections take no new streams from now on. Returns when all streams have been served.
    task<void> shutdown() override;

    [[nodiscard]] std::size_t streams_running() const noexcept { return streams_running_; }

protected:
    /// Serves one stream; both references live until it has returned. An error resets the stream
    /// with close_code(error) and touches nothing else; returning well leaves what was not finished
    /// to the stream's destructor. An exception is a bug, and ends the connection with code 6.
    virtual task<result<void>> handle_stream(BiStream& stream, const StreamContext& context) = 0;

    /// Runs beside the streams of a connection, and is cancelled when no more are taken; the
    /// connection outlives it. An error ends the connection. An empty task: nothing does.
    virtual task<result<void>> handle_beside(Connection& connection);

private:
    struct Serving;
    class Place;
    task<result<void>> serve_all(std::unique_ptr<Serving> serving);
    task<void> serve(std::unique_ptr<BiStream> stream, Serving& serving,
                     std::unique_ptr<Place> place);

    StreamHandlerOptions options_;
    std::size_t streams_running_ = 0;
    WaitList stream_ended_;
    Cancel draining_;
};

}  // namespace alknet
