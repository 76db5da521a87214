#include "frame_stream.hpp"

#include <alknet/base/causes.hpp>

namespace alknet::doctor {

task<result<std::optional<Frame>>> read_frame(FrameReader& reader, RecvStream& stream) {
    for (;;) {
        ALKNET_CO_TRY(const std::optional<Frame> frame, reader.next());
        if (frame) {
            co_return frame;
        }
        ALKNET_CO_TRY(const std::size_t got, co_await stream.read(reader.room()));
        if (got == 0) {
            co_return std::nullopt;
        }
        reader.filled(got);
    }
}

task<result<Frame>> read_expected(FrameReader& reader, RecvStream& stream, FrameType type) {
    ALKNET_CO_TRY(const std::optional<Frame> frame, co_await read_frame(reader, stream));
    if (!frame) {
        co_return fail(causes::kClosed, "the other end has ended the diagnosis");
    }
    if (frame->type != type) {
        co_return fail(causes::kProtocol, "another frame than the expected one");
    }
    co_return *frame;
}

task<result<void>> write_frame(SendStream& stream, Bytes frame) {
    co_return co_await stream.write(frame);
}

}  // namespace alknet::doctor
