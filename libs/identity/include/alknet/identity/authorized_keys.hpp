// OpenSSH's authorized_keys as a source of peers. A line that says more than can be kept here is
// refused as a whole: nobody gets more by it than sshd would give. docs/authorized-keys.md
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/crypto/node_id.hpp>
#include <alknet/identity/peers.hpp>
#include <alknet/rt/time.hpp>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::identity {

inline constexpr std::size_t kAuthorizedFileBytesMax = 1 << 20;
inline constexpr std::size_t kAuthorizedLineBytesMax = 8192;
inline constexpr std::size_t kAuthorizedKeysMax = 10'000;
/// Behind it stands the name, in the id of such a peer: no other peer's id can begin so.
inline constexpr std::string_view kAuthorizedIdPrefix = "ssh:";

struct AuthorizedKey {
    NodeId key{};
    std::string name;
    std::optional<WallTime> expires{};
    std::size_t line = 0;  // counts from 1

    bool operator==(const AuthorizedKey&) const = default;
};

struct RefusedLine {
    std::size_t line = 0;  // 0: the file as a whole
    std::string reason;

    bool operator==(const RefusedLine&) const = default;
};

struct AuthorizedKeys {
    std::vector<AuthorizedKey> keys{};
    std::vector<RefusedLine> refused{};

    bool operator==(const AuthorizedKeys&) const = default;
};

/// sshd(8), AUTHORIZED_KEYS FILE FORMAT. As there, the first line of a key decides; a later one is
/// refused, also when the first was.
[[nodiscard]] AuthorizedKeys parse_authorized_keys(std::string_view text);

/// Reads the file if it and every directory above it, up to `trusted`, can be changed by its owner
/// alone, who is this user or root: sshd's StrictModes. `trusted` is itself checked, and what is
/// above it is not. Errors: kHomeInvalid with the path that is wrong, kConfigMissing, kIo.
result<std::string> read_authorized_keys(const std::filesystem::path& file,
                                         const std::vector<std::filesystem::path>& trusted);

struct AuthorizedSource {
    std::string file;           // for origins
    std::vector<Grant> grants;  // that each of them gets
};
/// Adds the keys as peers. What `list` says already comes first: a line whose key is known there,
/// or whose name looks like one there, is refused. Gives all lines that are refused.
std::vector<RefusedLine> add_authorized(PeerList& list, const AuthorizedKeys& keys,
                                        const AuthorizedSource& source);

}  // namespace alknet::identity
