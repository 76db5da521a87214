// TLS over any ByteStream (TCP): the same context, the same choice by ALPN as on QUIC.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/tls/context.hpp>
#include <memory>
#include <string>

namespace alknet {
class Loop;
}

namespace alknet::tls {

/// The decrypted stream and what the handshake proved. `finish` sends close_notify and leaves the
/// other direction open. Records are decrypted straight into the reader's buffer where it is large
/// enough.
class TlsStream : public BiStream {
public:
    /// Everything but the addresses, `transport` and `server_side`, which the caller fills in.
    [[nodiscard]] virtual const ConnectionInfo& info() const noexcept = 0;
    virtual result<void> export_keying_material(std::string_view label, BytesView context,
                                                MutableBytes out) const = 0;
    /// Of a side that accepts, before anything else is done with the stream: tells the peer, whom
    /// it knows, that it may not use what it asked for (alert access_denied), and reads on for a
    /// moment, so that this is not cut off. The stream is of no use afterwards.
    virtual task<void> deny() = 0;
    [[nodiscard]] virtual std::uint64_t bytes_sent() const noexcept = 0;
    [[nodiscard]] virtual std::uint64_t bytes_received() const noexcept = 0;
};

/// Errors: kTls with the alert, kNoCommonAlpn, kCancelled, kReset. TLS 1.2 is spoken only when the
/// chosen ALPN is a web one (http/1.1, h2). `selector` must outlive the handshake.
task<result<std::unique_ptr<TlsStream>>> accept_tls(Loop& loop, std::unique_ptr<ByteStream> lower,
                                                    std::shared_ptr<const TlsContext> context,
                                                    AlpnSelector& selector);

/// Errors: as above, and kPeerKeyMismatch, kPeerUnverified.
task<result<std::unique_ptr<TlsStream>>> connect_tls(Loop& loop, std::unique_ptr<ByteStream> lower,
                                                     ClientOptions options);

}  // namespace alknet::tls
