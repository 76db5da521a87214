#include "reading.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cctype>

namespace alknet::config {

namespace {

bool is_bare(std::string_view key) {
    return !key.empty() && std::ranges::all_of(key, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_';
    });
}

}  // namespace

Reading::Below::Below(Reading& reading, std::string_view key)
    : reading_(reading), length_before_(reading.key_.size()) {
    if (!reading.key_.empty()) {
        reading.key_ += '.';
    }
    if (is_bare(key)) {
        reading.key_ += key;
    } else {
        reading.key_.append("\"").append(key).append("\"");
    }
}

void Reading::add(Problem problem) {
    if (problems_.size() < kProblemsMax) {
        problems_.push_back(std::move(problem));
    }
}

void Reading::refuse(const toml::source_region& where, std::string reason) {
    add({.file = options_.file,
         .line = where.begin.line,
         .column = where.begin.column,
         .key = key_,
         .reason = std::move(reason)});
}

void Reading::refuse_text(std::size_t line, std::size_t column, std::string reason) {
    add({.file = options_.file,
         .line = line,
         .column = column,
         .key = {},
         .reason = std::move(reason)});
}

void Reading::expected(const toml::node& value, std::string_view wanted) {
    refuse(value, fmt::format("must be {}, and is {}", wanted, kind_of(value)));
}

const std::string* Reading::text(const toml::node& value, std::size_t bytes_max) {
    const auto* text = value.as_string();
    if (text == nullptr) {
        expected(value, "text in quotes");
        return nullptr;
    }
    if (text->get().size() > bytes_max) {
        refuse(value, fmt::format("has {} octets, and at most {} are allowed", text->get().size(),
                                  bytes_max));
        return nullptr;
    }
    return &text->get();
}

void Reading::check_service(const toml::source_region& where, std::string_view name) {
    if (std::ranges::find(services_, name) != services_.end()) {
        return;
    }
    const std::string_view meant = nearest_name(name, {services_.begin(), services_.end()});
    if (!meant.empty()) {
        refuse(where, fmt::format("there is no service '{}'; did you mean '{}'?", name, meant));
    }
}

const toml::array* Reading::array(const toml::node& value, std::size_t size_max) {
    const toml::array* array = value.as_array();
    if (array == nullptr) {
        expected(value, "an array");
        return nullptr;
    }
    if (array->size() > size_max) {
        refuse(value,
               fmt::format("has {} entries, and at most {} are allowed", array->size(), size_max));
        return nullptr;
    }
    return array;
}

const toml::table* Reading::table(const toml::node& value) {
    const toml::table* table = value.as_table();
    if (table == nullptr) {
        expected(value, "a table");
    }
    return table;
}

std::string_view kind_of(const toml::node& value) noexcept {
    switch (value.type()) {
        case toml::node_type::string:
            return "text";
        case toml::node_type::integer:
            return "an integer";
        case toml::node_type::floating_point:
            return "a number with a fraction";
        case toml::node_type::boolean:
            return "true or false";
        case toml::node_type::array:
            return "an array";
        case toml::node_type::table:
            return "a table";
        default:
            return "a date or time";
    }
}

std::string Problem::text() const {
    std::string text = file;
    if (line != 0) {
        text += fmt::format(":{}:{}", line, column);
    }
    text += ": ";
    if (!key.empty()) {
        text.append(key).append(": ");
    }
    return text + reason;
}

}  // namespace alknet::config
