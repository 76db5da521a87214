#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/doctor/report.hpp>
#include <array>

#include "wire.hpp"

namespace alknet::doctor {

namespace {

// Each part: its tag, the number of its octets, and they. What a tag means never changes.
enum class Part : std::uint16_t { about = 1, check = 2, way = 3 };

void write_part(Writer& out, Part part, Bytes body) {
    out.number(static_cast<std::uint16_t>(part));
    out.number(static_cast<std::uint32_t>(body.size()));
    out.append(body);
}

Bytes write_about(const Report& report) {
    Writer body;
    body.text(report.program, Report::kTextBytesMax);
    body.number(report.unix_ms);
    body.number(report.beginnings);
    body.number(report.listens_udp);
    body.number(report.listens_tcp);
    return body.take();
}

Bytes write_check(const Check& check) {
    Writer body;
    for (const std::string* text :
         {&check.group, &check.name, &check.value, &check.consequence, &check.next}) {
        body.text(*text, Report::kTextBytesMax);
    }
    body.number(static_cast<std::uint8_t>(check.status));
    return body.take();
}

// The numbers of a way, in the order in which they are written.
constexpr std::array kNumbers = {
    &WayReport::handshake_us,   &WayReport::rtt_us,
    &WayReport::datagrams_sent, &WayReport::datagrams_arrived,
    &WayReport::datagrams_back, &WayReport::up_bytes,
    &WayReport::up_us,          &WayReport::down_bytes,
    &WayReport::down_us,        &WayReport::payload_small,
    &WayReport::payload_max,
};

Bytes write_way(const WayReport& way) {
    Writer body;
    body.number(static_cast<std::uint8_t>(way.way));
    body.number(static_cast<std::uint8_t>(way.outcome));
    body.number(static_cast<std::uint8_t>(way.answerer));
    body.address(way.remote);
    body.address(way.local);
    body.address(way.observed);
    for (const auto member : kNumbers) {
        body.number(way.*member);
    }
    body.text(way.detail, Report::kTextBytesMax);
    return body.take();
}

// An enumeration from its number; one that this program does not know refuses the whole.
template <class Enum>
Enum one_of(Reader& in, Enum last) {
    const auto number = in.number<std::uint8_t>();
    if (number > static_cast<std::uint8_t>(last)) {
        in.refuse();
    }
    return static_cast<Enum>(number);
}

void read_about(Reader& in, Report& report) {
    report.program = in.text(Report::kTextBytesMax);
    report.unix_ms = in.number<std::int64_t>();
    report.beginnings = in.number<std::uint64_t>();
    report.listens_udp = in.number<std::uint16_t>();
    report.listens_tcp = in.number<std::uint16_t>();
}

Check read_check(Reader& in) {
    Check check;
    for (std::string* text :
         {&check.group, &check.name, &check.value, &check.consequence, &check.next}) {
        *text = in.text(Report::kTextBytesMax);
    }
    check.status = one_of(in, Status::skipped);
    return check;
}

WayReport read_way(Reader& in) {
    WayReport way;
    way.way = one_of(in, Way::proxy);
    way.outcome = one_of(in, Outcome::proxy_refused);
    way.answerer = one_of(in, Answerer::a_certificate);
    way.remote = in.address();
    way.local = in.address();
    way.observed = in.address();
    for (const auto member : kNumbers) {
        way.*member = in.number<std::uint32_t>();
    }
    way.detail = in.text(Report::kTextBytesMax);
    return way;
}

// False if there are more of its kind than a report may have, or it is malformed.
bool read_part(Report& report, std::uint16_t tag, BytesView body) {
    Reader in(body);
    switch (static_cast<Part>(tag)) {
        case Part::about:
            read_about(in, report);
            return in.ok();
        case Part::check:
            report.checks.push_back(read_check(in));
            return in.ok() && report.checks.size() <= Report::kChecksMax;
        case Part::way:
            report.ways.push_back(read_way(in));
            return in.ok() && report.ways.size() <= Report::kWaysMax;
    }
    return true;  // from a newer program
}

constexpr std::array<std::string_view, kWays> kWayNames = {"QUIC IPv6", "QUIC IPv4", "TCP IPv6",
                                                           "TCP IPv4", "proxy"};
constexpr std::array<std::string_view, kOutcomes> kOutcomeNames = {
    "not tried",
    "connected",
    "silent",
    "refused",
    "no service",
    "wrong key",
    "unverified",
    "TLS failed",
    "reset",
    "no route",
    "stranger",
    "failed",
    "the proxy does not answer",
    "the proxy wants other credentials",
    "the proxy refuses"};

}  // namespace

std::string_view to_string(Way way) noexcept {
    return kWayNames[static_cast<std::size_t>(way)];
}

std::string_view to_string(Outcome outcome) noexcept {
    return kOutcomeNames[static_cast<std::size_t>(outcome)];
}

Bytes encode_report(const Report& report) {
    Writer out;
    out.number(Report::kVersion);
    write_part(out, Part::about, write_about(report));
    for (std::size_t i = 0; i < std::min(report.ways.size(), Report::kWaysMax); ++i) {
        write_part(out, Part::way, write_way(report.ways[i]));
    }
    for (std::size_t i = 0; i < std::min(report.checks.size(), Report::kChecksMax); ++i) {
        write_part(out, Part::check, write_check(report.checks[i]));
    }
    return out.take();
}

result<Report> decode_report(BytesView bytes) {
    if (bytes.size() > Report::kBytesMax) {
        return fail(causes::kProtocol, "a report has at most 32 KiB");
    }
    Reader in(bytes);
    if (in.number<std::uint8_t>() != Report::kVersion || !in.ok()) {
        return fail(causes::kProtocol, "the report has another version");
    }
    Report report;
    while (!in.empty()) {
        const auto tag = in.number<std::uint16_t>();
        const auto size = in.number<std::uint32_t>();
        const BytesView body = in.take(size);
        if (!in.ok() || !read_part(report, tag, body)) {
            return fail(causes::kProtocol, "the report is malformed");
        }
    }
    return report;
}

std::vector<Check> checks_to_tell(const std::vector<Check>& checks) {
    std::vector<Check> told;
    for (const Check& check : checks) {
        if (check.status == Status::warn || check.status == Status::fail) {
            told.push_back(check);
            told.back().value.clear();
        }
    }
    return told;
}

}  // namespace alknet::doctor
