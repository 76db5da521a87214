// FrameReader on any octets, in pieces, and what it gives on into a stream that has begun. Every
// frame is written back to the octets that it came from.
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/resume/frames.hpp>

#include "state.hpp"

namespace {

using namespace alknet;
using namespace alknet::resume;

constexpr std::size_t kRingBytes = 300;

void use(StreamState& state, const Frame& frame) {
    std::array<std::byte, 64> scratch{};
    const auto taken = state.receive(frame);
    ALKNET_ASSERT(taken || taken.error().is(causes::kProtocol));
    (void)state.read(scratch);
    ALKNET_ASSERT(state.held_bytes() <= 2 * kRingBytes);
    Bytes out;
    state.produce(out, 1000, false);
}

}  // namespace

// The first octet says in which pieces the others come.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    BytesView input = view_octets(data, size);
    if (input.empty()) {
        return 0;
    }
    const std::size_t piece = 1 + std::to_integer<std::size_t>(input[0]);
    input = input.subspan(1);
    StreamState state(kRingBytes, false);
    (void)state.tell();
    (void)state.attach({.received = 0, .limit = kRingBytes});
    (void)state.write(as_bytes("what this end says"));
    state.finish();
    Bytes out;
    state.produce(out, 1000, false);

    FrameReader reader;
    Bytes again;
    BytesView consumed = input;
    while (!input.empty()) {
        const MutableBytes space = reader.space();
        const std::size_t part = std::min({piece, space.size(), input.size()});
        std::copy_n(input.begin(), part, space.begin());
        reader.commit(part);
        input = input.subspan(part);
        for (;;) {
            const auto frame = reader.next();
            if (!frame) {
                ALKNET_ASSERT(frame.error().is(causes::kProtocol));
                return 0;
            }
            if (!*frame) {
                break;
            }
            again.clear();
            append_frame(again, **frame);
            ALKNET_ASSERT(std::ranges::equal(again, consumed.first(again.size())));
            consumed = consumed.subspan(again.size());
            use(state, **frame);
        }
    }
    return 0;
}
