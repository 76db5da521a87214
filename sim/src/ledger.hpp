// The ledger knows of both ends of every transfer, which no node does: what was sent, what arrived,
// and which errors are allowed.
#pragma once

#include <alknet/base/result.hpp>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "context.hpp"

namespace alknet::sim {

/// One direction of one stream.
struct Transfer {
    std::uint64_t size = 0;
    std::uint64_t received = 0;
    bool finished = false;  // the end of the stream was seen, after `size` octets
};

class Ledger {
public:
    /// `strict`: nothing in this seed may make an established QUIC connection fail.
    Ledger(Context& context, bool strict) : context_(context), strict_(strict) {}

    [[nodiscard]] Context& context() noexcept { return context_; }
    [[nodiscard]] bool strict() const noexcept { return strict_; }
    /// NATs forget. Even in a strict seed this breaks TCP, and QUIC before its server has seen the
    /// end of the handshake (RFC 9000 section 9: only then may an address change).
    void set_roaming() noexcept { roaming_ = true; }
    [[nodiscard]] bool roaming() const noexcept { return roaming_; }

    std::uint64_t add(std::uint64_t size);
    [[nodiscard]] Transfer& transfer(std::uint64_t id) { return transfers_.at(id - 1); }
    [[nodiscard]] std::span<const Transfer> transfers() const noexcept { return transfers_; }
    /// Data came for a transfer; checks that it is what is due.
    void received(std::uint64_t id, BytesView data);
    /// The end came.
    void finished(std::uint64_t id);

    /// From now on nodes shut down, and whatever runs ends with a clean error.
    void set_ending() noexcept { strict_ = false; }

    /// An error ended something. `forgiven` ones are expected here even in a strict seed. Others
    /// must at least be clean: no bug of ours, no broken protocol.
    void ended_with(std::string_view where, const error& why, bool forgiven);

    /// A QUIC connection died of silence although its client roamed and kept it alive. ngtcp2 1.11
    /// can lose one: answers to path challenges that get lost count as in flight for ever, no timer
    /// watches them, and with a small congestion window nothing more is sent. More than one in a
    /// seed is something else.
    void lost_roaming(const std::string& trace_id);

    struct Counts {
        std::uint64_t dials = 0;
        std::uint64_t dials_failed = 0;
        std::uint64_t operations = 0;
        std::uint64_t operations_done = 0;
        std::uint64_t datagrams_echoed = 0;
    };
    Counts counts;
    [[nodiscard]] std::string summary() const;

private:
    Context& context_;
    bool strict_;
    bool roaming_ = false;
    std::vector<Transfer> transfers_;
    std::map<std::string, std::uint64_t> errors_;
    std::set<std::string> lost_roaming_;
};

}  // namespace alknet::sim
