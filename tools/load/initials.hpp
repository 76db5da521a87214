// Initials: a client's first packet (RFC 9000 section 17.2.2) as often as wanted, each with a
// destination connection id of its own and so with keys of its own, which anybody can derive
// (RFC 9001 section 5.2). They are made from one packet of a real client.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/rt/loop.hpp>
#include <cstdint>

namespace alknet::load {

enum class InitialKind : std::uint8_t {
    whole,     // a ClientHello that a server answers
    nonsense,  // opens, and what it carries is no ClientHello
    broken,    // does not open
};

class Initials {
public:
    /// Has a client of ours dial, and takes its first packet. Errors: kInternal, those of tls.
    static result<Initials> record(Loop& loop);

    /// The datagram lives until the next one is made. Errors: kInternal.
    result<BytesView> next(InitialKind kind);

private:
    /// Of one direction, for one destination id.
    struct Keys;

    Initials() = default;
    static result<Keys> derive(BytesView id);
    result<void> open(BytesView packet);

    Bytes header_;   // without protection, up to and with the packet number
    Bytes payload_;  // the frames
    std::size_t number_bytes_ = 0;
    Bytes datagram_;
};

}  // namespace alknet::load
