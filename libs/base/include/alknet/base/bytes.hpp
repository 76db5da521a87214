// The two byte vocabularies of the project: owned bytes, and views of somebody else's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alknet {

using Bytes = std::vector<std::byte>;
using BytesView = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

/// Views text as bytes. The view lives as long as the text.
[[nodiscard]] inline BytesView as_bytes(std::string_view text) noexcept {
    return std::as_bytes(std::span(text.data(), text.size()));
}

/// Views bytes as text. Nothing is checked: the result may be any octets.
[[nodiscard]] inline std::string_view as_text(BytesView bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[nodiscard]] inline Bytes to_bytes(BytesView view) {
    return {view.begin(), view.end()};
}

/// For C interfaces, which spell an octet `uint8_t`.
[[nodiscard]] inline const std::uint8_t* octets(BytesView view) noexcept {
    return reinterpret_cast<const std::uint8_t*>(view.data());
}
[[nodiscard]] inline std::uint8_t* octets(MutableBytes view) noexcept {
    return reinterpret_cast<std::uint8_t*>(view.data());
}
[[nodiscard]] inline BytesView view_octets(const std::uint8_t* data, std::size_t size) noexcept {
    return {reinterpret_cast<const std::byte*>(data), size};
}

}  // namespace alknet
