#include <algorithm>
#include <alknet/base/number.hpp>
#include <alknet/base/utf8.hpp>
#include <alknet/identity/authorized_keys.hpp>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/names.hpp>
#include <array>
#include <ctime>
#include <map>
#include <utility>

namespace alknet::identity {

namespace {

constexpr std::string_view kBlank = " \t";
constexpr std::string_view kKeyType = "ssh-ed25519";
// They give back what `restrict` takes, and alone they change nothing.
constexpr std::array<std::string_view, 5> kPermissions = {"agent-forwarding", "port-forwarding",
                                                          "pty", "user-rc", "x11-forwarding"};
/// Others of OpenSSH. What is none may be a line of any other file, a secret even, and is not told.
constexpr std::array<std::string_view, 16> kOthers = {"agent-forwarding",
                                                      "cert-authority",
                                                      "command",
                                                      "environment",
                                                      "from",
                                                      "no-agent-forwarding",
                                                      "no-port-forwarding",
                                                      "no-pty",
                                                      "no-touch-required",
                                                      "no-user-rc",
                                                      "no-x11-forwarding",
                                                      "permitlisten",
                                                      "permitopen",
                                                      "principals",
                                                      "restrict",
                                                      "tunnel"};

std::string_view without_blanks(std::string_view text) noexcept {
    const std::size_t begin = std::min(text.find_first_not_of(kBlank), text.size());
    text.remove_prefix(begin);
    return text.substr(0, text.find_last_not_of(" \t\r") + 1);
}

// The first word, which is taken off together with the blanks behind it.
std::string_view take_word(std::string_view& text) noexcept {
    const std::string_view word = text.substr(0, text.find_first_of(kBlank));
    text = without_blanks(text.substr(word.size()));
    return word;
}

bool is_key_type(std::string_view word) noexcept {
    return word.starts_with("ssh-") || word.starts_with("sk-") || word.starts_with("ecdsa-") ||
           word.starts_with("rsa-");
}

std::string lower(std::string_view text) {
    std::string small(text);
    std::ranges::transform(small, small.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return small;
}

struct Option {
    std::string name;
    std::optional<std::string> value;
};

// Takes one option off the front; nullopt: a quotation does not end.
std::optional<Option> take_option(std::string_view& text) {
    const std::size_t end = std::min(text.find_first_of("=, \t\""), text.size());
    Option option{.name = lower(text.substr(0, end)), .value = std::nullopt};
    text.remove_prefix(end);
    if (!text.starts_with("=\"")) {
        return option;
    }
    std::string value;
    for (std::size_t i = 2; i < text.size(); ++i) {
        if (text[i] == '"') {
            text.remove_prefix(i + 1);
            option.value = std::move(value);
            return option;
        }
        i += text.substr(i).starts_with("\\\"") ? 1 : 0;
        value.push_back(text[i]);
    }
    return std::nullopt;
}

// YYYYMMDD[HHMM[SS]], and Z behind it for UTC; without it, the time of this machine.
std::optional<WallTime> parse_time(std::string_view text) {
    const bool utc = text.ends_with('Z');
    text.remove_suffix(utc ? 1 : 0);
    if (text.size() != 8 && text.size() != 12 && text.size() != 14) {
        return std::nullopt;
    }
    std::string digits(text);
    digits.resize(14, '0');
    if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) {
        return std::nullopt;
    }
    const auto number = [&](std::size_t at, std::size_t size) {
        return *parse_number<int>(std::string_view(digits).substr(at, size));
    };
    const std::chrono::year_month_day day(std::chrono::year(number(0, 4)),
                                          std::chrono::month(static_cast<unsigned>(number(4, 2))),
                                          std::chrono::day(static_cast<unsigned>(number(6, 2))));
    const int hour = number(8, 2);
    const int minute = number(10, 2);
    const int second = number(12, 2);
    if (!day.ok() || number(0, 4) < 1970 || number(0, 4) > 2200 || hour > 23 || minute > 59 ||
        second > 59) {
        return std::nullopt;
    }
    if (utc) {
        return std::chrono::sys_days(day) + std::chrono::hours(hour) +
               std::chrono::minutes(minute) + std::chrono::seconds(second);
    }
    std::tm local{};
    local.tm_year = number(0, 4) - 1900;
    local.tm_mon = number(4, 2) - 1;
    local.tm_mday = number(6, 2);
    local.tm_hour = hour;
    local.tm_min = minute;
    local.tm_sec = second;
    local.tm_isdst = -1;
    return WallTime(std::chrono::seconds(std::mktime(&local)));
}

// One line, as far as it could be read.
struct Line {
    std::optional<NodeId> key;
    std::optional<WallTime> expires;
    std::string name;
    std::string reason;  // why it is refused; empty: it is not

    void refuse(std::string why) {
        if (reason.empty()) {
            reason = std::move(why);
        }
    }
};

void apply(Line& line, const Option& option) {
    if (option.name == "expiry-time" && option.value) {
        const auto time = parse_time(*option.value);
        if (!time) {
            line.refuse("expiry-time is YYYYMMDD[HHMM[SS]], perhaps with Z behind it");
        } else if (!line.expires || *time < *line.expires) {
            line.expires = time;
        }
        return;
    }
    const bool harmless =
        !option.value && std::ranges::find(kPermissions, option.name) != kPermissions.end();
    if (!harmless) {
        const bool known = std::ranges::find(kOthers, option.name) != kOthers.end();
        line.refuse((known ? "the option '" + std::string(option.name) + "'" : "an option") +
                    " is not known here, and cannot be kept");
    }
}

// Takes the options off the front. They end at a blank outside quotation marks.
void take_options(Line& line, std::string_view& text) {
    for (;;) {
        const auto option = take_option(text);
        if (!option) {
            line.refuse("a quotation mark has no other one");
            text = {};
            return;
        }
        apply(line, *option);
        if (text.empty() || kBlank.find(text.front()) != std::string_view::npos) {
            text = without_blanks(text);
            return;
        }
        if (text.front() == ',') {
            text.remove_prefix(1);
            continue;
        }
        line.refuse("the options cannot be read");
        // What follows is looked for the key all the same: a later line must not free it.
        text = text.substr(std::min(text.find_first_of(kBlank), text.size()));
        text = without_blanks(text);
        return;
    }
}

// "alice@laptop" is alice-laptop here.
void set_name(Line& line, std::string_view comment) {
    line.name = comment;
    std::ranges::replace_if(line.name, [](char c) { return c == '@' || c == ' '; }, '-');
    if (comment.empty()) {
        line.refuse("it has no comment, which names the peer");
    } else if (!check_name(line.name)) {
        line.refuse(
            "its comment is no name for a peer: that takes at most 64 letters (a to z), "
            "digits, '.', '_', '-' and '@', and begins with a letter or digit");
    }
}

Line parse_line(std::string_view text) {
    Line line;
    if (text.size() > kAuthorizedLineBytesMax) {
        line.refuse("the line is longer than 8192 octets");
    }
    if (!is_key_type(text.substr(0, text.find_first_of(kBlank)))) {
        take_options(line, text);
    }
    const std::string type(take_word(text));
    if (type != kKeyType) {
        line.refuse(type.starts_with("sk-")
                        ? "a key in a security token cannot be proven in a TLS handshake"
                        : "only ssh-ed25519 keys can be proven here");
        return line;
    }
    const std::string digits(take_word(text));
    const auto key = NodeId::parse(type + " " + digits);
    if (!key) {
        line.refuse("the key cannot be read: " + key.error().detail());
        return line;
    }
    line.key = *key;
    set_name(line, text);
    return line;
}

}  // namespace

AuthorizedKeys parse_authorized_keys(std::string_view text) {
    AuthorizedKeys all;
    if (text.size() > kAuthorizedFileBytesMax) {
        all.refused.push_back({.line = 0, .reason = "the file is larger than 1 MiB"});
        return all;
    }
    std::map<NodeId, std::size_t> lines;
    std::size_t number = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view written = without_blanks(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        ++number;
        if (written.empty() || written.starts_with('#')) {
            continue;
        }
        Line line = parse_line(written);
        if (line.key) {
            const auto [first, fresh] = lines.emplace(*line.key, number);
            if (!fresh) {
                line.reason = "the key stands in line " + std::to_string(first->second) +
                              " too, and the first line decides";
            }
        }
        if (line.reason.empty() && all.keys.size() >= kAuthorizedKeysMax) {
            line.refuse("there are more than 10000 keys");
        }
        if (!line.reason.empty()) {
            all.refused.push_back({.line = number, .reason = std::move(line.reason)});
        } else {
            all.keys.push_back({.key = *line.key,
                                .name = std::move(line.name),
                                .expires = line.expires,
                                .line = number});
        }
    }
    return all;
}

std::vector<RefusedLine> add_authorized(PeerList& list, const AuthorizedKeys& keys,
                                        const AuthorizedSource& source) {
    std::map<std::string, std::string> names;   // by what they look like
    std::map<std::string, std::string> owners;  // of keys
    for (const PeerRecord& peer : list.peers) {
        names.emplace(name_skeleton(peer.name), peer.name);
        for (const std::string& fingerprint : peer.fingerprints) {
            for (const std::string& alias : fingerprint_aliases(fingerprint)) {
                owners.emplace(alias, peer.name);
            }
        }
    }
    std::vector<RefusedLine> refused = keys.refused;
    for (const AuthorizedKey& one : keys.keys) {
        const std::string fingerprint = one.key.fingerprint();
        std::string owner;
        for (const std::string& alias : fingerprint_aliases(fingerprint)) {
            const auto found = owners.find(alias);
            owner = found == owners.end() ? owner : found->second;
        }
        const auto [other, fresh] = names.emplace(name_skeleton(one.name), one.name);
        if (!owner.empty() || !fresh) {
            refused.push_back({.line = one.line,
                               .reason = !owner.empty() ? "the key belongs to peer '" + owner + "'"
                                                        : "the name " + one.name +
                                                              " is, or looks like, that of peer '" +
                                                              other->second + "'"});
            continue;
        }
        PeerRecord peer;
        peer.id = std::string(kAuthorizedIdPrefix) + one.name;
        peer.name = one.name;
        peer.fingerprints = {fingerprint};
        peer.grants = source.grants;
        peer.expires = one.expires;
        peer.renewable = false;
        peer.origin = {.file = source.file, .line = one.line};
        list.peers.push_back(std::move(peer));
    }
    std::ranges::sort(refused, {}, &RefusedLine::line);
    return refused;
}

}  // namespace alknet::identity
