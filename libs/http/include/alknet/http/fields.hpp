// Fields: the header or trailer fields of a message, in their order. Names are kept in lower case.
// One block of text holds them all, so that a message costs few allocations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::http {

struct FieldView {
    std::string_view name;
    std::string_view value;
    bool operator==(const FieldView&) const = default;
};

class Fields {
public:
    /// Neither is checked; see is_token and is_field_value.
    void add(std::string_view name, std::string_view value);
    /// In place of all that have the name, which must not be views into this.
    void set(std::string_view name, std::string_view value);
    void remove(std::string_view name) noexcept;
    void clear() noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }
    [[nodiscard]] bool empty() const noexcept { return slots_.empty(); }
    /// Good until the next change.
    [[nodiscard]] FieldView operator[](std::size_t index) const noexcept;
    /// The first of the name, which is in lower case.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
    [[nodiscard]] std::size_t count(std::string_view name) const noexcept;
    /// All values of the name as one list, as RFC 9110 section 5.3 allows.
    [[nodiscard]] std::string joined(std::string_view name) const;

    friend bool operator==(const Fields& a, const Fields& b) noexcept;

private:
    struct Slot {
        std::uint32_t name;
        std::uint32_t name_size;
        std::uint32_t value;
        std::uint32_t value_size;
    };
    std::string text_;
    std::vector<Slot> slots_;
};

/// RFC 9110 section 5.6.2.
[[nodiscard]] bool is_token(std::string_view text) noexcept;
/// RFC 9110 section 5.5, without blanks at either end; obs-text is taken.
[[nodiscard]] bool is_field_value(std::string_view text) noexcept;
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;
[[nodiscard]] std::string lower_case(std::string_view text);

/// The elements of a comma-separated list, one by one, trimmed, without empty ones. Commas within
/// quoted strings separate nothing.
class ListReader {
public:
    explicit ListReader(std::string_view text) noexcept : rest_(text) {}
    [[nodiscard]] std::optional<std::string_view> next() noexcept;

private:
    std::string_view rest_;
};

}  // namespace alknet::http
