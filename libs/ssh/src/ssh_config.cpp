#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/number.hpp>
#include <alknet/ssh/known_hosts.hpp>
#include <alknet/ssh/ssh_config.hpp>
#include <cctype>
#include <utility>

namespace alknet::ssh {

namespace {

constexpr std::string_view kBlanks = " \t\r\f\v";

std::unexpected<error> invalid(std::string_view why) {
    return fail(causes::kConfigInvalid, std::string(why));
}

std::string lower(std::string_view text) {
    std::string made(text);
    std::ranges::transform(made, made.begin(), [](char c) {
        return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    });
    return made;
}

/// Words with blanks between them, some in quotes; nothing behind `#`.
result<std::vector<std::string>> words_of(std::string_view text) {
    std::vector<std::string> words;
    for (;;) {
        text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
        if (text.empty() || text.front() == '#') {
            return words;
        }
        const bool quoted = text.front() == '"';
        text.remove_prefix(quoted ? 1 : 0);
        std::size_t end = quoted ? text.find('"') : text.find_first_of(kBlanks);
        if (quoted && end == std::string_view::npos) {
            return invalid("a quote that does not end");
        }
        end = std::min(end, text.size());
        words.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + (quoted ? 1 : 0), text.size()));
    }
}

bool names(const std::vector<std::string>& patterns, std::string_view host) {
    bool found = false;
    for (const std::string_view pattern : patterns) {
        const bool negative = pattern.starts_with('!');
        if (matches_pattern(host, pattern.substr(negative ? 1 : 0))) {
            if (negative) {
                return false;
            }
            found = true;
        }
    }
    return found;
}

void set_once(std::string& into, const std::string& value) {
    if (into.empty()) {
        into = value;
    }
}

}  // namespace

result<void> HostSettingsReader::read(std::string_view text) {
    return read_file(text, 0);
}

result<void> HostSettingsReader::read_file(std::string_view text, std::size_t depth) {
    if (text.size() > kConfigBytesMax) {
        return fail(causes::kLimit, "a file of ssh_config is too large");
    }
    if (depth > kConfigDepthMax || ++files_ > kConfigFilesMax) {
        return fail(causes::kLimit, "ssh_config includes too many files");
    }
    bool applies = true;
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        const std::size_t end = std::min(text.find('\n'), text.size());
        auto done = end > kConfigLineBytesMax ? invalid("the line is too long")
                                              : read_line(text.substr(0, end), applies, depth);
        if (!done) {
            return unexpected(
                std::move(done).error().within("ssh_config line " + std::to_string(number)));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return {};
}

// KEYWORD VALUE…, or KEYWORD=VALUE.
result<void> HostSettingsReader::read_line(std::string_view line, bool& applies,
                                           std::size_t depth) {
    line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
    const std::size_t end = std::min(line.find_first_of(" \t\r\f\v="), line.size());
    const std::string keyword = lower(line.substr(0, end));
    if (keyword.empty() || keyword.starts_with('#')) {
        return {};
    }
    std::string_view rest = line.substr(end);
    rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
    rest.remove_prefix(rest.starts_with('=') ? 1 : 0);
    ALKNET_TRY(const std::vector<std::string> words, words_of(rest));
    if (keyword == "host") {
        applies = names(words, host_);
        return {};
    }
    if (keyword == "match") {
        applies = words.size() == 1 && lower(words[0]) == "all";
        return {};
    }
    if (!applies) {
        return {};
    }
    return keyword == "include" ? include(words, depth) : set(keyword, words);
}

result<void> HostSettingsReader::include(const std::vector<std::string>& patterns,
                                         std::size_t depth) {
    for (const std::string& pattern : patterns) {
        ALKNET_TRY(const std::vector<std::string> texts, include_(pattern));
        for (const std::string& text : texts) {
            ALKNET_CHECK(read_file(text, depth + 1));
        }
    }
    return {};
}

result<void> HostSettingsReader::set(const std::string& keyword,
                                     const std::vector<std::string>& words) {
    const std::string value = words.empty() ? std::string() : words.front();
    const bool followed = keyword == "hostname" || keyword == "user" || keyword == "port" ||
                          keyword == "identityfile" || keyword == "identityagent" ||
                          keyword == "proxyjump" || keyword == "hostkeyalias";
    if (!followed) {
        return {};
    }
    if (value.empty()) {
        return invalid("a value is missing");
    }
    if (keyword == "hostname") {
        set_once(settings_.host_name, value);
    } else if (keyword == "user") {
        set_once(settings_.user, value);
    } else if (keyword == "identityagent") {
        set_once(settings_.identity_agent, value);
    } else if (keyword == "proxyjump") {
        set_once(settings_.proxy_jump, value);
    } else if (keyword == "hostkeyalias") {
        set_once(settings_.host_key_alias, value);
    } else if (keyword == "identityfile") {
        if (settings_.identity_files.size() >= kIdentityFilesMax) {
            return fail(causes::kLimit, "too many IdentityFiles");
        }
        settings_.identity_files.push_back(value);
    } else {
        const auto port = parse_number<std::uint16_t>(value);
        if (!port || *port == 0) {
            return invalid("Port is a number from 1 to 65535");
        }
        settings_.port = settings_.port.value_or(*port);
    }
    return {};
}

std::string expand_tokens(std::string_view text,
                          const std::function<std::optional<std::string>(char)>& token) {
    std::string made;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%' || i + 1 == text.size()) {
            made += text[i];
            continue;
        }
        const char name = text[++i];
        const auto value = name == '%' ? std::string("%") : token(name);
        made += value ? *value : std::string({'%', name});
    }
    return made;
}

}  // namespace alknet::ssh
