// Frames on a stream: the coroutines around the codec.
#pragma once

#include <alknet/doctor/frames.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/task.hpp>
#include <optional>

namespace alknet::doctor {

/// The next frame, valid until the next call; nullopt at the end of the stream. Errors: kProtocol,
/// those of RecvStream::read.
task<result<std::optional<Frame>>> read_frame(FrameReader& reader, RecvStream& stream);
/// Of this type, or kProtocol.
task<result<Frame>> read_expected(FrameReader& reader, RecvStream& stream, FrameType type);
task<result<void>> write_frame(SendStream& stream, Bytes frame);

}  // namespace alknet::doctor
