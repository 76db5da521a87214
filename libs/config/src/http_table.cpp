// [[http.site]] and [http.limits] of alknet.toml.
#include <algorithm>
#include <array>

#include "fields.hpp"
#include "values.hpp"

namespace alknet::config {

namespace {

constexpr std::size_t kHostBytesMax = 253;
constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kHour = 3600 * kSecond;

/// A host as the field Host says it, without its port.
struct Host {
    static void read(Reading& in, const toml::node& value, std::string& into) {
        const std::string* text = in.text(value);
        if (text == nullptr) {
            return;
        }
        std::string lower(*text);
        std::ranges::transform(lower, lower.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        const bool bracketed = lower.starts_with('[') && lower.ends_with(']');
        const bool fits = std::ranges::all_of(
            bracketed ? std::string_view(lower).substr(1, lower.size() - 2) : lower, [&](char c) {
                return (c >= 'a' && c <= (bracketed ? 'f' : 'z')) || (c >= '0' && c <= '9') ||
                       c == '.' || (bracketed ? c == ':' : c == '-' || c == '_');
            });
        if (lower.empty() || lower.size() > kHostBytesMax || !fits) {
            in.refuse(value, "must be " + type());
        } else {
            into = std::move(lower);
        }
    }
    static std::string show(const std::string& value) { return toml_text(value); }
    static std::string type() { return "host names or addresses, without a port"; }
};

constexpr std::array kSiteFields = {
    field<&HttpSite::root, Path>(
        {.name = "root",
         .about = "The directory whose files are served. Nothing leads out of it, names that begin "
                  "with a dot are left out, and a directory shows its index.html.",
         .example = "\"/srv/www\""}),
    field<&HttpSite::names, List<Host, kSiteNamesMax>>(
        {.name = "names",
         .about = "The hosts that this is for; without any, every host that no other site names.",
         .example = "[\"www.example.org\"]"}),
    field<&HttpSite::health, Flag>(
        {.name = "health", .about = "Answer /healthz with 200 for as long as the node serves."}),
};

constexpr std::array kLimitFields = {
    field<&HttpLimits::header_bytes_max, Size<1 << 10, 1 << 20>>(
        {.name = "header_bytes_max", .about = "Octets of a request's first line and fields."}),
    field<&HttpLimits::fields_max, Integer<8, 10'000>>(
        {.name = "fields_max", .about = "Fields of a request."}),
    field<&HttpLimits::target_bytes_max, Size<64, 1 << 20>>(
        {.name = "target_bytes_max", .about = "Octets of what a request asks for."}),
    field<&HttpLimits::body_bytes_max, Size<0, 1ULL << 40>>(
        {.name = "body_bytes_max", .about = "Octets that a request may bring along."}),
    field<&HttpLimits::header_timeout, Span<100, kHour>>(
        {.name = "header_timeout", .about = "How long a request's fields may take to arrive."}),
    field<&HttpLimits::body_timeout, Span<100, kHour>>(
        {.name = "body_timeout", .about = "How long nothing may come of what it brings along."}),
    field<&HttpLimits::body_rate_min, Integer<0, 1'000'000'000>>(
        {.name = "body_rate_min",
         .about = "Octets a second that it must bring on average, after the first 10 seconds."}),
    field<&HttpLimits::send_timeout, Span<100, kHour>>(
        {.name = "send_timeout",
         .about = "How long a client may take for each 16 KiB of an answer."}),
    field<&HttpLimits::keep_alive_timeout, Span<0, 24 * kHour>>(
        {.name = "keep_alive_timeout",
         .about = "How long a connection is kept without a request."}),
    field<&HttpLimits::requests_max, Integer<1, 1'000'000'000>>(
        {.name = "requests_max", .about = "Requests of one connection; then it is closed."}),
};

constexpr std::span<const Field<HttpSite>> kSites(kSiteFields);
constexpr std::span<const Field<HttpLimits>> kLimits(kLimitFields);

void read_site(Reading& in, const toml::table& table, std::vector<HttpSite>& all) {
    HttpSite site;
    read_fields(in, table, kSites, site);
    if (site.root.empty() && !site.health) {
        in.refuse(table, "serves nothing: it has no root");
    }
    for (const HttpSite& other : all) {
        if (site.names.empty() && other.names.empty()) {
            in.refuse(table, "there is another site without names");
        }
        for (const std::string& name : site.names) {
            if (std::ranges::find(other.names, name) != other.names.end()) {
                in.refuse(table, "there is another site '" + name + "'");
            }
        }
    }
    all.push_back(std::move(site));
}

}  // namespace

void read_http_sites(Reading& in, const toml::node& value, Config& into) {
    const toml::array* array = in.array(value, kSitesMax);
    if (array == nullptr) {
        return;
    }
    for (const toml::node& node : *array) {
        if (const toml::table* table = in.table(node)) {
            read_site(in, *table, into.dynamic.http_sites);
        }
    }
}

std::vector<KeyInfo> http_site_keys() {
    return describe(kSites, HttpSite());
}

// By the first of their names, as most have one.
std::vector<Entry> http_site_entries(const Config& config) {
    std::vector<Entry> entries;
    for (const HttpSite& site : config.dynamic.http_sites) {
        entries.push_back(
            {.name = site.names.empty() ? "*" : site.names.front(), .keys = show(kSites, site)});
    }
    return entries;
}

void read_http_limits(Reading& in, const toml::node& value, Config& into) {
    if (const toml::table* table = in.table(value)) {
        read_fields(in, *table, kLimits, into.dynamic.http_limits);
    }
}

std::vector<KeyInfo> http_limit_keys() {
    return describe(kLimits, HttpLimits());
}

std::vector<Entry> http_limit_entries(const Config& config) {
    return {{.name = {}, .keys = show(kLimits, config.dynamic.http_limits)}};
}

}  // namespace alknet::config
