// The first line as a schema, the rest as a value: compile and check end, a schema that compiled
// does so again, and "not" of it accepts what it refuses.
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/call/schema.hpp>

namespace {

using namespace alknet;
using namespace alknet::call;

constexpr JsonLimits kLimits{.depth_max = 24, .values_max = 2048};
constexpr std::string_view kTooMuch = "is too much to be checked";

void check(const Schema& schema, const Json& value) {
    const auto violation = schema.check(value);
    if (violation) {
        ALKNET_ASSERT(violation->pointer.empty() || violation->pointer.starts_with('/'));
        ALKNET_ASSERT(!violation->reason.empty());
    }
    ALKNET_ASSERT(schema.check(value) == violation);
    const auto opposite =
        Schema::compile(Json::object({{"not", schema.document()}}), {}, UnknownKeywords::noted);
    // A "$ref" to the whole leads to the opposite then.
    if (opposite && schema.document().text().find("$ref") == std::string::npos &&
        !(violation && violation->reason == kTooMuch)) {
        const auto other = opposite->check(value);
        ALKNET_ASSERT(other.has_value() != violation.has_value() || other->reason == kTooMuch);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = as_text(view_octets(data, size));
    const std::size_t line = text.find('\n');
    const auto document = parse_json(text.substr(0, line), kLimits);
    if (!document) {
        return 0;
    }
    const auto strict = Schema::compile(*document);
    const auto lenient = Schema::compile(*document, {}, UnknownKeywords::noted);
    if (strict) {
        ALKNET_ASSERT(lenient && lenient->ignored().empty());
    } else {
        ALKNET_ASSERT(strict.error().is(causes::kUsage) || strict.error().is(causes::kLimit));
    }
    const auto value = line == std::string_view::npos ? result<Json>(Json())
                                                      : parse_json(text.substr(line), kLimits);
    if (lenient && value) {
        check(*lenient, *value);
    }
    return 0;
}
