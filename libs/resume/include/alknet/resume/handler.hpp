// ResumeHandler: the serving end of resumable streams (docs/protocol/resumable.md). Each becomes a
// Connection of the service that its client wants, and is handed to the endpoint like any other;
// the service does not notice when the connection below is lost and another takes its place.
//
// Events: resume.opened, resume.detached, resume.attached, resume.ended, limit.hit
// (docs/metrics.md).
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/metrics.hpp>
#include <alknet/base/result.hpp>
#include <alknet/core/stream_handler.hpp>
#include <alknet/resume/frames.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/time.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

namespace alknet::resume {

/// Each has its key under [resume] in alknet.toml; a limit that strikes names it. A stream counts
/// from OPEN until it is forgotten, with or without a connection below it.
struct ResumeLimits {
    std::size_t streams_max = 1'000;
    std::size_t streams_per_identity_max = 50;
    std::size_t streams_unauthenticated_max = 100;  // of all unknown keys together
    std::uint64_t ring_bytes_max = 1 << 20;         // of each direction of a stream
    std::uint64_t ring_bytes_unauthenticated_max = 64 << 10;
    Duration linger_max = std::chrono::hours(24);
    Duration linger_unauthenticated_max = std::chrono::minutes(10);

    bool operator==(const ResumeLimits&) const = default;
};

/// Where the streams of a node with several loops live: a client that comes back may land on any of
/// them, and its transport is then handed to the one that has the stream. Thread-safe.
class StreamDirectory;
[[nodiscard]] std::shared_ptr<StreamDirectory> make_stream_directory();

struct ResumeHandlerOptions {
    /// What runs a connection through policies and limits to its handler: Endpoint::serve.
    std::function<task<void>(std::shared_ptr<Connection>)> serve;
    /// Whether a service may be reached by a stream that comes through this connection; asked for
    /// each OPEN and RESUME. Its error goes to the client. The service kResumeAlpn never may.
    std::function<result<void>(std::string_view alpn, const ConnectionInfo& through)> may_open;
    ResumeLimits limits;
    /// Shared by the handlers of all loops, whose streams then count together; null: there is one.
    std::shared_ptr<StreamDirectory> directory{};
    Log log;
    std::shared_ptr<Metrics> metrics;  // null: nobody looks
};

class ResumeHandler : public StreamHandler {
public:
    /// How long a client may take to say what it wants.
    static constexpr Duration kFirstFrameTimeout = std::chrono::seconds(10);

    /// The handler lives as long as connections that it made; `loop` outlives it.
    static std::shared_ptr<ResumeHandler> create(Loop& loop, ResumeHandlerOptions options);

    [[nodiscard]] std::vector<std::string> alpns() const override {
        return {std::string(kResumeAlpn)};
    }
    /// For new streams.
    virtual void set_limits(const ResumeLimits& limits) = 0;

    [[nodiscard]] virtual std::size_t streams() const noexcept = 0;
    /// Those of them that have no connection now.
    [[nodiscard]] virtual std::size_t lingering() const noexcept = 0;
    /// Octets held for all of them, and the storage for that.
    [[nodiscard]] virtual std::size_t held_bytes() const noexcept = 0;
    [[nodiscard]] virtual std::size_t capacity_bytes() const noexcept = 0;
};

}  // namespace alknet::resume
