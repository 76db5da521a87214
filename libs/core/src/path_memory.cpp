#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/number.hpp>
#include <alknet/core/path_memory.hpp>
#include <array>
#include <utility>
#include <vector>

namespace alknet {

namespace {

constexpr std::string_view kHeader = "alknet-paths 1";
constexpr std::string_view kNoRung = "-";
constexpr std::uint64_t kRateMax = std::uint64_t{1} << 60;  // so that twice of it is a number

std::int64_t seconds_of(WallTime time) {
    return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

/// Not after the clock was set back, either.
bool is_fresh(std::int64_t then_s, std::int64_t now_s) {
    return then_s <= now_s && now_s - then_s < PathMemory::kLifetime.count();
}

double exact_rate(const Goodput& goodput) {
    return static_cast<double>(goodput.bytes) / std::chrono::duration<double>(goodput.time).count();
}

std::string_view take(std::string_view& text, std::string_view separators) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

bool is_word(std::string_view text) {
    return !text.empty() && text.size() <= PathMemory::kNodeBytesMax &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

struct Rates {
    std::int64_t measured_s = 0;
    std::uint64_t quic = 0;
    std::uint64_t tcp = 0;
};

/// The end of a line; nothing: they were not measured.
std::optional<Rates> read_rates(std::string_view line) {
    if (line.empty()) {
        return Rates{};
    }
    const auto measured = parse_number<std::int64_t>(take(line, " "));
    const auto quic = parse_number<std::uint64_t>(take(line, " "));
    const auto tcp = parse_number<std::uint64_t>(line);
    if (!measured || !quic || !tcp || *measured <= 0 || std::max(*quic, *tcp) > kRateMax) {
        return std::nullopt;
    }
    return Rates{.measured_s = *measured, .quic = *quic, .tcp = *tcp};
}

/// The kernel writes addresses as they stand in memory.
std::string address_text(std::uint32_t address) {
    std::string text;
    for (int i = 0; i < 4; ++i, address >>= 8) {
        text += (i == 0 ? "" : ".") + std::to_string(address & 0xff);
    }
    return text;
}

struct Route {
    std::string_view interface;
    std::uint32_t destination = 0;
    std::uint32_t gateway = 0;
    std::uint32_t mask = 0;
    std::uint32_t metric = 0;
};

std::optional<Route> read_route(std::string_view line) {
    std::array<std::string_view, 8> columns;
    for (std::string_view& column : columns) {
        column = take(line, "\t");
    }
    const auto destination = parse_number<std::uint32_t>(columns[1], 16);
    const auto gateway = parse_number<std::uint32_t>(columns[2], 16);
    const auto metric = parse_number<std::uint32_t>(columns[6]);
    const auto mask = parse_number<std::uint32_t>(columns[7], 16);
    if (!destination || !gateway || !metric || !mask) {
        return std::nullopt;
    }
    return Route{columns[0], *destination, *gateway, *mask, *metric};
}

}  // namespace

NetworkIdentity identify_network(std::string_view routes) {
    std::vector<Route> all;
    while (!routes.empty()) {
        if (const auto route = read_route(take(routes, "\n"))) {
            all.push_back(*route);
        }
    }
    const Route* best = nullptr;
    for (const Route& route : all) {
        const bool is_default = route.destination == 0 && route.mask == 0;
        if (is_default && (best == nullptr || route.metric < best->metric)) {
            best = &route;
        }
    }
    NetworkIdentity network;
    if (best == nullptr) {
        return network;
    }
    network.interface = best->interface;
    network.gateway = address_text(best->gateway);
    for (const Route& route : all) {
        if (route.interface == best->interface && route.gateway == 0 && route.mask != 0) {
            network.prefix = address_text(route.destination) + "/" + address_text(route.mask);
            break;
        }
    }
    return network;
}

std::string network_fingerprint(const NetworkIdentity& network) {
    // FNV-1a; the lengths keep the parts apart.
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto mix = [&](std::uint8_t octet) { hash = (hash ^ octet) * 0x100000001b3; };
    for (const std::string* part : {&network.interface, &network.gateway, &network.prefix}) {
        mix(static_cast<std::uint8_t>(part->size()));
        for (const char c : *part) {
            mix(static_cast<std::uint8_t>(c));
        }
    }
    std::array<std::byte, 8> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::byte>(hash >> (56 - 8 * i));
    }
    return hex_encode(bytes);
}

bool loses_its_place(const Goodput& quic, const Goodput& tcp) noexcept {
    return quic.time >= PathMemory::kGoodputTimeMin && tcp.time >= PathMemory::kGoodputTimeMin &&
           2 * exact_rate(quic) < exact_rate(tcp);
}

bool PathMemory::Entry::on_trial(std::int64_t now_s) const noexcept {
    return quic_rate != 0 && quic_rate < kSuspectRate && tcp_rate == 0 && measured_s <= now_s &&
           now_s - measured_s < kTrialTime.count();
}

PathMemory::Entry& PathMemory::entry(const PathKey& key, std::int64_t now_s) {
    const auto found = entries_.find(key);
    if (found == entries_.end() && entries_.size() >= kEntriesMax) {
        entries_.erase(std::ranges::min_element(
            entries_, {}, [](const auto& one) { return one.second.changed_s; }));
    }
    Entry& entry = entries_[key];
    entry.changed_s = now_s;
    return entry;
}

PathMemory::Advice PathMemory::advice(const PathKey& key, WallTime now) const {
    const auto found = entries_.find(key);
    if (found == entries_.end()) {
        return {};
    }
    const Entry& entry = found->second;
    const std::int64_t now_s = seconds_of(now);
    Advice advice;
    advice.quic_demoted =
        (entry.slow_s != 0 && is_fresh(entry.slow_s, now_s)) || entry.on_trial(now_s);
    if (is_fresh(entry.worked_s, now_s) &&
        !(advice.quic_demoted && entry.worked && is_quic(*entry.worked))) {
        advice.remembered = entry.worked;
    }
    return advice;
}

void PathMemory::worked(const PathKey& key, Rung rung, WallTime now) {
    if (!is_word(key.network) || !is_word(key.node)) {
        return;
    }
    const std::int64_t now_s = seconds_of(now);
    Entry& known = entry(key, now_s);
    const bool goes_on = known.worked == rung && is_fresh(known.worked_s, now_s);
    if (!goes_on || is_quic(rung)) {
        known.worked_s = now_s;
    }
    known.worked = rung;
}

void PathMemory::failed(const PathKey& key, Rung rung) {
    const auto found = entries_.find(key);
    if (found != entries_.end() && found->second.worked == rung) {
        found->second.worked.reset();
    }
}

void PathMemory::report(const PathKey& key, const Goodput& goodput, WallTime now) {
    if (goodput.time < kGoodputTimeMin || !is_word(key.network) || !is_word(key.node)) {
        return;
    }
    const std::int64_t now_s = seconds_of(now);
    Entry& known = entry(key, now_s);
    if (!is_fresh(known.measured_s, now_s)) {
        known.quic_rate = known.tcp_rate = 0;
    }
    const bool trial = known.on_trial(now_s);
    known.measured_s = now_s;
    (is_quic(goodput.rung) ? known.quic_rate : known.tcp_rate) =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(exact_rate(goodput)));
    if (known.quic_rate == 0 || known.tcp_rate == 0) {
        return;
    }
    // What has lost its place is not given it back by a little less of a difference.
    const bool lost = known.slow_s != 0 && is_fresh(known.slow_s, now_s);
    const bool slow =
        lost ? known.quic_rate < known.tcp_rate : 2 * known.quic_rate < known.tcp_rate;
    known.slow_s = slow ? (lost ? known.slow_s : now_s) : 0;
    if (trial && !slow && known.worked && !is_quic(*known.worked)) {
        known.worked.reset();
    }
}

void PathMemory::merge(const PathMemory& other) {
    for (const auto& [key, theirs] : other.entries_) {
        const auto mine = entries_.find(key);
        if (mine == entries_.end() || mine->second.changed_s < theirs.changed_s) {
            entry(key, theirs.changed_s) = theirs;
        }
    }
}

std::string PathMemory::to_text() const {
    std::string text(kHeader);
    text += "\n";
    for (const auto& [key, entry] : entries_) {
        text += key.network + " " + key.node + " ";
        if (entry.worked) {
            text += std::string(to_string(*entry.worked)) + "@" + std::to_string(entry.worked_s);
        } else {
            text += kNoRung;
        }
        text += " " + std::to_string(entry.changed_s) + " " + std::to_string(entry.slow_s);
        if (entry.measured_s != 0) {
            text += " " + std::to_string(entry.measured_s) + " " + std::to_string(entry.quic_rate) +
                    " " + std::to_string(entry.tcp_rate);
        }
        text += "\n";
    }
    return text;
}

result<PathMemory> PathMemory::parse(std::string_view text) {
    if (text.size() > kTextBytesMax) {
        return fail(causes::kProtocol, "the file is too long");
    }
    if (take(text, "\n") != kHeader) {
        return fail(causes::kProtocol, "line 1: this is no memory of paths");
    }
    PathMemory memory;
    for (std::size_t number_of_line = 2; !text.empty(); ++number_of_line) {
        std::string_view line = take(text, "\n");
        const std::string_view network = take(line, " ");
        const std::string_view node = take(line, " ");
        std::string_view since = take(line, " ");
        const std::string_view name = take(since, "@");
        const auto rung = parse_rung(name);
        const auto changed = parse_number<std::int64_t>(take(line, " "));
        const auto slow = parse_number<std::int64_t>(take(line, " "));
        const auto worked = since.empty() ? changed : parse_number<std::int64_t>(since);
        const auto rates = read_rates(line);
        const bool sound = is_word(network) && is_word(node) && (rung || name == kNoRung) &&
                           changed && slow && worked && rates && *changed >= 0 && *slow >= 0 &&
                           *worked >= 0;
        if (!sound) {
            return fail(causes::kProtocol, "line " + std::to_string(number_of_line));
        }
        Entry& entry = memory.entry({std::string(network), std::string(node)}, *changed);
        entry.worked = rung;
        entry.worked_s = *worked;
        entry.slow_s = *slow;
        entry.measured_s = rates->measured_s;
        entry.quic_rate = rates->quic;
        entry.tcp_rate = rates->tcp;
    }
    return memory;
}

}  // namespace alknet
