// toml++ in its compiled form; the only place that includes it.
#pragma once

#include <toml++/toml.h>

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#if TOML_HEADER_ONLY
#error "toml++ must be linked, not compiled into each file"
#endif

namespace alknet::config {

struct TomlFailure {
    std::size_t line = 0;  // 0: the text as a whole
    std::size_t column = 0;
    std::string reason;
};

/// Refuses what is larger than kFileBytesMax or nested deeper than anybody writes; never throws.
[[nodiscard]] std::expected<toml::table, TomlFailure> parse_toml(std::string_view text);

}  // namespace alknet::config
