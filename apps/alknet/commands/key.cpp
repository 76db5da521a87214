// alknet key: from one key of a node to the next.
#include <fmt/format.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/identity/key_files.hpp>
#include <alknet/identity/rotate.hpp>

#include "audit_change.hpp"
#include "client.hpp"
#include "commands.hpp"
#include "control_client.hpp"
#include "desk.hpp"
#include "key_news.hpp"
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

// Has the change written down as its last step but one.
template <class Change>
result<Rotation> audited(const Keys& keys, std::string_view event, Change change) {
    ALKNET_TRY(const auto stored, stored_peers(keys.home));
    ALKNET_TRY(const std::string revision, revision_now(keys.home, stored));
    ChangeRecords records(keys.home);
    auto done = change([&](const Rotation& rotation) {
        AuditEntry entry{.event = event};
        entry.more = {{"from", rotation.from.fingerprint()}, {"to", rotation.to.fingerprint()}};
        return records.write(keys.config, std::move(entry), revision);
    });
    if (!done) {
        records.failed(done.error());
    }
    return done;
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
std::string tell_node(const Keys& keys) {
    const auto running = ask_running_node(keys.home, "config/reload", Json(Json::Object()));
    if (!running) {  // what was done stays
        return "the running node could not be told: " + printable(running.error().message()) +
               "; try alknet reload";
    }
    return *running ? "the node tells its peers; later: alknet key switch"
                    : "next: alknet serve or alknet key announce, which tell the peers; later: "
                      "alknet key switch";
}

result<void> rotate(const CommandLine& line, const Keys& keys, Duration overlap) {
    ALKNET_TRY(const Rotation made,
               audited(keys, "key.rotated", [&](const identity::BeforeKeyChange& record) {
                   return identity::prepare_key(keys.files, SystemClock().wall_now(), overlap,
                                                record);
               }));
    return report(line, "a key is to come", made, tell_node(keys));
}

// The running node does it, and shows the new key from then on.
result<void> change(const CommandLine& line, const Keys& keys) {
    ALKNET_TRY(const Json done, at_own_node(line, kKeySwitch, Json::object({})));
    if (line.json) {
        return print_line(done.text());
    }
    const auto running = ask_running_node(keys.home, "node/info", Json());
    const bool serves = running && *running;
    return print_text(fmt::format("{}\n  from   {}\n  to     {}\n  until  {}\n{}\n",
                                  done.text_of("done"), done.text_of("from"), done.text_of("to"),
                                  done.text_of("until"),
                                  serves ? "the node shows it from now on; connections that there "
                                           "are go on"
                                         : "next: alknet serve"));
}

result<void> abandon(const CommandLine& line, const Keys& keys) {
    ALKNET_TRY(const Rotation gone,
               audited(keys, "key.abandoned", [&](const identity::BeforeKeyChange& record) {
                   return identity::abandon_key(keys.files, record);
               }));
    const auto running = ask_running_node(keys.home, "config/reload", Json(Json::Object()));
    return report(
        line, "no key is to come", gone,
        running && *running ? "the node has forgotten it too" : "the key stays as it was");
}

// ---- announce ----

struct Announcing {
    const CommandLine& line;
    Client& client;
    Duration timeout;
    std::vector<Rotation> chain;
    std::size_t asked = 0;
    std::size_t failed = 0;
};

result<void> report(const Announcing& announcing, const config::Peer& peer,
                    const result<void>& told) {
    if (announcing.line.json) {
        return print_line(Json::object({{"peer", peer.name},
                                        {"told", told.has_value()},
                                        {"error", told ? Json() : Json(told.error().cause().id)}})
                              .text());
    }
    return print_line(
        told ? fmt::format("{}: was told", printable(peer.name))
             : fmt::format("{}: {}", printable(peer.name), printable(told.error().message())));
}

task<result<void>> announce_to(Announcing& announcing, config::Peer peer) {
    ALKNET_CO_TRY(Target target, resolve_target(peer.name, announcing.client.peers()));
    ALKNET_CO_TRY(DialOptions options,
                  dial_options({}, target, {std::string(identity::kRotateAlpn)}));
    options.transport.handshake_timeout = announcing.timeout;
    ALKNET_CO_TRY(const auto connection, co_await announcing.client.dialer().dial(
                                             std::move(target.address), std::move(options)));
    const auto told =
        co_await identity::tell_rotations(connection, announcing.chain, announcing.timeout);
    connection->close(close_code::kOk, {});
    co_return told ? told : unexpected(explain_close(told.error()));
}

task<result<void>> announce_to_all(Announcing& announcing) {
    for (const config::Peer& peer : announcing.client.peers()) {
        if (!peer.address) {
            continue;
        }
        ++announcing.asked;
        const result<void> told = co_await announce_to(announcing, peer);
        if (!told && told.error().is(errc::cancelled)) {
            co_return told;
        }
        announcing.failed += told ? 0 : 1;
        ALKNET_CO_CHECK(report(announcing, peer, told));
    }
    co_return result<void>();
}

result<ExitCode> announce(const CommandLine& line, const Keys& keys, Duration timeout) {
    ALKNET_TRY(const auto news, KeyNews::load(keys.files));
    std::vector<Rotation> chain = news->tell();
    if (chain.empty()) {
        return fail(causes::kUsage,
                    "there is no statement to tell of; make one: alknet key rotate");
    }
    ALKNET_TRY(const auto client, Client::create(line));
    Announcing announcing{
        .line = line, .client = *client, .timeout = timeout, .chain = std::move(chain)};
    ALKNET_CHECK(client->run(announce_to_all(announcing)));
    if (announcing.asked == 0) {
        return fail(causes::kUsage, "no peer has an address");
    }
    return announcing.failed == 0 ? ExitCode::ok : ExitCode::unreachable;
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
        case Action::announce:
            return announce(line, keys, options.timeout);
    }
    return ExitCode::ok;
}

}  // namespace alknet::app
