// Two ends of a connection in memory, with all that QUIC has: many streams both ways,
// unidirectional ones, datagrams, close and reset codes, credit for streams, and back-pressure.
// Handlers are tested on it, and it joins two parts of one program. Both ends live on the same
// loop.
#pragma once

#include <alknet/net/connection.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace alknet {

struct MemoryConnectionOptions {
    std::string alpn;
    PeerIdentity client;  // what the server is told of the other side
    PeerIdentity server;  // what the client is told
    SocketAddress client_address;
    SocketAddress server_address;
    Transport transport = Transport::memory;
    std::string trace_id;
    bool http3_beside = false;  // ConnectionInfo
    /// export_keying_material of both ends; empty: kNotSupported.
    std::function<result<void>(std::string_view label, BytesView context, MutableBytes out)>
        exporter{};

    std::size_t stream_buffer_bytes = 64 << 10;  // of each direction of each stream
    std::uint64_t streams_bidi_max = 100;        // open at a time, of those that one end opened
    std::uint64_t streams_uni_max = 100;
    std::size_t datagram_bytes_max = 1200;  // 0: no datagrams
    std::size_t datagram_queue_max = 64;    // sent and not yet taken; then sending is kLimit
};

struct MemoryConnectionPair {
    std::shared_ptr<Connection> client;
    std::shared_ptr<Connection> server;
};

/// A close arrives at once and drops what was not yet read. An end that is destroyed closes with
/// code 0. A stream counts as open until both ends have let go of it.
[[nodiscard]] MemoryConnectionPair make_memory_connection_pair(MemoryConnectionOptions options);

}  // namespace alknet
