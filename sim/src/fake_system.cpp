#include "fake_system.hpp"

#include <sodium.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <unistd.h>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>

namespace alknet::sim {

namespace {

// Zero-initialised or constant: the C library calls these functions before any constructor runs.
constinit std::uint64_t entropy_state = 0;
constinit std::uint64_t entropy_drawn = 0;
constinit const Clock* system_clock = nullptr;

constexpr std::int64_t kFixedSeconds = 1'800'000'000;
constexpr std::int64_t kNanoseconds = 1'000'000'000;

std::uint64_t next_word() noexcept {
    entropy_state += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = entropy_state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}

void fill(void* into, std::size_t size) noexcept {
    auto* bytes = static_cast<unsigned char*>(into);
    entropy_drawn += size;
    while (size > 0) {
        const std::uint64_t word = next_word();
        const std::size_t count = size < sizeof word ? size : sizeof word;
        std::memcpy(bytes, &word, count);
        bytes += count;
        size -= count;
    }
}

std::int64_t wall_nanoseconds() noexcept {
    return system_clock == nullptr ? kFixedSeconds * kNanoseconds
                                   : system_clock->wall_now().time_since_epoch().count();
}

std::int64_t monotonic_nanoseconds(bool with_sleep) noexcept {
    if (system_clock == nullptr) {
        return kNanoseconds;
    }
    const std::int64_t awake = system_clock->now().time_since_epoch().count();
    return with_sleep ? awake + system_clock->suspended().count() : awake;
}

void store(std::int64_t nanoseconds, timespec* into) noexcept {
    into->tv_sec = static_cast<time_t>(nanoseconds / kNanoseconds);
    into->tv_nsec = nanoseconds % kNanoseconds;
}

// ---- libsodium ----

const char* sodium_name() {
    return "alknet-sim";
}
std::uint32_t sodium_random() {
    return static_cast<std::uint32_t>(next_word());
}
void sodium_fill(void* const into, const std::size_t size) {
    fill(into, size);
}

constinit randombytes_implementation sodium_source = {
    .implementation_name = sodium_name,
    .random = sodium_random,
    .stir = nullptr,
    .uniform = nullptr,
    .buf = sodium_fill,
    .close = nullptr,
};

}  // namespace

void seed_system(std::uint64_t seed) noexcept {
    // What libsodium draws once, when it is first used, must not count for the first run alone.
    (void)randombytes_set_implementation(&sodium_source);
    (void)sodium_init();
    entropy_state = seed;
    entropy_drawn = 0;
}

void set_system_clock(const Clock* clock) noexcept {
    system_clock = clock;
}

std::uint64_t system_entropy_drawn() noexcept {
    return entropy_drawn;
}

std::int64_t real_milliseconds() noexcept {
    timespec now{};
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace alknet::sim

extern "C" {

ssize_t getrandom(void* into, size_t size, unsigned) {
    alknet::sim::fill(into, size);
    return static_cast<ssize_t>(size);
}

int getentropy(void* into, size_t size) {
    alknet::sim::fill(into, size);
    return 0;
}

int clock_gettime(clockid_t clock, timespec* into) noexcept {
    using namespace alknet::sim;
    switch (clock) {
        case CLOCK_REALTIME:
        case CLOCK_REALTIME_COARSE:
        case CLOCK_TAI:
            store(wall_nanoseconds(), into);
            return 0;
        case CLOCK_BOOTTIME:
            store(monotonic_nanoseconds(true), into);
            return 0;
        default:
            // CPU time too: it would differ from run to run.
            store(monotonic_nanoseconds(false), into);
            return 0;
    }
}

time_t time(time_t* into) noexcept {
    const auto seconds =
        static_cast<time_t>(alknet::sim::wall_nanoseconds() / alknet::sim::kNanoseconds);
    if (into != nullptr) {
        *into = seconds;
    }
    return seconds;
}

int gettimeofday(timeval* __restrict into, void* __restrict) noexcept {
    const std::int64_t now = alknet::sim::wall_nanoseconds();
    into->tv_sec = static_cast<time_t>(now / alknet::sim::kNanoseconds);
    into->tv_usec = (now % alknet::sim::kNanoseconds) / 1000;
    return 0;
}

}  // extern "C"
