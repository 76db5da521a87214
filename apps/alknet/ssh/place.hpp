// Where an SSH server is, as a person names it: a node, or ssh://[USER@]HOST[:PORT] for any other.
#pragma once

#include <alknet/base/result.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::app {

struct SshPlace {
    static constexpr std::size_t kTextBytesMax = 1024;
    static constexpr std::uint16_t kPort = 22;

    std::string text;                     // as it was given
    bool stock = false;                   // it speaks SSH on TCP; the rest is of those alone
    std::string user;                     // empty: nothing was said
    std::string host;                     // without brackets
    std::optional<std::uint16_t> port{};  // likewise

    /// Errors: kAddressInvalid.
    static result<SshPlace> parse(std::string_view text);
    /// Several with commas, in the order of the way. Errors: likewise; kLimit (kJumpsMax).
    static result<std::vector<SshPlace>> parse_jumps(std::string_view text);
    static constexpr std::size_t kJumpsMax = 8;
    bool operator==(const SshPlace&) const = default;
};

}  // namespace alknet::app
