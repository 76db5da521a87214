#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/ssh/adapter.hpp>
#include <array>
#include <utility>

#include "channel_streams.hpp"
#include "session.hpp"

namespace alknet::ssh {

namespace {

// Sessions of one connection, and what carries their channels.
constexpr std::size_t kStreamsMax = StreamHandlerOptions().streams_max + kChannelStreamsMax;

}  // namespace

SshAdapter::SshAdapter(SshAdapterOptions options)
    : StreamHandler({.streams_max = kStreamsMax}),
      options_(std::move(options)),
      host_key_(options_.host_key) {
    ALKNET_ASSERT(host_key_ != nullptr && options_.identities != nullptr &&
                  options_.network != nullptr);
}

SshAdapter::~SshAdapter() = default;

std::vector<std::string> SshAdapter::alpns() const {
    return {std::string(kSshAlpn)};
}

void SshAdapter::set_host_key(std::shared_ptr<const NodeKey> key) noexcept {
    ALKNET_ASSERT(key != nullptr);
    host_key_ = std::move(key);
}

// From half of the places on newcomers are turned away at random, the more the fewer are left, so
// that whoever opens many connections does not keep everybody else out.
bool SshAdapter::has_room_for_a_login() const {
    const std::size_t half = options_.logins_max / 2;
    if (logins_ < half) {
        return true;
    }
    std::array<std::byte, 1> drawn{};
    crypto::fill_random(drawn);
    const std::size_t left = options_.logins_max - std::min(logins_, options_.logins_max);
    return static_cast<std::size_t>(drawn[0]) * (options_.logins_max - half) < left * 256;
}

std::shared_ptr<ChannelStreams> SshAdapter::streams_of(const Connection& connection) const {
    const auto found = streams_.find(&connection);
    return found == streams_.end() ? nullptr : found->second.lock();
}

std::shared_ptr<ChannelStreams> SshAdapter::make_streams(const Connection& connection) {
    if (auto there = streams_of(connection)) {
        return there;
    }
    const auto forget = [this, key = &connection](const ChannelStreams* streams) {
        streams_.erase(key);
        delete streams;
    };
    std::shared_ptr<ChannelStreams> made(new ChannelStreams, forget);
    streams_[&connection] = made;
    return made;
}

// Sessions speak first, as stock servers do, but where a stream may be a channel's.
task<result<void>> SshAdapter::handle_stream(BiStream& stream, const StreamContext& context) {
    Bytes heard;
    if (const auto streams = streams_of(*context.connection)) {
        ALKNET_CO_TRY(const StreamBegin begin, co_await streams->hear(stream, heard));
        if (begin.token) {
            co_return co_await streams->serve(stream, *begin.token);
        }
    }
    if (!has_room_for_a_login()) {
        options_.log.warn("ssh.refused", {{"remote_addr", context.auth.remote.to_string()},
                                          {"id", causes::kLimit.id},
                                          {"detail", "too many who have not logged in"}});
        co_return fail(causes::kLimit, "too many who have not logged in");
    }
    const TaskContext task = co_await current_context();
    Session session(*task.loop, stream, context, *this);
    co_return co_await session.run(heard);
}

task<void> SshAdapter::shutdown() {
    for (Session* const session : sessions_) {
        session->end(error(causes::kShuttingDown));
    }
    for (const auto& [connection, streams] : streams_) {
        if (const auto there = streams.lock()) {
            there->stop_hearing();
        }
    }
    co_await StreamHandler::shutdown();
}

task<void> SshAdapter::recheck_identities() {
    for (Session* const session : sessions_) {
        session->recheck();
    }
    co_return;
}

}  // namespace alknet::ssh
