// The one way into libsodium.
#pragma once

#include <sodium.h>
#include <alknet/base/assert.hpp>

namespace alknet::crypto {

/// Before anything that needs randomness or locked memory. libsodium does its work once, under its
/// own lock, so this may be called from any thread at any time.
inline void start_sodium() {
    ALKNET_ASSERT(sodium_init() >= 0);
}

}  // namespace alknet::crypto
