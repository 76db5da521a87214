// Scopes as texts: what one of them allows beside another.
#pragma once

#include <string_view>

namespace alknet {

/// Whether a grant allows all that another scope does: part by part, where "*" is whatever that may
/// be.
[[nodiscard]] bool grant_covers(std::string_view grant, std::string_view scope) noexcept;

}  // namespace alknet
