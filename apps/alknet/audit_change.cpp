#include "audit_change.hpp"

#include <unistd.h>
#include <algorithm>
#include <alknet/identity/audit_log.hpp>
#include <alknet/identity/config_revision.hpp>
#include <array>
#include <iostream>
#include <string>
#include <utility>

#include "output.hpp"

namespace alknet::app {

result<void> audit_change(const config::Home& home, const config::Config& config, AuditEntry entry,
                          const std::string& revision) {
    const identity::AuditRules& rules = config.dynamic.audit;
    if (!rules.enabled) {
        return {};
    }
    if (std::ranges::none_of(
            entry.more, [](const auto& one) { return one.first == "uid" || one.first == "by"; })) {
        entry.more.emplace_back("uid", std::to_string(::getuid()));
    }
    const std::array drafts{identity::audit_draft(entry, SystemClock().wall_now(), revision)};
    std::size_t written = 0;
    auto kept = identity::AuditFile(home.directory(), rules.files).append(drafts, written);
    if (!kept && !rules.required) {
        std::cerr << "warning: this change is not in the audit log: "
                  << printable(kept.error().message()) << "\n";
        return {};
    }
    return kept;
}

void ChangeRecords::keep(const config::Config& config, AuditEntry entry,
                         const std::string& revision) {
    kept_.push_back({.config = config, .entry = std::move(entry), .revision = revision});
}

result<void> ChangeRecords::write_kept() {
    for (Record& record : std::exchange(kept_, {})) {
        ALKNET_CHECK(write(std::move(record)));
    }
    return {};
}

result<void> ChangeRecords::write(const config::Config& config, AuditEntry entry,
                                  const std::string& revision) {
    return write({.config = config, .entry = std::move(entry), .revision = revision});
}

result<void> ChangeRecords::write(Record record) {
    ALKNET_CHECK(audit_change(home_, record.config, record.entry, record.revision));
    written_.push_back(std::move(record));
    return {};
}

void ChangeRecords::failed(const error& why) {
    for (const Record& record : std::exchange(written_, {})) {
        AuditEntry entry{.event = "change.failed"};
        entry.peer = record.entry.peer;
        entry.reason = why.cause().id;
        entry.more = {{"of", std::string(record.entry.event)}};
        for (const auto& one : record.entry.more) {
            if (one.first == "uid" || one.first == "by") {
                entry.more.push_back(one);
            }
        }
        // A disk that keeps nothing keeps this no more than the change.
        (void)audit_change(home_, record.config, std::move(entry), record.revision);
    }
}

result<std::string> revision_now(const config::Home& home, const identity::PeerList& stored) {
    ALKNET_TRY(const std::string text, config::read_config_text(home.config_file()));
    return identity::config_revision(text, stored);
}

}  // namespace alknet::app
