#include <fmt/format.h>
#include <alknet/config/settings.hpp>
#include <map>
#include <optional>

#include "fields.hpp"
#include "toml.hpp"
#include "values.hpp"

namespace alknet::config {

namespace {

// What stands under the name of a table, if anything: `access.assert` is a table in a table.
const toml::node* find_table(const toml::table& tree, std::string_view name) {
    const std::size_t dot = name.find('.');
    const toml::node* node = tree.get(name.substr(0, dot));
    if (node == nullptr || dot == std::string_view::npos) {
        return node;
    }
    const toml::table* inner = node->as_table();
    return inner == nullptr ? nullptr : inner->get(name.substr(dot + 1));
}

// The entry's own table in the file.
const toml::table* find_entry(const Table& table, const toml::node* node, std::size_t index,
                              std::string_view name) {
    if (node == nullptr) {
        return nullptr;
    }
    if (table.shape == TableInfo::Shape::list) {
        const toml::array* array = node->as_array();
        const toml::node* entry = array == nullptr ? nullptr : array->get(index);
        return entry == nullptr ? nullptr : entry->as_table();
    }
    const toml::table* all = node->as_table();
    if (table.shape == TableInfo::Shape::single || all == nullptr) {
        return all;
    }
    const toml::node* entry = all->get(name);
    return entry == nullptr ? nullptr : entry->as_table();
}

// http.site.route: of lists in the entries of a list, all of them are counted together.
const toml::table* find_inner_entry(const toml::table& tree, std::string_view name,
                                    std::size_t index) {
    const std::size_t dot = name.rfind('.');
    const toml::node* outer = find_table(tree, name.substr(0, dot));
    const toml::array* array = outer == nullptr ? nullptr : outer->as_array();
    for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
        const toml::table* entry = array->get(i)->as_table();
        const toml::node* node = entry == nullptr ? nullptr : entry->get(name.substr(dot + 1));
        const toml::array* inner = node == nullptr ? nullptr : node->as_array();
        if (inner != nullptr && index < inner->size()) {
            return inner->get(index)->as_table();
        }
        index -= inner == nullptr ? 0 : inner->size();
    }
    return nullptr;
}

std::size_t line_of(const toml::table* entry, std::string_view key) {
    const toml::node* value = entry == nullptr ? nullptr : entry->get(key);
    return value == nullptr ? 0 : value->source().begin.line;
}

std::string header_of(const Table& table, const std::string& name) {
    const std::string text(table.name);
    switch (table.shape) {
        case TableInfo::Shape::list:
            return "[[" + text + "]]";
        case TableInfo::Shape::named:
            return "[" + text + "." + toml_text(name) + "]";
        case TableInfo::Shape::single:
            break;
    }
    return "[" + text + "]";
}

std::string where(std::size_t line) {
    return line == 0 ? "default" : fmt::format("line {}", line);
}

}  // namespace

std::vector<Setting> settings(const Config& config, std::string_view text) {
    std::vector<Setting> all;
    const auto parsed = parse_toml(text);
    const toml::table none;
    const toml::table& tree = parsed ? *parsed : none;  // a copy would not know its lines
    for (const Table& table : tables()) {
        const toml::node* node = find_table(tree, table.name);
        std::map<std::string, int> seen;
        const std::vector<Entry> entries = table.entries(config);
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const Entry& entry = entries[i];
            std::string name(table.name);
            if (table.shape != TableInfo::Shape::single) {
                name += "." + entry.name;
            }
            // Entries that have no name of their own may be there twice.
            if (const int times = ++seen[name]; times > 1) {
                name += fmt::format("#{}", times);
            }
            const toml::table* const written = table.read == nullptr
                                                   ? find_inner_entry(tree, table.name, i)
                                                   : find_entry(table, node, i, entry.name);
            for (const Shown& shown : entry.keys) {
                if (!shown.value.empty()) {
                    all.push_back({.header = header_of(table, entry.name),
                                   .entry = name,
                                   .key = std::string(shown.name),
                                   .value = shown.value,
                                   .line = line_of(written, shown.name)});
                }
            }
        }
    }
    return all;
}

std::string Difference::text() const {
    switch (kind) {
        case Kind::added:
            return fmt::format("{}: added {} ({})", path, after, where(after_line));
        case Kind::removed:
            return fmt::format("{}: removed {} ({})", path, before, where(before_line));
        case Kind::changed:
            break;
    }
    return fmt::format("{}: {} ({}) -> {} ({})", path, before, where(before_line), after,
                       where(after_line));
}

std::vector<Difference> differences(const std::vector<Setting>& before,
                                    const std::vector<Setting>& after) {
    using Kind = Difference::Kind;
    std::map<std::string, const Setting*> old;
    for (const Setting& setting : before) {
        old.emplace(setting.path(), &setting);
    }
    std::vector<Difference> all;
    for (const Setting& setting : after) {
        const auto found = old.find(setting.path());
        // Of an entry that is new, only what was written.
        if (found == old.end() && setting.line != 0) {
            all.push_back({.kind = Kind::added,
                           .path = setting.path(),
                           .before = {},
                           .after = setting.value,
                           .after_line = setting.line});
        } else if (found != old.end() && found->second->value != setting.value) {
            all.push_back({.kind = Kind::changed,
                           .path = setting.path(),
                           .before = found->second->value,
                           .before_line = found->second->line,
                           .after = setting.value,
                           .after_line = setting.line});
        }
        if (found != old.end()) {
            old.erase(found);
        }
    }
    for (const Setting& setting : before) {
        if (setting.line != 0 && old.contains(setting.path())) {
            all.push_back({.kind = Kind::removed,
                           .path = setting.path(),
                           .before = setting.value,
                           .before_line = setting.line,
                           .after = {}});
        }
    }
    return all;
}

}  // namespace alknet::config
