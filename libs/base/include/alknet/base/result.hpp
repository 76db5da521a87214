// `result<T>` is what every operation returns that a peer, a disk or a configuration can make fail.
// An `error` names a cause from the catalogue (causes.hpp): what happened, and the next step; it
// adds where it happened. Exceptions are for bugs alone.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace alknet {

/// Portable conditions: what a caller branches on. A cause belongs to exactly one of them.
enum class errc : std::uint8_t {
    closed,         // the other side, or we, ended the connection or stream in order
    reset,          // a stream or connection was cut; `error::code` carries the peer's code
    cancelled,      // the current Cancel was requested
    timeout,        // a deadline passed
    auth_required,  // no identity, and one is needed
    forbidden,      // an identity, and it may not
    protocol,       // the peer broke the rules of its protocol
    limit,          // a named limit struck
    unavailable,    // nothing answers there, or not now
    not_found,
    exists,
    invalid,   // input from a person, a file or a program is unusable
    io,        // the operating system said no
    internal,  // our fault
};

[[nodiscard]] std::string_view to_string(errc condition) noexcept;

/// One entry of the catalogue. All texts are sentences for a person, without a final full stop.
struct Cause {
    std::string_view id;       // stable, e.g. "E-NET-UDP-BLOCKED"
    errc condition;            // what programs branch on
    std::string_view what;     // what happened
    std::string_view next;     // the next step
    std::string_view explain;  // the long story, for `alknet explain ID`
};

/// A failure: the cause, where and with what it happened, and the peer's code if one was sent.
class [[nodiscard]] error {
public:
    /// `cause` must be of static lifetime (all catalogue entries are).
    explicit error(const Cause& cause, std::string detail = {}, std::uint64_t code = 0)
        : cause_(&cause), detail_(std::move(detail)), code_(code) {}

    [[nodiscard]] const Cause& cause() const noexcept { return *cause_; }
    [[nodiscard]] errc condition() const noexcept { return cause_->condition; }
    [[nodiscard]] bool is(errc condition) const noexcept { return cause_->condition == condition; }
    [[nodiscard]] bool is(const Cause& cause) const noexcept { return cause_ == &cause; }
    [[nodiscard]] const std::string& detail() const noexcept { return detail_; }
    /// The application or transport code that came with a close or reset; 0 if there was none.
    [[nodiscard]] std::uint64_t code() const noexcept { return code_; }

    /// Puts `where` before the detail: "listener 0.0.0.0:443: address in use".
    error within(std::string_view where) &&;

    /// "what: detail (next)" on one line, for people.
    [[nodiscard]] std::string message() const;

private:
    const Cause* cause_;
    std::string detail_;
    std::uint64_t code_;
};

template <class T = void>
using result = std::expected<T, error>;

using std::unexpected;

/// Shorthand for the error path: `return fail(causes::kClosed, "…")`.
[[nodiscard]] inline std::unexpected<error> fail(const Cause& cause, std::string detail = {},
                                                 std::uint64_t code = 0) {
    return std::unexpected<error>(std::in_place, cause, std::move(detail), code);
}

}  // namespace alknet

#define ALKNET_CONCAT_(a, b) a##b
#define ALKNET_CONCAT(a, b) ALKNET_CONCAT_(a, b)

/// Statements that hand an error to the caller. In coroutines use the CO_ forms.
#define ALKNET_CHECK(...)                                                \
    do {                                                                 \
        if (auto alknet_checked = (__VA_ARGS__); !alknet_checked) {      \
            return ::std::unexpected(std::move(alknet_checked).error()); \
        }                                                                \
    } while (false)
#define ALKNET_CO_CHECK(...)                                                \
    do {                                                                    \
        if (auto alknet_checked = (__VA_ARGS__); !alknet_checked) {         \
            co_return ::std::unexpected(std::move(alknet_checked).error()); \
        }                                                                   \
    } while (false)
#define ALKNET_TRY_(temporary, returns, declaration, ...)        \
    auto temporary = (__VA_ARGS__);                              \
    if (!temporary) {                                            \
        returns ::std::unexpected(std::move(temporary).error()); \
    }                                                            \
    declaration = std::move(*temporary)
/// ALKNET_TRY(auto port, parse_port(text)); declares `port` or returns the error.
#define ALKNET_TRY(declaration, ...) \
    ALKNET_TRY_(ALKNET_CONCAT(alknet_try_, __COUNTER__), return, declaration, __VA_ARGS__)
#define ALKNET_CO_TRY(declaration, ...) \
    ALKNET_TRY_(ALKNET_CONCAT(alknet_try_, __COUNTER__), co_return, declaration, __VA_ARGS__)
