#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/durable_file.hpp>
#include <alknet/identity/audit_file.hpp>
#include <alknet/identity/audit_follower.hpp>
#include <array>
#include <cerrno>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace alknet::identity {

namespace {

namespace fs = std::filesystem;

// As for who writes: what a link leads to is no log, and a device may never end.
UniqueFd open_log(const fs::path& file) {
    return UniqueFd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
}

result<std::size_t> read_at(const UniqueFd& file, std::span<char> into, std::uint64_t offset,
                            const fs::path& home) {
    for (;;) {
        const ssize_t count =
            ::pread(file.get(), into.data(), into.size(), static_cast<off_t>(offset));
        if (count >= 0) {
            return static_cast<std::size_t>(count);
        }
        if (errno != EINTR) {
            return file_fail("read", errno, home / kAuditFile);
        }
    }
}

}  // namespace

// The first file that has records behind the last one; false: there is none but the one that was
// read to its end.
result<bool> AuditFollower::open_next() {
    ALKNET_TRY(const auto files, audit_files(home_));
    for (const fs::path& path : files) {
        const std::uint64_t last =
            audit_file_last(path).value_or(std::numeric_limits<std::uint64_t>::max());
        if (last <= after_) {
            continue;
        }
        UniqueFd file = open_log(path);
        struct stat status{};
        if (!file || ::fstat(file.get(), &status) != 0) {
            if (errno == ENOENT) {
                continue;  // it was given another name, or went
            }
            return file_fail("open", errno, path);
        }
        if (status.st_dev == device_ && status.st_ino == inode_) {
            after_ = std::max(after_, audit_file_last(path).value_or(after_));
            continue;
        }
        ALKNET_TRY(const auto now, audit_files(home_));
        if (now != files) {
            return open_next();  // what was opened may be what follows upon what was meant
        }
        file_ = std::move(file);
        device_ = status.st_dev;
        inode_ = status.st_ino;
        offset_ = 0;
        in_long_line_ = false;
        done_ = false;
        return true;
    }
    return false;
}

// Whether what is open is no longer what is written to.
bool AuditFollower::finished() const {
    struct stat status{};
    return ::lstat((home_ / kAuditFile).c_str(), &status) != 0 || status.st_dev != device_ ||
           status.st_ino != inode_;
}

void AuditFollower::take_line(std::string_view line, std::vector<AuditRecord>& into) {
    if (std::exchange(in_long_line_, false)) {
        return;
    }
    auto record = decode_audit_record(line);
    if (record && record->seq > after_) {
        after_ = record->seq;
        into.push_back(*std::move(record));
    }
}

// False: nothing whole stands there. What a killed writer left is read again, as the next one cuts
// it off.
result<bool> AuditFollower::read_piece(std::vector<AuditRecord>& into, std::size_t most) {
    std::array<char, kAuditLineBytesMax + 1> buffer{};
    ALKNET_TRY(const std::size_t size, read_at(file_, buffer, offset_, home_));
    std::string_view rest(buffer.data(), size);
    while (into.size() < most) {
        const std::size_t end = rest.find('\n');
        if (end == std::string_view::npos) {
            break;
        }
        take_line(rest.substr(0, end), into);
        rest.remove_prefix(end + 1);
    }
    if (rest.size() == buffer.size()) {
        in_long_line_ = true;
        rest = {};
    }
    const std::size_t taken = size - rest.size();
    offset_ += taken;
    return taken > 0;
}

result<std::vector<AuditRecord>> AuditFollower::next(std::size_t most) {
    std::vector<AuditRecord> all;
    while (all.size() < most) {
        if (!file_ || done_) {
            ALKNET_TRY(const bool opened, open_next());
            if (!opened) {
                break;
            }
        }
        // Asked before the end is looked for: what is written until then is still read.
        const bool last_look = finished();
        ALKNET_TRY(const bool more, read_piece(all, most));
        if (more) {
            continue;
        }
        if (!last_look) {
            break;
        }
        done_ = true;  // and stays open: nobody else can get its number
    }
    return all;
}

std::uint64_t last_audit_record(const fs::path& home) {
    const UniqueFd file = open_log(home / kAuditHeadFile);
    std::string text(2 * encode_audit_head({}).size(), '\0');
    const auto size = file ? read_at(file, text, 0, home) : result<std::size_t>(0);
    const auto head = decode_audit_head(std::string_view(text).substr(0, size.value_or(0)));
    return head ? head->seq : 0;
}

}  // namespace alknet::identity
