// A Connection made of a TLS stream over TCP, for the side that accepts and the side that dials.
#pragma once

#include <alknet/core/stream_connection.hpp>
#include <alknet/net/network.hpp>
#include <alknet/tls/stream.hpp>
#include <memory>

namespace alknet {

struct TlsConnectionOptions {
    const net::TcpStream& tcp;  // gives the addresses; its stream has gone into the TLS stream
    Duration idle_timeout{};
    bool server_side = false;
    bool http3_beside = false;
};

[[nodiscard]] std::shared_ptr<StreamConnection> make_tls_connection(
    Loop& loop, std::unique_ptr<tls::TlsStream> stream, const TlsConnectionOptions& how);

}  // namespace alknet
