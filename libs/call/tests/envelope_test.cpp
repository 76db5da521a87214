#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/call/failure.hpp>
#include <alknet/call/schema.hpp>
#include <alknet/testing/vectors.hpp>
#include <fstream>

namespace alknet::call {
namespace {

Json path(std::string_view text) {
    return Json::object({{"path", text}});
}

std::map<std::string, EventEnvelope> events() {
    Requested full{.operation = "fs/readFile", .input = path("/etc/hosts")};
    full.timeout_ms = 5000;
    full.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    full.auth_token = "alk_secret";
    full.resume_after = 7;
    full.credit = 32;
    full.detach = true;
    full.depth = 3;
    full.forwarded_for = Json::object({{"id", "peer-1"}});
    return {
        {"requested",
         {.id = "req-1",
          .event = Requested{.operation = "fs/readFile", .input = path("/etc/hosts")}}},
        {"requested-full", {.id = "req-2", .event = full}},
        {"responded", {.id = "req-1", .event = Responded{.output = "127.0.0.1 localhost"}}},
        {"responded-seq", {.id = "req-2", .event = Responded{.output = 1.5, .seq = 8}}},
        {"responded-missed",
         {.id = "req-2", .event = Responded{.output = 1.5, .seq = 8, .missed = 3}}},
        {"completed", {.id = "req-2", .event = Completed{}}},
        {"aborted", {.id = "req-1", .event = Aborted{}}},
        {"error",
         {.id = "req-1", .event = Failed{.code = "NOT_FOUND", .message = "there is no such file"}}},
        {"credit", {.id = "req-2", .event = Credit{.items = 16}}},
        {"heartbeat", {.id = "", .event = Heartbeat{}}},
        {"error-stream",
         {.id = "",
          .event = Failed{.code = "LIMIT",
                          .message = "too long",
                          .retryable = true,
                          .details = Json::object({{"cause", "E-LIMIT"}})}}},
    };
}

/// What docs/protocol/call.md says of all events: the last of its blocks.
Schema documented() {
    std::ifstream file(ALKNET_CALL_DOCUMENT);
    std::string line;
    std::string block;
    while (std::getline(file, line)) {
        if (line.starts_with("## ")) {
            block.clear();
        } else if (line.starts_with("    ")) {
            block += line + "\n";
        }
    }
    const auto json = parse_json(block);
    EXPECT_TRUE(json) << block;
    const auto schema = Schema::compile(json.value_or(Json(true)));
    EXPECT_TRUE(schema) << schema.error().detail();
    return schema.value_or(Schema());
}

TEST(CallEvents, FitTheSchemaThatIsDocumented) {
    const Schema schema = documented();
    for (const auto& [name, envelope] : events()) {
        const auto violation = schema.check(parse_json(encode_event(envelope)).value());
        EXPECT_FALSE(violation) << name << " " << violation->pointer << " " << violation->reason;
    }
    for (const std::string_view wrong :
         {R"({"id":"1"})", R"({"type":"","id":"1"})", R"({"type":"call.aborted","id":""})",
          R"({"type":"call.requested","id":"1"})",
          R"({"type":"call.requested","id":"1","payload":{"operationId":"a/b"}})",
          R"({"type":"call.requested","id":"1","payload":{"operationId":"/a/b","depth":-1}})",
          R"({"type":"call.requested","id":"1","payload":{"operationId":"/a/b","detach":1}})",
          R"({"type":"call.responded","id":"1","payload":{"seq":"1"}})",
          R"({"type":"call.error","id":"1","payload":{"code":""}})",
          R"({"type":"call.credit","id":"1","payload":{"credit":0}})"}) {
        EXPECT_TRUE(schema.check(parse_json(wrong).value())) << wrong;
        const auto event = decode_event(wrong);
        EXPECT_TRUE(!event || std::holds_alternative<Malformed>(event->event)) << wrong;
    }
    for (const std::string_view good :
         {R"({"type":"call.requested","id":"1","payload":{"operationId":"/a/b","depth":null}})",
          R"({"type":"call.later","id":"1","payload":7,"more":1})",
          R"({"type":"call.heartbeat","id":""})"}) {
        EXPECT_FALSE(schema.check(parse_json(good).value())) << good;
        const auto event = decode_event(good);
        EXPECT_TRUE(event && !std::holds_alternative<Malformed>(event->event)) << good;
    }
}

result<EventEnvelope> decode(BytesView octets, std::size_t piece) {
    FrameDecoder decoder(kFrameBytesMax);
    while (!octets.empty()) {
        const std::size_t part = std::min(piece, octets.size());
        decoder.push(octets.first(part));
        octets = octets.subspan(part);
        ALKNET_TRY(const auto text, decoder.next());
        if (text) {
            EXPECT_TRUE(octets.empty());
            EXPECT_EQ(decoder.held(), 0U);
            return decode_event(*text);
        }
    }
    return fail(causes::kProtocol, "not whole");
}

TEST(CallVectors, AreWhatIsWrittenAndRead) {
    auto left = sim::read_vectors(ALKNET_CALL_VECTORS);
    for (const auto& [name, event] : events()) {
        const Bytes octets = encode_frame(event).value();
        EXPECT_EQ(hex_encode(octets), hex_encode(left[name])) << name;
        for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, octets.size()}) {
            EXPECT_EQ(decode(octets, piece).value(), event) << name;
        }
        left.erase(name);
    }
    std::size_t bad = 0;
    for (const auto& [name, octets] : left) {
        ASSERT_TRUE(name.starts_with("bad-")) << name;
        EXPECT_FALSE(decode(octets, octets.size())) << name;
        ++bad;
    }
    EXPECT_GE(bad, 8U);
}

TEST(CallVectors, TheSmallestRequestIs109Octets) {
    const Bytes octets = encode_frame(events().at("requested")).value();
    EXPECT_EQ(octets.size(), 4U + 109U);
    EXPECT_EQ(hex_encode(BytesView(octets).first(4)), "0000006d");
}

TEST(CallFrames, AreAsLongAsTheirLimit) {
    FrameDecoder decoder(4);
    decoder.push(hex_decode("00000004").value());
    EXPECT_EQ(decoder.next().value(), std::nullopt);
    decoder.push(as_bytes("true"));
    EXPECT_EQ(decoder.next().value(), "true");
    decoder.push(hex_decode("00000005").value());
    EXPECT_TRUE(decoder.next().error().is(causes::kLimit));
    FrameDecoder zero(4);
    zero.push(hex_decode("00000000").value());
    EXPECT_TRUE(zero.next().error().is(causes::kProtocol));
    // What a length promises takes no room.
    FrameDecoder promised(kFrameBytesMax);
    promised.push(hex_decode("01000000").value());
    EXPECT_EQ(promised.next().value(), std::nullopt);
    EXPECT_EQ(promised.held(), 4U);
    const EventEnvelope large{.id = "1", .event = Responded{.output = std::string(100, 'x')}};
    EXPECT_TRUE(encode_frame(large, 99).error().is(causes::kLimit));
    EXPECT_EQ(encode_frame(large, 1000)->size(), encode_event(large).size() + 4);
}

TEST(CallEvents, OfLaterVersionsAreKnownAsSuch) {
    const auto event = decode_event(R"({"type":"call.later","id":"1","payload":3,"more":[]})");
    ASSERT_TRUE(event);
    EXPECT_EQ(event->event, EventBody(Unknown{.type = "call.later"}));
}

TEST(CallEvents, AreMalformedWithAGoodId) {
    for (const std::string_view payload :
         {R"({})", R"({"operationId":"/a"})", R"({"operationId":"a/b"})",
          R"({"operationId":"/a/b/c"})", R"({"operationId":"/a/b","timeout_ms":-1})",
          R"({"operationId":"/a/b","timeout_ms":1.5})", R"({"operationId":"/a/b","detach":1})",
          R"({"operationId":"/a/b","auth_token":7})", R"({"operationId":7})", "7", "null"}) {
        const auto event = decode_event(R"({"type":"call.requested","id":"1","payload":)" +
                                        std::string(payload) + "}");
        ASSERT_TRUE(event) << payload;
        EXPECT_EQ(event->id, "1");
        EXPECT_TRUE(std::holds_alternative<Malformed>(event->event)) << payload;
    }
    const auto name = R"({"operationId":"/a/)" + std::string(kOperationBytesMax, 'b') + "\"}";
    const auto event = decode_event(R"({"type":"call.requested","id":"1","payload":)" + name + "}");
    EXPECT_TRUE(std::holds_alternative<Malformed>(event.value().event));
}

TEST(CallEvents, GiveCreditFromOneOn) {
    for (const std::string_view payload :
         {R"({})", R"({"credit":0})", R"({"credit":-1})", "null"}) {
        const auto event = decode_event(R"({"type":"call.credit","id":"1","payload":)" +
                                        std::string(payload) + "}");
        ASSERT_TRUE(event) << payload;
        EXPECT_TRUE(std::holds_alternative<Malformed>(event->event)) << payload;
    }
}

TEST(CallEvents, HaveAnIdOf128OctetsAtMost) {
    const auto of = [](std::size_t size) {
        return decode_event(R"({"type":"call.aborted","id":")" + std::string(size, 'i') + "\"}");
    };
    EXPECT_TRUE(of(kIdBytesMax));
    EXPECT_FALSE(of(kIdBytesMax + 1));
    EXPECT_FALSE(of(0));
}

TEST(CallFailures, ComeBackAsTheirCause) {
    for (const Cause* cause : all_causes()) {
        const error back = to_error(to_failed(error(*cause, "detail")));
        EXPECT_TRUE(back.is(*cause)) << cause->id;
        EXPECT_EQ(back.detail(), "detail");
    }
    EXPECT_EQ(to_failed(error(causes::kNoHandler)).code, "NOT_FOUND");
    EXPECT_FALSE(to_failed(error(causes::kNoHandler)).retryable);
    EXPECT_TRUE(to_failed(error(causes::kLimit)).retryable);
    // Whoever shuts down is there again soon.
    EXPECT_EQ(to_failed(error(causes::kShuttingDown)).code, "UNAVAILABLE");
    EXPECT_TRUE(to_failed(error(causes::kShuttingDown)).retryable);
    EXPECT_TRUE(to_failed(error(causes::kImportAway)).retryable);
    EXPECT_EQ(to_failed(error(causes::kImportLost)).code, "UNAVAILABLE");
    EXPECT_FALSE(to_failed(error(causes::kImportLost)).retryable) << "it may have been done";
    const auto of_code = [](std::string code) {
        return to_error({.code = std::move(code), .message = "m"});
    };
    EXPECT_TRUE(of_code("FORBIDDEN").is(causes::kForbidden));
    EXPECT_TRUE(of_code("TIMEOUT").is(causes::kTimeout));
    EXPECT_TRUE(of_code("SOMETHING_NEW").is(causes::kHandlerFailed));
}

}  // namespace
}  // namespace alknet::call
