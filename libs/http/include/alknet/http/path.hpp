// Percent coding (RFC 3986 section 2.1), and paths as the names of files. Sans-I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::http {

/// nullopt: a % without two hexadecimal digits.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);
/// Leaves unreserved characters and "/" as they are.
[[nodiscard]] std::string percent_encode_path(std::string_view text);

inline constexpr std::size_t kSegmentsMax = 128;

/// A request's path, decoded and without dot segments.
struct FilePath {
    std::vector<std::string>
        segments;            // none is empty, ".", "..", or has "/" or a control character
    bool directory = false;  // it ended in "/", or in a dot segment

    /// "a/b c", or "." for the root.
    [[nodiscard]] std::string relative() const;
    /// "/a/b%20c", with a "/" at its end if it is a directory.
    [[nodiscard]] std::string canonical() const;
    bool operator==(const FilePath&) const = default;
};

/// `path` begins with "/". nullopt: a path that leads above the root, has an encoded "/" or "\\", a
/// control character, text that is not UTF-8, or more than kSegmentsMax segments.
[[nodiscard]] std::optional<FilePath> parse_file_path(std::string_view path);

}  // namespace alknet::http
