// The checks of this machine and this node. Pure but for what the probe does.
#pragma once

#include <alknet/doctor/check.hpp>
#include <alknet/doctor/system_probe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::doctor {

/// Years in which a clock cannot be right: before this program, and after it will be forgotten.
inline constexpr std::int64_t kClockMin = 1'735'689'600;  // 2025-01-01T00:00:00Z
inline constexpr std::int64_t kClockMax = 2'208'988'800;  // 2040-01-01T00:00:00Z
inline constexpr std::int64_t kExpiryWarningSeconds = 14 * 86'400;
inline constexpr std::uint64_t kUdpBufferBytesWanted = 4 << 20;
inline constexpr std::uint64_t kUdpBufferBytesMin = 128 << 10;
inline constexpr std::uint64_t kFilesMin = 256;
/// Of a process beside its TCP connections: listeners, files, libraries.
inline constexpr std::uint64_t kFilesBeside = 64;
inline constexpr std::uint64_t kDiskBytesMin = 16 << 20;
inline constexpr std::uint64_t kDiskBytesWanted = 256 << 20;
inline constexpr std::uint64_t kDiskFilesMin = 100;
/// QUIC's smallest datagram (RFC 9000 section 14) with the headers of UDP and IP.
inline constexpr std::size_t kMtuMinV4 = 1200 + 28;
inline constexpr std::size_t kMtuMinV6 = 1200 + 48;
inline constexpr std::size_t kMtuUsual = 1500;

/// What dials over TCP to nodes whose keys are known have shown (tls_seen).
enum class TlsSeen : std::uint8_t {
    not_asked,  // there is no such node, or nobody dialled
    no_answer,
    genuine,  // one has proven its key
    opened,   // somebody shows a certificate in the place of one
};

struct CheckOptions {
    bool ports = true;  // who holds them: slow where many programs run
    TlsSeen tls = TlsSeen::not_asked;
};
/// In the order in which they are shown, those of one group together.
[[nodiscard]] std::vector<Check> local_checks(SystemProbe& probe, const CheckOptions& options = {});

/// Whether the clock of somebody else, or ours, can be right at all.
[[nodiscard]] bool plausible_clock(std::int64_t unix_seconds) noexcept;

/// `2026-01-31T12:00:00Z`
[[nodiscard]] std::string utc_text(std::int64_t unix_seconds);

/// The address of a proxy as a variable names it, without user and password; nullopt if it is no
/// URL of a proxy that we can use (http, socks5, socks5h, or none, which means http).
[[nodiscard]] std::optional<std::string> proxy_without_secrets(std::string_view url);

/// The variable that names the proxy for a dial, and its value; nullopt if there is none.
struct ProxyVariable {
    std::string name;
    std::string value;
};
[[nodiscard]] std::optional<ProxyVariable> proxy_variable(SystemProbe& probe);

}  // namespace alknet::doctor
