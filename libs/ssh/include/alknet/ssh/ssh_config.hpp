// What an ssh_config(5) says of a host, as far as we follow it. Sans-I/O: the caller reads the
// files, those that are included too.
#pragma once

#include <alknet/base/result.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::ssh {

inline constexpr std::size_t kConfigBytesMax = 1 << 20;  // of a file
inline constexpr std::size_t kConfigLineBytesMax = 4096;
inline constexpr std::size_t kConfigDepthMax = 16;   // files that include files
inline constexpr std::size_t kConfigFilesMax = 256;  // in all
inline constexpr std::size_t kIdentityFilesMax = 16;

struct HostSettings {
    std::string host_name;  // empty, as everything below: nothing is said
    std::string user;
    std::string identity_agent;  // of a file: with ~ and tokens as they stand there
    std::string proxy_jump;      // "none": none, whatever else is said
    std::string host_key_alias;
    std::optional<std::uint16_t> port;
    std::vector<std::string> identity_files;
    bool operator==(const HostSettings&) const = default;
};

class HostSettingsReader final {
public:
    /// The texts of the files that a pattern of Include names, in their order; none if there are
    /// none.
    using Include = std::function<result<std::vector<std::string>>(const std::string& pattern)>;

    HostSettingsReader(std::string host, Include include)
        : host_(std::move(host)), include_(std::move(include)) {}

    /// One file after the other: the first that says something counts, and all IdentityFiles. Match
    /// blocks are passed over, and keywords that are not followed. Errors: kConfigInvalid with the
    /// line; kLimit; those of `include`.
    result<void> read(std::string_view text);
    [[nodiscard]] const HostSettings& settings() const noexcept { return settings_; }

private:
    result<void> read_file(std::string_view text, std::size_t depth);
    result<void> read_line(std::string_view line, bool& applies, std::size_t depth);
    result<void> include(const std::vector<std::string>& patterns, std::size_t depth);
    result<void> set(const std::string& keyword, const std::vector<std::string>& words);

    std::string host_;
    Include include_;
    HostSettings settings_;
    std::size_t files_ = 0;
};

/// `%h` and so on, and `%%`; what is not in `tokens` stands as it is. Of HostName, IdentityFile and
/// IdentityAgent.
[[nodiscard]] std::string expand_tokens(
    std::string_view text, const std::function<std::optional<std::string>(char)>& token);

}  // namespace alknet::ssh
