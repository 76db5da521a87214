#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/bytes.hpp>
#include <alknet/base/causes_audit.hpp>
#include <alknet/base/durable_file.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/number.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/identity/audit_file.hpp>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>

namespace alknet::identity {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOldPrefix = "audit-";
constexpr std::string_view kOldSuffix = ".log";
constexpr int kSeqDigits = 20;

fs::path old_name(const fs::path& home, std::uint64_t last) {
    return home / fmt::format("{}{:0{}}{}", kOldPrefix, last, kSeqDigits, kOldSuffix);
}

// Whoever else could write there could say anything.
result<UniqueFd> open_own(const fs::path& file, int flags) {
    UniqueFd fd(::open(file.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    if (!fd) {
        return file_fail("open", errno, file);
    }
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) {
        return file_fail("stat", errno, file);
    }
    if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() ||
        (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return fail(causes::kHomeInvalid,
                    file.native() +
                        " must be a file that belongs to this user and that nobody else can "
                        "write");
    }
    return fd;
}

result<UniqueFd> open_head(const fs::path& home, bool& fresh) {
    const fs::path file = home / kAuditHeadFile;
    if (::access(file.c_str(), F_OK) != 0 && errno == ENOENT) {
        // Whole from the beginning, and before the first record is there.
        const auto made = write_durable_file(file, as_bytes(encode_audit_head({})), {});
        if (!made && !made.error().is(causes::kHomeExists)) {
            return unexpected(made.error());
        }
        fresh = made.has_value();
    }
    return open_own(file, O_RDWR);
}

result<std::string> read_at(int fd, std::uint64_t from, std::size_t size, const fs::path& file) {
    std::string text(size, '\0');
    std::size_t got = 0;
    while (got < size) {
        const ssize_t count =
            ::pread(fd, text.data() + got, size - got, static_cast<off_t>(from + got));
        if (count < 0 && errno != EINTR) {
            return file_fail("read", errno, file);
        }
        if (count == 0) {
            break;
        }
        got += count < 0 ? 0 : static_cast<std::size_t>(count);
    }
    text.resize(got);
    return text;
}

result<std::uint64_t> size_of(int fd, const fs::path& file) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        return file_fail("stat", errno, file);
    }
    return static_cast<std::uint64_t>(status.st_size);
}

// The end of a file: its last line with an end, and what stands behind that.
struct Tail {
    std::string line;
    std::uint64_t torn = 0;
};

result<Tail> tail_of(int fd, const fs::path& file) {
    ALKNET_TRY(const std::uint64_t size, size_of(fd, file));
    const std::uint64_t most = 2 * (kAuditLineBytesMax + 1);
    const std::uint64_t from = size > most ? size - most : 0;
    ALKNET_TRY(const std::string text, read_at(fd, from, size - from, file));
    const std::size_t end = text.rfind('\n');
    if (end == std::string::npos) {
        return Tail{.line = {}, .torn = text.size()};
    }
    const std::size_t before = end == 0 ? std::string::npos : text.rfind('\n', end - 1);
    const std::size_t begin = before == std::string::npos ? 0 : before + 1;
    return Tail{.line = text.substr(begin, end - begin), .torn = text.size() - end - 1};
}

result<void> sync_directory(const fs::path& directory) {
    const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) {
        return file_fail("fsync", errno, directory);
    }
    return {};
}

// The head of a chain that ends with this line; with no number where the line is no record.
AuditHead head_of(const std::string& line) {
    if (line.empty()) {
        return {};
    }
    const auto record = decode_audit_record(line);
    return {.seq = record ? record->seq : 0, .digest = audit_digest(line)};
}

}  // namespace

struct AuditFile::Open {
    UniqueFd head_file;  // its lock is the lock of all
    UniqueFd log;
    std::uint64_t size = 0;
    bool fresh_head = false;  // there was none before
    AuditHead head;
    std::vector<AuditDraft> own;  // what this writer has to say itself

    std::string add(const AuditDraft& draft) {
        AuditRecord record;
        record.seq = head.seq + 1;
        record.prev = head.digest;
        record.time = audit_time(draft.time);
        record.event = draft.event;
        record.fields = draft.fields;
        std::string line = encode_audit_record(record);
        head = {.seq = record.seq, .digest = audit_digest(line)};
        return line + "\n";
    }
};

// The log is right about what it has, and the head about what it had.
result<void> AuditFile::recover(Open& open) {
    const fs::path file = home_ / kAuditFile;
    ALKNET_TRY(Tail tail, tail_of(open.log.get(), file));
    ALKNET_TRY(open.size, size_of(open.log.get(), file));
    const WallTime now = SystemClock().wall_now();
    if (tail.torn > 0) {
        open.size -= tail.torn;
        if (::ftruncate(open.log.get(), static_cast<off_t>(open.size)) != 0) {
            return file_fail("truncate", errno, file);
        }
        open.own.push_back({.time = now,
                            .event = "audit.recovered",
                            .fields = {{"octets", std::to_string(tail.torn)}}});
    }
    if (tail.line.empty()) {
        ALKNET_TRY(const auto files, audit_files(home_));
        if (files.size() > 1) {
            ALKNET_TRY(const UniqueFd old, open_own(files[files.size() - 2], O_RDONLY));
            ALKNET_TRY(tail, tail_of(old.get(), files[files.size() - 2]));
        }
    }
    ALKNET_TRY(
        const std::string text,
        read_at(open.head_file.get(), 0, encode_audit_head({}).size() + 1, home_ / kAuditHeadFile));
    auto before = decode_audit_head(text);
    if (open.fresh_head && before && before->seq == 0 && !tail.line.empty()) {
        before = fail(causes::kAuditBroken, "the head is not there");
    }
    open.head = head_of(tail.line);
    const bool damaged = !tail.line.empty() && open.head.seq == 0;
    const bool behind = before && before->seq > open.head.seq;
    const bool other = before && before->seq == open.head.seq && before->digest != open.head.digest;
    if (!before || damaged || behind || other) {
        AuditDraft gap{.time = now, .event = "audit.gap", .fields = {}};
        gap.fields.emplace_back("after", std::to_string(open.head.seq));
        if (before) {
            gap.fields.emplace_back("head", std::to_string(before->seq));
            gap.fields.emplace_back("digest", hex_encode(before->digest));
            open.head.seq = std::max(open.head.seq, before->seq);
        }
        open.own.insert(open.own.begin(), std::move(gap));
    }
    return {};
}

result<void> AuditFile::rotate(Open& open) {
    const fs::path file = home_ / kAuditFile;
    if (std::rename(file.c_str(), old_name(home_, open.head.seq).c_str()) != 0) {
        return file_fail("rename", errno, file);
    }
    ALKNET_TRY(open.log, open_own(file, O_RDWR | O_CREAT | O_APPEND));
    ALKNET_CHECK(sync_directory(home_));
    open.size = 0;
    ALKNET_TRY(const auto files, audit_files(home_));
    if (files.size() <= limits_.files_max) {
        return {};
    }
    // What goes is named first, so that its absence is no gap.
    const std::size_t gone = files.size() - limits_.files_max;
    ALKNET_TRY(const UniqueFd old, open_own(files[gone - 1], O_RDONLY));
    ALKNET_TRY(const Tail tail, tail_of(old.get(), files[gone - 1]));
    const AuditHead last = head_of(tail.line);
    open.own.push_back(
        {.time = SystemClock().wall_now(),
         .event = "audit.removed",
         .fields = {{"through", std::to_string(last.seq)}, {"digest", hex_encode(last.digest)}}});
    return {};
}

// As many as one file takes, and at least one.
result<void> AuditFile::write_some(Open& open, std::span<const AuditDraft>& drafts) {
    const fs::path file = home_ / kAuditFile;
    if (open.size >= limits_.file_bytes_max) {
        ALKNET_CHECK(rotate(open));
    }
    const bool removing =
        !open.own.empty() && open.own.back().event == "audit.removed" && open.size == 0;
    const AuditHead before = open.head;
    std::string text;
    for (const AuditDraft& draft : open.own) {
        text += open.add(draft);
    }
    std::span<const AuditDraft> rest = drafts;
    while (!rest.empty() &&
           (rest.size() == drafts.size() || open.size + text.size() < limits_.file_bytes_max)) {
        text += open.add(rest.front());
        rest = rest.subspan(1);
    }
    const std::size_t all = text.size();
    for (std::string_view left = text; !left.empty();) {
        const ssize_t count = ::write(open.log.get(), left.data(), left.size());
        if (count < 0 && errno != EINTR) {
            auto failure = file_fail("write", errno, file);
            (void)::ftruncate(open.log.get(), static_cast<off_t>(open.size));
            open.head = before;
            return failure;
        }
        left.remove_prefix(count < 0 ? 0 : static_cast<std::size_t>(count));
    }
    if (::fdatasync(open.log.get()) != 0) {
        auto failure = file_fail("fdatasync", errno, file);
        (void)::ftruncate(open.log.get(), static_cast<off_t>(open.size));
        open.head = before;
        return failure;
    }
    open.size += all;
    open.own.clear();
    drafts = rest;
    // In place, in one call, and never longer: it is the old one or the new one. One that stays
    // behind does no harm.
    const std::string head = encode_audit_head(open.head);
    (void)!::pwrite(open.head_file.get(), head.data(), head.size(), 0);
    if (removing) {
        ALKNET_TRY(const auto files, audit_files(home_));
        for (std::size_t i = 0; i + limits_.files_max < files.size(); ++i) {
            (void)::unlink(files[i].c_str());
        }
    }
    return {};
}

result<void> AuditFile::append(std::span<const AuditDraft> drafts, std::size_t& written) {
    written = 0;
    Open open;
    ALKNET_TRY(open.head_file, open_head(home_, open.fresh_head));
    while (::flock(open.head_file.get(), LOCK_EX) != 0) {
        if (errno != EINTR) {
            return file_fail("lock", errno, home_ / kAuditHeadFile);
        }
    }
    ALKNET_TRY(open.log, open_own(home_ / kAuditFile, O_RDWR | O_CREAT | O_APPEND));
    ALKNET_CHECK(recover(open));
    std::span<const AuditDraft> rest = drafts;
    while (!rest.empty()) {
        ALKNET_CHECK(write_some(open, rest));
        written = drafts.size() - rest.size();
    }
    return {};
}

std::optional<std::uint64_t> audit_file_last(const fs::path& file) {
    std::string_view name = file.native();
    name.remove_prefix(name.rfind('/') + 1);
    if (name.size() != kOldPrefix.size() + kSeqDigits + kOldSuffix.size() ||
        !name.starts_with(kOldPrefix) || !name.ends_with(kOldSuffix)) {
        return std::nullopt;
    }
    return parse_number<std::uint64_t>(name.substr(kOldPrefix.size(), kSeqDigits));
}

result<std::vector<fs::path>> audit_files(const fs::path& home) {
    std::vector<fs::path> files;
    std::error_code failure;
    for (fs::directory_iterator at(home, failure), end; !failure && at != end;
         at.increment(failure)) {
        if (audit_file_last(at->path())) {
            files.push_back(at->path());
        }
    }
    if (failure) {
        return file_fail("list", failure.value(), home);
    }
    std::ranges::sort(files);
    if (fs::exists(home / kAuditFile, failure)) {
        files.push_back(home / kAuditFile);
    }
    return files;
}

std::string audit_time(WallTime time) {
    const auto whole = std::chrono::floor<std::chrono::milliseconds>(time);
    const auto days = std::chrono::floor<std::chrono::days>(whole);
    const std::chrono::year_month_day date(days);
    const std::chrono::hh_mm_ss clock(whole - days);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                       clock.subseconds().count());
}

}  // namespace alknet::identity
