// What a server answers on HTTP/1.1. The first octet says how the rest is cut into reads, and
// whether the request was HEAD: the events must be those of one read.
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/http/response_parser.hpp>
#include <string>

namespace {

using namespace alknet;
using namespace alknet::http;

std::string head_of(const ResponseHead& head) {
    ALKNET_ASSERT(head.status >= 100 && head.status <= 599);
    ALKNET_ASSERT(!head.chunked || !head.content_length);
    ALKNET_ASSERT(head.fields.size() <= MessageLimits().fields_max);
    std::string text = std::to_string(head.status) + std::string(to_string(head.version));
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
        ALKNET_ASSERT(is_token(head.fields[i].name) && is_field_value(head.fields[i].value));
        text.append(head.fields[i].name).append(head.fields[i].value);
    }
    return text;
}

std::string events(BytesView octets, std::size_t step, bool head_only) {
    ResponseParser parser(MessageLimits{}, head_only);
    std::string text;
    while (!octets.empty()) {
        BytesView input = octets.first(std::min(step, octets.size()));
        octets = octets.subspan(input.size());
        for (;;) {
            const MessageStep next = parser.next(input);
            if (next.event == MessageEvent::more) {
                ALKNET_ASSERT(input.empty());
                break;
            }
            if (next.event == MessageEvent::data) {
                text += as_text(next.data);
                continue;
            }
            text += "\n" + std::to_string(static_cast<int>(next.event));
            if (next.event != MessageEvent::head) {
                return text + std::string(parser.refusal().reason);
            }
            text += head_of(parser.head());
        }
    }
    return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const bool head_only = data[0] >= 128;
    const BytesView octets = view_octets(data + 1, size - 1);
    const std::string whole = events(octets, std::max<std::size_t>(octets.size(), 1), head_only);
    ALKNET_ASSERT(events(octets, 1 + data[0] % 64, head_only) == whole);
    return 0;
}
