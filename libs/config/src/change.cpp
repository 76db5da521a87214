#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/base/durable_file.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/config/change.hpp>
#include <alknet/crypto/digest.hpp>
#include <cerrno>
#include <cstdio>

#include "toml.hpp"

namespace alknet::config {

namespace {

namespace fs = std::filesystem;

constexpr unsigned kPermissions = 07777;

fs::path beside(const Home& home, std::string_view suffix) {
    fs::path file = home.config_file();
    file += suffix;
    return file;
}

fs::path previous_file(const Home& home) {
    return beside(home, ".previous");
}
fs::path pending_file(const Home& home) {
    return beside(home, ".pending");
}
fs::path applied_file(const Home& home) {
    return beside(home, ".applied");
}

ConfigDigest digest(std::string_view text) {
    return crypto::sha256(as_bytes(text));
}

// Held as long as what it gives lives.
result<UniqueFd> lock_changes(const Home& home) {
    const fs::path file = home.directory() / "config.lock";
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
    if (!fd) {
        return file_fail("open", errno, file);
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? fail(causes::kConfigBusy, home.directory().native())
                                    : file_fail("flock", errno, file);
    }
    return fd;
}

// Whoever lost a name and crashes must not find it again.
result<void> sync_home(const Home& home) {
    const fs::path& directory = home.directory();
    const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) {
        return file_fail("fsync", errno, directory);
    }
    return {};
}

result<void> forget_pending(const Home& home) {
    const fs::path file = pending_file(home);
    if (::unlink(file.c_str()) != 0 && errno != ENOENT) {
        return file_fail("unlink", errno, file);
    }
    return sync_home(home);
}

WallTime whole_seconds(WallTime time) {
    return std::chrono::ceil<std::chrono::seconds>(time);
}

std::int64_t seconds(WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string pending_text(const PendingChange& pending) {
    return fmt::format(
        "# A change of alknet.toml that is undone unless alknet config confirm comes in time.\n"
        "made = {}\ndeadline = {}\napplied = \"{}\"\nprevious = \"{}\"\n",
        seconds(pending.made), seconds(pending.deadline), hex_encode(pending.applied),
        hex_encode(pending.previous));
}

std::optional<ConfigDigest> read_digest(const toml::table& tree, std::string_view key) {
    const auto text = tree[key].value<std::string>();
    const auto octets = text ? hex_decode(*text) : std::nullopt;
    ConfigDigest sum{};
    if (!octets || octets->size() != sum.size()) {
        return std::nullopt;
    }
    std::ranges::copy(*octets, sum.begin());
    return sum;
}

std::optional<WallTime> read_time(const toml::table& tree, std::string_view key) {
    const auto number = tree[key].value<std::int64_t>();
    const std::int64_t latest = seconds(WallTime::max());
    if (!number || *number < 0 || *number > latest) {
        return std::nullopt;
    }
    return WallTime(std::chrono::seconds(*number));
}

std::optional<PendingChange> parse_pending(std::string_view text) {
    const auto tree = parse_toml(text);
    if (!tree) {
        return std::nullopt;
    }
    const auto made = read_time(*tree, "made");
    const auto deadline = read_time(*tree, "deadline");
    const auto applied = read_digest(*tree, "applied");
    const auto previous = read_digest(*tree, "previous");
    if (!made || !deadline || !applied || !previous || *deadline < *made) {
        return std::nullopt;
    }
    return PendingChange{
        .made = *made, .deadline = *deadline, .applied = *applied, .previous = *previous};
}

// As it is on the disk, whether or not the change was finished.
result<std::optional<PendingChange>> read_pending(const Home& home) {
    const auto text = read_config_text(pending_file(home));
    if (!text) {
        if (text.error().is(causes::kConfigMissing)) {
            return std::nullopt;
        }
        return unexpected(text.error());
    }
    auto pending = parse_pending(*text);
    if (!pending) {
        return fail(causes::kHomeInvalid, pending_file(home).native() +
                                              " is not what alknet config apply writes; remove it");
    }
    return pending;
}

// Between writing the deadline and writing alknet.toml somebody pulled the plug.
bool unfinished(const PendingChange& pending, const ConfigDigest& now) {
    return now == pending.previous && now != pending.applied;
}

// Its permissions, which the new one gets.
result<unsigned> check_config_file(const Home& home) {
    struct stat status{};
    const fs::path file = home.config_file();
    if (::lstat(file.c_str(), &status) != 0) {
        return file_fail("stat", errno, file);
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(causes::kConfigChanged, file.native() + " is a link: change what it leads to");
    }
    return static_cast<unsigned>(status.st_mode) & kPermissions;
}

result<std::string> read_previous(const Home& home, const PendingChange& pending) {
    const fs::path file = previous_file(home);
    ALKNET_TRY(std::string text, read_config_text(file));
    if (digest(text) != pending.previous) {
        return fail(causes::kHomeInvalid, file.native() + " is not what the change replaced");
    }
    return text;
}

result<Undone> restore(const Home& home, const PendingChange& pending, const UndoOptions& options) {
    const fs::path from = previous_file(home);
    ALKNET_CHECK(read_previous(home, pending));
    if (options.before) {
        ALKNET_CHECK(options.before());
    }
    if (std::rename(from.c_str(), home.config_file().c_str()) != 0) {
        return file_fail("rename", errno, from);
    }
    // The name first: a crash in between finds a change that is due and has nothing to undo.
    ALKNET_CHECK(sync_home(home));
    ALKNET_CHECK(forget_pending(home));
    return Undone::restored;
}

// With the lock held.
result<Undone> undo_locked(const Home& home, WallTime now, const UndoOptions& options) {
    ALKNET_TRY(const auto pending, read_pending(home));
    if (!pending) {
        return Undone::nothing;
    }
    const auto text = read_config_text(home.config_file());
    if (text && unfinished(*pending, digest(*text))) {
        ALKNET_CHECK(forget_pending(home));
        return Undone::nothing;
    }
    if (!options.at_once && !pending->due(now)) {
        return Undone::nothing;
    }
    if (text && digest(*text) != pending->applied) {
        ALKNET_CHECK(forget_pending(home));
        return Undone::edited;
    }
    if (!text && !text.error().is(causes::kConfigMissing)) {
        return unexpected(text.error());
    }
    return restore(home, *pending, options);
}

}  // namespace

bool PendingChange::due(WallTime now) const noexcept {
    return now >= deadline || now < made - kClockStepMax;
}

Duration PendingChange::remaining(WallTime now) const noexcept {
    return due(now) ? Duration() : std::min<Duration>(deadline - now, deadline - made);
}

result<std::optional<PendingChange>> pending_change(const Home& home) {
    ALKNET_TRY(const auto pending, read_pending(home));
    if (pending) {
        const auto text = read_config_text(home.config_file());
        if (text && unfinished(*pending, digest(*text))) {
            return std::nullopt;
        }
    }
    return pending;
}

result<std::optional<std::string>> text_before_change(const Home& home) {
    ALKNET_TRY(const auto pending, pending_change(home));
    if (!pending) {
        return std::nullopt;
    }
    ALKNET_TRY(std::string text, read_previous(home, *pending));
    return text;
}

result<void> replace_config(const Home& home, std::string_view text,
                            const ReplaceOptions& options) {
    if (options.confirm && (*options.confirm < kConfirmMin || *options.confirm > kConfirmMax)) {
        return fail(causes::kUsage, "a change can wait for 10 s to 24 h to be confirmed");
    }
    ALKNET_TRY(const UniqueFd lock, lock_changes(home));
    ALKNET_CHECK(undo_locked(home, options.now, {}));
    ALKNET_TRY(const auto waiting, read_pending(home));
    if (waiting) {
        return fail(causes::kConfigPending);
    }
    ALKNET_TRY(const unsigned mode, check_config_file(home));
    ALKNET_TRY(const std::string before, read_config_text(home.config_file()));
    if (before != options.expected) {
        return fail(causes::kConfigChanged, home.config_file().native());
    }
    const DurableFileOptions writing{.replace = true, .mode = mode};
    ALKNET_CHECK(write_durable_file(previous_file(home), as_bytes(before), writing));
    if (options.confirm && before != text) {
        const WallTime made = std::chrono::floor<std::chrono::seconds>(options.now);
        const PendingChange pending{.made = made,
                                    .deadline = whole_seconds(made + *options.confirm),
                                    .applied = digest(text),
                                    .previous = digest(before)};
        ALKNET_CHECK(write_durable_file(pending_file(home), as_bytes(pending_text(pending)),
                                        {.replace = true}));
    }
    const DurableFileOptions last{.replace = true, .mode = mode, .before_naming = options.before};
    const auto written = write_durable_file(home.config_file(), as_bytes(text), last);
    if (!written) {
        // Then nothing waits. Should this fail too, the next who looks sees an unfinished change.
        (void)forget_pending(home);
    }
    return written;
}

result<void> confirm_change(const Home& home, WallTime now,
                            const std::function<result<void>()>& before) {
    ALKNET_TRY(const UniqueFd lock, lock_changes(home));
    ALKNET_TRY(const Undone undone, undo_locked(home, now, {}));
    if (undone == Undone::restored) {
        return fail(causes::kConfigNotPending, "it came too late, and the change is undone");
    }
    ALKNET_TRY(const auto pending, read_pending(home));
    if (!pending) {
        return fail(causes::kConfigNotPending);
    }
    if (before) {
        ALKNET_CHECK(before());
    }
    return forget_pending(home);
}

result<Undone> undo_change(const Home& home, WallTime now, const UndoOptions& options) {
    // Nearly always there is nothing, and then nobody needs to hold anything.
    ALKNET_TRY(const auto pending, read_pending(home));
    if (!pending) {
        return Undone::nothing;
    }
    ALKNET_TRY(const UniqueFd lock, lock_changes(home));
    return undo_locked(home, now, options);
}

result<void> record_applied(const Home& home, std::string_view text) {
    return write_durable_file(applied_file(home), as_bytes(text), {.replace = true});
}

result<std::string> applied_config(const Home& home) {
    auto text = read_config_text(applied_file(home));
    if (!text && text.error().is(causes::kConfigMissing)) {
        return read_config_text(home.config_file());
    }
    return text;
}

}  // namespace alknet::config
