// The terminal of a shell that runs elsewhere: raw while it does, and as it was on every way out.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <memory>
#include <string>

namespace alknet::app {

/// At most one at a time in a process. Signals that end it restore the terminal too; SIGKILL
/// cannot.
class RawTerminal final {
public:
    /// Of standard input, which must be one. Errors: kIo.
    static result<std::unique_ptr<RawTerminal>> open();
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;
    ~RawTerminal();

    /// A pty-req (RFC 4254 section 6.2): $TERM, the size, and the modes before it was raw.
    [[nodiscard]] Bytes pty_request() const;
    /// A window-change (section 6.7).
    [[nodiscard]] Bytes window_change() const;

private:
    RawTerminal() = default;
    UniqueFd fd_;
};

/// Whether standard input is a terminal.
[[nodiscard]] bool stands_at_terminal() noexcept;
/// A pty-req without a terminal here.
[[nodiscard]] Bytes plain_pty_request();

}  // namespace alknet::app
