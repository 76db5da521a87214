// The algorithms that we speak, KEXINIT (RFC 4253 section 7.1), and the choice of both sides.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/ssh/transport.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace alknet::ssh {

enum class CipherKind : std::uint8_t { gcm, chacha20, ctr };

struct CipherInfo {
    std::string_view name;
    CipherKind kind = CipherKind::gcm;
    std::size_t key_bytes = 0;
    std::size_t iv_bytes = 0;
};

struct MacInfo {
    std::string_view name;
    bool sha512 = false;
    bool etm = false;
};

[[nodiscard]] const CipherInfo* find_cipher(std::string_view name) noexcept;
[[nodiscard]] const MacInfo* find_mac(std::string_view name) noexcept;

inline constexpr std::string_view kStrictServer = "kex-strict-s-v00@openssh.com";
inline constexpr std::string_view kStrictClient = "kex-strict-c-v00@openssh.com";
inline constexpr std::string_view kExtInfoClient = "ext-info-c";

/// The ten lists, as views into the message.
struct KexInit {
    enum List : std::uint8_t {
        kex,
        host_key,
        cipher_up,  // client to server
        cipher_down,
        mac_up,
        mac_down,
        compression_up,
        compression_down,
        language_up,
        language_down,
    };
    std::array<std::string_view, 10> lists;
    bool guess_follows = false;

    /// Errors: kProtocol; kLimit for a list above kNameListBytesMax.
    static result<KexInit> parse(BytesView payload);
};

/// What we say. The marks of `first` stand in the first KEXINIT of a connection alone.
[[nodiscard]] Bytes make_kexinit(const Algorithms& offered, Role role, bool first,
                                 BytesView cookie);

[[nodiscard]] bool lists_name(std::string_view list, std::string_view name) noexcept;

struct Direction {
    const CipherInfo* cipher = nullptr;
    const MacInfo* mac = nullptr;  // null: the cipher has its own

    /// Terrapin breaks it otherwise.
    [[nodiscard]] bool needs_strict() const noexcept;
};

struct Negotiated {
    Direction up;  // client to server
    Direction down;
    bool guess_was_wrong = false;
};

/// The first of the client's names that the server has too. Errors: kNoAlgorithm, with what there
/// is no common one of.
result<Negotiated> negotiate(const KexInit& client, const KexInit& server);

}  // namespace alknet::ssh
