#include "toml.hpp"

#include <fmt/format.h>
#include <alknet/config/config.hpp>

#include "nesting.hpp"

namespace alknet::config {

std::expected<toml::table, TomlFailure> parse_toml(std::string_view text) {
    if (text.size() > kFileBytesMax) {
        return std::unexpected(
            TomlFailure{.reason = fmt::format("has {} octets, and at most {} are allowed",
                                              text.size(), kFileBytesMax)});
    }
    if (const std::size_t line = find_deep_line(text); line != 0) {
        return std::unexpected(TomlFailure{
            .line = line, .column = 1, .reason = fmt::format("has more than {} dots", kDotsMax)});
    }
    try {
        return toml::parse(text);
    } catch (const toml::parse_error& failure) {  // the library has no other way to say so
        const auto& where = failure.source().begin;
        return std::unexpected(TomlFailure{.line = where.line,
                                           .column = where.column,
                                           .reason = std::string(failure.description())});
    }
}

}  // namespace alknet::config
