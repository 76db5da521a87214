// Any octets as an audit log: what is read is what is written, the verifier is content with a chain
// and with nothing else, and whatever a record says it is one line.
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/identity/audit_reader.hpp>
#include <string>

namespace {

using namespace alknet;
using namespace alknet::identity;

void check_text(std::string_view text) {
    AuditRecord record;
    record.seq = 1;
    record.time = "2027-01-15T08:00:00.000Z";
    record.event = "test";
    record.fields = {{"text", std::string(text.substr(0, kAuditValueBytesMax))}};
    const std::string line = encode_audit_record(record);
    const auto again = decode_audit_record(line);
    ALKNET_ASSERT(again && again->fields.size() == 1);
    ALKNET_ASSERT(encode_audit_record(*again) == line);
    ALKNET_ASSERT(line.find('\n') == std::string::npos);
}

void check_lines(std::string_view text, std::vector<AuditHead> marks) {
    AuditVerifier verifier(std::move(marks));
    verifier.begin_file("audit.log");
    std::string chain;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) {
            verifier.torn(text.size());
            break;
        }
        if (const auto record = verifier.line(text.substr(0, end))) {
            ALKNET_ASSERT(encode_audit_record(*record) == text.substr(0, end));
        }
        text.remove_prefix(end + 1);
    }
    const AuditReport report = verifier.finish();
    ALKNET_ASSERT(report.problems.size() <= report.problem_count);
    ALKNET_ASSERT(!report.whole() || report.records == 0 ||
                  report.last.seq == report.first + report.records - 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = as_text(view_octets(data, size));
    const std::string_view first = text.substr(0, text.find('\n'));
    const std::string_view rest = text.substr(std::min(first.size() + 1, text.size()));
    std::vector<AuditHead> marks;
    if (const auto head = decode_audit_head(std::string(first) + "\n")) {
        marks.push_back(*head);
    }
    if (const auto head = parse_audit_head(first)) {
        ALKNET_ASSERT(parse_audit_head(audit_head_text(*head)) == *head);
        marks.push_back(*head);
    }
    check_lines(rest, std::move(marks));
    check_text(text);
    return 0;
}
