#include "json_text.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <string_view>

#include "output.hpp"

namespace alknet::app {

namespace {

bool is_simple(const Json& value) {
    return value.as_array() == nullptr && value.as_object() == nullptr;
}

std::string simple_text(const Json& value) {
    const std::string* text = value.as_string();
    return value.is_null() ? "-" : printable(text == nullptr ? value.text() : *text);
}

// On one line where every element is simple.
std::string line_of(const Json::Array& array) {
    std::string line;
    for (const Json& one : array) {
        line += (line.empty() ? "" : ", ") + simple_text(one);
    }
    return line.empty() ? "-" : line;
}

void write(std::string& out, const Json& value, std::size_t indent);

void write_members(std::string& out, const Json::Object& object, std::size_t indent) {
    std::size_t widest = 0;
    for (const auto& [name, value] : object) {
        widest = std::max(widest, printable(name).size());
    }
    for (const auto& [name, value] : object) {
        const Json::Array* array = value.as_array();
        const bool one_line =
            is_simple(value) || (array != nullptr && std::ranges::all_of(*array, is_simple));
        out += fmt::format("{:{}}{}", "", indent, printable(name));
        if (one_line) {
            out += fmt::format("{:{}}{}\n", "", widest + 2 - printable(name).size(),
                               array == nullptr ? simple_text(value) : line_of(*array));
        } else {
            out += ":\n";
            write(out, value, indent + 2);
        }
    }
}

void write(std::string& out, const Json& value, std::size_t indent) {
    if (const Json::Object* object = value.as_object(); object != nullptr) {
        write_members(out, *object, indent);
    } else if (const Json::Array* array = value.as_array(); array != nullptr) {
        for (const Json& one : *array) {
            std::string inner;
            write(inner, one, indent + 2);
            if (inner.size() > indent) {
                inner[indent] = '-';
            }
            out += inner;
        }
    } else {
        out += fmt::format("{:{}}{}\n", "", indent, simple_text(value));
    }
}

}  // namespace

std::string json_for_people(const Json& value) {
    std::string out;
    write(out, value, 0);
    return out;
}

std::string operations_text(const Json& listed) {
    const Json* operations = listed.find("operations");
    if (operations == nullptr || operations->as_array() == nullptr) {
        return json_for_people(listed);
    }
    std::size_t widest = 0;
    for (const Json& one : *operations->as_array()) {
        widest = std::max(widest, printable(one.text_of("name")).size());
    }
    std::string out;
    for (const Json& one : *operations->as_array()) {
        out += fmt::format("{:<{}}  {:<12}  {}\n", printable(one.text_of("name")), widest,
                           printable(one.text_of("kind")), printable(one.text_of("about")));
    }
    return out;
}

}  // namespace alknet::app
