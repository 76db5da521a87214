// Replacing alknet.toml so that nothing is lost, and so that a change which locks its maker out
// undoes itself. Everything is a file of the home, so that it outlives any process:
//
//   alknet.toml.previous   what the last change replaced
//   alknet.toml.pending    a change that is undone unless somebody confirms it: until when, and the
//                          digests of what it wrote and of what it replaced
//   alknet.toml.applied    what a node accepted last
//   config.lock            held while one of these is changed
//
// A change that waits writes them in this order: previous, pending, alknet.toml. Whenever the power
// or the process goes, alknet.toml is the old one or the new one, and the new one never stands
// without its deadline. All of this blocks.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/config/home.hpp>
#include <alknet/rt/time.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::config {

inline constexpr Duration kConfirmMin = std::chrono::seconds(10);
inline constexpr Duration kConfirmMax = std::chrono::hours(24);
/// A clock that was set back by more than this since the change ends the waiting at once: nobody
/// can say how long it has been.
inline constexpr Duration kClockStepMax = std::chrono::minutes(5);

using ConfigDigest = std::array<std::byte, 32>;  // SHA-256

/// A change that waits to be confirmed.
struct PendingChange {
    WallTime made;      // to the second
    WallTime deadline;  // likewise
    ConfigDigest applied{};
    ConfigDigest previous{};

    bool operator==(const PendingChange&) const = default;
    [[nodiscard]] bool due(WallTime now) const noexcept;
    /// How long it may still wait; zero when it is due, and never more than it was given.
    [[nodiscard]] Duration remaining(WallTime now) const noexcept;
};

/// nullopt: nothing waits. A change that was begun and not finished does not wait.
/// Errors: kHomeInvalid for a file that nobody of us wrote, kIo.
[[nodiscard]] result<std::optional<PendingChange>> pending_change(const Home& home);

/// What undoing would lead back to; nullopt: nothing waits. Errors: likewise, and kHomeInvalid
/// where it is not what the change replaced.
[[nodiscard]] result<std::optional<std::string>> text_before_change(const Home& home);

struct ReplaceOptions {
    std::string expected;  // what alknet.toml says now, as it was checked against
    WallTime now;
    std::optional<Duration> confirm;  // within which it must be confirmed
    /// Called when all that is left is to give the new text its name, for whoever writes down what
    /// happens. Its error is given back, and then nothing has changed.
    std::function<result<void>()> before{};
};

/// Writes alknet.toml, and what it said before as its previous text. Errors: kConfigPending while
/// another change waits; kConfigBusy while another program changes it; kConfigChanged when it says
/// something else than `expected`, or is a link to another file; kUsage for a time out of range;
/// kDiskFull, kDiskReadOnly, kIo, and then it says what it said.
result<void> replace_config(const Home& home, std::string_view text, const ReplaceOptions& options);

/// The change stays. Errors: kConfigNotPending, also for one that was due (it is undone then);
/// kConfigBusy, kIo; those of `before`, which is called as in ReplaceOptions.
result<void> confirm_change(const Home& home, WallTime now,
                            const std::function<result<void>()>& before = {});

enum class Undone : std::uint8_t {
    nothing,   // nothing waits, or not long enough
    restored,  // alknet.toml says what it said before the change
    edited,    // somebody has edited it since, at the machine itself: that stays
};

struct UndoOptions {
    bool at_once = false;  // also a change that waits still
    /// As in ReplaceOptions; not called where there is nothing to undo, or it was edited since.
    std::function<result<void>()> before{};
};
/// Undoes a change that is due. Needs no space on the disk. Errors: kConfigBusy, kDiskReadOnly,
/// kIo; those of `before`.
result<Undone> undo_change(const Home& home, WallTime now, const UndoOptions& options = {});

/// For `alknet config diff`. Errors: kDiskFull, kDiskReadOnly, kIo.
result<void> record_applied(const Home& home, std::string_view text);
/// What a node accepted last; what alknet.toml says if none ever did. Errors: those of
/// read_config_text.
[[nodiscard]] result<std::string> applied_config(const Home& home);

}  // namespace alknet::config
