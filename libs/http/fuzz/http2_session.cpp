// What a client sends on HTTP/2. The first octet says how the rest is cut into reads, and whether
// requests are answered with content; each is answered, read and given credit for at once.
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/base/causes.hpp>
#include <map>
#include <vector>

#include "h2_session.hpp"
#include "request_rules.hpp"

namespace {

using namespace alknet;
using namespace alknet::http;

constexpr MessageLimits kLimits{
    .header_bytes_max = 2000, .fields_max = 10, .target_bytes_max = 200, .body_bytes_max = 1 << 16};

class Answers final : public H2Events {
public:
    void on_request(std::int32_t stream, RequestHead head, const Refusal* refusal) override {
        if (refusal == nullptr) {
            ALKNET_ASSERT(is_token(head.method) && is_authority(head.authority));
            ALKNET_ASSERT(head.fields.size() <= kLimits.fields_max);
            ALKNET_ASSERT(head.content_length.value_or(0) <= kLimits.body_bytes_max);
        }
        requests.push_back(stream);
    }
    void on_data(std::int32_t stream, BytesView data) override {
        received.emplace_back(stream, data.size());
    }
    void on_trailer(std::int32_t stream, std::string_view name, std::string_view value) override {
        TrailerBuilder& trailer = trailers[stream];
        trailer.take(name, value);
        ALKNET_ASSERT(trailer.fields().size() <= kTrailersMax);
    }
    void on_request_end(std::int32_t) override {}
    void on_close(std::int32_t stream) override { std::erase(sending, stream); }
    std::optional<std::size_t> on_send(std::int32_t stream, MutableBytes into, bool& end) override {
        if (std::ranges::find(sending, stream) == sending.end()) {
            sending.push_back(stream);
            return std::nullopt;
        }
        end = true;
        const std::size_t count = std::min<std::size_t>(into.size(), 4);
        std::fill_n(into.begin(), count, std::byte('x'));
        return count;
    }
    Fields on_send_end(std::int32_t stream) override {
        Fields fields;
        if (stream % 8 == 1) {
            fields.add("x-end", "y");
        }
        return fields;
    }

    std::map<std::int32_t, TrailerBuilder> trailers;
    std::vector<std::int32_t> requests;
    std::vector<std::pair<std::int32_t, std::size_t>> received;
    std::vector<std::int32_t> sending;
};

void answer(H2Session& session, Answers& answers, bool content) {
    Fields fields;
    fields.add("x", "y");
    fields.add("connection", "close");
    for (const std::int32_t stream : std::exchange(answers.requests, {})) {
        session.respond_continue(stream);
        session.respond(stream, 200, fields, std::nullopt, content);
        if (stream % 8 == 7) {
            session.reset(stream, 8);
        }
    }
    for (const auto& [stream, size] : std::exchange(answers.received, {})) {
        session.consumed(stream, size, stream % 8 == 5);
        ALKNET_ASSERT(session.may_send());
    }
    for (const std::int32_t stream : std::vector(answers.sending)) {
        session.resume(stream);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    Answers answers;
    const auto session =
        H2Session::create({.message = kLimits, .connection = {.streams_max = 8}}, answers);
    ALKNET_ASSERT(session);
    const std::size_t step = 1 + data[0] % 64 * 16;
    BytesView rest = view_octets(data + 1, size - 1);
    bool good = true;
    while (good && !rest.empty() && !(*session)->done()) {
        const BytesView piece = rest.first(std::min(step, rest.size()));
        rest = rest.subspan(piece.size());
        const auto taken = (*session)->receive(piece);
        ALKNET_ASSERT(taken || taken.error().is(causes::kProtocol) ||
                      taken.error().is(causes::kLimit));
        good = taken.has_value();
        if (good) {
            answer(**session, answers, data[0] < 128);
        }
        for (;;) {
            const auto sent = (*session)->send();
            if (!sent || sent->empty()) {
                break;
            }
        }
    }
    (*session)->go_away(0);
    return 0;
}
