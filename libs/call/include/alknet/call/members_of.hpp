// The members of an aggregate: how many, which, and what they are called in C++.
#pragma once

#include <boost/pfr/core.hpp>
#include <cstddef>
#include <string_view>

namespace alknet::call::members_of {

// An object that is nowhere: only the address of its members is looked at, by the compiler.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#pragma clang diagnostic ignored "-Wundefined-internal"
template <class T>
struct Nowhere {
    T value;
};
template <class T>
extern const Nowhere<T> nowhere;

template <class Pointer>
struct Member {
    Pointer pointer;
};
template <class T, std::size_t I>
consteval auto member() {
    const auto& one = boost::pfr::get<I>(nowhere<T>.value);
    return Member<decltype(&one)>{&one};
}
#pragma clang diagnostic pop

// Clang writes "... = Member<...>{&nowhere.value.NAME}]".
template <auto Which>
consteval std::string_view spelled() {
    const std::string_view all = __PRETTY_FUNCTION__;
    const std::size_t begin = all.rfind('.') + 1;
    const std::string_view name = all.substr(begin, all.find('}', begin) - begin);
    return name.substr(0, name.find_last_not_of('_') + 1);
}

template <class T>
inline constexpr std::size_t count = boost::pfr::tuple_size_v<T>;

template <class T, std::size_t I>
inline constexpr std::string_view name = spelled<member<T, I>()>();

template <std::size_t I, class T>
constexpr auto& get(T& object) noexcept {
    return boost::pfr::get<I>(object);
}

}  // namespace alknet::call::members_of
