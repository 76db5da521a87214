#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/call/envelope.hpp>
#include <utility>

#include "members.hpp"

namespace alknet::call {

namespace {

constexpr std::size_t kTraceparentBytesMax = 256;
constexpr std::size_t kTokenTextMax = 4096;
constexpr std::size_t kCodeBytesMax = 64;
constexpr std::size_t kKeptBytesMax = 64 << 10;  // of a buffer that is empty

constexpr std::string_view kRequested = "call.requested";
constexpr std::string_view kResponded = "call.responded";
constexpr std::string_view kCompleted = "call.completed";
constexpr std::string_view kAborted = "call.aborted";
constexpr std::string_view kError = "call.error";
constexpr std::string_view kCredit = "call.credit";
constexpr std::string_view kHeartbeat = "call.heartbeat";

EventBody requested(Members& payload) {
    Requested request;
    std::string operation = payload.text("operationId", kOperationBytesMax + 1).value_or("");
    request.input = payload.any("input");
    request.timeout_ms = payload.number("timeout_ms");
    request.traceparent = payload.text("traceparent", kTraceparentBytesMax).value_or("");
    request.auth_token = payload.text("auth_token", kTokenTextMax);
    request.resume_after = payload.number("resume_after");
    request.credit = payload.number("credit");
    request.detach = payload.flag("detach");
    request.depth = payload.number("depth").value_or(0);
    request.forwarded_for = payload.any("forwarded_for");
    if (!operation.starts_with('/') || !is_operation_name(std::string_view(operation).substr(1))) {
        payload.refuse("operationId is no /SERVICE/NAME");
    }
    if (payload.refusal().empty()) {
        request.operation = operation.substr(1);
    }
    return request;
}

EventBody responded(Members& payload) {
    Responded response;
    response.output = payload.any("output");
    response.seq = payload.number("seq");
    response.missed = payload.number("missed");
    return response;
}

EventBody failed(Members& payload) {
    Failed failure;
    failure.code = payload.text("code", kCodeBytesMax).value_or("");
    failure.message = payload.text("message", kFrameBytesMax).value_or("");
    failure.retryable = payload.flag("retryable");
    failure.details = payload.any("details");
    if (failure.code.empty()) {
        payload.refuse("code is missing");
    }
    return failure;
}

EventBody credit(Members& payload) {
    const Credit given{.items = payload.number("credit").value_or(0)};
    if (given.items == 0) {
        payload.refuse("credit is no number from 1 on");
    }
    return given;
}

using Reader = EventBody (*)(Members& payload);

// Of events whose payload says something.
Reader reader_of(std::string_view type) {
    return type == kRequested   ? requested
           : type == kResponded ? responded
           : type == kError     ? failed
           : type == kCredit    ? credit
                                : nullptr;
}

EventBody event_of(std::string_view type, Json payload) {
    if (type == kCompleted) {
        return Completed{};
    }
    if (type == kAborted) {
        return Aborted{};
    }
    if (type == kHeartbeat) {
        return Heartbeat{};
    }
    const Reader read = reader_of(type);
    if (read == nullptr) {
        return Unknown{.type = std::string(type)};
    }
    const Json* token = payload.find("auth_token");
    const bool has_token = type == kRequested && token != nullptr && !token->is_null();
    Members members(std::move(payload));
    EventBody event = read(members);
    if (!members.refusal().empty()) {
        return Malformed{
            .type = std::string(type), .why = members.refusal(), .has_token = has_token};
    }
    return event;
}

template <class... Visitors>
struct Overloaded : Visitors... {
    using Visitors::operator()...;
};

void add(Json::Object& to, const char* name, const std::optional<std::uint64_t>& number) {
    if (number) {
        to.emplace_back(name, *number);
    }
}

Json payload_of(const Requested& request) {
    Json::Object payload{{"operationId", "/" + request.operation}, {"input", request.input}};
    add(payload, "timeout_ms", request.timeout_ms);
    if (!request.traceparent.empty()) {
        payload.emplace_back("traceparent", request.traceparent);
    }
    if (request.auth_token) {
        payload.emplace_back("auth_token", *request.auth_token);
    }
    add(payload, "resume_after", request.resume_after);
    add(payload, "credit", request.credit);
    if (request.detach) {
        payload.emplace_back("detach", true);
    }
    if (request.depth > 0) {
        payload.emplace_back("depth", request.depth);
    }
    if (!request.forwarded_for.is_null()) {
        payload.emplace_back("forwarded_for", request.forwarded_for);
    }
    return payload;
}

Json payload_of(const Responded& response) {
    Json::Object payload{{"output", response.output}};
    add(payload, "seq", response.seq);
    add(payload, "missed", response.missed);
    return payload;
}

Json payload_of(const Failed& failure) {
    Json::Object payload{
        {"code", failure.code}, {"message", failure.message}, {"retryable", failure.retryable}};
    if (!failure.details.is_null()) {
        payload.emplace_back("details", failure.details);
    }
    return payload;
}

std::pair<std::string_view, Json> described(const EventBody& event) {
    using Described = std::pair<std::string_view, Json>;
    const Overloaded visitor{
        [](const Requested& request) { return Described(kRequested, payload_of(request)); },
        [](const Responded& response) { return Described(kResponded, payload_of(response)); },
        [](const Completed&) { return Described(kCompleted, Json::Object()); },
        [](const Aborted&) { return Described(kAborted, Json::Object()); },
        [](const Failed& failure) { return Described(kError, payload_of(failure)); },
        [](const Credit& given) {
            return Described(kCredit, Json::object({{"credit", given.items}}));
        },
        [](const Heartbeat&) { return Described(kHeartbeat, Json::Object()); },
        [](const auto& other) { return Described(other.type, Json::Object()); },
    };
    return std::visit(visitor, event);
}

}  // namespace

bool is_operation_name(std::string_view name) noexcept {
    const auto is_word = [](std::string_view word) {
        return !word.empty() && std::ranges::all_of(word, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '_' || c == '-';
        });
    };
    const std::size_t slash = name.find('/');
    return name.size() <= kOperationBytesMax && slash != std::string_view::npos &&
           is_word(name.substr(0, slash)) && is_word(name.substr(slash + 1));
}

result<EventEnvelope> decode_event(std::string_view text, const JsonLimits& limits) {
    ALKNET_TRY(Json json, parse_json(text, limits));
    if (json.as_object() == nullptr) {
        return fail(causes::kProtocol, "an event is a JSON object");
    }
    const Json* type = json.find("type");
    const Json* id = json.find("id");
    if (type == nullptr || type->as_string() == nullptr || type->as_string()->empty()) {
        return fail(causes::kProtocol, "an event without a type");
    }
    if (id == nullptr || id->as_string() == nullptr || id->as_string()->size() > kIdBytesMax) {
        return fail(causes::kProtocol, "an event without a usable id");
    }
    EventEnvelope envelope{.id = *id->as_string(), .event = Aborted{}};
    Json* payload = json.find("payload");
    envelope.event =
        event_of(*type->as_string(), payload == nullptr ? Json() : std::move(*payload));
    const bool of_stream = std::holds_alternative<Failed>(envelope.event) ||
                           std::holds_alternative<Heartbeat>(envelope.event);
    if (envelope.id.empty() && !of_stream) {
        return fail(causes::kProtocol, "an event without a usable id");
    }
    return envelope;
}

std::string encode_event(const EventEnvelope& envelope) {
    auto [type, payload] = described(envelope.event);
    return Json::object({{"type", type}, {"id", envelope.id}, {"payload", std::move(payload)}})
        .text();
}

result<Bytes> encode_frame(const EventEnvelope& envelope, std::size_t bytes_max) {
    const std::string text = encode_event(envelope);
    if (text.size() > bytes_max) {
        return fail(causes::kLimit, "a frame of " + std::to_string(text.size()) + " octets, of " +
                                        std::to_string(bytes_max));
    }
    WireWriter writer;
    writer.text<std::uint32_t>(text);
    return writer.take();
}

void FrameDecoder::push(BytesView octets) {
    if (used_ == buffer_.size() && buffer_.capacity() > kKeptBytesMax) {
        buffer_ = Bytes();
        used_ = 0;
    }
    if (used_ > 0) {
        buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(used_));
        used_ = 0;
    }
    buffer_.insert(buffer_.end(), octets.begin(), octets.end());
}

result<std::optional<std::string_view>> FrameDecoder::next() {
    const BytesView rest = BytesView(buffer_).subspan(used_);
    WireReader reader(rest);
    const auto length = reader.number<std::uint32_t>();
    if (!reader.ok()) {
        return std::nullopt;
    }
    if (length == 0) {
        return fail(causes::kProtocol, "a frame of no octets");
    }
    if (length > bytes_max_) {
        return fail(causes::kLimit, "a frame of " + std::to_string(length) + " octets, of " +
                                        std::to_string(bytes_max_));
    }
    const BytesView text = reader.take(length);
    if (!reader.ok()) {
        return std::nullopt;
    }
    used_ += sizeof length + length;
    return as_text(text);
}

}  // namespace alknet::call
