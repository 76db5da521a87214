#include "cross_origin.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace alknet::http {

namespace {

/// How long a browser may keep the answer to a preflight request.
constexpr std::string_view kPreflightSeconds = "600";

constexpr std::array<std::string_view, 6> kOurs = {
    "access-control-allow-origin",   "access-control-allow-methods",
    "access-control-allow-headers",  "access-control-allow-credentials",
    "access-control-expose-headers", "access-control-max-age"};

// Without the port that https has of itself.
std::string_view plain_authority(std::string_view authority) noexcept {
    constexpr std::string_view kPort = ":443";
    authority.remove_suffix(authority.ends_with(kPort) ? kPort.size() : 0);
    return authority;
}

// As it stands in `origins`; empty: not there.
std::string listed_origin(const RequestHead& head, const std::vector<std::string>& origins) {
    const auto origin = head.fields.find("origin");
    if (!origin || head.fields.count("origin") != 1) {
        return {};
    }
    const auto found = std::ranges::find(origins, lower_case(*origin));
    return found == origins.end() ? std::string() : *found;
}

bool is_list_of_tokens(std::string_view text) {
    ListReader list(text);
    while (const auto one = list.next()) {
        if (!is_token(*one)) {
            return false;
        }
    }
    return true;
}

}  // namespace

bool may_come_from(const RequestHead& head, const std::vector<std::string>& origins) {
    const auto origin = head.fields.find("origin");
    if (!origin) {
        return true;  // no browser
    }
    constexpr std::string_view kScheme = "https://";
    const std::string plain = lower_case(*origin);
    const bool own = plain.starts_with(kScheme) &&
                     plain_authority(std::string_view(plain).substr(kScheme.size())) ==
                         plain_authority(head.authority);
    return own || std::ranges::find(origins, plain) != origins.end();
}

std::optional<Response> answer_preflight(const RequestHead& head,
                                         const std::vector<std::string>& origins) {
    const auto method = head.fields.find("access-control-request-method");
    if (origins.empty() || head.method != "OPTIONS" || !method || !head.fields.find("origin")) {
        return std::nullopt;
    }
    const std::string fields = head.fields.joined("access-control-request-headers");
    if (listed_origin(head, origins).empty() || !is_token(*method) || !is_list_of_tokens(fields)) {
        return page(head, 403, "Pages of that site may not ask this one.",
                    "The owner of this site can list their origin.");
    }
    Response response;
    response.status = 204;
    response.fields.add("access-control-allow-methods", *method);
    if (!fields.empty()) {
        response.fields.add("access-control-allow-headers", fields);
    }
    response.fields.add("access-control-max-age", kPreflightSeconds);
    response.fields.add("access-control-allow-origin", listed_origin(head, origins));
    response.fields.add("vary",
                        "origin, access-control-request-method, access-control-request-headers");
    return response;
}

void allow_origin(const RequestHead& head, const std::vector<std::string>& origins,
                  Fields& response) {
    if (origins.empty()) {
        return;
    }
    for (const std::string_view name : kOurs) {
        response.remove(name);
    }
    response.add("vary", "origin");
    if (const std::string origin = listed_origin(head, origins); !origin.empty()) {
        response.add("access-control-allow-origin", origin);
    }
}

}  // namespace alknet::http
