// Counters: how much of what is limited is in use. What is counted is held by a Ticket, which gives
// it back by dying, so that no path out of a connection can leak a count. Thread-safe: the loops of
// a node count together. A ticket belongs to one loop.
#pragma once

#include <alknet/base/metrics.hpp>
#include <alknet/core/endpoint.hpp>
#include <alknet/net/socket_address.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace alknet {

/// The limits that can strike; `limit_key` gives the name in the configuration.
enum class Limit : std::uint8_t {
    connections,
    connections_per_ip,
    connections_per_identity,
    half_open,
    half_open_retry,
    handshake_timeout,
    idle_timeout,
    handler_unwind,
};
inline constexpr std::size_t kLimitKinds = 8;
[[nodiscard]] std::string_view limit_key(Limit limit) noexcept;

class Counters;

/// One connection's share. Movable; an empty ticket holds nothing.
class Ticket {
public:
    Ticket() noexcept = default;
    Ticket(Ticket&& other) noexcept { *this = std::move(other); }
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket() { release(); }

    /// The handshake has ended well, which proves the address too. False when its IP has more than
    /// `per_ip_max` connections by now: then the connection has to go. Idempotent.
    bool established(std::size_t per_ip_max);
    /// Counts the connection for its identity too, once. False, and no change, when that has
    /// reached `most`. Not for an empty ticket.
    [[nodiscard]] bool claim_identity(const std::string& id, std::size_t most);
    [[nodiscard]] explicit operator bool() const noexcept { return counters_ != nullptr; }

private:
    friend class Counters;
    void release() noexcept;

    std::shared_ptr<Counters> counters_;
    SocketAddress group_;      // no family: not counted by IP
    bool ip_counted_ = false;  // an address that may be forged is not, or its owner would pay
    bool half_open_counted_ = false;  // the same among the handshakes of its address
    std::string identity_;
    bool identity_counted_ = false;
    bool half_open_ = false;
};

/// What to do with a newcomer, before any cryptography is spent on it.
struct AdmissionVerdict {
    quic::Admission admission = quic::Admission::accept;
    std::optional<Limit> struck;
    Ticket ticket;  // held when accepted
};

class Counters : public std::enable_shared_from_this<Counters> {
public:
    /// An address may begin another handshake while it has fewer than one for each so many that are
    /// free. So a few addresses leave room for others, and the last places go to those who have
    /// none.
    static constexpr std::size_t kFreeForEach = 8;

    static std::shared_ptr<Counters> create() { return std::shared_ptr<Counters>(new Counters); }

    /// `validated`: the address is proven, by TCP or by a token. A remote without an address (a
    /// unix socket, memory) is not counted by IP.
    [[nodiscard]] AdmissionVerdict admit(const EndpointLimits& limits, const SocketAddress& remote,
                                         bool validated);

    [[nodiscard]] std::size_t connections() const noexcept;
    [[nodiscard]] std::size_t half_open() const noexcept;
    /// So that of several loops the last one to write writes the last value.
    void show_half_open(Gauge& gauge) const noexcept;
    [[nodiscard]] std::size_t of_ip(const SocketAddress& remote) const noexcept;
    [[nodiscard]] std::size_t of_identity(const std::string& id) const noexcept;
    /// Keys that are kept: none may stay behind when all tickets are gone.
    [[nodiscard]] std::size_t entries() const noexcept;

private:
    friend class Ticket;
    Counters() = default;
    // With the lock held.
    [[nodiscard]] std::optional<std::pair<quic::Admission, Limit>> objection(
        const EndpointLimits& limits, const SocketAddress& remote, bool validated) const;
    [[nodiscard]] std::size_t count_of(const SocketAddress& group) const noexcept;
    [[nodiscard]] bool takes_too_many(const EndpointLimits& limits,
                                      const SocketAddress& group) const noexcept;
    void leave_half_open(Ticket& ticket) noexcept;

    mutable std::mutex mutex_;  // held for a few instructions
    std::size_t connections_ = 0;
    std::size_t half_open_ = 0;
    std::unordered_map<SocketAddress, std::size_t> by_ip_;  // at most connections_ entries each
    std::unordered_map<SocketAddress, std::size_t> half_open_by_ip_;
    std::map<std::string, std::size_t> by_id_;
};

}  // namespace alknet
