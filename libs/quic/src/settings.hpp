// TransportOptions in ngtcp2's form.
#pragma once

#include <ngtcp2/ngtcp2.h>

#include <alknet/quic/endpoint.hpp>
#include <array>
#include <vector>

namespace alknet::quic {

/// ngtcp2's settings and transport parameters (RFC 9000 section 18.2) for one connection, with the
/// arrays that the settings point to. ngtcp2 copies them when it makes a connection.
struct Settings {
    ngtcp2_settings settings;
    ngtcp2_transport_params params;

    Settings(const TransportOptions& options, ngtcp2_tstamp now);
    Settings(const Settings&) = delete;
    Settings& operator=(const Settings&) = delete;

    /// The version of a client's first flight: one that every server speaks, if it is allowed.
    [[nodiscard]] std::uint32_t first_version() const noexcept;

private:
    std::vector<std::uint32_t> versions_;
    std::vector<std::uint16_t> probes_;
};

[[nodiscard]] std::uint32_t to_native(Version version) noexcept;
/// "v1", "v2", or the number in hex.
[[nodiscard]] std::string version_name(std::uint32_t version);

inline ngtcp2_tstamp to_native(TimePoint when) noexcept {
    return static_cast<ngtcp2_tstamp>(when.time_since_epoch().count());
}
inline TimePoint from_native(ngtcp2_tstamp when) noexcept {
    return TimePoint(Duration(static_cast<Duration::rep>(when)));
}

}  // namespace alknet::quic
