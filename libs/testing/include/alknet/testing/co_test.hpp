// gtest tests whose body is a coroutine on virtual time.
//
//     ALKNET_CO_TEST(Echo, AnswersWithinASecond) {
//         const auto answer = co_await with_timeout(1s, ask(loop));
//         ALKNET_CO_ASSERT_OK(answer);
//         EXPECT_EQ(*answer, "hello");
//     }
//
// The body sees `loop`, `clock` and `virtual_loop`. EXPECT_… works as usual; gtest's ASSERT_…
// returns, which a coroutine cannot, so use ALKNET_CO_ASSERT….
#pragma once

#include <gtest/gtest.h>
#include <alknet/base/result.hpp>
#include <alknet/testing/virtual_loop.hpp>
#include <exception>
#include <string>

namespace alknet::sim {

using CoTestBody = task<void> (*)(VirtualLoop& virtual_loop, Loop& loop, VirtualClock& clock);

inline void run_co_test(CoTestBody body) {
    VirtualLoop virtual_loop;
    try {
        if (!virtual_loop.run(body(virtual_loop, virtual_loop.loop(), virtual_loop.clock()))) {
            ADD_FAILURE() << "the test is stuck: nothing is ready and no timer is armed";
        }
    } catch (const std::exception& failure) {
        ADD_FAILURE() << "the test threw: " << failure.what();
    }
    EXPECT_EQ(virtual_loop.leftovers(), "");
}

/// For messages: "ok", or the error in full.
template <class T>
std::string describe(const result<T>& outcome) {
    return outcome ? "ok"
                   : std::string(outcome.error().cause().id) + " " + outcome.error().message();
}

}  // namespace alknet::sim

#define ALKNET_CO_TEST(suite, name)                                                  \
    static ::alknet::task<void> alknet_co_test_##suite##_##name(                     \
        ::alknet::sim::VirtualLoop&, ::alknet::Loop&, ::alknet::sim::VirtualClock&); \
    TEST(suite, name) {                                                              \
        ::alknet::sim::run_co_test(&alknet_co_test_##suite##_##name);                \
    }                                                                                \
    static ::alknet::task<void> alknet_co_test_##suite##_##name(                     \
        [[maybe_unused]] ::alknet::sim::VirtualLoop& virtual_loop,                   \
        [[maybe_unused]] ::alknet::Loop& loop,                                       \
        [[maybe_unused]] ::alknet::sim::VirtualClock& clock)

/// Ends the test here unless the condition holds.
#define ALKNET_CO_ASSERT(...)                       \
    if (__VA_ARGS__) {                              \
    } else {                                        \
        ADD_FAILURE() << "is false: " #__VA_ARGS__; \
        co_return;                                  \
    }                                               \
    static_assert(true)

/// Ends the test here unless the result is a value.
#define ALKNET_CO_ASSERT_OK(...)                                                        \
    if (const auto& alknet_asserted = (__VA_ARGS__); alknet_asserted) {                 \
    } else {                                                                            \
        ADD_FAILURE() << #__VA_ARGS__ ": " << ::alknet::sim::describe(alknet_asserted); \
        co_return;                                                                      \
    }                                                                                   \
    static_assert(true)
