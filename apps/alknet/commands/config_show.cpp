// alknet config show: every key with its value, and where that comes from.
#include <fmt/format.h>
#include <alknet/config/settings.hpp>
#include <set>

#include "commands.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

using config::Setting;

struct Shown {
    std::string file;
    std::vector<Setting> settings;
    std::set<std::string> stored;  // entries that are not in the file

    [[nodiscard]] std::string origin(const Setting& setting) const {
        if (stored.contains(setting.entry)) {
            return "state.db";
        }
        return setting.line == 0 ? "default" : fmt::format("{}:{}", file, setting.line);
    }
};

// As if those whom commands have added stood behind the others.
result<Shown> collect(const config::Home& home) {
    ALKNET_TRY(const std::string text, config::read_config_text(home.config_file()));
    ALKNET_TRY(config::Config config, home.parse_config(text));
    ALKNET_TRY(const identity::PeerList stored, stored_peers(home));
    ALKNET_CHECK(all_peers(home, config.dynamic, stored));
    Shown shown;
    shown.file = home.config_file().native();
    for (const identity::PeerRecord& peer : stored.peers) {
        config.dynamic.peers.push_back(as_entry(peer));
        shown.stored.insert("peer." + peer.name);
    }
    shown.settings = config::settings(config, text);
    return shown;
}

Json as_json(const Shown& shown) {
    Json::Array settings;
    for (const Setting& setting : shown.settings) {
        settings.push_back(
            Json::object({{"path", setting.path()},
                          {"value", setting.value},
                          {"line", setting.line == 0 ? Json() : Json(std::uint64_t{setting.line})},
                          {"origin", shown.origin(setting)}}));
    }
    return Json::object({{"file", shown.file}, {"settings", std::move(settings)}});
}

// A configuration itself.
std::string as_text(const Shown& shown) {
    std::string text;
    std::string entry;
    for (const Setting& setting : shown.settings) {
        if (setting.entry != entry) {
            entry = setting.entry;
            text += (text.empty() ? "" : "\n") + printable(setting.header) + "\n";
        }
        text += printable(fmt::format("{} = {}  # {}", setting.key, setting.value,
                                      shown.origin(setting))) +
                "\n";
    }
    return text;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const ConfigShowOptions& /*options*/) {
    ALKNET_TRY(const auto home, open_home(line));
    ALKNET_TRY(const Shown shown, collect(home));
    ALKNET_CHECK(line.json ? print_line(as_json(shown).text()) : print_text(as_text(shown)));
    return ExitCode::ok;
}

}  // namespace alknet::app
