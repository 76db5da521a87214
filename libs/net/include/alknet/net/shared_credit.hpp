// Streams that share the credit, and the send buffers, of one connection: QUIC's.
#pragma once

#include <alknet/net/stream.hpp>

namespace alknet {

class SharedCredit {
public:
    virtual ~SharedCredit() = default;
    /// From now on what waits in the stream, unread or unsent, holds up no other stream of its
    /// connection, however long it waits. Both ends have to say so, each for what it keeps.
    virtual void stand_alone() noexcept = 0;
};

/// Nothing where streams share no credit.
inline void stand_alone(BiStream& stream) noexcept {
    if (auto* const shared = dynamic_cast<SharedCredit*>(&stream)) {
        shared->stand_alone();
    }
}

}  // namespace alknet
