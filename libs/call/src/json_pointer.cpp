#include "json_pointer.hpp"

#include <charconv>
#include <cstddef>
#include <system_error>

namespace alknet::call {

namespace {

// nullopt for an escape that is none.
std::optional<std::string> unescaped(std::string_view token) {
    std::string out;
    for (std::size_t i = 0; i < token.size(); ++i) {
        if (token[i] != '~') {
            out += token[i];
        } else if (i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1')) {
            out += token[++i] == '0' ? '~' : '/';
        } else {
            return std::nullopt;
        }
    }
    return out;
}

}  // namespace

std::string pointer_token(std::string_view name) {
    std::string out;
    for (const char c : name) {
        out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    }
    return out;
}

const Json* at_pointer(const Json& document, std::string_view pointer) {
    const Json* place = &document;
    while (!pointer.empty()) {
        if (pointer.front() != '/') {
            return nullptr;
        }
        pointer.remove_prefix(1);
        const std::string_view raw = pointer.substr(0, pointer.find('/'));
        pointer.remove_prefix(raw.size());
        const auto token = unescaped(raw);
        if (!token) {
            return nullptr;
        }
        if (const auto* array = place->as_array()) {
            std::size_t index = 0;
            const auto [end, wrong] =
                std::from_chars(token->data(), token->data() + token->size(), index);
            if (wrong != std::errc() || end != token->data() + token->size() ||
                index >= array->size()) {
                return nullptr;
            }
            place = &(*array)[index];
        } else {
            place = place->find(*token);
        }
        if (place == nullptr) {
            return nullptr;
        }
    }
    return place;
}

}  // namespace alknet::call
