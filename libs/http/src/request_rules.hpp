// What the parts of a request or response may consist of.
#pragma once

#include <alknet/http/body_reader.hpp>
#include <alknet/http/fields.hpp>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace alknet::http {

[[nodiscard]] constexpr bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_hex_digit(char c) noexcept {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

inline constexpr Refusal kBareLineFeed{.status = 400, .reason = "a line ends in a bare LF"};
inline constexpr std::string_view kPassesForAnother = "a field's name passes for another one";

/// A field's line, which is not empty, as views into it. nullopt: `reason` says why.
[[nodiscard]] std::optional<FieldView> split_field(std::string_view line,
                                                   std::string_view& reason) noexcept;

/// Begins with "/" or is "*"; each % begins an escape of two digits, other than that of NUL.
[[nodiscard]] bool is_path(std::string_view text) noexcept;
/// Printable ASCII without "#". Browsers leave more than RFC 3986 allows as it is.
[[nodiscard]] bool is_query(std::string_view text) noexcept;
/// Some programs read "_" as "-": Content_Length, Transfer_Encoding.
[[nodiscard]] bool passes_for_framing(std::string_view name) noexcept;
/// May stand in a trailer: it says nothing of framing, routing, who asks or what the content is.
[[nodiscard]] bool is_trailer(std::string_view name) noexcept;

/// The trailer of a message of HTTP/2 or HTTP/3, bounded as that of chunks is.
class TrailerBuilder {
public:
    void take(std::string_view name, std::string_view value);
    /// It is larger than is taken.
    [[nodiscard]] bool too_large() const noexcept;
    /// Without those that a trailer must not say.
    [[nodiscard]] const Fields& fields() const noexcept { return fields_; }

private:
    Fields fields_;
    std::size_t bytes_ = 0;
    std::size_t count_ = 0;
};

inline constexpr Refusal kTrailersTooLong{.status = 431, .reason = "the trailer is too large"};
/// Of a response, those that may follow its content.
[[nodiscard]] std::vector<FieldView> sent_trailers(const Fields& fields);

}  // namespace alknet::http
