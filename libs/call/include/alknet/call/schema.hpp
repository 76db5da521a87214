// JSON Schema (draft 2020-12): what an operation takes and gives. Compiled once, then asked for
// each value. Every keyword is either enforced, or known to say nothing about a value, or refused;
// none is silently ignored.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/call/json.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace alknet::call {

struct SchemaLimits {
    std::size_t nodes_max = 4096;          // schemas inside the schema
    std::size_t depth_max = 64;            // inside one another
    std::size_t pattern_bytes_max = 1024;  // of one pattern
    /// What all patterns together take: see Schema::pattern_states.
    std::size_t pattern_states_max = 64 << 10;
    std::size_t values_max = 16 * 1024;  // in all `enum` and `const` together
};

enum class UnknownKeywords : std::uint8_t {
    refused,  // in what we write ourselves
    noted,    // in what came from elsewhere: see Schema::ignored
};

/// Why a value does not fit.
struct SchemaViolation {
    std::string pointer;  // RFC 6901, of the place in the value; empty: the value as a whole
    std::string reason;   // "must be at least 1"

    bool operator==(const SchemaViolation&) const = default;
};

/// Immutable, cheap to copy, to be used from any thread.
///
/// Enforced: type, enum, const, multipleOf, maximum, exclusiveMaximum, minimum, exclusiveMinimum,
/// maxLength, minLength (in code points), pattern (RE2's language: no look-around, no references
/// back), maxItems, minItems, uniqueItems, prefixItems, items, contains, maxContains, minContains,
/// maxProperties, minProperties, required, properties, patternProperties, additionalProperties,
/// propertyNames, dependentRequired, dependentSchemas, allOf, anyOf, oneOf, not, if, then, else,
/// and $ref to a place in the same document ("#", "#/$defs/name").
/// Of a tool for people: title, description, default, examples, deprecated, readOnly, writeOnly,
/// format, contentEncoding, contentMediaType, contentSchema, $schema, $comment, $defs.
class Schema {
public:
    /// Values of one check, or of one comparison of two values: more end it with a violation.
    static constexpr std::size_t kStepsMax = 1 << 20;

    /// Accepts every value.
    Schema() = default;

    /// Errors: kUsage, with the pointer to the place in the schema: an unknown keyword, a keyword
    /// of the wrong kind, a $ref that leads nowhere, elsewhere or to itself; kLimit.
    [[nodiscard]] static result<Schema> compile(const Json& document,
                                                const SchemaLimits& limits = {},
                                                UnknownKeywords unknown = UnknownKeywords::refused);

    /// The first place that does not fit; nullopt: the value is good.
    [[nodiscard]] std::optional<SchemaViolation> check(const Json& value) const;

    /// Pointers of keywords that were not understood, at most 32.
    [[nodiscard]] std::span<const std::string> ignored() const noexcept;
    [[nodiscard]] Json document() const;
    /// Of its patterns, compiled; each counts for at least 64.
    [[nodiscard]] std::size_t pattern_states() const noexcept;

    struct Compiled;

private:
    explicit Schema(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
    std::shared_ptr<const Compiled> compiled_;  // null: accepts everything
};

}  // namespace alknet::call
