// What `alknet key switch` does.
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_config.hpp>
#include <alknet/identity/config_revision.hpp>
#include <alknet/identity/key_files.hpp>
#include <array>

#include "config_change.hpp"
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
    // Else the files would have a key that the node does not go over to.
    ALKNET_CHECK(check_files(request, stored));
    ALKNET_TRY(const std::string text, config::read_config_text(request.home.config_file()));
    ALKNET_TRY(const config::Config config, request.home.parse_config(text));
    const identity::KeyFiles files(config.fixed.key_file);
    const auto record = [&](const identity::Rotation& change) {
        AuditEntry entry{.event = "key.switched"};
        entry.more = {{"from", change.from.fingerprint()},
                      {"to", change.to.fingerprint()},
                      request.caller.named()};
        return request.records->write(config, std::move(entry),
                                      identity::config_revision(text, stored));
    };
    ALKNET_TRY(const identity::Rotation now, identity::switch_key(files, record));
    return KeySwitched{.done = "the key has changed",
                       .from = now.from.fingerprint(),
                       .to = now.to.fingerprint(),
                       .until = time_text(WallTime(std::chrono::seconds(now.not_after)))};
}

constexpr std::array kErrors = {&causes::kForbidden, &causes::kHomeInvalid, &causes::kConfigInvalid,
                                &causes::kAssertionFailed};

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
