#include <alknet/base/causes.hpp>
#include <alknet/base/number.hpp>
#include <alknet/testing/lossy_link.hpp>
#include <charconv>
#include <ranges>
#include <string>

namespace alknet::sim {

namespace {

template <std::integral Integer>
bool read(std::string_view text, Integer& into) noexcept {
    const auto number = parse_number<Integer>(text);
    into = number.value_or(0);
    return number.has_value();
}

/// Splits the unit off; `text` is left without it.
bool take_unit(std::string_view& text, std::string_view unit) noexcept {
    if (!text.ends_with(unit)) {
        return false;
    }
    text.remove_suffix(unit.size());
    return true;
}

bool read_duration(std::string_view text, Duration& into) noexcept {
    std::uint32_t count = 0;
    if (take_unit(text, "ms")) {
        const bool good = read(text, count);
        into = std::chrono::milliseconds(count);
        return good;
    }
    const bool good = take_unit(text, "s") && read(text, count);
    into = std::chrono::seconds(count);
    return good;
}

bool read_rate(std::string_view text, std::uint64_t& into) noexcept {
    const std::uint64_t unit = take_unit(text, "M") ? 1'000'000 : take_unit(text, "k") ? 1'000 : 1;
    std::uint32_t count = 0;
    const bool good = read(text, count);
    into = count * unit;
    return good;
}

bool read_chance(std::string_view text, double& into) noexcept {
    const char* const behind = text.data() + text.size();
    const auto [end, failure] = std::from_chars(text.data(), behind, into);
    return failure == std::errc() && end == behind && into >= 0 && into <= 1;
}

bool read_flag(std::string_view text, bool& into) noexcept {
    into = text == "yes";
    return into || text == "no";
}

bool read_udp(std::string_view text, LossyLinkOptions::Udp& into) noexcept {
    using Udp = LossyLinkOptions::Udp;
    into = text == "drop" ? Udp::drop : text == "reject" ? Udp::reject : Udp::pass;
    return into != Udp::pass || text == "pass";
}

bool read_ports(std::string_view text, std::vector<std::uint16_t>& into) {
    for (const auto part : std::views::split(text, ',')) {
        const auto port = parse_number<std::uint16_t>({part.begin(), part.end()});
        if (!port) {
            return false;
        }
        into.push_back(*port);
    }
    return !into.empty();
}

std::optional<SocketAddress> read_ip(std::string_view text) {
    const bool v6 = text.contains(':');
    const auto address =
        SocketAddress::parse((v6 ? "[" : "") + std::string(text) + (v6 ? "]:0" : ":0"));
    if (!address) {
        return std::nullopt;
    }
    return *address;
}

bool read_stranger(std::string_view text, LossyLinkOptions& into) {
    const std::size_t comma = text.find(',');
    if (comma == std::string_view::npos) {
        return false;
    }
    const auto wanted = read_ip(text.substr(0, comma));
    const auto stranger = read_ip(text.substr(comma + 1));
    if (!wanted || !stranger || wanted->family() != stranger->family()) {
        return false;
    }
    into.stranger.emplace(*wanted, *stranger);
    return true;
}

bool read_option(std::string_view name, std::string_view value, LossyLinkOptions& into) {
    if (name == "delay") {
        return read_duration(value, into.delay);
    }
    if (name == "burst_for") {
        return read_duration(value, into.burst_for);
    }
    if (name == "loss" || name == "burst") {
        return read_chance(value, name == "loss" ? into.loss : into.burst);
    }
    if (name == "rate" || name == "udp_rate") {
        return read_rate(value, name == "rate" ? into.bits_per_second : into.udp_bits_per_second);
    }
    if (name == "queue" || name == "udp_burst") {
        return read(value, name == "queue" ? into.queue_bytes : into.udp_burst_bytes);
    }
    if (name == "mtu" || name == "udp_flow") {
        return read(value, name == "mtu" ? into.mtu_bytes : into.udp_flow_bytes);
    }
    if (name == "mtu_told") {
        return read_flag(value, into.mtu_told);
    }
    if (name == "udp") {
        return read_udp(value, into.udp);
    }
    if (name == "tcp") {
        return read_ports(value, into.tcp_ports);
    }
    return name == "stranger" && read_stranger(value, into);
}

}  // namespace

result<LossyLinkOptions> parse_link_options(std::string_view text) {
    LossyLinkOptions options;
    for (const auto part : std::views::split(text, ' ')) {
        const std::string_view word(part.begin(), part.end());
        if (word.empty()) {
            continue;
        }
        const std::size_t equals = word.find('=');
        if (equals == std::string_view::npos ||
            !read_option(word.substr(0, equals), word.substr(equals + 1), options)) {
            return fail(causes::kUsage, "'" + std::string(word) + "' is no option of a link");
        }
    }
    return options;
}

}  // namespace alknet::sim
