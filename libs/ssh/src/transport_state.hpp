// What the transport remembers of a key exchange that is under way.
#pragma once

#include <alknet/ssh/transport.hpp>
#include <memory>
#include <optional>

#include "algorithms.hpp"
#include "key_exchange.hpp"
#include "packet_cipher.hpp"

namespace alknet::ssh {

/// From the first KEXINIT, whoever sent it, to the peer's NEWKEYS.
struct Transport::Exchange {
    Bytes own_init;
    Bytes peer_init;  // empty: not there yet
    Negotiated chosen;
    bool drop_guess = false;  // the peer's next message of the exchange is for another method
    bool answered = false;    // both shares are known
    std::optional<KeyShare> share;
    std::unique_ptr<PacketCipher> next_in;
    std::unique_ptr<PacketCipher> next_out;
};

}  // namespace alknet::ssh
