// Numbers, texts and addresses as octets, big-endian. Sans-I/O.
#pragma once

#include <algorithm>
#include <alknet/base/bytes.hpp>
#include <alknet/net/socket_address.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace alknet::doctor {

class Writer {
public:
    template <class Number>
    void number(Number value) {
        const auto bits = static_cast<std::uint64_t>(value);
        for (std::size_t i = sizeof(Number); i > 0; --i) {
            out_.push_back(static_cast<std::byte>(bits >> (8 * (i - 1))));
        }
    }
    /// At most `max` octets of it.
    void text(std::string_view value, std::size_t max) {
        value = value.substr(0, max);
        number(static_cast<std::uint16_t>(value.size()));
        append(as_bytes(value));
    }
    void address(const SocketAddress& value) {
        number(static_cast<std::uint8_t>(value.family()));
        number(value.port());
        append(std::as_bytes(std::span(value.ip())));
    }
    void append(BytesView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
    [[nodiscard]] std::size_t size() const noexcept { return out_.size(); }
    [[nodiscard]] Bytes take() noexcept { return std::move(out_); }

private:
    Bytes out_;
};

/// Once something is missing everything is: `ok` is asked at the end.
class Reader {
public:
    explicit Reader(BytesView bytes) noexcept : rest_(bytes) {}

    template <class Number>
    Number number() noexcept {
        std::uint64_t bits = 0;
        for (const std::byte octet : take(sizeof(Number))) {
            bits = bits << 8 | static_cast<std::uint8_t>(octet);
        }
        return static_cast<Number>(bits);
    }
    std::string text(std::size_t max) {
        const auto size = number<std::uint16_t>();
        if (size > max) {
            ok_ = false;
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
        ok_ = ok_ && family <= static_cast<std::uint8_t>(SocketAddress::Family::v6);
        return family == 0 ? SocketAddress() : SocketAddress::v6(ip, port);
    }
    /// Fewer than asked for only when nothing of it is left.
    BytesView take(std::size_t size) noexcept {
        if (!ok_ || size > rest_.size()) {
            ok_ = false;
            return {};
        }
        const BytesView taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }
    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
    [[nodiscard]] bool ok() const noexcept { return ok_; }
    void refuse() noexcept { ok_ = false; }

private:
    BytesView rest_;
    bool ok_ = true;
};

}  // namespace alknet::doctor
