#include <algorithm>
#include <alknet/doctor/redact.hpp>
#include <alknet/net/socket_address.hpp>
#include <array>
#include <optional>

namespace alknet::doctor {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
// What a name can consist of, so that `al` is not found in `alknet`.
bool in_name(char c) {
    return is_digit(c) || is_letter(c) || c == '-' || c == '_';
}

std::string small(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return out;
}

// Between these a text is cut into words; they stay.
constexpr std::string_view kBetween = " \t\r\n\"'`,;()<>{}|=";
// These belong to a word inside of it, and not at its end.
constexpr std::string_view kAtEnd = ".:!?";

bool same_everywhere(const SocketAddress& address) {
    return address.is_loopback() || address.is_any();
}

// What a helper needs to know of an address that he is not told.
std::string_view kind_of(const SocketAddress& address) {
    const auto ip = address.ip();
    if (address.family() == SocketAddress::Family::v4) {
        const bool inside =
            ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) || (ip[0] == 192 && ip[1] == 168);
        const bool shared = ip[0] == 100 && (ip[1] & 0xc0) == 64;
        return inside ? "private-v4" : shared ? "shared-v4" : "public-v4";
    }
    const bool local = ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
    const bool unique = (ip[0] & 0xfe) == 0xfc;
    return local ? "link-local-v6" : unique ? "private-v6" : "public-v6";
}

std::optional<SocketAddress> parse_ip(std::string_view text) {
    const std::string bare(text);
    const bool v6 = bare.find(':') != std::string::npos;
    const auto parsed =
        SocketAddress::parse(v6 && !bare.starts_with('[') ? "[" + bare + "]:1" : bare + ":1");
    return parsed ? std::optional(*parsed) : std::nullopt;
}

// Many characters, of letters and digits both, as of keys and tokens in any of their forms.
bool looks_random(std::string_view text) {
    if (text.size() < Redactor::kRandomCharactersMin) {
        return false;
    }
    const auto fits = [](char c) {
        return is_digit(c) || is_letter(c) || c == '+' || c == '/' || c == '_' || c == '-' ||
               c == '=' || c == '%';
    };
    return std::ranges::all_of(text, fits) && std::ranges::any_of(text, is_digit) &&
           std::ranges::any_of(text, is_letter);
}

}  // namespace

void Redactor::drop(std::string_view secret) {
    if (secret.size() < kSecretCharactersMin) {
        return;
    }
    const auto place = std::ranges::find_if(
        secrets_, [&](const std::string& one) { return one.size() <= secret.size(); });
    secrets_.emplace(place, secret);
}

std::string Redactor::name(std::string_view word, std::string_view kind) {
    const std::string key = small(word);
    if (const auto found = names_.find(key); found != names_.end()) {
        return found->second;
    }
    std::size_t& count = counted_.try_emplace(std::string(kind), 0).first->second;
    std::string named = std::string(kind) + "-" + std::to_string(++count);
    names_.emplace(key, named);
    return named;
}

void Redactor::hide(std::string_view word, std::string_view kind) {
    if (const auto ip = parse_ip(word); !word.empty() && !ip) {
        (void)name(word, kind);
    }
}

// At each place the longest of all that begins there.
std::string Redactor::without_known(std::string_view text) const {
    const std::string folded = small(text);
    const std::string_view low = folded;
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto secret = std::ranges::find_if(
            secrets_, [&](const std::string& one) { return text.substr(at).starts_with(one); });
        if (secret != secrets_.end()) {
            out += kSecret;
            at += secret->size();
            continue;
        }
        const std::pair<const std::string, std::string>* best = nullptr;
        for (const auto& entry : names_) {
            const std::size_t end = at + entry.first.size();
            const bool whole =
                (at == 0 || !in_name(text[at - 1])) && (end >= text.size() || !in_name(text[end]));
            if (whole && low.substr(at).starts_with(entry.first) &&
                (best == nullptr || best->first.size() < entry.first.size())) {
                best = &entry;
            }
        }
        if (best != nullptr) {
            out += best->second;
            at += best->first.size();
        } else {
            out += text[at++];
        }
    }
    return out;
}

std::string Redactor::address(std::string_view text) {
    // With a port, or without one.
    const auto with_port = SocketAddress::parse(text);
    const auto parsed = with_port ? std::optional(*with_port) : parse_ip(text);
    if (!parsed || same_everywhere(*parsed)) {
        return std::string(text);
    }
    const std::string named = name(parsed->ip_text(), kind_of(*parsed));
    return with_port ? named + ":" + std::to_string(parsed->port()) : named;
}

std::string Redactor::word(std::string_view text) {
    if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos) {
        std::string_view rest = text.substr(scheme + 3);
        const std::size_t path = std::min(rest.find_first_of("/?#"), rest.size());
        std::string_view host = rest.substr(0, path);
        std::string user;
        if (const std::size_t at = host.rfind('@'); at != std::string_view::npos) {
            user = text.starts_with("alknet://") ? word(host.substr(0, at)) + "@"
                                                 : std::string(kSecret) + "@";
            host.remove_prefix(at + 1);
        }
        const bool more = path < rest.size();
        return std::string(text.substr(0, scheme + 3)) + user + word(host) +
               (more ? "/" + std::string(kSecret) : "");
    }
    for (const std::string_view prefix : {"ed25519:", "x509-sha256:", "SHA256:"}) {
        if (text.starts_with(prefix) && text.size() > prefix.size()) {
            return std::string(prefix) + name(text.substr(prefix.size()), "key");
        }
    }
    if (text.size() == 64 && std::ranges::all_of(text, is_hex)) {
        return name(text, "key");
    }
    // NETWORK/BITS
    if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
        const std::string before = address(text.substr(0, slash));
        if (before != text.substr(0, slash)) {
            return before + std::string(text.substr(slash));
        }
    }
    return looks_random(text) ? std::string(kSecret) : address(text);
}

std::string Redactor::operator()(std::string_view text) {
    const std::string known = without_known(text);
    std::string_view rest = known;
    std::string out;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find_first_of(kBetween), rest.size());
        std::string_view token = rest.substr(0, end);
        const std::size_t last = token.find_last_not_of(kAtEnd);
        const std::size_t size = last == std::string_view::npos ? 0 : last + 1;
        // `::` is an address, and ends like a sentence.
        const bool whole = token == "::" || token.ends_with("::");
        out += whole ? word(token) : word(token.substr(0, size));
        out += whole ? std::string_view() : token.substr(size);
        rest.remove_prefix(end);
        if (!rest.empty()) {
            out += rest.front();
            rest.remove_prefix(1);
        }
    }
    return out;
}

namespace {

// Of the fields of an event, those whose values come from a short list, or are numbers.
constexpr std::array<std::string_view, 30> kTold = {
    "time",     "level", "event",  "reason",      "id",         "transport", "alpn",  "code",
    "duration", "bytes", "result", "resumed",     "listeners",  "peers",     "loops", "rung",
    "version",  "quic",  "tcp",    "count",       "suppressed", "dropped",   "limit", "status",
    "loop",     "tls",   "cipher", "connections", "error_id",   "what"};

bool told(std::string_view key) {
    return std::ranges::find(kTold, key) != kTold.end();
}

// A quoted text, which is taken off; nullopt if it has no end.
std::optional<std::string_view> take_quoted(std::string_view& text) {
    for (std::size_t at = 1; at < text.size(); ++at) {
        if (text[at] == '\\') {
            ++at;
        } else if (text[at] == '"') {
            const std::string_view quoted = text.substr(0, at + 1);
            text.remove_prefix(at + 1);
            return quoted;
        }
    }
    return std::nullopt;
}

std::optional<std::string_view> take_value(std::string_view& text, std::string_view ends) {
    if (text.starts_with('"')) {
        return take_quoted(text);
    }
    const std::size_t end = std::min(text.find_first_of(ends), text.size());
    const std::string_view value = text.substr(0, end);
    text.remove_prefix(end);
    return value;
}

void tell(std::string& into, std::string_view key, std::string_view value) {
    if (told(key)) {
        into.append(into.empty() ? "" : " ").append(key).append("=").append(value);
    }
}

// `key=value key="a value"`
std::optional<std::string> digest_text(std::string_view line) {
    std::string out;
    while (!line.empty()) {
        const std::size_t equal = line.find('=');
        if (equal == std::string_view::npos) {
            return std::nullopt;
        }
        const std::string_view key = line.substr(0, equal);
        line.remove_prefix(equal + 1);
        const auto value = take_value(line, " ");
        if (!value) {
            return std::nullopt;
        }
        tell(out, key, *value);
        line.remove_prefix(line.empty() ? 0 : 1);
    }
    return out;
}

// `{"key":"a value","key":1}`, without anything nested.
std::optional<std::string> digest_json(std::string_view line) {
    std::string out;
    line.remove_prefix(1);
    while (line.starts_with('"')) {
        const auto key = take_quoted(line);
        if (!key || !line.starts_with(':')) {
            return std::nullopt;
        }
        line.remove_prefix(1);
        const auto value = take_value(line, ",}");
        if (!value || line.empty()) {
            return std::nullopt;
        }
        tell(out, key->substr(1, key->size() - 2), *value);
        line.remove_prefix(1);
    }
    return out;
}

// Behind what journalctl and others put before it.
std::optional<std::string> digest_line(std::string_view line) {
    if (const std::size_t at = line.find("{\"time\":"); at != std::string_view::npos) {
        return digest_json(line.substr(at));
    }
    if (const std::size_t at = line.find("time="); at != std::string_view::npos) {
        return digest_text(line.substr(at));
    }
    return std::nullopt;
}

}  // namespace

LogDigest digest_log(std::string_view text) {
    LogDigest digest;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        auto told = digest_line(line);
        if (told && !told->empty()) {
            digest.lines.push_back(std::move(*told));
        } else {
            ++digest.left_out;
        }
    }
    if (digest.lines.size() > LogDigest::kLinesMax) {
        const std::size_t more = digest.lines.size() - LogDigest::kLinesMax;
        digest.left_out += more;
        digest.lines.erase(digest.lines.begin(),
                           digest.lines.begin() + static_cast<std::ptrdiff_t>(more));
    }
    return digest;
}

}  // namespace alknet::doctor
