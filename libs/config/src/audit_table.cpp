// [audit] of alknet.toml.
#include <array>

#include "fields.hpp"
#include "values.hpp"

namespace alknet::config {

namespace {

// The limits of the files stand in a struct of their own.
struct AuditKeys {
    bool enabled = identity::AuditRules().enabled;
    bool required = identity::AuditRules().required;
    std::uint64_t file_bytes_max = identity::AuditLimits().file_bytes_max;
    std::size_t files_max = identity::AuditLimits().files_max;
};

constexpr std::array kAuditFields = {
    field<&AuditKeys::enabled, Flag>(
        {.name = "enabled",
         .about = "Keep a record of every decision about who may do what, in audit.log."}),
    field<&AuditKeys::required, Flag>(
        {.name = "required",
         .about = "Refuse what cannot be recorded, because the disk is full or too slow. Otherwise "
                  "it is allowed, counted and logged."}),
    field<&AuditKeys::file_bytes_max, Size<64 << 10, 1 << 30>>(
        {.name = "file_bytes_max", .about = "A file of this size is followed by another one."}),
    field<&AuditKeys::files_max, Integer<2, 1000>>(
        {.name = "files_max", .about = "Files that are kept; the oldest go."}),
};

constexpr std::span<const Field<AuditKeys>> kFields(kAuditFields);

}  // namespace

void read_audit(Reading& in, const toml::node& value, Config& into) {
    if (const toml::table* table = in.table(value)) {
        AuditKeys keys;
        read_fields(in, *table, kFields, keys);
        into.dynamic.audit = {
            .enabled = keys.enabled,
            .required = keys.required,
            .files = {.file_bytes_max = keys.file_bytes_max, .files_max = keys.files_max}};
    }
}

std::vector<KeyInfo> audit_keys() {
    return describe(kFields, AuditKeys());
}

std::vector<Entry> audit_entries(const Config& config) {
    const identity::AuditRules& rules = config.dynamic.audit;
    const AuditKeys keys{.enabled = rules.enabled,
                         .required = rules.required,
                         .file_bytes_max = rules.files.file_bytes_max,
                         .files_max = rules.files.files_max};
    return {{.name = {}, .keys = show(kFields, keys)}};
}

}  // namespace alknet::config
