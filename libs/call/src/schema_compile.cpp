#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/call/schema.hpp>
#include <array>
#include <charconv>
#include <span>
#include <tuple>

#include "json_pointer.hpp"
#include "json_values.hpp"
#include "schema_compiled.hpp"

namespace alknet::call {

namespace {

constexpr std::size_t kIgnoredMax = 32;
constexpr std::size_t kValuesTextMax = 200;
constexpr std::size_t kPatternStatesMin = 64;  // so that small ones are not too many

// Say nothing about a value, or are read where another keyword asks for them.
constexpr auto kAnnotations = std::to_array<std::string_view>({
    "$schema",
    "$comment",
    "$defs",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
});

// RFC 3986, 2.1, as a fragment is written; nullopt for an escape that is none.
std::optional<std::string> percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        unsigned octet = 0;
        const std::string_view digits = text.substr(i + 1, 2);
        const auto [end, wrong] =
            std::from_chars(digits.data(), digits.data() + digits.size(), octet, 16);
        if (digits.size() != 2 || wrong != std::errc() || end != digits.data() + 2) {
            return std::nullopt;
        }
        out += static_cast<char>(octet);
        i += 2;
    }
    return out;
}

// For a person; empty where it would be too long.
std::string short_text(const Json& value) {
    std::string text = value.text();
    return text.size() > kValuesTextMax ? std::string() : text;
}

std::vector<NodeIndex> at_the_same_place(const SchemaNode& node) {
    std::vector<NodeIndex> all;
    for (const auto* list : {&node.all_of, &node.any_of, &node.one_of}) {
        all.insert(all.end(), list->begin(), list->end());
    }
    for (const auto& one :
         {node.negated, node.condition, node.then, node.otherwise, node.reference}) {
        if (one) {
            all.push_back(*one);
        }
    }
    for (const auto& [name, schema] : node.object.dependent_schemas) {
        all.push_back(schema);
    }
    return all;
}

/// Compiles one document. The first error stays; what comes after it is of no use.
class SchemaCompiler {
public:
    SchemaCompiler(const Json& document, const SchemaLimits& limits, UnknownKeywords unknown)
        : document_(document), limits_(limits), unknown_(unknown) {}

    result<Schema::Compiled> compile() {
        compile(document_, "", 0);
        while (!failure_ && !waiting_.empty()) {
            const Waiting reference = std::move(waiting_.back());
            waiting_.pop_back();
            resolve(reference);
        }
        if (!failure_) {
            refuse_loops();
        }
        if (failure_) {
            return std::unexpected(*failure_);
        }
        return Schema::Compiled{.document = document_,
                                .nodes = std::move(nodes_),
                                .ignored = std::move(ignored_),
                                .pattern_states = pattern_states_};
    }

private:
    struct Keyword {
        std::string_view name;
        void (*read)(SchemaCompiler& in, SchemaNode& node, const Json& value);
    };
    struct Waiting {
        NodeIndex node;
        std::string pointer;  // of the node
        std::string target;
    };

    void refuse(const Cause& cause, std::string_view why) {
        if (!failure_) {
            failure_ = error(cause, fmt::format("schema at '{}': {}", pointer_, why));
        }
    }
    void refuse(std::string_view why) { refuse(causes::kUsage, why); }

    /// The node of a place, compiled at most once.
    NodeIndex compile(const Json& schema, std::string pointer, std::size_t depth);
    void read_keyword(SchemaNode& node, const std::string& name, const Json& value);
    void resolve(const Waiting& reference);
    void refuse_loops();

    NodeIndex below(const Json& schema, std::string_view name) {
        return compile(schema, pointer_ + "/" + pointer_token(name), depth_ + 1);
    }
    NodeIndex here(const Json& schema) { return compile(schema, pointer_, depth_ + 1); }
    std::vector<NodeIndex> list_below(const Json& value) {
        std::vector<NodeIndex> all;
        const auto* array = value.as_array();
        if (array == nullptr || array->empty()) {
            refuse("must be a list of schemas, and not an empty one");
            return all;
        }
        for (std::size_t i = 0; i < array->size() && !failure_; ++i) {
            all.push_back(below((*array)[i], std::to_string(i)));
        }
        return all;
    }
    const Json::Object& object(const Json& value) {
        const auto* object = value.as_object();
        if (object == nullptr) {
            refuse("must be an object");
        }
        return object == nullptr ? none_ : *object;
    }
    std::map<std::string, NodeIndex, std::less<>> map_below(const Json& value) {
        std::map<std::string, NodeIndex, std::less<>> all;
        for (const auto& [name, schema] : object(value)) {
            all.emplace(name, below(schema, name));
        }
        return all;
    }
    std::optional<std::uint64_t> count(const Json& value) {
        // 2.0 is a count too.
        const auto number = value.as_number();
        if (!number || *number < 0 || !is_whole(value) || *number >= 0x1p63) {
            refuse("must be a whole number from 0 on");
            return std::nullopt;
        }
        return static_cast<std::uint64_t>(*number);
    }
    std::optional<Json> number(const Json& value) {
        if (!is_number(value)) {
            refuse("must be a number");
            return std::nullopt;
        }
        return value;
    }
    std::vector<std::string> names(const Json& value) {
        std::vector<std::string> all;
        const auto* array = value.as_array();
        if (array == nullptr) {
            refuse("must be a list of texts");
            return all;
        }
        for (const Json& one : *array) {
            if (one.as_string() == nullptr) {
                refuse("must be a list of texts");
                return all;
            }
            all.push_back(*one.as_string());
        }
        std::ranges::sort(all);
        const auto again = std::ranges::unique(all);
        all.erase(again.begin(), again.end());
        return all;
    }
    std::optional<Pattern> pattern(std::string_view text) {
        if (failure_) {
            return std::nullopt;  // it would take its time for nothing
        }
        if (text.size() > limits_.pattern_bytes_max) {
            refuse(causes::kLimit,
                   fmt::format("a pattern has at most {} octets", limits_.pattern_bytes_max));
            return std::nullopt;
        }
        auto compiled = Pattern::compile(text);
        if (!compiled) {
            refuse(compiled.error().detail());
            return std::nullopt;
        }
        pattern_states_ += std::max(compiled->states(), kPatternStatesMin);
        if (pattern_states_ > limits_.pattern_states_max) {
            refuse(causes::kLimit, fmt::format("the patterns have more than {} states",
                                               limits_.pattern_states_max));
            return std::nullopt;
        }
        return *std::move(compiled);
    }
    std::string canonical(const Json& value) {
        std::string text;
        values_ += write_canonical(value, text);
        if (values_ > limits_.values_max) {
            refuse(causes::kLimit,
                   fmt::format("enum and const have at most {} values", limits_.values_max));
        }
        return text;
    }

    void read_type(SchemaNode& node, const Json& value);
    void read_enum(SchemaNode& node, const Json& value);
    void read_reference(const Json& value);
    void read_pattern_properties(SchemaNode& node, const Json& value);
    static std::span<const Keyword> of_values() noexcept;
    static std::span<const Keyword> of_containers() noexcept;
    static std::span<const Keyword> of_schemas() noexcept;

    const Json& document_;
    const SchemaLimits& limits_;
    UnknownKeywords unknown_;
    std::vector<SchemaNode> nodes_;
    std::map<std::string, NodeIndex, std::less<>> compiled_;  // by pointer
    std::vector<Waiting> waiting_;
    std::vector<std::string> ignored_;
    std::size_t values_ = 0;
    std::size_t pattern_states_ = 0;
    const Json::Object none_;
    std::string pointer_;  // of what is read
    std::size_t depth_ = 0;
    NodeIndex node_ = 0;  // that is read
    std::optional<error> failure_;
};

void SchemaCompiler::read_type(SchemaNode& node, const Json& value) {
    const Json::Array one{value};
    const auto* listed = value.as_array();
    for (const Json& name : listed == nullptr ? one : *listed) {
        const auto* text = name.as_string();
        const auto* found = text == nullptr
                                ? kJsonTypes.end()
                                : std::ranges::find(kJsonTypes, std::string_view(*text),
                                                    &decltype(kJsonTypes)::value_type::first);
        if (found == kJsonTypes.end()) {
            return refuse(
                "must be null, boolean, integer, number, string, array, object, or a "
                "list of them");
        }
        node.types |= found->second;
    }
    if (node.types == 0) {
        refuse("must name a type");
    }
}

void SchemaCompiler::read_enum(SchemaNode& node, const Json& value) {
    const auto* values = value.as_array();
    if (values == nullptr) {
        return refuse("must be a list of values");
    }
    auto& all = node.one_of_values.emplace();
    for (const Json& one : *values) {
        all.insert(canonical(one));
    }
    node.values_text = short_text(value);
}

// Compiled once this node is, so that a schema may stand inside itself.
void SchemaCompiler::read_reference(const Json& value) {
    const auto* text = value.as_string();
    if (text == nullptr || !text->starts_with('#')) {
        return refuse("must be a place in this document: \"#\" or \"#/$defs/name\"");
    }
    const auto target = percent_decoded(std::string_view(*text).substr(1));
    if (!target || (!target->empty() && !target->starts_with('/'))) {
        return refuse("must be a JSON pointer behind its '#'");
    }
    waiting_.push_back({.node = node_, .pointer = pointer_, .target = *target});
}

void SchemaCompiler::read_pattern_properties(SchemaNode& node, const Json& value) {
    for (const auto& [text, schema] : object(value)) {
        if (auto compiled = pattern(text)) {
            node.object.patterns.emplace_back(*std::move(compiled), below(schema, text));
        }
    }
}

std::span<const SchemaCompiler::Keyword> SchemaCompiler::of_values() noexcept {
    using In = SchemaCompiler&;
    using Node = SchemaNode&;
    using Value = const Json&;
    static constexpr auto kKeywords = std::to_array<Keyword>({
        {"type", [](In in, Node node, Value value) { in.read_type(node, value); }},
        {"enum", [](In in, Node node, Value value) { in.read_enum(node, value); }},
        {"const",
         [](In in, Node node, Value value) {
             node.constant = in.canonical(value);
             node.constant_text = short_text(value);
         }},
        {"multipleOf",
         [](In in, Node node, Value value) {
             node.number.multiple_of = in.number(value);
             if (compare_numbers(value, 0) <= 0) {
                 in.refuse("must be above 0");
             }
         }},
        {"minimum", [](In in, Node node, Value value) { node.number.minimum = in.number(value); }},
        {"maximum", [](In in, Node node, Value value) { node.number.maximum = in.number(value); }},
        {"exclusiveMinimum",
         [](In in, Node node, Value value) { node.number.exclusive_minimum = in.number(value); }},
        {"exclusiveMaximum",
         [](In in, Node node, Value value) { node.number.exclusive_maximum = in.number(value); }},
        {"minLength",
         [](In in, Node node, Value value) { node.text.length_min = in.count(value); }},
        {"maxLength",
         [](In in, Node node, Value value) { node.text.length_max = in.count(value); }},
        {"pattern",
         [](In in, Node node, Value value) {
             const auto* text = value.as_string();
             if (text == nullptr) {
                 return in.refuse("must be a text");
             }
             node.text.pattern = in.pattern(*text);
             node.text.pattern_text = *text;
         }},
    });
    return kKeywords;
}

std::span<const SchemaCompiler::Keyword> SchemaCompiler::of_containers() noexcept {
    using In = SchemaCompiler&;
    using Node = SchemaNode&;
    using Value = const Json&;
    static constexpr auto kKeywords = std::to_array<Keyword>({
        {"minItems", [](In in, Node node, Value value) { node.array.items_min = in.count(value); }},
        {"maxItems", [](In in, Node node, Value value) { node.array.items_max = in.count(value); }},
        {"minContains",
         [](In in, Node node, Value value) { node.array.contains_min = in.count(value); }},
        {"maxContains",
         [](In in, Node node, Value value) { node.array.contains_max = in.count(value); }},
        {"uniqueItems",
         [](In in, Node node, Value value) {
             if (value.as_bool() == nullptr) {
                 return in.refuse("must be true or false");
             }
             node.array.unique = *value.as_bool();
         }},
        {"minProperties",
         [](In in, Node node, Value value) { node.object.members_min = in.count(value); }},
        {"maxProperties",
         [](In in, Node node, Value value) { node.object.members_max = in.count(value); }},
        {"required", [](In in, Node node, Value value) { node.object.required = in.names(value); }},
        {"dependentRequired",
         [](In in, Node node, Value value) {
             for (const auto& [name, needed] : in.object(value)) {
                 node.object.dependent_required.emplace(name, in.names(needed));
             }
         }},
    });
    return kKeywords;
}

std::span<const SchemaCompiler::Keyword> SchemaCompiler::of_schemas() noexcept {
    using In = SchemaCompiler&;
    using Node = SchemaNode&;
    using Value = const Json&;
    static constexpr auto kKeywords = std::to_array<Keyword>({
        {"prefixItems",
         [](In in, Node node, Value value) { node.array.prefix = in.list_below(value); }},
        {"items", [](In in, Node node, Value value) { node.array.items = in.here(value); }},
        {"contains", [](In in, Node node, Value value) { node.array.contains = in.here(value); }},
        {"properties",
         [](In in, Node node, Value value) { node.object.properties = in.map_below(value); }},
        {"patternProperties",
         [](In in, Node node, Value value) { in.read_pattern_properties(node, value); }},
        {"additionalProperties",
         [](In in, Node node, Value value) { node.object.additional = in.here(value); }},
        {"propertyNames",
         [](In in, Node node, Value value) { node.object.names = in.here(value); }},
        {"dependentSchemas",
         [](In in, Node node, Value value) {
             node.object.dependent_schemas = in.map_below(value);
         }},
        {"allOf", [](In in, Node node, Value value) { node.all_of = in.list_below(value); }},
        {"anyOf", [](In in, Node node, Value value) { node.any_of = in.list_below(value); }},
        {"oneOf", [](In in, Node node, Value value) { node.one_of = in.list_below(value); }},
        {"not", [](In in, Node node, Value value) { node.negated = in.here(value); }},
        {"if", [](In in, Node node, Value value) { node.condition = in.here(value); }},
        {"then", [](In in, Node node, Value value) { node.then = in.here(value); }},
        {"else", [](In in, Node node, Value value) { node.otherwise = in.here(value); }},
        {"$ref", [](In in, Node /*node*/, Value value) { in.read_reference(value); }},
    });
    return kKeywords;
}

void SchemaCompiler::read_keyword(SchemaNode& node, const std::string& name, const Json& value) {
    for (const auto& vocabulary : {of_values(), of_containers(), of_schemas()}) {
        const auto found = std::ranges::find(vocabulary, std::string_view(name), &Keyword::name);
        if (found != vocabulary.end()) {
            return found->read(*this, node, value);
        }
    }
    if (std::ranges::find(kAnnotations, std::string_view(name)) != kAnnotations.end()) {
        return;
    }
    if (unknown_ == UnknownKeywords::refused) {
        refuse("this keyword is not known");
    } else if (ignored_.size() < kIgnoredMax) {
        ignored_.push_back(pointer_);
    }
}

NodeIndex SchemaCompiler::compile(const Json& schema, std::string pointer, std::size_t depth) {
    if (failure_) {
        return 0;
    }
    if (const auto known = compiled_.find(pointer); known != compiled_.end()) {
        return known->second;
    }
    const auto outer = std::tuple(std::exchange(pointer_, pointer), std::exchange(depth_, depth),
                                  std::exchange(node_, nodes_.size()));
    const NodeIndex index = node_;
    if (nodes_.size() == limits_.nodes_max || depth > limits_.depth_max) {
        refuse(causes::kLimit, "there are too many schemas, or too many inside one another");
        return 0;
    }
    nodes_.emplace_back();
    compiled_.emplace(pointer, index);
    SchemaNode node;
    if (const bool* all = schema.as_bool()) {
        node.never = !*all;
    } else if (const auto* keywords = schema.as_object()) {
        for (const auto& [name, value] : *keywords) {
            pointer_ = pointer + "/" + pointer_token(name);
            read_keyword(node, name, value);
        }
    } else {
        refuse("a schema is an object, true or false");
    }
    nodes_[index] = std::move(node);
    std::tie(pointer_, depth_, node_) = outer;
    return index;
}

void SchemaCompiler::resolve(const Waiting& reference) {
    pointer_ = reference.pointer;
    const Json* target = at_pointer(document_, reference.target);
    if (target == nullptr) {
        return refuse("there is no '#" + reference.target + "'");
    }
    const NodeIndex found = compile(*target, reference.target, 0);
    nodes_[reference.node].reference = found;
}

// A way from a schema to itself that takes nothing off the value would never end.
void SchemaCompiler::refuse_loops() {
    enum class Seen : std::uint8_t { no, open, done };
    std::vector<Seen> seen(nodes_.size(), Seen::no);
    std::vector<std::pair<NodeIndex, std::vector<NodeIndex>>> path;
    for (NodeIndex start = 0; start < nodes_.size(); ++start) {
        if (seen[start] != Seen::no) {
            continue;
        }
        path.emplace_back(start, at_the_same_place(nodes_[start]));
        seen[start] = Seen::open;
        while (!path.empty()) {
            auto& [node, left] = path.back();
            if (left.empty()) {
                seen[node] = Seen::done;
                path.pop_back();
                continue;
            }
            const NodeIndex next = left.back();
            left.pop_back();
            if (seen[next] == Seen::open) {
                pointer_.clear();
                return refuse("a schema refers to itself for the same value");
            }
            if (seen[next] == Seen::no) {
                seen[next] = Seen::open;
                path.emplace_back(next, at_the_same_place(nodes_[next]));
            }
        }
    }
}

}  // namespace

result<Schema> Schema::compile(const Json& document, const SchemaLimits& limits,
                               UnknownKeywords unknown) {
    ALKNET_TRY(Compiled compiled, SchemaCompiler(document, limits, unknown).compile());
    return Schema(std::make_shared<const Compiled>(std::move(compiled)));
}

std::size_t Schema::pattern_states() const noexcept {
    return compiled_ == nullptr ? 0 : compiled_->pattern_states;
}

std::span<const std::string> Schema::ignored() const noexcept {
    return compiled_ == nullptr ? std::span<const std::string>() : compiled_->ignored;
}

Json Schema::document() const {
    return compiled_ == nullptr ? Json(true) : compiled_->document;
}

}  // namespace alknet::call
