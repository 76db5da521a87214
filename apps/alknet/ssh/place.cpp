#include "place.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/number.hpp>
#include <utility>

namespace alknet::app {

namespace {

constexpr std::string_view kScheme = "ssh://";

std::unexpected<error> invalid(std::string_view text) {
    return fail(causes::kAddressInvalid,
                std::string(text.substr(0, SshPlace::kTextBytesMax)) +
                    ": an SSH server is ssh://[USER@]HOST[:PORT], or a node's ADDRESS");
}

bool is_host(std::string_view host) noexcept {
    return !host.empty() && !host.starts_with('-') && std::ranges::all_of(host, [](char c) {
        return c > ' ' && c != '/' && c != '\\' && c != '"' && c != '\'' && c < 0x7F;
    });
}

}  // namespace

result<SshPlace> SshPlace::parse(std::string_view text) {
    if (text.empty() || text.size() > kTextBytesMax) {
        return invalid(text);
    }
    SshPlace place{.text = std::string(text), .user = {}, .host = {}};
    if (!text.starts_with(kScheme)) {
        return place;
    }
    place.stock = true;
    std::string_view rest = text.substr(kScheme.size());
    if (rest.ends_with('/')) {
        rest.remove_suffix(1);
    }
    const std::size_t at = rest.rfind('@');
    if (at != std::string_view::npos) {
        place.user = rest.substr(0, at);
        rest.remove_prefix(at + 1);
        if (place.user.empty()) {
            return invalid(text);
        }
    }
    std::string_view port;
    if (rest.starts_with('[')) {
        const std::size_t end = rest.find(']');
        if (end == std::string_view::npos) {
            return invalid(text);
        }
        place.host = rest.substr(1, end - 1);
        port = rest.substr(end + 1);
    } else {
        const std::size_t end = std::min(rest.find(':'), rest.size());
        place.host = rest.substr(0, end);
        port = rest.substr(end);
    }
    if (!port.empty()) {
        const auto number = parse_number<std::uint16_t>(port.substr(1));
        if (port.front() != ':' || !number || *number == 0) {
            return invalid(text);
        }
        place.port = number;
    }
    if (!is_host(place.host)) {
        return invalid(text);
    }
    return place;
}

result<std::vector<SshPlace>> SshPlace::parse_jumps(std::string_view text) {
    std::vector<SshPlace> jumps;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(','), text.size());
        ALKNET_TRY(SshPlace place, parse(text.substr(0, end)));
        jumps.push_back(std::move(place));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (jumps.size() > kJumpsMax) {
            return fail(causes::kLimit, "too many hosts to jump through");
        }
    }
    return jumps;
}

}  // namespace alknet::app
