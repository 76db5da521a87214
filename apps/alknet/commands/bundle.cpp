#include "bundle.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/core/path_memory_file.hpp>
#include <alknet/doctor/local_checks.hpp>
#include <alknet/doctor/redact.hpp>
#include <alknet/net/proxy.hpp>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "commands.hpp"
#include "output.hpp"
#include "pair_text.hpp"
#include "peers.hpp"
#include "services.hpp"

namespace alknet::app {

namespace {

namespace fs = std::filesystem;
using doctor::Redactor;

constexpr std::size_t kFileBytesMax = 64 << 10;
constexpr std::size_t kLogBytesMax = 1 << 20;  // of its end
constexpr std::size_t kHomeFilesMax = 100;

constexpr std::array<std::string_view, 6> kLeftOut = {
    "the contents of key files, tokens and passwords",
    "node ids, fingerprints and keys: key-1, key-2, ...",
    "IP addresses other than loopback: public-v4-1, private-v4-1, ...",
    "names of peers, listeners, hosts and users: peer-1, host-1, ...",
    "comments and texts of alknet.toml; only its settings are told",
    "of the log, every value that is not from a list of harmless ones",
};

// What tells where help is to be sought, and nothing of who asks.
constexpr std::array<const char*, 10> kKernelFacts = {
    "/proc/sys/net/core/rmem_max",
    "/proc/sys/net/core/wmem_max",
    "/proc/sys/net/core/rmem_default",
    "/proc/sys/net/core/somaxconn",
    "/proc/sys/net/ipv4/tcp_congestion_control",
    "/proc/sys/net/ipv4/ip_local_port_range",
    "/proc/sys/net/ipv4/ip_unprivileged_port_start",
    "/proc/sys/net/ipv6/conf/all/disable_ipv6",
    "/proc/sys/net/ipv6/bindv6only",
    "/proc/sys/fs/file-max",
};
constexpr std::array<const char*, 4> kProxyVariables = {"https_proxy", "HTTPS_PROXY", "all_proxy",
                                                        "ALL_PROXY"};
// Told to be set, and no more.
constexpr std::array<const char*, 4> kOtherVariables = {"no_proxy", "NO_PROXY", "ALKNET_HOME",
                                                        "XDG_DATA_HOME"};

// The last octets of a file; of a pipe or /proc the first ones.
std::string read_end(const fs::path& file, std::size_t bytes_max) {
    std::ifstream stream(file, std::ios::binary);
    std::error_code ignored;
    const auto size = fs::file_size(file, ignored);
    if (!ignored && size != static_cast<std::uintmax_t>(-1) && size > bytes_max) {
        stream.seekg(static_cast<std::streamoff>(size - bytes_max));
    }
    std::string text(bytes_max, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(stream.gcount()));
    return text;
}

std::string first_line(const fs::path& file) {
    std::string text = read_end(file, kFileBytesMax);
    text.resize(std::min(text.find('\n'), text.size()));
    return text;
}

struct Bundling {
    const CommandLine& line;
    const DoctorOptions& options;
    fs::path home{};                         // empty: there is none
    std::optional<config::Config> config{};  // if it can be read
    identity::PeerList stored{};             // likewise
    Redactor redact{};
};

// ---- what is not to be told ----

// In each of the forms in which it could have been written down.
void drop_secret(Redactor& redact, std::string_view secret) {
    redact.drop(secret);
    redact.drop(hex_encode(as_bytes(secret)));
    redact.drop(base64_encode(as_bytes(secret)));
}

void drop_files(Bundling& bundling) {
    for (const char* name : {"node.key", "node.key.next", "cert-key.pem", "endpoint.secrets"}) {
        const std::string text = read_end(bundling.home / name, kFileBytesMax);
        drop_secret(bundling.redact, text);
        std::string_view rest = text;
        while (!rest.empty()) {
            const std::size_t end = std::min(rest.find('\n'), rest.size());
            const std::string_view one = rest.substr(0, end);
            if (!one.starts_with("-----")) {
                bundling.redact.drop(one);
            }
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    }
}

void hide_host(Bundling& bundling, const std::string& host) {
    if (host != "localhost") {
        bundling.redact.hide(host, "host");
    }
}

void drop_proxy(Bundling& bundling, std::string_view url) {
    const auto proxy = net::ProxyUrl::parse(url);
    if (!proxy) {  // then nothing of it is told
        bundling.redact.drop(url);
        return;
    }
    hide_host(bundling, proxy->host);
    if (!proxy->user.empty()) {
        drop_secret(bundling.redact, proxy->password);
        bundling.redact.drop(base64_encode(as_bytes(proxy->user + ":" + proxy->password)));
        bundling.redact.hide(proxy->user, "user");
        const std::size_t at = url.rfind('@');
        const std::size_t begin = url.find("://");
        const std::size_t first = begin == std::string_view::npos ? 0 : begin + 3;
        const std::string_view written = url.substr(first, at - first);  // with its %40
        bundling.redact.drop(written);
        bundling.redact.drop(written.substr(std::min(written.find(':') + 1, written.size())));
    }
}

// Also those that are not in alknet.toml.
void hide_stored(Bundling& bundling) {
    for (const identity::PeerRecord& peer : bundling.stored.peers) {
        bundling.redact.hide(peer.name, "peer");
        if (const auto address = NodeAddress::parse(peer.address)) {
            hide_host(bundling, address->host);
        }
    }
    for (const identity::Role& role : bundling.stored.roles) {
        bundling.redact.hide(role.name, "role");
    }
}

void hide_all(Bundling& bundling) {
    for (const char* name : kProxyVariables) {
        if (const char* value = std::getenv(name); value != nullptr) {
            drop_proxy(bundling, value);
        }
    }
    for (const char* name : {"USER", "LOGNAME"}) {
        if (const char* value = std::getenv(name); value != nullptr) {
            bundling.redact.hide(value, "user");
        }
    }
    if (const auto home = home_directory(bundling.line)) {  // also where nothing is
        std::error_code ignored;
        if (home->native().size() >= Redactor::kSecretCharactersMin) {
            bundling.redact.hide(home->native(), "home");
        }
        bundling.redact.hide(fs::absolute(*home, ignored).native(), "home");
    }
    if (!bundling.home.empty()) {
        drop_files(bundling);
    }
    if (const char* user_home = std::getenv("HOME");
        user_home != nullptr && fs::path(user_home) != "/") {
        bundling.redact.hide(user_home, "home");
    }
    utsname machine{};
    if (::uname(&machine) == 0 && std::string_view(machine.nodename) != "localhost") {
        bundling.redact.hide(machine.nodename, "host");
    }
    if (const auto address = NodeAddress::parse(bundling.options.address)) {
        hide_host(bundling, address->host);
    }
    if (bundling.config) {
        for (const config::Peer& peer : bundling.config->dynamic.peers) {
            bundling.redact.hide(peer.name, "peer");
            if (peer.address) {
                hide_host(bundling, peer.address->host);
            }
        }
        for (const config::Role& role : bundling.config->dynamic.roles) {
            bundling.redact.hide(role.name, "role");
        }
        for (const config::Listener& listener : bundling.config->dynamic.listeners) {
            bundling.redact.hide(listener.name, "listener");
        }
    }
    hide_stored(bundling);
}

// ---- what is told ----

Json machine_json() {
    utsname machine{};
    (void)::uname(&machine);
    Json::Object facts;
    for (const char* file : kKernelFacts) {
        facts.emplace_back(std::string(file).substr(std::string_view("/proc/sys/").size()),
                           first_line(file));
    }
    std::string system = "unknown";
    std::ifstream release("/etc/os-release");
    for (std::string one; std::getline(release, one);) {
        if (one.starts_with("PRETTY_NAME=")) {
            system = one.substr(one.find('=') + 1);
            std::erase(system, '"');
        }
    }
    return Json::object({{"kernel", std::string(machine.sysname) + " " + machine.release},
                         {"build", std::string(machine.version)},
                         {"architecture", std::string(machine.machine)},
                         {"system", system},
                         {"processors", std::int64_t{::sysconf(_SC_NPROCESSORS_ONLN)}},
                         {"memory", first_line("/proc/meminfo")},
                         {"up_seconds", first_line("/proc/uptime")},
                         {"udp_drops", doctor::udp_drops()},
                         {"settings", std::move(facts)}});
}

Json listeners_json(const config::DynamicConfig& config) {
    Json::Array list;
    for (const config::Listener& listener : config.listeners) {
        Json::Array addresses;
        for (const SocketAddress& address : listener.addresses) {
            addresses.emplace_back(address.to_string());
        }
        list.push_back(Json::object({{"name", listener.name},
                                     {"addresses", std::move(addresses)},
                                     {"quic", listener.quic},
                                     {"tcp", listener.tcp},
                                     {"alpns", Json::list(listener.alpns)},
                                     {"proxies", std::uint64_t{listener.proxies.size()}}}));
    }
    return list;
}

Json peers_json(const config::DynamicConfig& config) {
    Json::Array list;
    for (const config::Peer& peer : config.peers) {
        list.push_back(
            Json::object({{"name", peer.name},
                          {"keys", Json::list(peer.keys)},
                          {"scopes", std::uint64_t{peer.scopes.size()}},
                          {"roles", Json::list(peer.roles)},
                          {"enabled", peer.enabled},
                          {"expires", peer.expires.has_value()},
                          {"address", peer.address ? Json(peer.address->to_string()) : Json()}}));
    }
    return list;
}

Json limits_json(const EndpointLimits& limits) {
    const auto seconds = [](Duration duration) {
        return std::chrono::duration<double>(duration).count();
    };
    return Json::object(
        {{"connections_max", std::uint64_t{limits.connections_max}},
         {"connections_per_ip_max", std::uint64_t{limits.connections_per_ip_max}},
         {"connections_per_identity_max", std::uint64_t{limits.connections_per_identity_max}},
         {"half_open_max", std::uint64_t{limits.half_open_max}},
         {"half_open_retry", std::uint64_t{limits.half_open_retry}},
         {"handshake_timeout", seconds(limits.handshake_timeout)},
         {"idle_timeout", seconds(limits.idle_timeout)},
         {"streams_max", limits.streams_max},
         {"connection_bytes_max", limits.connection_bytes_max},
         {"shutdown_grace", seconds(limits.shutdown_grace)}});
}

Json config_json(const config::Config& config) {
    Json::Array alpns;
    for (const auto& [name, rules] : config.dynamic.alpns) {
        alpns.push_back(Json::object({{"name", name},
                                      {"identity_required", rules.identity_required},
                                      {"quic", rules.transports.quic},
                                      {"tcp", rules.transports.tcp}}));
    }
    return Json::object({{"loops", std::uint64_t{config.fixed.loops}},
                         {"qlog", !config.fixed.qlog_directory.empty()},
                         {"listeners", listeners_json(config.dynamic)},
                         {"limits", limits_json(config.dynamic.limits)},
                         {"certificates", std::uint64_t{config.dynamic.certificates.size()}},
                         {"peers", peers_json(config.dynamic)},
                         {"roles", std::uint64_t{config.dynamic.roles.size()}},
                         {"alpns", std::move(alpns)}});
}

Json home_json(const fs::path& home) {
    Json::Array files;
    std::error_code ignored;
    for (fs::directory_iterator entry(home, ignored), end;
         !ignored && entry != end && files.size() < kHomeFilesMax; entry.increment(ignored)) {
        std::error_code gone;
        const auto status = entry->symlink_status(gone);
        const auto mode = static_cast<unsigned>(status.permissions());
        const bool regular = fs::is_regular_file(status);
        files.push_back(Json::object(
            {{"name", entry->path().filename().native()},
             {"mode", fmt::format("{:04o}", mode)},
             {"bytes", regular ? Json(std::uint64_t{entry->file_size(gone)}) : Json()}}));
    }
    return files;
}

Json environment_json() {
    Json::Object variables;
    for (const char* name : kProxyVariables) {
        if (const char* value = std::getenv(name); value != nullptr) {
            const auto parsed = net::ProxyUrl::parse(value);
            variables.emplace_back(name, parsed ? parsed->to_string() : "not understood");
        }
    }
    for (const char* name : kOtherVariables) {
        if (std::getenv(name) != nullptr) {
            variables.emplace_back(name, "set");
        }
    }
    return variables;
}

// Which rung worked, without to whom; the keys of nodes have names like all keys.
Json paths_json(Bundling& bundling) {
    const std::string text = load_path_memory(bundling.home / "paths", Log()).to_text();
    Json::Array lines;
    std::string_view rest = text;
    for (std::size_t number = 0; !rest.empty(); ++number) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view one = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        const std::size_t network = one.find(' ');
        if (number == 0 || network == std::string_view::npos) {
            continue;
        }
        const std::string_view behind = one.substr(network + 1);
        const std::string_view node = behind.substr(0, behind.find(' '));
        if (!node.starts_with("ed25519:")) {
            bundling.redact.hide(node.substr(0, node.rfind(':')), "host");
        }
        lines.emplace_back(behind);
    }
    return lines;
}

result<Json> log_json(const Bundling& bundling) {
    if (bundling.options.log.empty()) {
        return Json();
    }
    std::error_code missing;
    if (!fs::exists(bundling.options.log, missing)) {
        return fail(causes::kIo, bundling.options.log.native() + ": no such file");
    }
    const doctor::LogDigest digest =
        doctor::digest_log(read_end(bundling.options.log, kLogBytesMax));
    return Json::object(
        {{"lines", Json::list(digest.lines)}, {"left_out", std::uint64_t{digest.left_out}}});
}

// A configuration with a mistake is told by where the mistake is; the reason may quote it.
std::vector<doctor::Check> checks_without_quotes(std::vector<doctor::Check> checks) {
    for (doctor::Check& check : checks) {
        if (check.name == "key and configuration") {
            const std::size_t quote = check.value.find_first_of("'\"`");
            if (quote != std::string::npos) {
                check.value = check.value.substr(0, quote) + std::string(Redactor::kSecret);
            }
        }
    }
    return checks;
}

result<Json> make_bundle(Bundling& bundling, const BundleContents& contents) {
    hide_all(bundling);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
    ALKNET_TRY(Json log, log_json(bundling));
    const bool home = !bundling.home.empty();
    Json paths = home ? paths_json(bundling) : Json();
    const Json all =
        Json::object({{"bundle", 1},
                      {"left_out", Json::list(kLeftOut)},
                      {"program", "alknet " + std::string(kVersion)},
                      {"made", doctor::utc_text(seconds)},
                      {"machine", machine_json()},
                      {"environment", environment_json()},
                      {"checks", checks_json(checks_without_quotes(contents.checks))},
                      {"home", home ? home_json(bundling.home) : Json()},
                      {"configuration", bundling.config ? config_json(*bundling.config) : Json()},
                      {"paths", std::move(paths)},
                      {"pair", contents.pair ? *contents.pair : Json()},
                      {"log", std::move(log)}});
    return all.with_texts([&](std::string_view text) { return bundling.redact(text); });
}

result<void> write_new_file(const fs::path& file, std::string_view text) {
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) {
        return os_fail("open", errno, file.native());
    }
    while (!text.empty()) {
        const ssize_t written = ::write(fd.get(), text.data(), text.size());
        if (written < 0) {
            return os_fail("write", errno, file.native());
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace

result<void> write_bundle(const CommandLine& line, const DoctorOptions& options,
                          const BundleContents& contents) {
    Bundling bundling{.line = line, .options = options};
    if (const auto home = home_directory(line); home && fs::is_directory(*home)) {
        bundling.home = *home;
        if (const auto opened = config::Home::open(*home, services())) {
            auto stored = stored_peers(*opened);
            if (stored) {
                bundling.stored = std::move(*stored);
            }
            if (auto config = opened->load_config()) {
                auto written = written_peers(place_of(*opened), config->dynamic, bundling.stored);
                std::ranges::move(written.list.peers, std::back_inserter(bundling.stored.peers));
                bundling.config = std::move(*config);
            }
        }
    }
    ALKNET_TRY(const Json bundle, make_bundle(bundling, contents));
    if (options.bundle == "-") {
        return print_line(bundle.text());
    }
    ALKNET_CHECK(write_new_file(options.bundle, bundle.text() + "\n"));
    if (line.json) {
        return print_line(
            Json::object({{"bundle", options.bundle.native()}, {"left_out", Json::list(kLeftOut)}})
                .text());
    }
    std::string text = "wrote " + printable(options.bundle.native()) + "\nit does not have\n";
    for (const std::string_view one : kLeftOut) {
        text.append("  ").append(one).append("\n");
    }
    return print_text(text + "look through it before you send it\n");
}

}  // namespace alknet::app
