// What stock ssh needs to reach a node.
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <array>
#include <cctype>
#include <climits>

#include "client.hpp"
#include "commands.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

bool is_plain(std::string_view word) noexcept {
    return !word.empty() && std::ranges::all_of(word, [](unsigned char c) {
        return std::isalnum(c) != 0 || std::string_view("/._-+:@[]").contains(static_cast<char>(c));
    });
}

/// As the shell that runs a ProxyCommand takes it, and ssh before it.
result<std::string> quoted(const std::string& word) {
    if (is_plain(word)) {
        return word;
    }
    std::string text = "'";
    for (const char c : word) {
        if (c == '\'' || c == '"' || static_cast<unsigned char>(c) < ' ') {
            return fail(causes::kUsage, "a path with quotes cannot stand in ssh_config: " + word);
        }
        text += c == '%' ? "%%" : std::string(1, c);
    }
    return text + "'";
}

std::string program() {
    std::array<char, PATH_MAX> path{};
    const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
    return size > 0 ? std::string(path.data(), static_cast<std::size_t>(size)) : "alknet";
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const SshConfigOptions& options) {
    ALKNET_TRY(auto client, Client::create(line));
    ALKNET_TRY(Target target, resolve_target(options.address, client->peers()));
    ALKNET_CHECK(client->add_known(target));
    if (!target.address.id) {
        return fail(causes::kUsage, "'" + options.address +
                                        "' has no node id, which stands for "
                                        "its host key");
    }
    const NodeId& id = *target.address.id;
    // A peer's name is what it is called here; what else reaches it would be no name for a host.
    const bool named = is_plain(options.address) && !options.address.contains('@') &&
                       !options.address.contains(':') && options.address != id.hex();
    const std::string name = named ? options.address : "alknet-" + id.z_base_32().substr(0, 8);
    std::string command;
    ALKNET_TRY(command, quoted(program()));
    ALKNET_TRY(const std::string where, quoted(target.address.to_string()));
    command += " pipe " + where + " --alpn alknet/ssh --resume";
    if (line.home) {
        ALKNET_TRY(const std::string home, quoted(line.home->native()));
        command += " --home " + home;
    }
    if (!line.identity.empty()) {
        ALKNET_TRY(const std::string identity, quoted(line.identity.native()));
        command += " --identity " + identity;
    }
    const std::string key = id.openssh();
    if (line.json) {
        ALKNET_CHECK(print_line(
            Json::object({{"host", name}, {"proxy_command", command}, {"host_key", key}}).text()));
        return ExitCode::ok;
    }
    ALKNET_CHECK(print_text("Host " + name + "\n    User alknet\n    ProxyCommand " + command +
                            "\n    KnownHostsCommand /bin/echo %H " + key +
                            "\n    UserKnownHostsFile none\n    GlobalKnownHostsFile none\n"
                            "    StrictHostKeyChecking yes\n    HostKeyAlgorithms ssh-ed25519\n"
                            "    CheckHostIP no\n    Ciphers ^aes128-gcm@openssh.com\n"));
    return ExitCode::ok;
}

}  // namespace alknet::app
