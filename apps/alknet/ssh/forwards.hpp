// Forwards that live as long as this process: over a session that is made anew whenever it is lost.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <alknet/rt/wait.hpp>
#include <alknet/socks/server.hpp>
#include <alknet/ssh/client.hpp>
#include <alknet/ssh/forward_spec.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "way.hpp"

namespace alknet::app {

/// What has become of a forward, or of the session that all go through.
struct ForwardNews {
    enum class State : std::uint8_t { connected, lost, listening, failed };
    State state = State::connected;
    const ssh::ForwardSpec* forward = nullptr;  // null: the session
    std::string at{};                           // listening: where; a port that was not named too
    const error* why = nullptr;                 // lost, failed
    std::optional<Duration> again{};            // lost, failed: tried after so long
};

struct ForwardsOptions {
    std::vector<ssh::ForwardSpec> forwards;
    std::function<task<result<std::shared_ptr<SshWay>>>()> connect;
    std::function<void(const ForwardNews&)> tell;
    socks::SocksLogin socks{};
    /// Ends with the first thing that fails, and with the session.
    bool fail_fast = false;
};

class Forwards final {
public:
    /// Connections at a time that have not said yet where they are to go.
    static constexpr std::size_t kConnectionsMax = 256;
    static constexpr Duration kSocksTime = std::chrono::seconds(30);
    /// How long a connection waits here for a session that is being made.
    static constexpr Duration kSessionWait = std::chrono::seconds(30);
    static constexpr Duration kFirstDelay = std::chrono::seconds(1);
    static constexpr Duration kLastDelay = std::chrono::seconds(30);

    Forwards(Loop& loop, net::Network& network, ForwardsOptions options);
    Forwards(const Forwards&) = delete;
    Forwards& operator=(const Forwards&) = delete;
    ~Forwards();

    /// Until it is cancelled, or something that another attempt cannot mend. Errors: kCancelled;
    /// those of `connect` that are decisive; with fail_fast, of everything.
    task<result<void>> run();

private:
    struct Listener;

    task<result<void>> listen_here();
    task<result<void>> listen_at(const ssh::ForwardSpec& forward);
    task<void> accept_from(std::shared_ptr<Listener> listener);
    task<void> serve(std::shared_ptr<Listener> listener, std::unique_ptr<ByteStream> stream,
                     SocketAddress from);
    task<result<void>> serve_socks(ByteStream& stream, SocketAddress from);
    task<result<std::unique_ptr<ssh::SshChannel>>> open(const ssh::ForwardEnd& target,
                                                        SocketAddress from);
    task<result<std::shared_ptr<SshWay>>> session();
    task<result<void>> keep_session();
    task<result<void>> use_session(std::shared_ptr<SshWay> way);
    task<result<void>> listen_there(ssh::SshClient& client, const ssh::ForwardSpec& forward);
    task<void> serve_arrival(const ssh::ForwardSpec& forward,
                             std::unique_ptr<ssh::SshArrival> arrival);
    task<result<std::unique_ptr<ByteStream>>> connect_here(const ssh::ForwardEnd& target);
    task<void> regain(std::shared_ptr<SshWay> way, const ssh::ForwardSpec& forward, error why);
    void failed(const ssh::ForwardSpec& forward, const error& why,
                std::optional<Duration> again = {});

    Loop& loop_;
    net::Network& network_;
    const ForwardsOptions options_;
    std::shared_ptr<SshWay> way_;  // while there is a session
    WaitList connected_;
    std::set<const ssh::ForwardSpec*> had_;  // of -R: the server has listened for it once
    TaskScope* tasks_ = nullptr;             // while it runs
    std::size_t connections_ = 0;
};

}  // namespace alknet::app
