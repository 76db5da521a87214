#include "proxy_fields.hpp"

#include <algorithm>
#include <alknet/http/access.hpp>
#include <alknet/http/exchange.hpp>
#include <alknet/http/path.hpp>
#include <array>
#include <set>
#include <span>

namespace alknet::http {

namespace {

constexpr std::array<std::string_view, 10> kOneHop = {"connection",
                                                      "keep-alive",
                                                      "proxy-authenticate",
                                                      "proxy-authorization",
                                                      "proxy-connection",
                                                      "te",
                                                      "trailer",
                                                      "transfer-encoding",
                                                      "upgrade",
                                                      "http2-settings"};

// Ours to say. Programs that know fields as variables read "_" as "-".
constexpr std::array<std::string_view, 7> kOurs = {
    "content-length", "sec-websocket-key", "cookie", "expect", "forwarded", "host", "x-real-ip"};
constexpr std::string_view kOursToo = "x-forwarded-";

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

bool is_ours(std::string_view name) {
    std::string plain(name);
    std::ranges::replace(plain, '_', '-');
    return is_one_of(kOurs, plain) || plain.starts_with(kOursToo);
}

// Names that Connection lists belong to this hop as well.
std::set<std::string> listed_by_connection(const Fields& fields) {
    std::set<std::string> names;
    const std::string all = fields.joined("connection");
    ListReader list(all);
    while (const auto name = list.next()) {
        names.insert(lower_case(*name));
    }
    return names;
}

std::string_view before_parameters(std::string_view segment) noexcept {
    return segment.substr(0, segment.find(';'));
}

void add_field(std::string& out, std::string_view name, std::string_view value) {
    if (!value.empty()) {
        out.append(name).append(": ").append(value).append("\r\n");
    }
}

// HTTP/2 cuts cookies into fields of their own (RFC 9113 section 8.2.3).
std::string cookies(const Fields& fields) {
    std::string all;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (fields[i].name == "cookie") {
            all.append(all.empty() ? "" : "; ").append(fields[i].value);
        }
    }
    return all;
}

void add_forwarded(std::string& out, const RequestHead& head, const SocketAddress& client) {
    const bool known = client.family() != SocketAddress::Family::none;
    const bool v6 = client.family() == SocketAddress::Family::v6;
    const std::string ip = known ? client.ip_text() : "";
    std::string forwarded = "for=";
    forwarded.append(v6 ? "\"[" : "").append(known ? ip : "unknown").append(v6 ? "]\"" : "");
    if (!head.authority.empty()) {
        forwarded.append(";host=\"").append(head.authority).append("\"");
    }
    add_field(out, "forwarded", forwarded.append(";proto=https"));
    add_field(out, "x-forwarded-for", ip);
    add_field(out, "x-forwarded-host", head.authority);
    add_field(out, "x-forwarded-proto", "https");
    add_field(out, "x-real-ip", ip);
}

// The token that was offered among them was for the node.
std::string protocols_without_token(const Fields& fields) {
    std::string all;
    const std::string offered = fields.joined("sec-websocket-protocol");
    ListReader list(offered);
    while (const auto one = list.next()) {
        if (!one->starts_with(kBearerProtocol)) {
            all.append(all.empty() ? "" : ", ").append(*one);
        }
    }
    return all;
}

bool has_token(std::string_view name) noexcept {
    return name == "authorization" || name == "sec-websocket-protocol";
}

void add_framing(std::string& out, const RequestHead& head) {
    if (head.chunked) {
        add_field(out, "transfer-encoding", "chunked");
    } else if (head.content_length) {
        add_field(out, "content-length", std::to_string(*head.content_length));
    }
}

}  // namespace

bool is_unambiguous(std::string_view path) {
    const auto parsed = parse_file_path(path);
    if (!parsed) {
        return false;
    }
    const auto slashes = static_cast<std::size_t>(std::ranges::count(path, '/'));
    const std::size_t segments = slashes - (path.ends_with('/') ? 1 : 0);
    return parsed->segments.size() == segments &&
           std::ranges::none_of(parsed->segments, [](const std::string& segment) {
               const std::string_view name = before_parameters(segment);
               return name.empty() || name == "." || name == "..";
           });
}

// Segment by segment, decoded and without what follows a ";".
std::size_t match_prefix(std::string_view prefix, std::string_view path) {
    const auto wanted = parse_file_path(prefix);
    if (!wanted || !path.starts_with('/')) {
        return 0;
    }
    std::size_t at = 0;
    for (const std::string& segment : wanted->segments) {
        if (at >= path.size()) {
            return 0;
        }
        const std::size_t end = std::min(path.find('/', at + 1), path.size());
        const auto decoded = percent_decode(path.substr(at + 1, end - at - 1));
        if (!decoded || before_parameters(*decoded) != segment) {
            return 0;
        }
        at = end;
    }
    return std::max<std::size_t>(at, 1);
}

Fields passed_on(const Fields& from, const RequestHead& head, bool without_token) {
    const std::set<std::string> listed = listed_by_connection(head.fields);
    Fields fields;
    for (std::size_t i = 0; i < from.size(); ++i) {
        const FieldView field = from[i];
        if (!is_one_of(kOneHop, field.name) && !is_ours(field.name) &&
            !listed.contains(std::string(field.name)) &&
            !(without_token && has_token(field.name))) {
            fields.add(field.name, field.value);
        }
    }
    return fields;
}

std::string upstream_head(const RequestHead& head, const PassedOn& on) {
    std::string out;
    out.reserve(1024);
    const bool upgrade = !on.websocket_key.empty();
    out.append(upgrade ? "GET" : head.method)
        .append(" ")
        .append(on.path.starts_with('/') ? "" : "/");
    out.append(on.path);
    if (head.query) {
        out.append("?").append(*head.query);
    }
    out.append(" HTTP/1.1\r\n");
    add_field(out, "host", head.authority.empty() ? on.host : head.authority);
    const Fields fields = passed_on(head.fields, head, on.without_token);
    for (std::size_t i = 0; i < fields.size(); ++i) {
        add_field(out, fields[i].name, fields[i].value);
    }
    if (on.without_token) {
        add_field(out, "sec-websocket-protocol", protocols_without_token(head.fields));
    }
    add_field(out, "cookie", cookies(head.fields));
    add_forwarded(out, head, on.client);
    if (upgrade) {
        add_field(out, "sec-websocket-key", on.websocket_key);
        add_field(out, "connection", "upgrade");
        add_field(out, "upgrade", "websocket");
    } else {
        add_framing(out, head);
        // TE is of one hop, and so is said to be (RFC 9110 section 10.1.4).
        const bool trailers = takes_trailers(head);
        add_field(out, "te", trailers ? "trailers" : "");
        add_field(out, "connection", trailers ? "close, te" : "close");
    }
    return out.append("\r\n");
}

Fields passed_back(const Fields& from) {
    const std::set<std::string> listed = listed_by_connection(from);
    Fields fields;
    for (std::size_t i = 0; i < from.size(); ++i) {
        const FieldView field = from[i];
        if (!is_one_of(kOneHop, field.name) && field.name != "content-length" &&
            !listed.contains(std::string(field.name))) {
            fields.add(field.name, field.value);
        }
    }
    return fields;
}

}  // namespace alknet::http
