// What a client sends on HTTP/1.1. The first octet says how the rest is cut into reads: the events
// must be those of one read.
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/http/request_parser.hpp>
#include <string>

namespace {

using namespace alknet;
using namespace alknet::http;

constexpr MessageLimits kLimits{.body_bytes_max = 1 << 16};

void check(const Fields& fields) {
    Fields copy;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const FieldView field = fields[i];
        ALKNET_ASSERT(is_token(field.name) && is_field_value(field.value));
        ALKNET_ASSERT(field.name == lower_case(field.name) && trim(field.value) == field.value);
        ALKNET_ASSERT(fields.count(field.name) > 0 && fields.find(field.name));
        ListReader list(field.value);
        while (const auto element = list.next()) {
            ALKNET_ASSERT(!element->empty() && fields.joined(field.name).size() >= element->size());
        }
        copy.add(field.name, field.value);
    }
    ALKNET_ASSERT(copy == fields);
    if (!fields.empty()) {
        copy.set(std::string(fields[0].name), "x");
        ALKNET_ASSERT(copy.count(fields[0].name) == 1);
    }
    copy.clear();
    ALKNET_ASSERT(copy.empty() && (copy == fields) == fields.empty());
}

void check(const RequestHead& head) {
    ALKNET_ASSERT(is_token(head.method));
    ALKNET_ASSERT(head.path.starts_with('/') || head.path == "*");
    ALKNET_ASSERT(head.authority.empty() || is_authority(head.authority));
    ALKNET_ASSERT(!head.authority.empty() || head.version == Version::http10);
    ALKNET_ASSERT(!head.chunked || !head.content_length);
    ALKNET_ASSERT(head.content_length.value_or(0) <= kLimits.body_bytes_max);
    ALKNET_ASSERT(head.fields.size() <= kLimits.fields_max);
    check(head.fields);
}

std::string events(BytesView octets, std::size_t step) {
    RequestParser parser(kLimits);
    std::string text;
    while (!octets.empty()) {
        BytesView input = octets.first(std::min(step, octets.size()));
        octets = octets.subspan(input.size());
        for (;;) {
            const RequestStep next = parser.next(input);
            if (next.event == RequestEvent::more) {
                ALKNET_ASSERT(input.empty());
                break;
            }
            if (next.event == RequestEvent::data) {
                text += as_text(next.data);
                continue;
            }
            text += "\n" + std::to_string(static_cast<int>(next.event));
            if (next.event == RequestEvent::head) {
                check(parser.head());
                text += parser.head().method + parser.head().path + parser.head().authority;
                text += std::to_string(parser.head().fields.size());
            } else if (next.event == RequestEvent::end) {
                text += std::to_string(parser.trailers().size()) + "\n";
            } else {
                return text + std::to_string(parser.refusal().status);
            }
        }
    }
    return text + (parser.idle() ? "" : "\n...");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const BytesView octets = view_octets(data + 1, size - 1);
    const std::string whole = events(octets, std::max<std::size_t>(octets.size(), 1));
    ALKNET_ASSERT(events(octets, 1 + data[0] % 64) == whole);
    return 0;
}
