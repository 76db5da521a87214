// [[call.import]] of alknet.toml.
#include <algorithm>
#include <array>
#include <cctype>

#include "fields.hpp"
#include "values.hpp"

namespace alknet::config {

namespace {

constexpr std::size_t kPatternsMax = 256;
constexpr std::size_t kPatternBytesMax = 128;
constexpr std::size_t kHopsMax = 8;

/// What the names of operations here begin with.
struct Prefix {
    static void read(Reading& in, const toml::node& value, std::string& into) {
        const std::string* text = in.text(value);
        if (text == nullptr) {
            return;
        }
        if (text->size() > kPrefixBytesMax || !is_word(*text, "_-")) {
            in.refuse(value, "must be " + type());
        } else {
            into = *text;
        }
    }
    static std::string show(const std::string& value) { return toml_text(value); }
    static std::string type() { return "at most 32 letters, digits, '_' or '-'"; }
};

struct OperationPattern {
    static void read(Reading& in, const toml::node& value, std::string& into) {
        const std::string* text = in.text(value);
        if (text == nullptr) {
            return;
        }
        const std::size_t slash = std::min(text->find('/'), text->size());
        const std::string_view service = std::string_view(*text).substr(0, slash);
        const std::string_view name =
            slash < text->size() ? std::string_view(*text).substr(slash + 1) : std::string_view();
        const auto fits = [](std::string_view word) { return word == "*" || is_word(word, "_-"); };
        if (text->size() > kPatternBytesMax || !fits(service) || !fits(name)) {
            in.refuse(value, "must be SERVICE/NAME, either of which may be *");
        } else {
            into = *text;
        }
    }
    static std::string show(const std::string& value) { return toml_text(value); }
    static std::string type() { return "SERVICE/NAME, either of which may be *"; }
};

constexpr std::array kImportFields = {
    field<&Import::peer, Name>(
        {.name = "peer",
         .about = "Whose they are: a peer that has a node id and an address. The node dials it, "
                  "and shows its own key.",
         .example = "\"office\""}),
    field<&Import::peers, List<Name, kImportPeersMax>>(
        {.name = "peers",
         .about = "Others that offer the same, besides peer or in its place. A call goes to the "
                  "first of them that is there, and a query to the next one when that is lost.",
         .example = "[\"lab\"]"}),
    field<&Import::prefix, Prefix>(
        {.name = "prefix",
         .about = "What their names begin with here: the peer's files/read is office-files/read "
                  "with the prefix \"office\", and its office/open stays office/open.",
         .example = "\"office\"",
         .required = true}),
    field<&Import::operations, List<OperationPattern, kPatternsMax>>(
        {.name = "operations",
         .about = "Which of them, as they are called there; an empty array imports all that this "
                  "node may call.",
         .example = "[\"files/*\"]"}),
    field<&Import::scope, ExactScope>(
        {.name = "scope",
         .about = "What a peer needs here to call them. Without this, import:call:NAME for each, "
                  "by its name here.",
         .example = "\"office:use\""}),
    field<&Import::hops, Integer<0, kHopsMax>>(
        {.name = "hops",
         .about = "Over how many further nodes the peer's own imports may lead that are imported "
                  "along; 0 imports what the peer has itself."}),
};

constexpr std::span<const Field<Import>> kFields(kImportFields);

}  // namespace

bool is_word(std::string_view text, std::string_view more) {
    return !text.empty() && std::ranges::all_of(text, [&](unsigned char c) {
        return std::isalnum(c) != 0 || more.find(static_cast<char>(c)) != std::string_view::npos;
    });
}

void check_prefixes(Reading& in, const toml::table& table, const std::string& one,
                    const std::string& other) {
    if (one == other || one.starts_with(other + "-") || other.starts_with(one + "-")) {
        in.refuse(table, "the names of operations of '" + one + "' and of '" + other +
                             "' could be the same");
    }
}

std::vector<std::string> Import::from() const {
    std::vector<std::string> all = peers;
    if (!peer.empty()) {
        all.insert(all.begin(), peer);
    }
    return all;
}

bool Import::wants(std::string_view operation) const {
    const auto same = [](std::string_view pattern, std::string_view word) {
        return pattern == "*" ? !word.empty() : pattern == word;
    };
    const std::size_t slash = std::min(operation.find('/'), operation.size());
    const auto fits = [&](std::string_view pattern) {
        const std::size_t middle = pattern.find('/');
        return same(pattern.substr(0, middle), operation.substr(0, slash)) &&
               same(pattern.substr(middle + 1),
                    operation.substr(std::min(slash + 1, operation.size())));
    };
    return operations.empty() || std::ranges::any_of(operations, fits);
}

namespace {

void check_peers(Reading& in, const toml::table& table, const Import& import) {
    if (!table.contains("peer") && !table.contains("peers")) {
        in.refuse(table, "needs the key 'peer' or 'peers'");
        return;
    }
    std::vector<std::string> names = import.from();
    std::ranges::sort(names);
    if (std::ranges::adjacent_find(names) != names.end()) {
        in.refuse(table, "names a peer twice");
    }
    if (const toml::node* peers = table.get("peers");
        peers != nullptr && peers->is_array() && peers->as_array()->empty()) {
        in.refuse(*peers, "must name at least one peer");
    }
}

}  // namespace

void read_imports(Reading& in, const toml::node& value, Config& into) {
    const toml::array* array = in.array(value, kImportsMax);
    if (array == nullptr) {
        return;
    }
    std::vector<Import>& all = into.dynamic.imports;
    for (const toml::node& node : *array) {
        const toml::table* table = in.table(node);
        if (table == nullptr) {
            continue;
        }
        Import import;
        read_fields(in, *table, kFields, import);
        check_peers(in, *table, import);
        for (const Import& other : all) {
            check_prefixes(in, *table, import.prefix, other.prefix);
        }
        all.push_back(std::move(import));
    }
}

std::vector<KeyInfo> import_keys() {
    return describe(kFields, Import());
}

std::vector<Entry> import_entries(const Config& config) {
    std::vector<Entry> entries;
    for (const Import& import : config.dynamic.imports) {
        entries.push_back({.name = import.prefix, .keys = show(kFields, import)});
    }
    return entries;
}

}  // namespace alknet::config
