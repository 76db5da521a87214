// Content codings (RFC 9110 sections 8.4 and 12.5.3): which one a client takes, and content in it.
#pragma once

#include <alknet/http/exchange.hpp>
#include <alknet/http/message.hpp>
#include <cstdint>
#include <memory>
#include <string_view>

namespace alknet::http {

enum class Coding : std::uint8_t { identity, gzip, br };

/// As the fields of messages name it.
[[nodiscard]] std::string_view coding_name(Coding coding) noexcept;

/// What Accept-Encoding prefers, br among equals; identity where it says nothing that is
/// understood. Sans-I/O.
[[nodiscard]] Coding choose_coding(const Fields& fields);

/// Contents that are coded at a time, in the whole program: each takes up to a megabyte, for as
/// long as its client reads. The others are sent as they are.
inline constexpr unsigned kEncodersMax = 32;

/// The same content, coded while it is read; `coding` is not identity. Takes `source` only if it
/// gives something: nullptr beyond kEncodersMax, or without memory.
[[nodiscard]] std::unique_ptr<BodySource> encoded(std::unique_ptr<BodySource>& source,
                                                  Coding coding);

}  // namespace alknet::http
