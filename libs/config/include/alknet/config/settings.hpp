// The configuration as a list of its keys, each with its value and the line that says it: what
// `alknet config show` prints, and what two configurations are compared by.
#pragma once

#include <alknet/config/config.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::config {

struct Setting {
    std::string header;  // "[limits]", "[[peer]]", "[alpn.\"alknet/echo\"]"
    std::string entry;   // "limits", "peer.alice": the same for one entry, whatever its place
    std::string key;
    std::string value;     // as TOML
    std::size_t line = 0;  // 0: nobody has written it, it is the default

    bool operator==(const Setting&) const = default;
    /// `limits.idle_timeout`, `peer.alice.scopes`
    [[nodiscard]] std::string path() const { return entry + "." + key; }
};

/// Every key with its value, in the order of the manual page; keys that have neither a value nor a
/// default are left out. `text` is what `config` was parsed from, for the lines. Nothing in it is
/// secret: keys and certificates are files, and tokens are in state.db.
[[nodiscard]] std::vector<Setting> settings(const Config& config, std::string_view text);

struct Difference {
    enum class Kind : std::uint8_t { added, changed, removed };
    Kind kind = Kind::changed;
    std::string path;
    std::string before;           // empty if added
    std::size_t before_line = 0;  // 0: the default
    std::string after;            // empty if removed
    std::size_t after_line = 0;

    bool operator==(const Difference&) const = default;
    /// `limits.idle_timeout: "60s" (default) -> "30s" (line 4)`
    [[nodiscard]] std::string text() const;
};

/// By meaning: comments, order and defaults that are written out make no difference. In the order
/// of `after`, then what was removed in the order of `before`.
[[nodiscard]] std::vector<Difference> differences(const std::vector<Setting>& before,
                                                  const std::vector<Setting>& after);

}  // namespace alknet::config
