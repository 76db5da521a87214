#include "request_rules.hpp"

#include <algorithm>
#include <alknet/base/number.hpp>
#include <alknet/http/request_parser.hpp>
#include <array>

namespace alknet::http {

namespace {

constexpr bool is_visible(char c) noexcept {
    return c > ' ' && c < 0x7f;
}

constexpr bool is_host_octet(char c) noexcept {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-._~").find(c) != std::string_view::npos;
}

bool is_bracketed(std::string_view host) noexcept {
    return host.size() > 2 && host.starts_with('[') && host.ends_with(']') &&
           std::ranges::all_of(host.substr(1, host.size() - 2),
                               [](char c) { return is_hex_digit(c) || c == ':' || c == '.'; });
}

constexpr std::array<std::string_view, 26> kNoTrailers = {
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "location",
    "proxy-authorization",
    "range",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
};

}  // namespace

std::optional<FieldView> split_field(std::string_view line, std::string_view& reason) noexcept {
    if (line.front() == ' ' || line.front() == '\t') {
        reason = "a field is folded over several lines";
        return std::nullopt;
    }
    const std::size_t colon = line.find(':');
    const FieldView field{.name = line.substr(0, colon),
                          .value = colon == std::string_view::npos ? std::string_view()
                                                                   : trim(line.substr(colon + 1))};
    if (colon == std::string_view::npos || !is_token(field.name)) {
        reason = "a field has no name that is a token";
        return std::nullopt;
    }
    if (!is_field_value(field.value)) {
        reason = "a field's value has a control character";
        return std::nullopt;
    }
    return field;
}

bool is_path(std::string_view text) noexcept {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (!is_visible(c) || std::string_view("#\"<>\\?").find(c) != std::string_view::npos) {
            return false;
        }
        if (c == '%' && (i + 2 >= text.size() || !is_hex_digit(text[i + 1]) ||
                         !is_hex_digit(text[i + 2]) || text.substr(i, 3) == "%00")) {
            return false;
        }
    }
    return true;
}

bool is_query(std::string_view text) noexcept {
    return std::ranges::all_of(text, [](char c) { return is_visible(c) && c != '#'; });
}

bool is_authority(std::string_view text) noexcept {
    const std::size_t bracket = text.find(']');
    const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon != std::string_view::npos) {
        const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
        if (!port) {
            return false;
        }
    }
    const std::string_view host = text.substr(0, colon);
    return host.starts_with('[') ? is_bracketed(host)
                                 : !host.empty() && std::ranges::all_of(host, is_host_octet);
}

bool passes_for_framing(std::string_view name) noexcept {
    return equal_ignoring_case(name, "content_length") ||
           equal_ignoring_case(name, "transfer_encoding");
}

void TrailerBuilder::take(std::string_view name, std::string_view value) {
    ++count_;
    bytes_ += name.size() + value.size();
    if (!too_large() && is_token(name) && is_field_value(value) && is_trailer(name)) {
        fields_.add(name, value);
    }
}

bool TrailerBuilder::too_large() const noexcept {
    return count_ > kTrailersMax || bytes_ > kTrailerBytesMax;
}

std::vector<FieldView> sent_trailers(const Fields& fields) {
    std::vector<FieldView> sent;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const FieldView field = fields[i];
        if (is_token(field.name) && is_field_value(field.value) && is_trailer(field.name)) {
            sent.push_back(field);
        }
    }
    return sent;
}

bool is_trailer(std::string_view name) noexcept {
    return !passes_for_framing(name) &&
           std::ranges::none_of(kNoTrailers, [&](std::string_view forbidden) {
               return equal_ignoring_case(name, forbidden);
           });
}

}  // namespace alknet::http
