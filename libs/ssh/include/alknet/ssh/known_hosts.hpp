// OpenSSH's known_hosts files (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"), hashed names included.
// Sans-I/O. Only Ed25519 keys count, since no others are asked for.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/crypto/node_id.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::ssh {

inline constexpr std::size_t kKnownHostsBytesMax = 8 << 20;
inline constexpr std::size_t kKnownHostsLinesMax = 100'000;
inline constexpr std::size_t kKnownHostPatternsMax = 256;  // of a line
inline constexpr std::uint16_t kSshPort = 22;

class KnownHosts final {
public:
    /// Lines that make no sense are passed over, as ssh does. Errors: kLimit.
    static result<KnownHosts> parse(std::string_view text);

    enum class Verdict : std::uint8_t {
        unknown,     // nothing is said about the host
        other_kind,  // only keys that are no Ed25519 keys
        known,       // by this key
        changed,     // by other keys
        revoked,     // this key is said to be in wrong hands
    };
    [[nodiscard]] Verdict check(std::string_view host, std::uint16_t port, const NodeId& key) const;
    /// What others said counts too.
    void add(const KnownHosts& more);

    /// As it stands in the file: `host`, or `[host]:port` where that is not 22.
    [[nodiscard]] static std::string name_of(std::string_view host, std::uint16_t port);
    /// To be written there.
    [[nodiscard]] static std::string line_of(std::string_view host, std::uint16_t port,
                                             const NodeId& key);

private:
    struct Line {
        std::string hosts;
        bool revoked = false;
        bool ed25519 = false;
        NodeId key;
    };
    void parse_line(std::string_view text);

    std::vector<Line> lines_;
};

/// Whether `text` is like `pattern`, in which * is anything and ? is one character; letter case is
/// passed over. Takes a time in the product of their sizes at most.
[[nodiscard]] bool matches_pattern(std::string_view text, std::string_view pattern) noexcept;

}  // namespace alknet::ssh
