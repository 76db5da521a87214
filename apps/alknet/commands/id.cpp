#include <fmt/format.h>

#include "commands.hpp"
#include "output.hpp"

namespace alknet::app {

result<ExitCode> run(const CommandLine& line, const IdOptions& options) {
    ALKNET_TRY(const auto home, open_home(line));
    ALKNET_TRY(const auto config, home.load_config());
    ALKNET_TRY(const auto key, home.load_key(config.fixed));
    const NodeId& id = key->id();
    std::string host;
    if (!options.host.empty()) {
        ALKNET_TRY(host, host_given("--host", options.host));
    }
    const std::string url = node_url(id, config, host);
    if (line.json) {
        ALKNET_CHECK(print_line(Json::object({{"node_id", id.hex()},
                                              {"fingerprint", id.fingerprint()},
                                              {"z_base_32", id.z_base_32()},
                                              {"base32", id.base32()},
                                              {"openssh", id.openssh()},
                                              {"openssh_fingerprint", id.openssh_fingerprint()},
                                              {"address", url}})
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
    return ExitCode::ok;
}

}  // namespace alknet::app
