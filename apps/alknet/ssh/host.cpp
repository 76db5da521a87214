#include "host.hpp"

#include <glob.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/ssh/ssh_config.hpp>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <utility>

#include "keys.hpp"

namespace alknet::app {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSystemDirectory = "/etc/ssh";
constexpr std::string_view kNone = "none";

std::string own_user() {
    const passwd* const entry = ::getpwuid(::geteuid());
    return entry == nullptr ? std::to_string(::geteuid()) : entry->pw_name;
}

std::string home_directory_of_user() {
    const char* const home = std::getenv("HOME");
    return home == nullptr ? "" : home;
}

std::string with_home(std::string path) {
    if (path == "~" || path.starts_with("~/")) {
        path.replace(0, 1, home_directory_of_user());
    }
    return path;
}

/// Empty if there is none.
result<std::string> config_text(const fs::path& file) {
    struct stat status{};
    if (::stat(file.c_str(), &status) != 0) {
        return std::string();
    }
    constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;
    if ((status.st_uid != 0 && status.st_uid != ::geteuid()) ||
        (status.st_mode & kOthersWrite) != 0) {
        return fail(causes::kHomeInvalid, file.native() + ": others than its owner may write it");
    }
    std::ifstream in(file, std::ios::binary);
    std::string text(ssh::kConfigBytesMax + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    return text;
}

struct Glob {
    Glob() = default;
    Glob(const Glob&) = delete;
    Glob& operator=(const Glob&) = delete;
    ~Glob() { ::globfree(&found); }
    glob_t found{};
};

result<std::vector<std::string>> included(const fs::path& directory, const std::string& pattern) {
    const fs::path full = directory / with_home(pattern);
    Glob glob;
    std::vector<std::string> texts;
    if (::glob(full.c_str(), 0, nullptr, &glob.found) != 0) {
        return texts;
    }
    for (std::size_t i = 0; i < glob.found.gl_pathc && i <= ssh::kConfigFilesMax; ++i) {
        ALKNET_TRY(std::string text, config_text(glob.found.gl_pathv[i]));
        texts.push_back(std::move(text));
    }
    return texts;
}

result<ssh::HostSettings> settings_of(const std::string& host) {
    fs::path directory;
    ssh::HostSettingsReader reader(
        host, [&directory](const std::string& pattern) { return included(directory, pattern); });
    std::vector<std::pair<fs::path, std::string>> places = {
        {fs::path(kSystemDirectory), "ssh_config"}};
    if (const auto own = ssh_directory()) {
        places.insert(places.begin(), {*own, "config"});
    }
    for (const auto& [where, name] : places) {
        directory = where;
        ALKNET_TRY(const std::string text, config_text(where / name));
        auto read = reader.read(text);
        if (!read) {
            return unexpected(std::move(read).error().within((where / name).native()));
        }
    }
    return reader.settings();
}

/// `[USER@]HOST[:PORT]`, with ssh:// or without.
result<std::vector<SshPlace>> jumps_of(const std::string& text) {
    if (text.empty() || text == kNone) {
        return std::vector<SshPlace>();
    }
    std::string full;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string one = text.substr(begin, end - begin);
        full += (full.empty() ? "" : ",") + (one.starts_with("ssh://") ? one : "ssh://" + one);
        begin = end + 1;
    }
    return SshPlace::parse_jumps(full);
}

}  // namespace

result<SshHost> ssh_host(const SshPlace& place) {
    ALKNET_TRY(const ssh::HostSettings settings, settings_of(place.host));
    SshHost host;
    host.port = place.port.value_or(settings.port.value_or(SshPlace::kPort));
    host.user = !place.user.empty() ? place.user : settings.user;
    host.user = host.user.empty() ? own_user() : host.user;
    const auto token = [&](char name) -> std::optional<std::string> {
        switch (name) {
            case 'h':
                return host.host.empty() ? place.host : host.host;
            case 'n':
                return place.host;
            case 'p':
                return std::to_string(host.port);
            case 'r':
                return host.user;
            case 'u':
                return own_user();
            case 'd':
                return home_directory_of_user();
            default:
                return std::nullopt;
        }
    };
    host.host =
        settings.host_name.empty() ? place.host : ssh::expand_tokens(settings.host_name, token);
    host.known_as = host.host;
    host.known_port = host.port;
    if (!settings.host_key_alias.empty()) {
        host.known_as = settings.host_key_alias;
        host.known_port = SshPlace::kPort;
    }
    for (const std::string& file : settings.identity_files) {
        if (file != kNone) {
            host.identity_files.emplace_back(with_home(ssh::expand_tokens(file, token)));
        }
    }
    if (settings.identity_agent != "SSH_AUTH_SOCK") {
        host.agent = with_home(ssh::expand_tokens(settings.identity_agent, token));
    }
    if (host.agent.starts_with('$')) {
        const char* const value = std::getenv(host.agent.c_str() + 1);
        host.agent = value == nullptr ? std::string(kNone) : value;
    }
    ALKNET_TRY(host.jumps, jumps_of(settings.proxy_jump));
    return host;
}

}  // namespace alknet::app
