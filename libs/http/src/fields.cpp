#include <algorithm>
#include <alknet/http/fields.hpp>
#include <array>

namespace alknet::http {

namespace {

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr std::array<bool, 256> kTokenOctets = [] {
    std::array<bool, 256> octets{};
    for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
        octets[static_cast<unsigned char>(c)] = true;
    }
    return octets;
}();

bool is_blank(char c) noexcept {
    return c == ' ' || c == '\t';
}

}  // namespace

void Fields::add(std::string_view name, std::string_view value) {
    const auto at = static_cast<std::uint32_t>(text_.size());
    slots_.push_back({.name = at,
                      .name_size = static_cast<std::uint32_t>(name.size()),
                      .value = static_cast<std::uint32_t>(at + name.size()),
                      .value_size = static_cast<std::uint32_t>(value.size())});
    for (const char c : name) {
        text_.push_back(lower(c));
    }
    text_.append(value);
}

void Fields::set(std::string_view name, std::string_view value) {
    remove(name);
    add(name, value);
}

void Fields::remove(std::string_view name) noexcept {
    std::erase_if(slots_, [&](const Slot& slot) {
        return equal_ignoring_case(std::string_view(text_).substr(slot.name, slot.name_size), name);
    });
}

void Fields::clear() noexcept {
    text_.clear();
    slots_.clear();
}

FieldView Fields::operator[](std::size_t index) const noexcept {
    const Slot& slot = slots_[index];
    const std::string_view text(text_);
    return {.name = text.substr(slot.name, slot.name_size),
            .value = text.substr(slot.value, slot.value_size)};
}

std::optional<std::string_view> Fields::find(std::string_view name) const noexcept {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        if (const FieldView field = (*this)[i]; field.name == name) {
            return field.value;
        }
    }
    return std::nullopt;
}

std::size_t Fields::count(std::string_view name) const noexcept {
    std::size_t found = 0;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        found += (*this)[i].name == name ? 1 : 0;
    }
    return found;
}

std::string Fields::joined(std::string_view name) const {
    std::string all;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        if (const FieldView field = (*this)[i]; field.name == name) {
            all.append(all.empty() ? "" : ", ").append(field.value);
        }
    }
    return all;
}

bool operator==(const Fields& a, const Fields& b) noexcept {
    if (a.size() != b.size()) {
        return false;
    }
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i] != b[i]) {
            return false;
        }
    }
    return true;
}

bool is_token(std::string_view text) noexcept {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return kTokenOctets[static_cast<unsigned char>(c)];
    });
}

bool is_field_value(std::string_view text) noexcept {
    if (!text.empty() && (is_blank(text.front()) || is_blank(text.back()))) {
        return false;
    }
    return std::ranges::all_of(text, [](char c) {
        const auto octet = static_cast<unsigned char>(c);
        return octet == '\t' || (octet >= 0x20 && octet != 0x7f);
    });
}

std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
    return std::ranges::equal(a, b, {}, lower, lower);
}

std::string lower_case(std::string_view text) {
    std::string lowered(text);
    std::ranges::transform(lowered, lowered.begin(), lower);
    return lowered;
}

std::optional<std::string_view> ListReader::next() noexcept {
    while (!rest_.empty()) {
        std::size_t end = 0;
        bool quoted = false;
        for (; end < rest_.size() && (quoted || rest_[end] != ','); ++end) {
            if (quoted && rest_[end] == '\\') {
                ++end;
            } else if (rest_[end] == '"') {
                quoted = !quoted;
            }
        }
        end = std::min(end, rest_.size());
        const std::string_view element = trim(rest_.substr(0, end));
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        if (!element.empty()) {
            return element;
        }
    }
    return std::nullopt;
}

}  // namespace alknet::http
