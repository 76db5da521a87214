#include <openssl/hmac.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/ssh/known_hosts.hpp>
#include <array>
#include <cctype>
#include <utility>

#include "host_key.hpp"
#include "openssl.hpp"

namespace alknet::ssh {

namespace {

constexpr std::string_view kBlanks = " \t\r";
constexpr std::string_view kHashed = "|1|";
constexpr std::size_t kSha1Bytes = 20;

char lower(char c) noexcept {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

std::string_view next_word(std::string_view& rest) noexcept {
    const std::size_t begin = std::min(rest.find_first_not_of(kBlanks), rest.size());
    rest.remove_prefix(begin);
    const std::size_t end = std::min(rest.find_first_of(kBlanks), rest.size());
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(end);
    return word;
}

// `|1|SALT|HASH`, the latter being the HMAC-SHA-1 of the name.
bool is_hash_of(std::string_view hashed, std::string_view name) {
    hashed.remove_prefix(kHashed.size());
    const std::size_t bar = hashed.find('|');
    if (bar == std::string_view::npos) {
        return false;
    }
    const auto salt = base64_decode(hashed.substr(0, bar));
    const auto hash = base64_decode(hashed.substr(bar + 1));
    if (!salt || !hash || salt->size() != kSha1Bytes || hash->size() != kSha1Bytes) {
        return false;
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> made{};
    unsigned int size = 0;
    const BytesView text = as_bytes(name);
    if (HMAC(EVP_sha1(), salt->data(), static_cast<int>(salt->size()), octets(text), text.size(),
             made.data(), &size) == nullptr) {
        return false;
    }
    return size == hash->size() && std::ranges::equal(view_octets(made.data(), size), *hash);
}

// Patterns with commas; one with `!` that fits takes the host out, whatever the others say.
bool names_host(std::string_view patterns, std::string_view name) {
    if (patterns.starts_with(kHashed)) {
        return is_hash_of(patterns, name);
    }
    bool found = false;
    while (!patterns.empty()) {
        const std::size_t end = std::min(patterns.find(','), patterns.size());
        std::string_view pattern = patterns.substr(0, end);
        patterns.remove_prefix(std::min(end + 1, patterns.size()));
        const bool negative = pattern.starts_with('!');
        pattern.remove_prefix(negative ? 1 : 0);
        if (!matches_pattern(name, pattern)) {
            continue;
        }
        if (negative) {
            return false;
        }
        found = true;
    }
    return found;
}

}  // namespace

bool matches_pattern(std::string_view text, std::string_view pattern) noexcept {
    std::size_t at = 0;
    std::size_t in = 0;
    std::size_t star = std::string_view::npos;  // the last one, and where it has got to
    std::size_t begun = 0;
    while (at < text.size()) {
        if (in < pattern.size() && pattern[in] == '*') {
            star = in++;
            begun = at;
        } else if (in < pattern.size() &&
                   (pattern[in] == '?' || lower(pattern[in]) == lower(text[at]))) {
            ++in;
            ++at;
        } else if (star != std::string_view::npos) {
            in = star + 1;
            at = ++begun;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', in) == std::string_view::npos;
}

result<KnownHosts> KnownHosts::parse(std::string_view text) {
    if (text.size() > kKnownHostsBytesMax) {
        return fail(causes::kLimit, "known_hosts is too large");
    }
    KnownHosts hosts;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        hosts.parse_line(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (hosts.lines_.size() > kKnownHostsLinesMax) {
            return fail(causes::kLimit, "known_hosts has too many lines");
        }
    }
    return hosts;
}

void KnownHosts::parse_line(std::string_view text) {
    std::string_view first = next_word(text);
    Line line;
    if (first.starts_with('@')) {
        line.revoked = first == "@revoked";
        if (!line.revoked) {
            return;  // authorities of host certificates, which are not asked for
        }
        first = next_word(text);
    }
    const std::string_view type = next_word(text);
    const std::string_view key = next_word(text);
    if (first.empty() || first.starts_with('#') || key.empty() ||
        std::ranges::count(first, ',') >= static_cast<std::ptrdiff_t>(kKnownHostPatternsMax)) {
        return;
    }
    line.ed25519 = type == "ssh-ed25519";
    if (line.ed25519) {
        const auto blob = base64_decode(key);
        const auto id = read_host_key(blob ? BytesView(*blob) : BytesView());
        if (!id) {
            return;
        }
        line.key = *id;
    }
    line.hosts = first;
    lines_.push_back(std::move(line));
}

KnownHosts::Verdict KnownHosts::check(std::string_view host, std::uint16_t port,
                                      const NodeId& key) const {
    std::string name = name_of(host, port);
    std::ranges::transform(name, name.begin(), lower);  // before it is hashed
    Verdict verdict = Verdict::unknown;
    for (const Line& line : lines_) {
        const bool same = line.ed25519 && line.key == key;
        if ((line.revoked && !same) || !names_host(line.hosts, name)) {
            continue;
        }
        if (line.revoked) {
            return Verdict::revoked;
        }
        if (same) {
            verdict = Verdict::known;
        } else if (verdict != Verdict::known) {
            const bool only_others = !line.ed25519 && verdict != Verdict::changed;
            verdict = only_others ? Verdict::other_kind : Verdict::changed;
        }
    }
    return verdict;
}

void KnownHosts::add(const KnownHosts& more) {
    lines_.insert(lines_.end(), more.lines_.begin(), more.lines_.end());
}

std::string KnownHosts::name_of(std::string_view host, std::uint16_t port) {
    if (port == kSshPort) {
        return std::string(host);
    }
    return "[" + std::string(host) + "]:" + std::to_string(port);
}

std::string KnownHosts::line_of(std::string_view host, std::uint16_t port, const NodeId& key) {
    return name_of(host, port) + " " + key.openssh() + "\n";
}

}  // namespace alknet::ssh
