// What is said of channels' streams. A stream's first octets mean the same however they come.
#include <algorithm>
#include <alknet/base/assert.hpp>

#include "channel_stream.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alknet;
    using namespace alknet::ssh;
    const BytesView input = view_octets(data, size);
    if (const auto header = parse_stream_header(input)) {
        const Bytes again = encode_stream_header(header->token);
        ALKNET_ASSERT(std::ranges::equal(again, input.last(kStreamHeaderBytes)));
        ALKNET_ASSERT(header->rest.size() + kStreamHeaderBytes == size);
    }
    if (const auto binding = parse_binding(input)) {
        ALKNET_ASSERT(std::ranges::equal(encode_binding(*binding), input));
    }
    const BytesView begin = input.first(std::min(size, kStreamHeaderBytes));
    for (std::size_t have = 0; have <= begin.size(); ++have) {
        const auto parsed = parse_stream_begin(begin.first(have));
        if (!parsed) {
            ALKNET_ASSERT(!parse_stream_begin(begin));
            break;
        }
        if (*parsed) {
            ALKNET_ASSERT((*parsed)->token ? have == kStreamHeaderBytes : have == 1);
            ALKNET_ASSERT(parse_stream_begin(begin).value().value().token == (*parsed)->token);
            break;
        }
    }
    return 0;
}
