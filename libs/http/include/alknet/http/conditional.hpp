// Dates, entity tags, preconditions and ranges (RFC 9110 sections 5.6.7, 8.8, 13 and 14). Sans-I/O.
#pragma once

#include <alknet/http/message.hpp>
#include <alknet/rt/time.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::http {

/// "Sun, 06 Nov 1994 08:49:37 GMT".
[[nodiscard]] std::string http_date(WallTime when);
/// The same form alone: nobody has sent the two older ones for decades, and what is not understood
/// is ignored.
[[nodiscard]] std::optional<WallTime> parse_http_date(std::string_view text);

/// What a representation is compared by.
struct Validators {
    std::string etag;  // with its quotes; strong
    WallTime modified{};
};

enum class Precondition : std::uint8_t {
    proceed,
    not_modified,  // 304
    failed,        // 412
};
/// Of GET and HEAD, in the order of RFC 9110 section 13.2.2.
[[nodiscard]] Precondition check_preconditions(const Fields& fields, const Validators& validators);

struct Range {
    std::uint64_t first = 0;
    std::uint64_t size = 0;
    bool operator==(const Range&) const = default;
};

enum class RangeVerdict : std::uint8_t { whole, part, unsatisfiable };
struct RangeChoice {
    RangeVerdict verdict = RangeVerdict::whole;
    Range range;
    bool operator==(const RangeChoice&) const = default;
};
/// Of a representation of `size` octets. Several ranges, other units and what is malformed count as
/// no Range at all, which RFC 9110 section 14.2 allows; so does an If-Range that does not match.
[[nodiscard]] RangeChoice choose_range(const Fields& fields, const Validators& validators,
                                       std::uint64_t size);

}  // namespace alknet::http
