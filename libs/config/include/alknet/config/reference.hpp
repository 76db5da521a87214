// What can stand in alknet.toml, for the manual page and for the commented file of `alknet init`.
// It is made from the table that the parser follows, and so cannot say anything else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::config {

struct KeyInfo {
    std::string_view name;
    std::string type;          // "an integer from 1 to 100"
    std::string default_text;  // as TOML; empty: there is none
    std::string example;       // as TOML
    std::string_view about;
    bool required = false;
    bool restart = false;  // read at start only
};

struct TableInfo {
    enum class Shape : std::uint8_t {
        single,  // [name]
        list,    // [[name]], any number of times
        named,   // [name."something"], any number of times
    };
    std::string_view name;
    Shape shape = Shape::single;
    std::string_view about;
    std::vector<KeyInfo> keys;

    /// `[limits]`, `[[peer]]`, `[alpn."alknet/echo"]`.
    [[nodiscard]] std::string header() const;
};

[[nodiscard]] std::vector<TableInfo> reference();

/// The file that `alknet init` writes: every key with its default, as comments, and one listener on
/// `addresses` (the default ones if empty).
[[nodiscard]] std::string default_file(const std::vector<std::string>& addresses = {});

}  // namespace alknet::config
