#include <fmt/format.h>
#include <alknet/identity/key_files.hpp>

#include "commands.hpp"
#include "output.hpp"
#include "peers.hpp"

namespace alknet::app {

namespace {

WallTime until(const identity::Rotation& rotation) {
    return WallTime(std::chrono::seconds(rotation.not_after));
}

Json next_json(const identity::KeyState& keys) {
    return keys.next == nullptr ? Json()
                                : Json::object({{"fingerprint", keys.next->id().fingerprint()},
                                                {"until", time_text(until(keys.chain.back()))}});
}

// Those whose time is not over, the youngest last.
Json previous_json(const identity::KeyState& keys, WallTime now) {
    Json::Array all;
    for (const identity::Rotation& one : keys.until_key()) {
        if (until(one) > now) {
            all.push_back(Json::object(
                {{"fingerprint", one.from.fingerprint()}, {"until", time_text(until(one))}}));
        }
    }
    return all;
}

std::string other_keys(const identity::KeyState& keys, WallTime now) {
    std::string text;
    if (keys.next != nullptr) {
        text += fmt::format("next         {} (alknet key switch; believed until {})\n",
                            keys.next->id().fingerprint(), time_text(until(keys.chain.back())));
    }
    for (const identity::Rotation& one : keys.until_key()) {
        if (until(one) > now) {
            text += fmt::format("previous     {} (followed until {})\n", one.from.fingerprint(),
                                time_text(until(one)));
        }
    }
    return text;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const IdOptions& options) {
    ALKNET_TRY(const auto home, open_home(line));
    ALKNET_TRY(const auto config, home.load_config());
    ALKNET_TRY(const auto key, home.load_key(config.fixed));
    const NodeId& id = key->id();
    std::string host;
    if (!options.host.empty()) {
        ALKNET_TRY(host, host_given("--host", options.host));
    }
    ALKNET_TRY(const auto keys,
               identity::load_key_state(identity::KeyFiles(config.fixed.key_file)));
    const auto now = SystemClock().wall_now();
    const std::string url = node_url(id, config, host);
    if (line.json) {
        ALKNET_CHECK(print_line(Json::object({{"node_id", id.hex()},
                                              {"fingerprint", id.fingerprint()},
                                              {"z_base_32", id.z_base_32()},
                                              {"base32", id.base32()},
                                              {"openssh", id.openssh()},
                                              {"openssh_fingerprint", id.openssh_fingerprint()},
                                              {"address", url},
                                              {"next", next_json(keys)},
                                              {"previous", previous_json(keys, now)}})
                                    .text()));
        return ExitCode::ok;
    }
    if (options.ssh) {
        ALKNET_CHECK(print_line(id.openssh()));
        return ExitCode::ok;
    }
    if (options.address) {
        ALKNET_CHECK(print_line(url));
        return ExitCode::ok;
    }
    ALKNET_CHECK(
        print_text(fmt::format("hex          {}\n"
                               "fingerprint  {}\n"
                               "z-base-32    {}\n"
                               "base32       {}\n"
                               "openssh      {}\n"
                               "ssh-keygen   {}\n",
                               id.hex(), id.fingerprint(), id.z_base_32(), id.base32(),
                               id.openssh(), id.openssh_fingerprint())));
    ALKNET_CHECK(print_text(other_keys(keys, now)));
    return ExitCode::ok;
}

}  // namespace alknet::app
