// What binds channel-streams to the connection that SSH runs on.
#pragma once

#include <alknet/net/connection.hpp>

#include "channel_stream.hpp"

namespace alknet::ssh {

inline constexpr std::string_view kStreamsLabel = "EXPORTER-alknet-ssh-streams";

/// What both ends of a connection know, and nobody else, of the SSH session on one of its streams.
/// Errors: kNotSupported where channels cannot have streams.
[[nodiscard]] result<StreamBinding> stream_binding(const Connection& connection,
                                                   BytesView session_id);

}  // namespace alknet::ssh
