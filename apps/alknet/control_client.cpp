#include "control_client.hpp"

#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/call/client.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/net/unix_socket.hpp>
#include <alknet/rt/combine.hpp>
#include <utility>

#include "commands.hpp"
#include "desk.hpp"

namespace alknet::app {

namespace {

constexpr Duration kPatience = std::chrono::seconds(5);
constexpr Duration kTryAgainDelay = std::chrono::milliseconds(20);

task<result<Json>> ask(Loop& loop, std::shared_ptr<Connection> node, std::string operation,
                       Json input) {
    const auto client = call::CallClient::create(loop, std::move(node));
    auto answer = co_await client->call(std::move(operation), std::move(input));
    co_await client->close();
    co_return answer;
}

task<result<void>> pause(Loop& loop) {
    co_return co_await loop.sleep(kTryAgainDelay);
}

result<bool> node_listens(const config::Home& home) {
    const SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    return net::connect_unix(*loop, control_socket(home)).has_value();
}

}  // namespace

std::filesystem::path control_socket(const config::Home& home) {
    return home.directory() / "control.sock";
}

result<std::shared_ptr<Connection>> dial_own_node(Loop& loop, const config::Home& home) {
    auto dialled = net::connect_unix(loop, control_socket(home));
    if (!dialled) {
        return fail(causes::kNodeDown, "none listens at " + control_socket(home).native());
    }
    if (dialled->user_id != ::geteuid() && dialled->user_id != 0) {
        return fail(causes::kForbidden, "another user listens at " + control_socket(home).native());
    }
    StreamConnectionOptions options;
    options.info.alpn = std::string(call::kCallAlpn);
    options.info.transport = Transport::local;
    return make_stream_connection(loop, std::move(dialled->stream), std::move(options));
}

result<std::optional<Json>> ask_running_node(const config::Home& home, std::string_view operation,
                                             const Json& input) {
    const SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    auto node = dial_own_node(*loop, home);
    if (!node && node.error().is(causes::kNodeDown)) {
        return std::nullopt;
    }
    if (!node) {
        return unexpected(std::move(node).error());
    }
    return block_on(*loop, ask(*loop, *std::move(node), std::string(operation), input), "control");
}

result<Json> at_own_node(const CommandLine& line, std::string_view operation, Json input) {
    ALKNET_TRY(const auto home, open_home(line));
    const DeskOperation* found = find_desk_operation(operation);
    const SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    const TimePoint until = time_after(clock.now(), kPatience);
    for (;;) {
        ALKNET_TRY(auto answer, ask_running_node(home, operation, input));
        if (answer) {
            return *std::move(answer);
        }
        if (found != nullptr && found->configure != nullptr && !found->changes()) {
            return work_on_files(home, operation, std::move(input), clock.wall_now());
        }
        // A node that starts has the lock before it listens; another command lets go of it soon.
        const auto lock = home.lock();
        if (lock) {
            return work_on_files(home, operation, std::move(input), clock.wall_now());
        }
        if (!lock.error().is(causes::kHomeInvalid)) {
            return unexpected(lock.error());
        }
        if (clock.now() >= until) {
            return fail(causes::kStoreBusy, "a node runs in " + home.directory().native() +
                                                " and does not answer at " +
                                                control_socket(home).filename().native());
        }
        ALKNET_CHECK(block_on(*loop, pause(*loop), "control"));
    }
}

result<config::HomeLock> lock_for_node(const config::Home& home) {
    const SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    const TimePoint until = time_after(clock.now(), kPatience);
    for (;;) {
        auto lock = home.lock();
        if (lock || !lock.error().is(causes::kHomeInvalid) || clock.now() >= until) {
            return lock;
        }
        ALKNET_TRY(const bool another_node, node_listens(home));
        if (another_node) {
            return lock;
        }
        ALKNET_CHECK(block_on(*loop, pause(*loop), "control"));
    }
}

}  // namespace alknet::app
