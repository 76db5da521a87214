// A Connection made of one duplex byte stream: TLS over TCP, a unix socket, a pipe. It carries one
// BiStream: accept_bi gives it once on the accepting side, open_bi once on the dialling side. A
// further accept_bi waits for the end of the connection, as on any connection whose peer opens
// nothing more; a further open_bi, unidirectional streams and datagrams are kNotSupported.
//
// The connection ends when both halves of the stream have ended, when the stream breaks, is reset
// or dropped unfinished, after the idle timeout, or by `close`. Close codes and reset codes cannot
// travel on a byte stream: the peer sees an end or a broken connection, only this side's
// `close_reason` has the code.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/time.hpp>
#include <functional>
#include <memory>
#include <string_view>

namespace alknet {

struct StreamConnectionOptions {
    /// What the maker of the stream knows; `server_side` decides which call gives the stream.
    ConnectionInfo info;
    /// Keying material, if there is any. May refer to the stream: it is not called once that is
    /// gone.
    std::function<result<void>(std::string_view label, BytesView context, MutableBytes out)>
        exporter;
    /// Tells the peer that it is known and may not, where the stream has a way to. Refers to the
    /// stream likewise, and ends within seconds.
    std::function<task<void>()> deny{};
    Duration idle_timeout{};  // without a byte in either direction; zero: none
};

class StreamConnection : public Connection {
public:
    /// A stream that was finished and then dropped with its other half unread is read to the end
    /// for this long, and this far, so that what was written still arrives.
    static constexpr Duration kDrainTimeout = std::chrono::seconds(2);
    static constexpr std::uint64_t kDrainBytesMax = 1 << 20;

    /// Once nothing can be written any more (the peer has hung up), what it had said before can
    /// still be read for so long.
    static constexpr Duration kLastWordsTimeout = std::chrono::seconds(2);

    /// Before anybody has its stream; see StreamConnectionOptions. `close` comes after.
    virtual task<result<void>> deny() = 0;

    /// Zero: none. Counts from the last byte that moved.
    virtual void set_idle_timeout(Duration timeout) = 0;
};

[[nodiscard]] std::shared_ptr<StreamConnection> make_stream_connection(
    Loop& loop, std::unique_ptr<BiStream> stream, StreamConnectionOptions options);

}  // namespace alknet
