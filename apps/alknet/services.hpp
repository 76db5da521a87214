// The services of this program, by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace alknet::app {

/// What a node registers, and so what alknet.toml may name.
[[nodiscard]] std::vector<std::string> services();

/// It needs the streams of QUIC: whatever alknet.toml says, it is not served over TCP.
[[nodiscard]] bool is_for_quic_alone(std::string_view alpn);

}  // namespace alknet::app
