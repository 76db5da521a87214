#include <algorithm>
#include <alknet/base/number.hpp>
#include <alknet/base/utf8.hpp>
#include <alknet/http/path.hpp>

#include "request_rules.hpp"

namespace alknet::http {

namespace {

constexpr std::string_view kHex = "0123456789ABCDEF";

bool is_unreserved(char c) noexcept {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-._~/").find(c) != std::string_view::npos;
}

bool is_plain(std::string_view segment) noexcept {
    return std::ranges::none_of(segment, [](char c) {
        const auto octet = static_cast<unsigned char>(c);
        return octet < 0x20 || octet == 0x7f || c == '/' || c == '\\';
    });
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded.push_back(text[i]);
            continue;
        }
        if (i + 2 >= text.size() || !is_hex_digit(text[i + 1]) || !is_hex_digit(text[i + 2])) {
            return std::nullopt;
        }
        decoded.push_back(static_cast<char>(*parse_number<unsigned>(text.substr(i + 1, 2), 16)));
        i += 2;
    }
    return decoded;
}

std::string percent_encode_path(std::string_view text) {
    std::string encoded;
    for (const char c : text) {
        if (is_unreserved(c)) {
            encoded.push_back(c);
        } else {
            const auto octet = static_cast<unsigned char>(c);
            encoded.append({'%', kHex[octet >> 4], kHex[octet & 0xf]});
        }
    }
    return encoded;
}

std::string FilePath::relative() const {
    std::string text;
    for (const std::string& segment : segments) {
        text.append(text.empty() ? "" : "/").append(segment);
    }
    return text.empty() ? "." : text;
}

std::string FilePath::canonical() const {
    std::string text;
    for (const std::string& segment : segments) {
        text.append("/").append(percent_encode_path(segment));
    }
    return directory ? text.append("/") : text;
}

std::optional<FilePath> parse_file_path(std::string_view path) {
    if (!path.starts_with('/')) {
        return std::nullopt;
    }
    FilePath parsed;
    while (!path.empty()) {
        path.remove_prefix(1);  // the "/"
        const std::size_t end = std::min(path.find('/'), path.size());
        const auto segment = percent_decode(path.substr(0, end));
        path.remove_prefix(end);
        if (!segment || !is_plain(*segment) || !is_valid_utf8(*segment)) {
            return std::nullopt;
        }
        parsed.directory = segment->empty() || *segment == "." || *segment == "..";
        if (*segment == "..") {
            if (parsed.segments.empty()) {
                return std::nullopt;
            }
            parsed.segments.pop_back();
        } else if (!parsed.directory) {
            parsed.segments.push_back(*segment);
        }
        if (parsed.segments.size() > kSegmentsMax) {
            return std::nullopt;
        }
    }
    return parsed;
}

}  // namespace alknet::http
