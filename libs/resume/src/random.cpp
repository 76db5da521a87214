#include "random.hpp"

#include <sodium.h>

namespace alknet::resume {

StreamId random_id() {
    StreamId id;
    randombytes_buf(id.octets.data(), id.octets.size());
    return id;
}

Duration random_below(Duration bound) {
    const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(bound).count();
    return whole <= 0 ? Duration::zero()
                      : std::chrono::milliseconds(
                            randombytes_uniform(static_cast<std::uint32_t>(whole) + 1));
}

double random_chance() {
    constexpr std::uint32_t kSteps = 1 << 20;
    return static_cast<double>(randombytes_uniform(kSteps)) / kSteps;
}

}  // namespace alknet::resume
