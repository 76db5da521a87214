// Audit logs that tests write and look at.
#pragma once

#include <gtest/gtest.h>
#include <alknet/identity/audit_file.hpp>
#include <alknet/identity/audit_reader.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace alknet::identity {

inline AuditDraft draft(std::string event, std::string note = {}) {
    AuditDraft made{.time = WallTime(std::chrono::seconds(1'800'000'000)),
                    .event = std::move(event),
                    .fields = {}};
    if (!note.empty()) {
        made.fields.emplace_back("detail", std::move(note));
    }
    return made;
}

inline std::vector<AuditDraft> drafts(std::size_t count, const std::string& note = "n") {
    std::vector<AuditDraft> all;
    for (std::size_t i = 0; i < count; ++i) {
        all.push_back(draft("test.event", note + std::to_string(i)));
    }
    return all;
}

inline result<void> append_to(const std::filesystem::path& home, std::vector<AuditDraft> all,
                              AuditLimits limits = {}) {
    AuditFile file(home, limits);
    std::size_t written = 0;
    auto outcome = file.append(all, written);
    EXPECT_EQ(outcome.has_value(), written == all.size());
    return outcome;
}

inline std::string content_of(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline void replace_content(const std::filesystem::path& file, const std::string& text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
}

inline AuditReport verified(const std::filesystem::path& home,
                            const std::optional<AuditHead>& noted = std::nullopt) {
    auto report = verify_audit(home, noted);
    EXPECT_TRUE(report) << (report ? "" : report.error().message());
    return report ? *std::move(report) : AuditReport{.problem_count = 99};
}

inline std::string problems_of(const AuditReport& report) {
    std::string text;
    for (const AuditProblem& problem : report.problems) {
        text += problem.file + ":" + std::to_string(problem.line) + ": " + problem.what + "\n";
    }
    return text;
}

inline std::vector<std::string> events_in(const std::filesystem::path& home) {
    std::vector<std::string> events;
    EXPECT_TRUE(read_audit(home, 0, [&](const AuditRecord& record) -> result<void> {
        events.push_back(record.event);
        return {};
    }));
    return events;
}

}  // namespace alknet::identity
