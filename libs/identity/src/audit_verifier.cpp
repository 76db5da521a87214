#include <algorithm>
#include <alknet/base/causes_audit.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/number.hpp>
#include <alknet/identity/audit_reader.hpp>

namespace alknet::identity {

namespace {

std::uint64_t number_in(const AuditRecord& record, std::string_view name) {
    return parse_plain_number<std::uint64_t>(record.field(name)).value_or(0);
}

std::string range(std::uint64_t from, std::uint64_t through) {
    return from == through ? "record " + std::to_string(from) + " is missing"
                           : "records " + std::to_string(from) + " to " + std::to_string(through) +
                                 " are missing";
}

}  // namespace

void AuditVerifier::begin_file(std::string name) {
    file_ = std::move(name);
    line_ = 0;
}

void AuditVerifier::problem(std::uint64_t line, std::string what) {
    ++report_.problem_count;
    if (report_.problems.size() < kAuditProblemsMax) {
        report_.problems.push_back({.file = file_, .line = line, .what = std::move(what)});
    }
}

void AuditVerifier::check_place(const AuditRecord& record) {
    const std::uint64_t next = last_read_ + 1;
    if (record.seq > next) {
        problem(line_, range(next, record.seq - 1) + " before this line");
    } else if (record.seq < next) {
        problem(line_, "record " + std::to_string(record.seq) + " stands behind record " +
                           std::to_string(last_read_));
    }
    if (record.prev != report_.last.digest) {
        problem(line_, "the line before this one is not the one that stood here");
    }
}

void AuditVerifier::check_marks(std::uint64_t seq, const AuditDigest& digest) {
    std::erase_if(marks_, [&](const AuditHead& mark) {
        if (mark.seq != seq) {
            return false;
        }
        if (mark.digest != digest) {
            problem(line_, "record " + std::to_string(seq) + " is not the one that was noted");
        }
        return true;
    });
}

void AuditVerifier::note(const AuditRecord& record) {
    if (record.event == "audit.lost") {
        report_.lost += number_in(record, "count");
    } else if (record.event == "audit.recovered") {
        ++report_.cuts;
    } else if (record.event == "audit.gap") {
        problem(line_, "whoever wrote this found other records before it than were written");
    } else if (record.event == "audit.removed") {
        if (const auto digest = parse_audit_digest(record.field("digest"))) {
            removed_ = {.seq = number_in(record, "through"), .digest = *digest};
        }
    }
}

std::optional<AuditRecord> AuditVerifier::line(std::string_view text) {
    ++line_;
    const AuditDigest digest = audit_digest(text);
    auto record = decode_audit_record(text);
    if (!record) {
        problem(line_, record.error().detail());
        // The next record says whether at least this line is the one that was written.
        report_.last = {.seq = report_.last.seq + 1, .digest = digest};
        last_read_ = report_.last.seq;
        return std::nullopt;
    }
    if (report_.records == 0 && last_read_ == 0) {
        report_.first = record->seq;
        first_prev_ = record->prev;
    } else {
        check_place(*record);
    }
    ++report_.records;
    last_read_ = record->seq;
    report_.last = {.seq = record->seq, .digest = digest};
    check_marks(record->seq, digest);
    note(*record);
    return *std::move(record);
}

void AuditVerifier::torn(std::uint64_t octets) {
    report_.torn = octets;
}

AuditReport AuditVerifier::finish() {
    if (report_.first > 1) {
        line_ = 1;
        const bool told = removed_.seq + 1 == report_.first && removed_.digest == first_prev_;
        // A writer that was killed has named what goes, and not removed it yet.
        const bool kept = removed_.seq >= report_.first;
        if (!told && !kept) {
            problem(0, range(1, report_.first - 1) + ", and no record says that they were removed");
        }
    } else if (report_.first == 1 && first_prev_ != AuditDigest{}) {
        problem(0, "the first record names one before it");
    }
    for (const AuditHead& mark : std::exchange(marks_, {})) {
        if (mark.seq > report_.last.seq) {
            problem(0, range(report_.last.seq + 1, mark.seq) + " at the end");
        } else if (mark.seq >= report_.first && mark.seq > 0) {
            problem(0, "record " + std::to_string(mark.seq) + ", which was noted, is not there");
        }
    }
    return std::move(report_);
}

result<AuditHead> parse_audit_head(std::string_view text) {
    const std::size_t colon = text.find(':');
    const auto seq = parse_plain_number<std::uint64_t>(text.substr(0, colon));
    const auto digest =
        colon == std::string_view::npos ? std::nullopt : parse_audit_digest(text.substr(colon + 1));
    if (!seq || !digest) {
        return fail(causes::kUsage, "a noted head is SEQ:DIGEST, as alknet audit verify prints it");
    }
    return AuditHead{.seq = *seq, .digest = *digest};
}

std::string audit_head_text(const AuditHead& head) {
    return std::to_string(head.seq) + ":" + hex_encode(head.digest);
}

}  // namespace alknet::identity
