// Channel-streams: between two alknet ends the data of a forwarded channel has a stream of its own
// on the connection that carries SSH (docs/protocol/ssh.md). What is said of them, sans-I/O.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace alknet::ssh {

/// The global request, and the request of a channel whose client brings no stream for it.
inline constexpr std::string_view kChannelStreams = "channel-streams@alk.dev";
inline constexpr std::string_view kNoChannelStream = "no-channel-stream@alk.dev";
inline constexpr std::size_t kStreamHeaderBytes = 9;

using StreamBinding = std::array<std::byte, 32>;
/// What a client asks for them with.
[[nodiscard]] Bytes encode_binding(const StreamBinding& binding);
/// Errors: kProtocol.
[[nodiscard]] result<StreamBinding> parse_binding(BytesView body);

/// Which stream carries a channel; nullopt: none, the channel does.
using StreamToken = std::optional<std::uint64_t>;

/// What ends the messages that open and confirm a channel, and begins a stream.
[[nodiscard]] Bytes encode_stream_header(StreamToken token);

struct StreamHeader {
    BytesView rest{};  // the message without it
    StreamToken token{};
};
/// From the end of a message's part of its own. Errors: kProtocol.
[[nodiscard]] result<StreamHeader> parse_stream_header(BytesView body);

/// How a stream of a connection with channel-streams begins: with the token of a channel, or, where
/// that is missing, as SSH does.
struct StreamBegin {
    StreamToken token{};
};
/// nullopt: more is needed, of at most kStreamHeaderBytes. Errors: kProtocol.
[[nodiscard]] result<std::optional<StreamBegin>> parse_stream_begin(BytesView begin);

}  // namespace alknet::ssh
