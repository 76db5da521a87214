// The ways to a node, as rungs of a ladder: what a dial tries, and in which order.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace alknet {

/// The best first.
enum class Rung : std::uint8_t { quic_v6, quic_v4, tcp_v6, tcp_v4, proxy };

inline constexpr std::array kRungs = {Rung::quic_v6, Rung::quic_v4, Rung::tcp_v6, Rung::tcp_v4,
                                      Rung::proxy};

/// `quic-v6`, `quic-v4`, `tcp-v6`, `tcp-v4`, `proxy`: in files and logs.
[[nodiscard]] std::string_view to_string(Rung rung) noexcept;
[[nodiscard]] std::optional<Rung> parse_rung(std::string_view text) noexcept;
[[nodiscard]] constexpr bool is_quic(Rung rung) noexcept {
    return rung <= Rung::quic_v4;
}

/// Rungs that have their transport in common, as people choose among them.
enum class RungKind : std::uint8_t { quic, tcp, proxy };
[[nodiscard]] constexpr RungKind kind_of(Rung rung) noexcept {
    if (rung == Rung::proxy) {
        return RungKind::proxy;
    }
    return is_quic(rung) ? RungKind::quic : RungKind::tcp;
}

}  // namespace alknet
