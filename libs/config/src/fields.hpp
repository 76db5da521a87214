// Fields: the keys of one table, each tied to the member that it fills. Parser, commented default
// file and manual page all follow these lists.
#pragma once

#include <alknet/config/reference.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reading.hpp"

namespace alknet::config {

template <class T>
struct Field {
    std::string_view name;
    std::string_view about;
    std::string_view example;  // TOML; empty: the default serves
    bool required;
    bool restart;
    void (*read)(Reading&, const toml::node&, T&);
    std::string (*show)(const T&);
    std::string (*type)();
};

struct FieldText {
    std::string_view name;
    std::string_view about;
    std::string_view example = {};
    bool required = false;
    bool restart = false;
};

template <class Member>
struct ClassOf;
template <class T, class V>
struct ClassOf<V T::*> {
    using type = T;
};

/// `field<&Peer::name, Name>({.name = "name", …})`
template <auto Member, class Value>
constexpr auto field(const FieldText& text) {
    using T = typename ClassOf<decltype(Member)>::type;
    return Field<T>{
        .name = text.name,
        .about = text.about,
        .example = text.example,
        .required = text.required,
        .restart = text.restart,
        .read = [](Reading& in, const toml::node& value,
                   T& into) { Value::read(in, value, into.*Member); },
        .show = [](const T& from) { return Value::show(from.*Member); },
        .type = &Value::type,
    };
}

void refuse_unknown(Reading& in, const toml::key& key, const std::vector<std::string_view>& known);

template <class T>
void read_fields(Reading& in, const toml::table& table, std::span<const Field<T>> fields, T& into) {
    for (const auto& [key, value] : table) {
        const Reading::Below below(in, key.str());
        const Field<T>* known = nullptr;
        std::vector<std::string_view> names;
        for (const Field<T>& field : fields) {
            names.push_back(field.name);
            known = field.name == key.str() ? &field : known;
        }
        if (known == nullptr) {
            refuse_unknown(in, key, names);
        } else {
            known->read(in, value, into);
        }
    }
    for (const Field<T>& field : fields) {
        if (field.required && !table.contains(field.name)) {
            in.refuse(table, "needs the key '" + std::string(field.name) + "'");
        }
    }
}

template <class T>
std::vector<KeyInfo> describe(std::span<const Field<T>> fields, const T& defaults) {
    std::vector<KeyInfo> keys;
    for (const Field<T>& field : fields) {
        std::string shown = field.show(defaults);
        std::string example = field.example.empty() ? shown : std::string(field.example);
        if (field.required) {
            shown.clear();
        }
        keys.push_back({.name = field.name,
                        .type = field.type(),
                        .default_text = std::move(shown),
                        .example = std::move(example),
                        .about = field.about,
                        .required = field.required,
                        .restart = field.restart});
    }
    return keys;
}

/// A key with its value as TOML, which is empty if there is none.
struct Shown {
    std::string_view name;
    std::string value;
};

/// One table as it is now: of lists and named tables there may be several.
struct Entry {
    std::string name;  // of lists and named tables
    std::vector<Shown> keys;
};

template <class T>
std::vector<Shown> show(std::span<const Field<T>> fields, const T& from) {
    std::vector<Shown> keys;
    for (const Field<T>& field : fields) {
        keys.push_back({.name = field.name, .value = field.show(from)});
    }
    return keys;
}

/// One table of the file.
struct Table {
    std::string_view name;
    TableInfo::Shape shape;
    std::string_view about;
    void (*read)(Reading&, const toml::node&, Config&);  // null: the table above it reads it
    std::vector<KeyInfo> (*keys)();
    std::vector<Entry> (*entries)(const Config&);
};

/// In the order in which they are documented.
[[nodiscard]] std::span<const Table> tables() noexcept;

// [audit], which stands in a file of its own.
void read_audit(Reading& in, const toml::node& value, Config& into);
[[nodiscard]] std::vector<KeyInfo> audit_keys();
[[nodiscard]] std::vector<Entry> audit_entries(const Config& config);

// [[exec]], likewise.
void read_imports(Reading& in, const toml::node& value, Config& into);
[[nodiscard]] std::vector<KeyInfo> import_keys();
[[nodiscard]] std::vector<Entry> import_entries(const Config& config);
void read_programs(Reading& in, const toml::node& value, Config& into);
[[nodiscard]] std::vector<KeyInfo> program_keys();
[[nodiscard]] std::vector<Entry> program_entries(const Config& config);

// [[http.site]], [[http.site.route]] and [http.limits].
void read_http_sites(Reading& in, const toml::node& value, Config& into);
[[nodiscard]] std::vector<KeyInfo> http_site_keys();
[[nodiscard]] std::vector<Entry> http_site_entries(const Config& config);
[[nodiscard]] std::vector<KeyInfo> http_route_keys();
[[nodiscard]] std::vector<Entry> http_route_entries(const Config& config);
void read_http_status(Reading& in, const toml::node& value, Config& into);
[[nodiscard]] std::vector<KeyInfo> http_status_keys();
[[nodiscard]] std::vector<Entry> http_status_entries(const Config& config);
void read_http_limits(Reading& in, const toml::node& value, Config& into);
[[nodiscard]] std::vector<KeyInfo> http_limit_keys();
[[nodiscard]] std::vector<Entry> http_limit_entries(const Config& config);

/// Where a node listens that is told nothing else.
[[nodiscard]] Listener default_listener();

}  // namespace alknet::config
