// What alknet/doctor writes besides numbers: bounded texts, and addresses. Sans-I/O.
#pragma once

#include <algorithm>
#include <alknet/base/wire.hpp>
#include <alknet/net/socket_address.hpp>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace alknet::doctor {

class Writer : public WireWriter {
public:
    /// At most `max` octets of it.
    void text(std::string_view value, std::size_t max) {
        WireWriter::text<std::uint16_t>(value.substr(0, max));
    }
    void address(const SocketAddress& value) {
        number(static_cast<std::uint8_t>(value.family()));
        number(value.port());
        append(std::as_bytes(std::span(value.ip())));
    }
};

class Reader : public WireReader {
public:
    using WireReader::WireReader;

    std::string text(std::size_t max) {
        const auto size = number<std::uint16_t>();
        if (size > max) {
            refuse();
        }
        return std::string(as_text(take(size)));
    }
    SocketAddress address() noexcept {
        const auto family = number<std::uint8_t>();
        const auto port = number<std::uint16_t>();
        std::array<std::uint8_t, 16> ip{};
        const BytesView octets = take(ip.size());
        std::ranges::transform(octets, ip.begin(),
                               [](std::byte b) { return static_cast<std::uint8_t>(b); });
        if (family == static_cast<std::uint8_t>(SocketAddress::Family::v4)) {
            return SocketAddress::v4({ip[0], ip[1], ip[2], ip[3]}, port);
        }
        if (family > static_cast<std::uint8_t>(SocketAddress::Family::v6)) {
            refuse();
        }
        return family == 0 ? SocketAddress() : SocketAddress::v6(ip, port);
    }
};

}  // namespace alknet::doctor
