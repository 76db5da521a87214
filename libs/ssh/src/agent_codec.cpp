#include <alknet/base/causes.hpp>
#include <alknet/ssh/agent.hpp>
#include <utility>

#include "messages.hpp"

namespace alknet::ssh {

namespace {

enum class AgentMessage : std::uint8_t {
    failure = 5,
    list_request = 11,
    list_answer = 12,
    sign_request = 13,
    sign_answer = 14,
    extension = 27,
};
constexpr std::string_view kBind = "session-bind@openssh.com";

std::unexpected<error> malformed() {
    return fail(causes::kProtocol, "a malformed answer of the SSH agent");
}

Bytes framed(WireWriter body) {
    WireWriter out;
    put_string(out, body.view());
    return out.take();
}

WireWriter begin(AgentMessage number) {
    WireWriter out;
    out.number(static_cast<std::uint8_t>(number));
    return out;
}

}  // namespace

namespace agent {

Bytes list_request() {
    return framed(begin(AgentMessage::list_request));
}

Bytes sign_request(BytesView blob, BytesView message, std::uint32_t flags) {
    WireWriter out = begin(AgentMessage::sign_request);
    put_string(out, blob);
    put_string(out, message);
    out.number(flags);
    return framed(std::move(out));
}

Bytes bind_request(BytesView host_key, BytesView session_id, BytesView signature) {
    WireWriter out = begin(AgentMessage::extension);
    put_text(out, kBind);
    put_string(out, host_key);
    put_string(out, session_id);
    put_string(out, signature);
    put_bool(out, true);  // others than we ask there
    return framed(std::move(out));
}

Question read_question(BytesView message) noexcept {
    WireReader in(message);
    const auto number = static_cast<AgentMessage>(in.number<std::uint8_t>());
    Question question;
    if (number == AgentMessage::list_request && in.complete()) {
        question.kind = Question::Kind::list;
    } else if (number == AgentMessage::sign_request) {
        question.key = take_string(in);
        (void)take_string(in);
        (void)in.number<std::uint32_t>();
        question.kind = in.complete() ? Question::Kind::sign : Question::Kind::other;
    } else if (number == AgentMessage::extension && take_text(in) == kBind) {
        question.kind = Question::Kind::bind;
    }
    return question;
}

Bytes keys_answer(const std::vector<AgentKey>& keys) {
    WireWriter out = begin(AgentMessage::list_answer);
    out.number(static_cast<std::uint32_t>(keys.size()));
    for (const AgentKey& key : keys) {
        put_string(out, key.blob);
        put_text(out, key.comment);
    }
    return framed(std::move(out));
}

Bytes failure_answer() {
    return framed(begin(AgentMessage::failure));
}

result<std::vector<AgentKey>> parse_keys(BytesView answer) {
    WireReader in(answer);
    const auto number = static_cast<AgentMessage>(in.number<std::uint8_t>());
    const auto count = in.number<std::uint32_t>();
    if (!in.ok() || number != AgentMessage::list_answer) {
        return malformed();
    }
    if (count > kAgentKeysMax) {
        return fail(causes::kLimit, "the SSH agent has too many keys");
    }
    std::vector<AgentKey> keys;
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
        AgentKey& key = keys.emplace_back();
        key.blob = to_bytes(take_string(in));
        key.comment = take_text(in);
    }
    if (!in.complete()) {
        return malformed();
    }
    return keys;
}

result<Bytes> parse_signature(BytesView answer) {
    WireReader in(answer);
    const auto number = static_cast<AgentMessage>(in.number<std::uint8_t>());
    if (in.complete() && number == AgentMessage::failure) {
        return fail(causes::kForbidden, "the SSH agent does not sign with this key");
    }
    Bytes signature = to_bytes(take_string(in));
    if (!in.complete() || number != AgentMessage::sign_answer) {
        return malformed();
    }
    return signature;
}

}  // namespace agent

}  // namespace alknet::ssh
