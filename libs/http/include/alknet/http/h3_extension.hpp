// Http3Extension: what else than requests a connection of HTTP/3 carries (RFC 9114 section 9):
// streams of further types, datagrams (RFC 9297), settings.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/rt/task.hpp>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace alknet::http {

/// The connection, as the extension sees it. Lives longer than the tasks that are given it.
class Http3Link {
public:
    [[nodiscard]] virtual Connection& connection() noexcept = 0;
    /// Both ends have announced datagrams.
    [[nodiscard]] virtual bool takes_datagrams() const noexcept = 0;
    /// Of the request on `stream`. Errors: those of Connection::send_datagram; kNotSupported where
    /// not both ends have announced them.
    virtual result<void> send_datagram(std::uint64_t stream, BytesView payload) = 0;

protected:
    ~Http3Link() = default;
};

/// Belongs to one loop, and serves all of its connections.
class Http3Extension {
public:
    virtual ~Http3Extension() = default;

    /// What is announced in SETTINGS besides the engine's own: numbers and values below 2^62.
    [[nodiscard]] virtual std::vector<std::pair<std::uint64_t, std::uint64_t>> settings() const = 0;
    /// Announce SETTINGS_H3_DATAGRAM.
    [[nodiscard]] virtual bool wants_datagrams() const = 0;

    /// Whether streams of the client that begin with this number are the extension's. Asked of
    /// every stream, so not to be said of what HTTP/3 itself uses.
    [[nodiscard]] virtual bool takes_bidi(std::uint64_t type) const = 0;
    [[nodiscard]] virtual bool takes_uni(std::uint64_t type) const = 0;

    /// Such a stream, which it owns; `begun` came behind the type. Cancelled when the connection
    /// ends; an error ends nothing.
    virtual task<result<void>> serve_bidi(Http3Link& link, std::uint64_t type,
                                          std::unique_ptr<BiStream> stream, Bytes begun) = 0;
    virtual task<result<void>> serve_uni(Http3Link& link, std::uint64_t type,
                                         std::unique_ptr<RecvStream> stream, Bytes begun) = 0;
    /// A datagram of the request on `stream`, which may be over or still to come.
    virtual void on_datagram(Http3Link& link, std::uint64_t stream, BytesView payload) = 0;
};

}  // namespace alknet::http
