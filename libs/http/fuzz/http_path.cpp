// The path, the dates, the entity tags, the ranges and the codings of a request. Lines: the path,
// Range, If-Range, a list of entity tags, a date, Accept-Encoding.
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/http/coding.hpp>
#include <alknet/http/conditional.hpp>
#include <alknet/http/path.hpp>

namespace {

using namespace alknet;
using namespace alknet::http;

std::string_view line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view first = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return first;
}

void check_path(std::string_view text) {
    const auto path = parse_file_path(text);
    if (!path) {
        return;
    }
    ALKNET_ASSERT(path->segments.size() <= kSegmentsMax);
    for (const std::string& segment : path->segments) {
        ALKNET_ASSERT(!segment.empty() && segment != "." && segment != "..");
        ALKNET_ASSERT(segment.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos);
    }
    const auto again = parse_file_path(path->canonical());
    ALKNET_ASSERT(path->canonical().empty() || (again && *again == *path));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text = as_text(view_octets(data, size));
    check_path(line(text));
    const std::string_view range = line(text);
    const std::string_view condition = line(text);
    const std::string_view tags = line(text);
    const std::string_view date = line(text);
    Fields codings;
    codings.add("accept-encoding", line(text));
    (void)choose_coding(codings);
    const Validators validators{.etag = "\"a\"",
                                .modified = WallTime(std::chrono::seconds(784'111'777))};
    for (const std::uint64_t length : {0U, 1U, 1000U}) {
        Fields fields;
        fields.add("range", range);
        if (!condition.empty()) {
            fields.add("if-range", condition);
        }
        const RangeChoice choice = choose_range(fields, validators, length);
        if (choice.verdict == RangeVerdict::part) {
            ALKNET_ASSERT(choice.range.size > 0 && choice.range.first < length);
            ALKNET_ASSERT(choice.range.size <= length - choice.range.first);
        }
    }
    if (const auto when = parse_http_date(date)) {
        ALKNET_ASSERT(http_date(*when) == date);
    }
    for (const char* const name : {"if-match", "if-none-match"}) {
        Fields fields;
        fields.add(name, tags);
        fields.add("if-modified-since", date);
        fields.add("if-unmodified-since", date);
        (void)check_preconditions(fields, validators);
    }
    Fields dates;
    dates.add("if-modified-since", date);
    dates.add("if-unmodified-since", date);
    (void)check_preconditions(dates, validators);
    return 0;
}
