// alknet key: from one key of a node to the next.
#include <fmt/format.h>
#include <unistd.h>
#include <alknet/identity/key_files.hpp>

#include "audit_change.hpp"
#include "commands.hpp"
#include "control_client.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

using Action = KeyOptions::Action;
using identity::Rotation;

struct Keys {
    config::Home home;
    config::Config config;
    identity::KeyFiles files;
};

result<void> audit(const Keys& keys, std::string_view event) {
    ALKNET_TRY(const auto state, identity::load_key_state(keys.files));
    AuditEntry entry{.event = event};
    entry.more = {{"from", state.key->id().fingerprint()}};
    if (state.next != nullptr) {
        entry.more.emplace_back("to", state.next->id().fingerprint());
    }
    return audit_change(keys.home, keys.config, std::move(entry));
}

result<void> report(const CommandLine& line, std::string_view done, const Rotation& rotation,
                    std::string_view next) {
    const std::string until = time_text(WallTime(std::chrono::seconds(rotation.not_after)));
    if (line.json) {
        return print_line(Json::object({{"done", done},
                                        {"from", rotation.from.fingerprint()},
                                        {"to", rotation.to.fingerprint()},
                                        {"until", until}})
                              .text());
    }
    return print_text(fmt::format("{}\n  from   {}\n  to     {}\n  until  {}\n{}\n", done,
                                  rotation.from.fingerprint(), rotation.to.fingerprint(), until,
                                  next));
}

// A running node tells others of it from now on.
result<std::string> tell_node(const Keys& keys) {
    ALKNET_TRY(const auto running,
               ask_running_node(keys.home, "config/reload", Json(Json::Object())));
    return running ? std::string("the node tells its peers; later: stop it, and alknet key switch")
                   : std::string(
                         "next: alknet serve, which tells its peers; later: alknet key "
                         "switch");
}

result<void> rotate(const CommandLine& line, const Keys& keys, Duration overlap) {
    ALKNET_CHECK(audit(keys, "key.rotated"));
    ALKNET_TRY(const Rotation made,
               identity::prepare_key(keys.files, SystemClock().wall_now(), overlap));
    ALKNET_TRY(const std::string next, tell_node(keys));
    return report(line, "a key is to come", made, next);
}

// Beneath a running node there would be two keys in use.
result<void> change(const CommandLine& line, const Keys& keys) {
    ALKNET_TRY(const auto lock, keys.home.lock());
    ALKNET_CHECK(audit(keys, "key.switched"));
    ALKNET_TRY(const Rotation now, identity::switch_key(keys.files));
    return report(line, "the key has changed", now, "next: alknet serve");
}

result<void> abandon(const CommandLine& line, const Keys& keys) {
    ALKNET_CHECK(audit(keys, "key.abandoned"));
    ALKNET_TRY(const Rotation gone, identity::abandon_key(keys.files));
    ALKNET_TRY(const auto running,
               ask_running_node(keys.home, "config/reload", Json(Json::Object())));
    return report(line, "no key is to come", gone,
                  running ? "the node has forgotten it too" : "the key stays as it was");
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const KeyOptions& options) {
    ALKNET_TRY(const auto home, open_home(line));
    ALKNET_TRY(auto config, home.load_config());
    ALKNET_TRY(const auto key, home.load_key(config.fixed));  // says best what is wrong with it
    const identity::KeyFiles files(config.fixed.key_file);
    const Keys keys{.home = home, .config = std::move(config), .files = files};
    switch (options.action) {
        case Action::rotate:
            ALKNET_CHECK(rotate(line, keys, options.overlap));
            break;
        case Action::change:
            ALKNET_CHECK(change(line, keys));
            break;
        case Action::abandon:
            ALKNET_CHECK(abandon(line, keys));
            break;
    }
    return ExitCode::ok;
}

}  // namespace alknet::app
