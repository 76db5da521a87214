#include "json.hpp"

#include <fmt/format.h>
#include <alknet/base/utf8.hpp>
#include <cmath>

namespace alknet::app {

namespace {

void write_text(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : to_valid_utf8(text)) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (octet < 0x20 || octet == 0x7f) {
            out += fmt::format("\\u{:04x}", octet);
        } else {
            out += c;
        }
    }
    out += '"';
}

template <class... Visitors>
struct Overloaded : Visitors... {
    using Visitors::operator()...;
};

}  // namespace

Json Json::with_texts(const std::function<std::string(std::string_view)>& change) const {
    if (const auto* text = std::get_if<std::string>(&value_)) {
        return change(*text);
    }
    if (const auto* array = std::get_if<Array>(&value_)) {
        Array changed;
        for (const Json& element : *array) {
            changed.push_back(element.with_texts(change));
        }
        return changed;
    }
    if (const auto* object = std::get_if<Object>(&value_)) {
        Object changed;
        for (const auto& [name, member] : *object) {
            changed.emplace_back(name, member.with_texts(change));
        }
        return changed;
    }
    return *this;
}

std::string Json::text() const {
    std::string out;
    write(out);
    return out;
}

void Json::write(std::string& out) const {
    const Overloaded visitor{
        [&](std::monostate) { out += "null"; },
        [&](bool value) { out += value ? "true" : "false"; },
        [&](std::int64_t value) { out += std::to_string(value); },
        [&](std::uint64_t value) { out += std::to_string(value); },
        [&](double value) { out += std::isfinite(value) ? fmt::format("{}", value) : "null"; },
        [&](const std::string& value) { write_text(out, value); },
        [&](const Array& array) {
            out += '[';
            for (std::size_t i = 0; i < array.size(); ++i) {
                out += i == 0 ? "" : ",";
                array[i].write(out);
            }
            out += ']';
        },
        [&](const Object& object) {
            out += '{';
            for (std::size_t i = 0; i < object.size(); ++i) {
                out += i == 0 ? "" : ",";
                write_text(out, object[i].first);
                out += ':';
                object[i].second.write(out);
            }
            out += '}';
        },
    };
    std::visit(visitor, value_);
}

}  // namespace alknet::app
