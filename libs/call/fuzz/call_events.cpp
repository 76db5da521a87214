// FrameDecoder on any octets, in pieces, and each text as an event. What can be decoded says the
// same once it is encoded and decoded again.
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/call/envelope.hpp>
#include <variant>

namespace {

using namespace alknet;
using namespace alknet::call;

constexpr std::size_t kFrameMax = 4096;
constexpr JsonLimits kLimits{.depth_max = 8, .values_max = 64};

void use(std::string_view text) {
    const auto event = decode_event(text, kLimits);
    if (!event) {
        ALKNET_ASSERT(event.error().is(causes::kProtocol) || event.error().is(causes::kLimit));
        return;
    }
    if (std::holds_alternative<Unknown>(event->event) ||
        std::holds_alternative<Malformed>(event->event)) {
        return;
    }
    // With more room: a member that was left out and has a default is written.
    const auto again = decode_event(encode_event(*event), {});
    ALKNET_ASSERT(again && *again == *event);
    const auto frame = encode_frame(*event, kFrameMax);
    ALKNET_ASSERT(frame || frame.error().is(causes::kLimit));
}

}  // namespace

// The first octet says in which pieces the others come; 0: they are one text, without a length.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    BytesView input = view_octets(data, size);
    if (input.empty()) {
        return 0;
    }
    const auto piece = std::to_integer<std::size_t>(input[0]);
    input = input.subspan(1);
    if (piece == 0) {
        use(as_text(input));
        return 0;
    }
    FrameDecoder decoder(kFrameMax);
    while (!input.empty()) {
        const std::size_t part = std::min(piece, input.size());
        decoder.push(input.first(part));
        input = input.subspan(part);
        for (;;) {
            const auto text = decoder.next();
            if (!text) {
                ALKNET_ASSERT(text.error().is(causes::kProtocol) ||
                              text.error().is(causes::kLimit));
                return 0;
            }
            if (!*text) {
                break;
            }
            use(**text);
        }
        ALKNET_ASSERT(decoder.held() <= kFrameMax + 4 + piece);
    }
    return 0;
}
