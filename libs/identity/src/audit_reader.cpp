#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <alknet/base/causes_audit.hpp>
#include <alknet/base/durable_file.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/identity/audit_file.hpp>
#include <alknet/identity/audit_reader.hpp>
#include <array>
#include <cerrno>

namespace alknet::identity {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = 64 << 10;

/// `each` is given every line; gives how many octets stand behind the last one. A line that is too
/// long for a record comes as its beginning.
result<std::uint64_t> read_lines(const fs::path& file,
                                 const std::function<result<void>(std::string_view)>& each) {
    // As for who writes: what a link leads to is no log, and a device may never end.
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    if (!fd) {
        return file_fail("open", errno, file);
    }
    std::string line;
    std::uint64_t size = 0;  // of the line, of which `line` may be the beginning
    std::string piece(kPiece, '\0');
    for (;;) {
        const ssize_t count = ::read(fd.get(), piece.data(), piece.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return file_fail("read", errno, file);
        }
        if (count == 0) {
            return size;
        }
        std::string_view rest = std::string_view(piece).substr(0, static_cast<std::size_t>(count));
        while (!rest.empty()) {
            const std::size_t end = rest.find('\n');
            const std::string_view part = rest.substr(0, end);
            size += part.size();
            line.append(part.substr(0, kAuditLineBytesMax + 1 - line.size()));
            if (end == std::string_view::npos) {
                break;
            }
            ALKNET_CHECK(each(line));
            line.clear();
            size = 0;
            rest.remove_prefix(end + 1);
        }
    }
}

/// Whoever writes waits until this is gone. Nothing to hold without a log.
UniqueFd hold_writers(const fs::path& home) {
    UniqueFd head(::open((home / kAuditHeadFile).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    while (head && ::flock(head.get(), LOCK_SH) != 0 && errno == EINTR) {
    }
    return head;
}

std::optional<std::string> head_text(const UniqueFd& head) {
    if (!head) {
        return std::nullopt;
    }
    std::string text(2 * encode_audit_head({}).size(), '\0');
    const ssize_t count = ::pread(head.get(), text.data(), text.size(), 0);
    text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return text;
}

}  // namespace

result<void> read_audit(const fs::path& home, std::uint64_t after,
                        const std::function<result<void>(const AuditRecord&)>& each) {
    ALKNET_TRY(const auto files, audit_files(home));
    for (const fs::path& file : files) {
        if (audit_file_last(file).value_or(after + 1) <= after) {
            continue;
        }
        ALKNET_CHECK(read_lines(file, [&](std::string_view line) -> result<void> {
            const auto record = decode_audit_record(line);
            return record && record->seq > after ? each(*record) : result<void>();
        }));
    }
    return {};
}

result<AuditReport> verify_audit(const fs::path& home, const std::optional<AuditHead>& noted) {
    const UniqueFd held = hold_writers(home);
    ALKNET_TRY(const auto files, audit_files(home));
    std::vector<AuditHead> marks;
    if (noted) {
        marks.push_back(*noted);
    }
    const auto text = head_text(held);
    const auto head =
        text ? decode_audit_head(*text) : fail(causes::kAuditBroken, "the head is not there");
    if (head) {
        marks.push_back(*head);
    }
    AuditVerifier verifier(std::move(marks));
    if (!head && (text || !files.empty())) {
        verifier.begin_file(std::string(kAuditHeadFile));
        verifier.problem(0, head.error().detail());
    }
    if (files.empty()) {
        verifier.begin_file(std::string(kAuditFile));
    }
    for (const fs::path& file : files) {
        verifier.begin_file(file.filename().native());
        ALKNET_TRY(const std::uint64_t torn,
                   read_lines(file, [&](std::string_view line) -> result<void> {
                       (void)verifier.line(line);
                       return {};
                   }));
        if (torn > 0 && file.filename() == kAuditFile) {
            verifier.torn(torn);
        } else if (torn > 0) {
            verifier.problem(0, "it does not end with a whole line");
        }
    }
    return verifier.finish();
}

}  // namespace alknet::identity
