// What `alknet key switch` does.
#include <alknet/base/causes.hpp>
#include <alknet/identity/config_revision.hpp>
#include <alknet/identity/key_files.hpp>
#include <array>

#include "audit_change.hpp"
#include "desk.hpp"
#include "inputs.hpp"
#include "outputs.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

// The node shows the new key once it has read its files again.
result<KeySwitched> change_key(const DeskRequest& request, const identity::PeerList& stored,
                               const Nothing& /*input*/) {
    if (!request.caller.local()) {
        return fail(causes::kForbidden, "the key is changed at the machine itself");
    }
    ALKNET_TRY(const std::string text, config::read_config_text(request.home.config_file()));
    ALKNET_TRY(const config::Config config, request.home.parse_config(text));
    const identity::KeyFiles files(config.fixed.key_file);
    ALKNET_TRY(const identity::KeyState state, identity::load_key_state(files));
    AuditEntry entry{.event = "key.switched"};
    entry.more = {{"from", state.key->id().fingerprint()}};
    if (state.next != nullptr) {
        entry.more.emplace_back("to", state.next->id().fingerprint());
    }
    entry.more.push_back(request.caller.named());
    ALKNET_CHECK(audit_change(request.home, config, std::move(entry),
                              identity::config_revision(text, stored)));
    ALKNET_TRY(const identity::Rotation now, identity::switch_key(files));
    return KeySwitched{.done = "the key has changed",
                       .from = now.from.fingerprint(),
                       .to = now.to.fingerprint(),
                       .until = time_text(WallTime(std::chrono::seconds(now.not_after)))};
}

constexpr std::array kErrors = {&causes::kForbidden, &causes::kHomeInvalid};

constexpr std::array kOperations = {
    configuring<change_key>({.name = kKeySwitch,
                             .scope = "node:admin",
                             .about = "show the key that is to come, at the machine itself alone",
                             .errors = kErrors,
                             .replaces = true}),
};

}  // namespace

std::span<const DeskOperation> key_operations() noexcept {
    return kOperations;
}

}  // namespace alknet::app
