#include <alknet/base/causes.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/rt/combine.hpp>

namespace alknet {

namespace {

/// A datagram that cannot be sent back is lost, like any other.
task<result<void>> echo_datagrams(Connection& connection) {
    for (;;) {
        const result<Bytes> datagram = co_await connection.recv_datagram();
        if (!datagram) {
            co_return result<void>{};
        }
        (void)connection.send_datagram(*datagram);
    }
}

}  // namespace

task<result<void>> EchoHandler::handle_beside(Connection& connection) {
    if (connection.datagram_bytes_max() == 0) {
        return {};
    }
    return echo_datagrams(connection);
}

task<result<void>> EchoHandler::handle_stream(BiStream& stream, const StreamContext&) {
    Bytes buffer(kBufferBytes);
    for (;;) {
        const auto got =
            co_await with_timeout(options_.stream_idle_timeout, stream.read(MutableBytes(buffer)));
        if (!got) {
            co_return unexpected(got.error());
        }
        if (*got == 0) {
            co_return co_await stream.finish();
        }
        const BytesView echo = BytesView(buffer).first(*got);
        const auto written =
            co_await with_timeout(options_.stream_idle_timeout, stream.write(echo));
        ALKNET_CO_CHECK(written);
    }
}

}  // namespace alknet
