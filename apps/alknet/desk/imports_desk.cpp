// What `alknet import` does.
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/identity/import_state.hpp>
#include <alknet/identity/state.hpp>
#include <array>

#include "audit_change.hpp"
#include "desk.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

constexpr std::string_view kRead = "imports:read";
constexpr std::string_view kManage = "imports:manage";
constexpr std::size_t kDigestShown = 16;

std::string_view standing_of(const identity::OperationPin& pin) {
    if (pin.offered.empty()) {
        return "gone";
    }
    return pin.in_force() ? "accepted" : pin.accepted.empty() ? "new" : "changed";
}

bool is_configured(const Desk& desk, const std::string& prefix) {
    const auto& imports = desk.config.dynamic.imports;
    return std::ranges::find(imports, prefix, &config::Import::prefix) != imports.end();
}

result<void> audit(const Desk& desk, std::string_view event, const std::string& prefix,
                   std::size_t operations) {
    AuditEntry entry{.event = event};
    entry.more = {
        {"prefix", prefix}, {"operations", std::to_string(operations)}, desk.caller.named()};
    return audit_change(desk.home, desk.config, std::move(entry), desk.revision);
}

ImportEntry entry_of(const std::string& prefix, const std::string& name,
                     const identity::PeerRecord* peer,
                     const std::vector<identity::OperationPin>& pins) {
    ImportEntry entry{.prefix = prefix, .peer = name};
    if (peer == nullptr) {
        return entry;
    }
    for (const identity::OperationPin& pin : pins) {
        if (pin.prefix == prefix && pin.peer == peer->id) {
            entry.operations.push_back({.name = "/" + pin.operation,
                                        .standing = std::string(standing_of(pin)),
                                        .digest = pin.offered.substr(0, kDigestShown)});
        }
    }
    const std::string waiting = identity::waiting_digest(pins, prefix, peer->id);
    if (!waiting.empty()) {
        entry.waiting = waiting;
    }
    return entry;
}

// Of a peer that alknet.toml has named instead since, nothing counts.
result<ImportEntries> list(const Desk& desk, store::Database& state, const Nothing& /*input*/) {
    ALKNET_TRY(const auto stored, identity::load_peers(state));
    ALKNET_TRY(const auto peers, all_peers(desk.home, desk.config.dynamic, stored));
    ALKNET_TRY(const auto pins, identity::load_pins(state));
    ImportEntries entries;
    for (const config::Import& import : desk.config.dynamic.imports) {
        for (const std::string& name : import.from()) {
            entries.imports.push_back(entry_of(import.prefix, name, peers->find_name(name), pins));
        }
    }
    for (const identity::OperationPin& pin : pins) {
        const bool listed = std::ranges::find(entries.imports, pin.prefix, &ImportEntry::prefix) !=
                            entries.imports.end();
        if (!listed) {
            entries.imports.push_back({.prefix = pin.prefix, .peer = {}});
        }
    }
    return entries;
}

result<ImportChanged> accept(const Desk& desk, store::Database& state,
                             const ImportAcceptInput& input) {
    const std::string& prefix = input.prefix;
    if (!is_configured(desk, prefix)) {
        return fail(causes::kUsage, "alknet.toml has no [[call.import]] with the prefix '" +
                                        printable(prefix) + "'");
    }
    ALKNET_TRY(const std::size_t count, identity::accept_pins(state, prefix, input.digest.value));
    ALKNET_CHECK(audit(desk, "import.accepted", prefix, count));
    return ImportChanged{.done = "accepted", .prefix = prefix, .operations = count};
}

// While it is imported, forgetting would be to accept whatever comes next.
result<ImportChanged> remove(const Desk& desk, store::Database& state, const ImportInput& input) {
    const std::string& prefix = input.prefix;
    if (is_configured(desk, prefix)) {
        return fail(causes::kUsage, "alknet.toml still has a [[call.import]] with the prefix '" +
                                        printable(prefix) + "'; take it out first");
    }
    ALKNET_TRY(const std::size_t count, identity::remove_pins(state, prefix));
    if (count == 0) {
        return fail(causes::kUsage, "nothing is known of a prefix '" + printable(prefix) +
                                        "'; alknet import list shows what is");
    }
    ALKNET_CHECK(audit(desk, "import.removed", prefix, count));
    return ImportChanged{.done = "removed", .prefix = prefix, .operations = count};
}

constexpr std::array kOperations = {
    reading<list>({.name = "imports/list",
                   .scope = kRead,
                   .about = "what other nodes offer here, and what of it was accepted"}),
    changing<accept>({.name = "imports/accept",
                      .scope = kManage,
                      .about = "accept what of an import is new or has changed, as it was shown"}),
    changing<remove>({.name = "imports/remove",
                      .scope = kManage,
                      .about = "forget what was accepted of an import that is no more"}),
};

}  // namespace

std::span<const DeskOperation> import_operations() noexcept {
    return kOperations;
}

}  // namespace alknet::app
