#include "system_tcp.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <alknet/base/causes.hpp>
#include <alknet/rt/loop.hpp>
#include <cerrno>

#include "accept_queue.hpp"
#include "socket_stream.hpp"
#include "system_socket.hpp"

namespace alknet::net {

namespace {

// A peer that vanished is noticed after 60 + 4 * 15 seconds, also when nothing is to be sent.
constexpr int kKeepAliveIdleSeconds = 60;
constexpr int kKeepAliveIntervalSeconds = 15;
constexpr int kKeepAliveProbes = 4;

SocketAddress remote_address_of(int fd) noexcept {
    sockaddr_storage native{};
    socklen_t size = sizeof native;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&native), &size) != 0) {
        return {};
    }
    return SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&native));
}

result<TcpStream> make_stream(Loop& loop, UniqueFd fd) {
    set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
    set_option(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
    set_option(fd.get(), IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
    TcpStream connected;
    connected.local = local_address_of(fd.get());
    connected.remote = remote_address_of(fd.get());
    ALKNET_TRY(connected.stream, SocketStream::adopt(loop, std::move(fd)));
    return connected;
}

class SystemTcpListener final : public TcpListener {
public:
    SystemTcpListener(Loop& loop, UniqueFd fd) noexcept
        : loop_(loop), queue_(loop, std::move(fd)) {}

    result<void> listen() {
        ALKNET_CHECK(queue_.listen());
        local_ = local_address_of(queue_.fd());
        return {};
    }

    task<result<TcpStream>> accept() override {
        for (;;) {
            ALKNET_CO_TRY(UniqueFd fd, co_await queue_.accept());
            result<TcpStream> connected = make_stream(loop_, std::move(fd));
            // Without a remote address it was reset while it waited.
            if (!connected || connected->remote.family() != SocketAddress::Family::none) {
                co_return connected;
            }
        }
    }

    [[nodiscard]] SocketAddress local_address() const noexcept override { return local_; }

private:
    Loop& loop_;
    AcceptQueue queue_;
    SocketAddress local_;
};

std::unexpected<error> connect_failure(int number, const SocketAddress& remote) {
    if (is_unreachable(number)) {
        return fail(causes::kUnreachable, remote.to_string() + ": " + os_error_text(number));
    }
    return number == ETIMEDOUT ? fail(causes::kTimeout, remote.to_string())
                               : os_fail("connect", number, remote.to_string());
}

/// Waits until a connect under way has ended. 0, or its `errno`.
task<result<int>> wait_connected(Loop& loop, int fd) {
    FdReadiness readiness(loop);
    ALKNET_CO_CHECK(readiness.watch(fd));
    for (;;) {
        readiness.would_block_writing();
        ALKNET_CO_CHECK(co_await readiness.writable());
        int number = 0;
        socklen_t size = sizeof number;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size);
        if (number != 0) {
            co_return number;
        }
        // Other events can come first.
        if (remote_address_of(fd).family() != SocketAddress::Family::none) {
            co_return 0;
        }
    }
}

}  // namespace

result<std::unique_ptr<TcpListener>> listen_system_tcp(Loop& loop, const SocketAddress& local,
                                                       const PortShare& share) {
    ALKNET_TRY(UniqueFd fd, open_socket(local, SOCK_STREAM));
    // A restart must not wait for the connections of the last run to be forgotten.
    set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    ALKNET_CHECK(bind_shared(fd.get(), local, share));
    auto listener = std::make_unique<SystemTcpListener>(loop, std::move(fd));
    ALKNET_CHECK(listener->listen());
    return listener;
}

task<result<TcpStream>> connect_system_tcp(Loop& loop, SocketAddress remote) {
    ALKNET_CO_TRY(UniqueFd fd, open_socket(remote, SOCK_STREAM));
    sockaddr_storage native{};
    const unsigned size = remote.to_native(native);
    int number = 0;
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&native), size) != 0) {
        number = errno;
    }
    if (number == EINPROGRESS || number == EINTR) {
        ALKNET_CO_TRY(number, co_await wait_connected(loop, fd.get()));
    }
    if (number != 0) {
        co_return connect_failure(number, remote);
    }
    // A dial to a port from which the system chooses can meet itself.
    if (local_address_of(fd.get()) == remote_address_of(fd.get())) {
        co_return connect_failure(ECONNREFUSED, remote);
    }
    co_return make_stream(loop, std::move(fd));
}

}  // namespace alknet::net
