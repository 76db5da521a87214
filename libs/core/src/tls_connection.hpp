// A Connection made of a TLS stream over TCP, for the side that accepts and the side that dials.
#pragma once

#include <alknet/core/stream_connection.hpp>
#include <alknet/net/network.hpp>
#include <alknet/tls/stream.hpp>
#include <memory>

namespace alknet {

/// `tcp` gives the addresses; its stream has gone into `stream`.
[[nodiscard]] std::shared_ptr<StreamConnection> make_tls_connection(
    Loop& loop, std::unique_ptr<tls::TlsStream> stream, const net::TcpStream& tcp,
    Duration idle_timeout, bool server_side);

}  // namespace alknet
