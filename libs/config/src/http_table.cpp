// [[http.site]], its routes and [http.limits] of alknet.toml.
#include <algorithm>
#include <array>

#include "fields.hpp"
#include "values.hpp"

namespace alknet::config {

namespace {

constexpr std::size_t kHostBytesMax = 253;
constexpr std::size_t kRoutePathBytesMax = 1024;
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

/// An origin as browsers send it.
struct Origin {
    static void read(Reading& in, const toml::node& value, std::string& into) {
        const std::string* text = in.text(value, kHostBytesMax + 16);
        if (text == nullptr) {
            return;
        }
        std::string lower(*text);
        std::ranges::transform(lower, lower.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        const std::size_t scheme = lower.find("://");
        const bool known = lower.starts_with("https://") || lower.starts_with("http://");
        const bool plain =
            known && lower.size() > scheme + 3 &&
            std::ranges::all_of(std::string_view(lower).substr(scheme + 3), [](char c) {
                return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._:[]").find(c) != std::string_view::npos;
            });
        if (!plain) {
            in.refuse(value, "must be " + type());
        } else {
            into = std::move(lower);
        }
    }
    static std::string show(const std::string& value) { return toml_text(value); }
    static std::string type() { return "origins, https://HOST or https://HOST:PORT"; }
};

/// Segments of plain letters, so that they can be written in one way only.
struct RoutePath {
    static void read(Reading& in, const toml::node& value, std::string& into) {
        const std::string* text = in.text(value, kRoutePathBytesMax);
        if (text == nullptr) {
            return;
        }
        const bool plain = std::ranges::all_of(*text, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   std::string_view("/-._~@").find(c) != std::string_view::npos;
        });
        const std::string closed = *text + "/";
        const bool empty = closed.find("//") != std::string::npos && *text != "/";
        const bool dots =
            closed.find("/./") != std::string::npos || closed.find("/../") != std::string::npos;
        if (!text->starts_with('/') || !plain || empty || dots) {
            in.refuse(value, "must be " + type());
        } else {
            into = *text;
        }
    }
    static std::string show(const std::string& value) { return toml_text(value); }
    static std::string type() {
        return "\"/\", or segments of letters, digits and -._~@ such as \"/api/v1\"";
    }
};

/// http://HOST[:PORT] or unix:/PATH
struct UpstreamText {
    static void read(Reading& in, const toml::node& value, HttpUpstream& into) {
        const std::string* text = in.text(value);
        if (text == nullptr) {
            return;
        }
        HttpUpstream upstream;
        if (text->starts_with("unix:/") && text->find('\0') == std::string::npos) {
            upstream.socket = text->substr(std::string_view("unix:").size());
        } else if (!read_host(*text, upstream)) {
            in.refuse(value, "must be " + type());
            return;
        }
        into = std::move(upstream);
    }
    static std::string show(const HttpUpstream& value) {
        if (!value.socket.empty()) {
            return toml_text("unix:" + value.socket.native());
        }
        const bool v6 = value.host.find(':') != std::string::npos;
        return toml_text("http://" + (v6 ? "[" + value.host + "]" : value.host) + ":" +
                         std::to_string(value.port));
    }
    static std::string type() { return "http://HOST:PORT, http://HOST or unix:/PATH"; }

private:
    static bool read_host(std::string_view text, HttpUpstream& into) {
        constexpr std::string_view kScheme = "http://";
        if (!text.starts_with(kScheme)) {
            return false;
        }
        text.remove_prefix(kScheme.size());
        text.remove_suffix(text.ends_with('/') ? 1 : 0);
        const auto target = identity::ForwardTarget::parse(text);
        if (!target || target->host.find('*') != std::string::npos) {
            return false;
        }
        const identity::PortRange& ports = target->ports;
        const bool no_port = ports == identity::PortRange();
        into.port = no_port ? into.port : ports.first;
        into.host = target->host;
        if (target->range) {
            const std::string range = target->range->to_string();
            const bool v6 = range.find(':') != std::string::npos;
            into.host =
                range.ends_with(v6 ? "/128" : "/32") ? range.substr(0, range.find('/')) : range;
        }
        return (no_port || ports.first == ports.last) && into.port != 0 &&
               into.host.find('/') == std::string::npos;
    }
};

constexpr std::array kRouteFields = {
    field<&HttpRoute::path, RoutePath>(
        {.name = "path",
         .about = "What is below this, segment by segment, is passed on.",
         .example = "\"/api\"",
         .required = true}),
    field<&HttpRoute::proxy, UpstreamText>(
        {.name = "proxy",
         .about = "The server, which is spoken to on HTTP/1.1. A name must not lead to an address "
                  "of this machine or of its link: write the address, or localhost.",
         .example = "\"http://127.0.0.1:8080\"",
         .required = true}),
    field<&HttpRoute::strip, Flag>(
        {.name = "strip", .about = "Leave the path of the route out of what the server is asked."}),
    field<&HttpRoute::proxy_header, Flag>(
        {.name = "proxy_header",
         .about = "Each connection to the server begins with a PROXY protocol header (version 2), "
                  "which says who the client is."}),
    field<&HttpRoute::connect_timeout, Span<10, kHour>>(
        {.name = "connect_timeout",
         .about = "How long it may take to reach the server; then 504."}),
    field<&HttpRoute::answer_timeout, Span<10, 24 * kHour>>(
        {.name = "answer_timeout",
         .about = "How long the server may take to answer once it has the request; then 504."}),
    field<&HttpRoute::idle_timeout, Span<10, 24 * kHour>>(
        {.name = "idle_timeout",
         .about = "How long the server may send nothing, or take nothing, within a message."}),
    field<&HttpRoute::require, ExactScope>(
        {.name = "require",
         .about = "A scope that clients need, in place of the site's.",
         .example = "\"web:use:app\""}),
};
constexpr std::span<const Field<HttpRoute>> kRouteKeys(kRouteFields);

/// The tables of a site's routes, which are described as ones of their own.
struct Routes {
    static void read(Reading& in, const toml::node& value, std::vector<HttpRoute>& into) {
        const toml::array* array = in.array(value, kRoutesMax);
        if (array == nullptr) {
            return;
        }
        for (const toml::node& node : *array) {
            const toml::table* table = in.table(node);
            if (table == nullptr) {
                continue;
            }
            HttpRoute route;
            read_fields(in, *table, kRouteKeys, route);
            if (std::ranges::find(into, route.path, &HttpRoute::path) != into.end()) {
                in.refuse(node, "there is another route '" + route.path + "'");
            }
            into.push_back(std::move(route));
        }
    }
    static std::string show(const std::vector<HttpRoute>&) { return {}; }
    static std::string type() { return "tables"; }
};

// The routes come last: see http_site_keys.
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
    field<&HttpSite::call, Flag>(
        {.name = "call",
         .about =
             "Serve alknet/call at /alknet/call over WebSocket, for pages of this site. Who may "
             "call what is a matter of scopes, as it is over the ALPN."}),
    field<&HttpSite::events, Flag>(
        {.name = "events",
         .about = "Give what the node decides as Server-Sent Events at /alknet/events, to those "
                  "with the scope events:read."}),
    field<&HttpSite::metrics, Flag>(
        {.name = "metrics",
         .about =
             "Answer /metrics with what the node has counted, as Prometheus reads it, to those "
             "with the scope metrics:read."}),
    field<&HttpSite::require, ExactScope>(
        {.name = "require",
         .about =
             "A scope that clients need for whatever the site serves, except under /alknet: by "
             "the key or certificate that they show in the handshake, or by a bearer token.",
         .example = "\"web:read\""}),
    field<&HttpSite::origins, List<Origin, kSiteNamesMax>>(
        {.name = "origins",
         .about = "Other sites whose pages may read what this one serves (CORS), and may call.",
         .example = "[\"https://app.example.org\"]"}),
    field<&HttpSite::routes, Routes>({.name = "route", .about = ""}),
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
    field<&HttpLimits::requests_per_second, Integer<0, 1'000'000>>(
        {.name = "requests_per_second",
         .about = "Of each peer, and of each address (IPv6: each /56) that strangers come from, on "
                  "average; further ones get 429. 0: no limit."}),
    field<&HttpLimits::requests_burst, Integer<1, 1'000'000>>(
        {.name = "requests_burst", .about = "So many of them may come at once."}),
};

constexpr std::span<const Field<HttpSite>> kSites(kSiteFields);
constexpr std::span<const Field<HttpLimits>> kLimits(kLimitFields);

void read_site(Reading& in, const toml::table& table, std::vector<HttpSite>& all) {
    HttpSite site;
    read_fields(in, table, kSites, site);
    if (site.root.empty() && !table.contains("route") && !site.health && !site.call &&
        !site.events && !site.metrics) {
        in.refuse(table, "serves nothing: it has neither a root nor a route");
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
    return describe(kSites.first(kSites.size() - 1), HttpSite());
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

std::vector<KeyInfo> http_route_keys() {
    return describe(kRouteKeys, HttpRoute());
}

std::vector<Entry> http_route_entries(const Config& config) {
    std::vector<Entry> entries;
    for (const HttpSite& site : config.dynamic.http_sites) {
        for (const HttpRoute& route : site.routes) {
            const std::string name = site.names.empty() ? "*" : site.names.front();
            entries.push_back({.name = name + route.path, .keys = show(kRouteKeys, route)});
        }
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
