// Reading the audit log, and finding out whether it is as it was written (docs/audit.md).
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/identity/audit_record.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alknet::identity {

/// Further ones are only counted.
inline constexpr std::size_t kAuditProblemsMax = 100;

struct AuditProblem {
    std::string file;
    std::uint64_t line = 0;  // from 1; 0: the file as a whole
    std::string what;

    bool operator==(const AuditProblem&) const = default;
};

struct AuditReport {
    std::uint64_t records = 0;
    std::uint64_t first = 0;  // numbers; 0: there are none
    AuditHead last{};
    std::uint64_t lost = 0;  // that the writer could not keep, and says so
    std::uint64_t cuts = 0;  // part of a line that a killed writer left, cut off by the next
    std::uint64_t torn = 0;  // octets of such a part at the end, which no writer has seen yet
    std::uint64_t problem_count = 0;
    std::vector<AuditProblem> problems{};
    [[nodiscard]] bool whole() const noexcept { return problem_count == 0; }
};

/// Is given the lines of all files in order. Sans-I/O.
class AuditVerifier {
public:
    /// `marks` are heads that the log once had: each must be of a line that stands there, unless
    /// the file with it has been removed since.
    explicit AuditVerifier(std::vector<AuditHead> marks) : marks_(std::move(marks)) {}

    void begin_file(std::string name);
    /// A whole line, without its end. Gives the record, if it is one.
    std::optional<AuditRecord> line(std::string_view text);
    /// What stands behind the last line's end in the file.
    void torn(std::uint64_t octets);
    /// For what is wrong with the file as a whole.
    void problem(std::uint64_t line, std::string what);
    [[nodiscard]] AuditReport finish();

private:
    void check_place(const AuditRecord& record);
    void note(const AuditRecord& record);
    void check_marks(std::uint64_t seq, const AuditDigest& digest);

    std::vector<AuditHead> marks_;
    AuditReport report_;
    std::string file_;
    std::uint64_t line_ = 0;
    AuditDigest first_prev_{};
    AuditHead removed_;            // of the last `audit.removed`
    std::uint64_t last_read_ = 0;  // number of the last line that was a record
};

/// Each record in order, also behind places that are broken, but those up to the number `after`,
/// of which whole files are not even read. An error of `each` ends it. Errors: kIo; those of
/// `each`.
result<void> read_audit(const std::filesystem::path& home, std::uint64_t after,
                        const std::function<result<void>(const AuditRecord&)>& each);
/// Holds up writers meanwhile. `noted` is a head that was kept elsewhere. Errors: kIo.
result<AuditReport> verify_audit(const std::filesystem::path& home,
                                 const std::optional<AuditHead>& noted);

/// `SEQ:DIGEST`, as a head is noted by people. Errors: kUsage.
[[nodiscard]] result<AuditHead> parse_audit_head(std::string_view text);
[[nodiscard]] std::string audit_head_text(const AuditHead& head);

}  // namespace alknet::identity
