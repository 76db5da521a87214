// ALKNET_ASSERT guards against our own bugs, in release builds too. It throws `bug`, so that inside
// a handler the connection dies and the node does not. What a peer, a disk or a configuration can
// cause is a `result`, never an assertion.
#pragma once

#include <stdexcept>

namespace alknet {

class bug : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

[[noreturn]] void throw_bug(const char* condition, const char* file, int line);

}  // namespace alknet

#define ALKNET_ASSERT(condition)                                 \
    do {                                                         \
        if (!(condition)) [[unlikely]] {                         \
            ::alknet::throw_bug(#condition, __FILE__, __LINE__); \
        }                                                        \
    } while (false)
