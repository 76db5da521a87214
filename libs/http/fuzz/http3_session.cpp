// What a client sends on HTTP/3. The first octet says whether requests are answered with content;
// then come pieces: an octet whose low five bits name a stream and whose high ones say that it ends
// or is given up, one with the size, and so many octets. Each request is answered at once.
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/base/causes.hpp>
#include <map>
#include <set>
#include <vector>

#include "h3_session.hpp"
#include "request_rules.hpp"

namespace {

using namespace alknet;
using namespace alknet::http;

constexpr MessageLimits kLimits{
    .header_bytes_max = 2000, .fields_max = 10, .target_bytes_max = 200, .body_bytes_max = 1 << 16};
constexpr std::string_view kContent = "content";

class Answers final : public H3Events {
public:
    void on_request(std::int64_t stream, RequestHead head, const Refusal* refusal) override {
        ALKNET_ASSERT(!closed.contains(stream));
        if (refusal == nullptr) {
            ALKNET_ASSERT(is_token(head.method) && is_authority(head.authority));
            ALKNET_ASSERT(head.fields.size() <= kLimits.fields_max);
            ALKNET_ASSERT(head.content_length.value_or(0) <= kLimits.body_bytes_max);
        }
        requests.push_back(stream);
    }
    void on_data(std::int64_t, BytesView data) override { ALKNET_ASSERT(!data.empty()); }
    void on_trailer(std::int64_t stream, std::string_view name, std::string_view value) override {
        TrailerBuilder& trailer = trailers[stream];
        trailer.take(name, value);
        ALKNET_ASSERT(trailer.fields().size() <= kTrailersMax);
    }
    void on_request_end(std::int64_t) override {}
    void on_ready(std::int64_t) override {}
    void on_refuse(std::int64_t stream, std::uint64_t) override { refused.insert(stream); }
    std::optional<BytesView> on_send(std::int64_t stream, bool& end) override {
        if (sending.insert(stream).second) {
            return std::nullopt;
        }
        end = true;
        return as_bytes(kContent);
    }
    Fields on_send_end(std::int64_t stream) override {
        Fields fields;
        if (stream % 8 == 0) {
            fields.add("x-end", "y");
        }
        return fields;
    }
    void on_output(std::int64_t stream, BytesView octets, bool) override {
        ALKNET_ASSERT(!closed.contains(stream));
        sent += octets.size();
    }

    std::map<std::int64_t, TrailerBuilder> trailers;
    std::vector<std::int64_t> requests;
    std::set<std::int64_t> refused;
    std::set<std::int64_t> closed;
    std::set<std::int64_t> sending;
    std::size_t sent = 0;
};

void answer(H3Session& session, Answers& answers, bool content) {
    Fields fields;
    fields.add("x", "y");
    fields.add("connection", "close");
    for (const std::int64_t stream : std::exchange(answers.requests, {})) {
        session.respond_continue(stream);
        session.respond(stream, 200, fields, content ? std::nullopt : std::optional(0), content);
    }
    (void)session.send();
    for (const std::int64_t stream : answers.sending) {
        session.resume(stream);
    }
    (void)session.send();
}

/// One piece, taken from the front of `rest`; false when the connection has ended.
bool feed(H3Session& session, Answers& answers, BytesView& rest) {
    constexpr std::uint8_t kEnd = 0x40;
    constexpr std::uint8_t kGiveUp = 0x80;
    const auto how = std::to_integer<std::uint8_t>(rest[0]);
    const std::size_t size = std::min(std::to_integer<std::size_t>(rest[1]), rest.size() - 2);
    const BytesView octets = rest.subspan(2, size);
    rest = rest.subspan(2 + size);
    const std::int64_t stream = 4 * (how % 32 / 2) + (how % 2) * 2;  // even: a request's
    if (answers.closed.contains(stream)) {
        return true;
    }
    const bool end = (how & kEnd) != 0;
    result<void> taken = session.receive(stream, octets, end);
    (void)session.waits(stream);
    if (taken && (end || (how & kGiveUp) != 0 || answers.refused.contains(stream))) {
        answer(session, answers, true);
        answers.closed.insert(stream);
        taken = session.close(stream, !end, 0x10c);
    }
    ALKNET_ASSERT(taken || taken.error().is(causes::kProtocol) || taken.error().is(causes::kLimit));
    ALKNET_ASSERT(taken || session.code() != h3_code::kNoError);
    return taken.has_value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    Answers answers;
    const auto session =
        H3Session::create(kLimits, {.streams_max = 8, .settings = {{0x2b603742, 1}}}, answers);
    ALKNET_ASSERT(session);
    ALKNET_ASSERT((*session)->send());
    BytesView rest = view_octets(data + 1, size - 1);
    bool good = true;
    while (good && rest.size() >= 2) {
        good = feed(**session, answers, rest);
        answer(**session, answers, data[0] % 2 == 0);
    }
    (*session)->go_away();
    (void)(*session)->send();
    return 0;
}
