#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/utf8.hpp>
#include <alknet/call/json.hpp>
#include <cmath>

namespace alknet::call {

namespace {

bool is_escaped(char c) noexcept {
    return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || c == '\x7f';
}

// Long runs of what needs no escape are the rule.
void write_valid_text(std::string& out, std::string_view text) {
    for (;;) {
        const auto* const escaped = std::ranges::find_if(text, is_escaped);
        const auto plain = static_cast<std::size_t>(escaped - text.begin());
        out.append(text.substr(0, plain));
        if (plain == text.size()) {
            return;
        }
        const char c = text[plain];
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else {
            out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        }
        text.remove_prefix(plain + 1);
    }
}

void write_text(std::string& out, std::string_view text) {
    out += '"';
    if (is_valid_utf8(text)) {
        write_valid_text(out, text);
    } else {
        write_valid_text(out, to_valid_utf8(text));
    }
    out += '"';
}

// A number that is no whole one stays so when it is read again.
void write_number(std::string& out, double value) {
    if (!std::isfinite(value)) {
        out += "null";
        return;
    }
    const std::string text = fmt::format("{}", value);
    out += text;
    if (text.find_first_of(".e") == std::string::npos) {
        out += ".0";
    }
}

template <class... Visitors>
struct Overloaded : Visitors... {
    using Visitors::operator()...;
};

}  // namespace

// One number has one form, so that equal values compare equal.
Json::Json(std::uint64_t value) {
    if (std::in_range<std::int64_t>(value)) {
        value_ = static_cast<std::int64_t>(value);
    } else {
        value_ = value;
    }
}

std::optional<std::uint64_t> Json::as_unsigned() const noexcept {
    if (const auto* whole = std::get_if<std::uint64_t>(&value_)) {
        return *whole;
    }
    if (const auto* whole = std::get_if<std::int64_t>(&value_); whole != nullptr && *whole >= 0) {
        return static_cast<std::uint64_t>(*whole);
    }
    return std::nullopt;
}

std::optional<double> Json::as_number() const noexcept {
    if (const auto* number = std::get_if<double>(&value_)) {
        return *number;
    }
    if (const auto* whole = std::get_if<std::int64_t>(&value_)) {
        return static_cast<double>(*whole);
    }
    if (const auto* whole = std::get_if<std::uint64_t>(&value_)) {
        return static_cast<double>(*whole);
    }
    return std::nullopt;
}

const Json* Json::find(std::string_view name) const noexcept {
    const Object* object = as_object();
    if (object == nullptr) {
        return nullptr;
    }
    const auto found = std::ranges::find(*object, name, &Object::value_type::first);
    return found == object->end() ? nullptr : &found->second;
}

Json* Json::find(std::string_view name) noexcept {
    auto* object = std::get_if<Object>(&value_);
    if (object == nullptr) {
        return nullptr;
    }
    const auto found = std::ranges::find(*object, name, &Object::value_type::first);
    return found == object->end() ? nullptr : &found->second;
}

std::string_view Json::text_of(std::string_view name) const noexcept {
    const Json* member = find(name);
    const std::string* text = member == nullptr ? nullptr : member->as_string();
    return text == nullptr ? std::string_view() : std::string_view(*text);
}

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
        [&](double value) { write_number(out, value); },
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

}  // namespace alknet::call
