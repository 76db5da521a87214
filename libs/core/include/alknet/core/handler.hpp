// ProtocolHandler: a service. The endpoint gives it every connection whose handshake chose one of
// its ALPN names.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/core/auth.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/rt/task.hpp>
#include <memory>
#include <string>
#include <vector>

namespace alknet {

class ProtocolHandler {
public:
    virtual ~ProtocolHandler() = default;

    /// The ALPN names it serves, 1 to 31 octets each. They do not change.
    [[nodiscard]] virtual std::vector<std::string> alpns() const = 0;

    /// Owns the connection until it returns; the endpoint then closes it: with code 0 once what was
    /// written has reached the peer, or at once with the code of the error (see close_code). Runs
    /// below a Cancel that is requested when the connection ends or the grace period is over, and
    /// returns soon after: a handler that does not is taken down where it waits. An error or an
    /// exception (code 6) ends this connection and nothing else.
    virtual task<result<void>> handle(std::shared_ptr<Connection> connection, AuthContext auth) = 0;

    /// Tells a known peer in the protocol itself why it may not use the service, where the
    /// transport has no close code that could (TCP). It may hear the cause, and of kScopeMissing
    /// the detail. Runs below a timeout; the endpoint closes the connection afterwards. Errors:
    /// kNotSupported for a protocol that has no words for it, as here; those of the stream.
    virtual task<result<void>> tell_refused(std::shared_ptr<Connection> connection, error why);

    /// Stop taking on new work and finish what runs; the endpoint waits for the grace period.
    virtual task<void> shutdown();

    /// What identities the provider gives has changed. The endpoint asks again for those of the
    /// connections; this is for what a service resolved by itself. Returns when that is in force.
    virtual task<void> recheck_identities();

    /// Maps an error of `handle` to the close code of this protocol; default_close_code here.
    [[nodiscard]] virtual std::uint64_t close_code(const error& failure) const noexcept;
};

}  // namespace alknet
