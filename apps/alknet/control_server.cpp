#include "control_server.hpp"

#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/file_watch.hpp>
#include <alknet/rt/scope.hpp>
#include <exception>
#include <system_error>
#include <utility>

namespace alknet::app {

namespace {

constexpr Duration kAcceptAgainDelay = std::chrono::milliseconds(100);
constexpr Duration kListenAgainDelay = std::chrono::seconds(1);
constexpr Duration kGrace = std::chrono::seconds(2);

struct Control {
    Loop& loop;
    std::shared_ptr<call::CallAdapter> adapter;
    Log log;
};

AuthContext local_admin(std::uint32_t user) {
    AuthContext auth;
    auth.alpn = std::string(call::kCallAlpn);
    auth.transport = Transport::local;
    auth.identity.emplace();
    auth.identity->id = std::string(kLocalAdmin);
    auth.identity->scopes = {"*:*:*"};
    auth.identity->resources[std::string(kUserResource)] = {std::to_string(user)};
    return auth;
}

// A bug in an operation ends the connection that met it, and nothing else.
task<void> serve_one(Control& control, std::shared_ptr<Connection> connection, std::uint32_t user) {
    std::uint64_t code = close_code::kOk;
    try {
        const auto outcome = co_await control.adapter->handle(connection, local_admin(user));
        code = outcome ? close_code::kOk : default_close_code(outcome.error().condition());
    } catch (const std::exception& bug) {
        code = close_code::kInternal;
        control.log.error("handler.failed", {{"alpn", call::kCallAlpn},
                                             {"transport", "local"},
                                             {"kind", "exception"},
                                             {"detail", bug.what()}});
    }
    connection->close(code, {});
}

// The kernel says who connects; the mode of the file alone would leave it to the directory's owner.
bool may_control(const Control& control, const net::UnixStream& stream, std::size_t connections) {
    if (stream.user_id != ::geteuid() && stream.user_id != 0) {
        control.log.warn("control.refused",
                         {{"user", std::uint64_t{stream.user_id}}, {"reason", "another user"}});
        return false;
    }
    if (connections >= kControlConnectionsMax) {
        control.log.warn("control.refused", {{"user", std::uint64_t{stream.user_id}},
                                             {"reason", "too many connections"}});
        return false;
    }
    return true;
}

task<result<void>> accept_all(Control& control, net::UnixListener& listener, TaskScope& serving) {
    for (;;) {
        auto accepted = co_await listener.accept();
        if (!accepted && accepted.error().is(errc::cancelled)) {
            co_return unexpected(std::move(accepted).error());
        }
        if (!accepted) {
            control.log.warn("control.failed", {{"detail", accepted.error().detail()}});
            ALKNET_CO_CHECK(co_await control.loop.sleep(kAcceptAgainDelay));
        } else if (may_control(control, *accepted, serving.size())) {
            StreamConnectionOptions options;
            options.info.alpn = std::string(call::kCallAlpn);
            options.info.transport = Transport::local;
            options.info.server_side = true;
            const auto user = static_cast<std::uint32_t>(accepted->user_id);
            auto connection = make_stream_connection(control.loop, std::move(accepted->stream),
                                                     std::move(options));
            serving.spawn(serve_one(control, std::move(connection), user), "control.connection");
        }
    }
}

// Somebody may have cleared the directory up. Ends with another listener in `again`, and
// `renewed`, or cancelled. What is in the place of the file, if anything, is left alone.
task<result<void>> listen_again(Control& control, std::filesystem::path path,
                                std::unique_ptr<net::UnixListener>& again, Cancel& renewed) {
    for (;;) {
        const auto watch = FileWatch::open(control.loop, path);
        result<void> there;
        while (watch && there) {
            std::error_code failure;
            if (std::filesystem::symlink_status(path, failure).type() !=
                std::filesystem::file_type::not_found) {
                there = co_await (*watch)->changed();
                continue;
            }
            if (auto listener = net::listen_unix(control.loop, path)) {
                again = *std::move(listener);
                control.log.warn("control.made_again", {{"file", path.native()}});
                renewed.request();
                co_return result<void>();
            }
            break;
        }
        if (!there && there.error().is(errc::cancelled)) {
            co_return there;
        }
        ALKNET_CO_CHECK(co_await control.loop.sleep(kListenAgainDelay));
    }
}

task<result<void>> accept_for_ever(Control& control, std::unique_ptr<net::UnixListener>& listener,
                                   std::filesystem::path path, TaskScope& serving) {
    const TaskContext context = co_await current_context();
    for (;;) {
        Cancel renewed(context.cancel);
        std::unique_ptr<net::UnixListener> again;
        TaskScope watching(control.loop);
        watching.spawn(listen_again(control, path, again, renewed), "control.watch");
        auto ended = co_await accept_all(control, *listener, serving).under(renewed);
        watching.cancel();
        (void)co_await watching.join();
        if (again == nullptr) {
            co_return ended;
        }
        listener = std::move(again);
    }
}

task<result<void>> drain(call::CallAdapter& adapter) {
    co_await adapter.shutdown();
    co_return result<void>();
}

}  // namespace

task<result<void>> serve_control(Loop& loop, std::unique_ptr<net::UnixListener> listener,
                                 std::filesystem::path path,
                                 std::shared_ptr<call::CallAdapter> adapter, Log log) {
    Control control{.loop = loop, .adapter = std::move(adapter), .log = std::move(log)};
    TaskScope serving(loop);
    auto ended = co_await accept_for_ever(control, listener, std::move(path), serving);
    listener.reset();  // from now on commands see that no node listens
    Cancel patience;
    (void)co_await with_timeout(kGrace, drain(*control.adapter)).under(patience);
    serving.cancel();
    (void)co_await serving.join();
    co_return ended;
}

}  // namespace alknet::app
