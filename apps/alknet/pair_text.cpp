#include "pair_text.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "output.hpp"

namespace alknet::app {

using doctor::Check;
using doctor::Outcome;
using doctor::Verdict;
using doctor::WayReport;

namespace {

double milliseconds(std::uint32_t microseconds) {
    return static_cast<double>(microseconds) / 1000;
}

double mebibytes_per_second(std::uint32_t bytes, std::uint32_t microseconds) {
    constexpr double kMebibyte = 1 << 20;
    return static_cast<double>(bytes) / kMebibyte * 1e6 / std::max(microseconds, 1U);
}

Json or_null(std::uint32_t number, double value) {
    return number == 0 ? Json() : Json(value);
}

Json address_json(const SocketAddress& address) {
    const bool known = address.family() != SocketAddress::Family::none;
    return known ? Json(address.to_string()) : Json();
}

}  // namespace

std::string checks_text(const std::vector<Check>& checks) {
    constexpr std::size_t kStatusColumns = 9;
    std::size_t names = 0;
    for (const Check& check : checks) {
        names = std::max(names, check.name.size());
    }
    std::string text;
    std::string_view group;
    for (const Check& check : checks) {
        if (check.group != group) {
            group = check.group;
            text.append(printable(group)).append("\n");
        }
        const std::string_view status = to_string(check.status);
        text.append("  ").append(status).append(kStatusColumns - status.size(), ' ');
        text.append(printable(check.name)).append(names + 2 - check.name.size(), ' ');
        text.append(printable(check.value)).append("\n");
        const std::string indent(2 + kStatusColumns, ' ');
        if (!check.consequence.empty()) {
            text.append(indent).append(printable(check.consequence)).append("\n");
        }
        if (!check.next.empty()) {
            text.append(indent).append("next: ").append(printable(check.next)).append("\n");
        }
    }
    return text;
}

Json checks_json(const std::vector<Check>& checks) {
    Json::Array list;
    for (const Check& check : checks) {
        list.push_back(Json::object({{"group", check.group},
                                     {"name", check.name},
                                     {"status", to_string(check.status)},
                                     {"value", check.value},
                                     {"consequence", check.consequence},
                                     {"next", check.next}}));
    }
    return list;
}

std::string ways_text(const std::vector<WayReport>& ways) {
    std::string text;
    for (const WayReport& way : ways) {
        text += fmt::format("  {:<10} {}  {}", to_string(way.way), way.remote.to_string(),
                            to_string(way.outcome));
        if (way.handshake_us != 0) {
            text += fmt::format(" in {:.2f} ms", milliseconds(way.handshake_us));
        }
        if (way.rtt_us != 0) {
            text += fmt::format(", round trip {:.2f} ms", milliseconds(way.rtt_us));
        }
        if (way.datagrams_sent != 0) {
            text += fmt::format(", {} of {} packets back", way.datagrams_back, way.datagrams_sent);
        }
        if (way.up_us != 0) {
            text += fmt::format(", {:.1f} MiB/s up", mebibytes_per_second(way.up_bytes, way.up_us));
        }
        if (way.down_us != 0) {
            text += fmt::format(", {:.1f} MiB/s down",
                                mebibytes_per_second(way.down_bytes, way.down_us));
        }
        if (way.payload_max != 0) {
            text += fmt::format(", datagrams of {} octets pass", way.payload_max);
        }
        text += "\n";
        const bool fine = way.outcome == Outcome::connected;
        if (!way.detail.empty() && !fine) {
            text += "             " + printable(way.detail) + "\n";
        }
    }
    return text;
}

Json way_json(const WayReport& way) {
    return Json::object(
        {{"way", to_string(way.way)},
         {"outcome", to_string(way.outcome)},
         {"remote", address_json(way.remote)},
         {"local", address_json(way.local)},
         {"observed", address_json(way.observed)},
         {"handshake_ms", or_null(way.handshake_us, milliseconds(way.handshake_us))},
         {"rtt_ms", or_null(way.rtt_us, milliseconds(way.rtt_us))},
         {"packets_sent", std::uint64_t{way.datagrams_sent}},
         {"packets_arrived", std::uint64_t{way.datagrams_arrived}},
         {"packets_back", std::uint64_t{way.datagrams_back}},
         {"up_bytes", std::uint64_t{way.up_bytes}},
         {"up_ms", or_null(way.up_us, milliseconds(way.up_us))},
         {"down_bytes", std::uint64_t{way.down_bytes}},
         {"down_ms", or_null(way.down_us, milliseconds(way.down_us))},
         {"payload_max", way.payload_max == 0 ? Json() : Json(std::uint64_t{way.payload_max})},
         {"detail", way.detail}});
}

Json ways_json(const std::vector<WayReport>& ways) {
    Json::Array list;
    for (const WayReport& way : ways) {
        list.push_back(way_json(way));
    }
    return list;
}

std::string verdicts_text(const std::vector<Verdict>& verdicts) {
    std::string text;
    for (const Verdict& verdict : verdicts) {
        text.append("  ").append(verdict.cause->id).append(": ");
        text.append(printable(verdict.what)).append("\n");
        text.append("    next: ").append(printable(verdict.remedy)).append("\n");
    }
    return text;
}

Json verdicts_json(const std::vector<Verdict>& verdicts) {
    Json::Array list;
    for (const Verdict& verdict : verdicts) {
        list.push_back(Json::object(
            {{"id", verdict.cause->id},
             {"what", verdict.what},
             {"remedy", verdict.remedy},
             {"spoils", verdict.damage == doctor::Damage::all                  ? "all"
                        : verdict.damage == doctor::Damage::one_way_of_several ? "a way"
                                                                               : "quality"}}));
    }
    return list;
}

}  // namespace alknet::app
