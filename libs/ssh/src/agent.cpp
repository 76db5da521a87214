#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/ssh/agent.hpp>
#include <alknet/ssh/public_key.hpp>
#include <optional>
#include <utility>

#include "messages.hpp"

namespace alknet::ssh {

namespace {

constexpr std::uint32_t kRsaSha512 = 4;  // the flag that asks for it

// The algorithm for a key of this type; empty for those that we do not log in with.
std::string_view algorithm_of(std::string_view type) noexcept {
    if (type == "ssh-rsa") {
        return "rsa-sha2-512";
    }
    const bool known = type == "ssh-ed25519" || type == "sk-ssh-ed25519@openssh.com" ||
                       type == "ecdsa-sha2-nistp256" || type == "ecdsa-sha2-nistp384" ||
                       type == "ecdsa-sha2-nistp521";
    return known ? type : std::string_view();
}

// A message without its size, to either side.
task<result<Bytes>> read_framed(BiStream& stream) {
    Bytes message;
    std::size_t have = 0;
    std::size_t wanted = 4;
    for (bool sized = false; !sized || have < wanted;) {
        if (!sized && have == wanted) {
            sized = true;
            wanted = WireReader(message).number<std::uint32_t>();
            have = 0;
            if (wanted == 0 || wanted > kAgentMessageBytesMax) {
                co_return fail(causes::kProtocol, "a malformed message of the SSH agent's");
            }
        }
        message.resize(wanted);
        ALKNET_CO_TRY(const std::size_t size,
                      co_await stream.read(MutableBytes(message).subspan(have)));
        if (size == 0) {
            co_return fail(causes::kClosed, "the other end of the SSH agent has gone");
        }
        have += size;
    }
    co_return message;
}

Bytes framed(BytesView message) {
    WireWriter out;
    put_string(out, message);
    return out.take();
}

bool is_shared(const AgentShare& share, BytesView blob) {
    return std::ranges::find(share.keys, digest_fingerprint(blob)) != share.keys.end();
}

// What is said to the program, with its size.
task<result<Bytes>> answer_to(Agent& agent, const AgentShare& share, Bytes message) {
    using Kind = agent::Question::Kind;
    const agent::Question question = agent::read_question(message);
    if (question.kind == Kind::list) {
        ALKNET_CO_TRY(std::vector<AgentKey> keys, co_await agent.keys());
        std::erase_if(keys, [&](const AgentKey& key) { return !is_shared(share, key.blob); });
        co_return agent::keys_answer(keys);
    }
    const bool may = question.kind == Kind::bind ||
                     (question.kind == Kind::sign && is_shared(share, question.key));
    if (!may) {
        co_return agent::failure_answer();
    }
    ALKNET_CO_TRY(const Bytes answer, co_await agent.ask(framed(message)));
    co_return framed(answer);
}

class AgentSigner final : public Signer {
public:
    AgentSigner(std::shared_ptr<Agent> agent, Bytes blob, std::string_view algorithm)
        : agent_(std::move(agent)), blob_(std::move(blob)), algorithm_(algorithm) {}
    [[nodiscard]] BytesView key() const noexcept override { return blob_; }
    [[nodiscard]] std::string_view algorithm() const noexcept override { return algorithm_; }
    [[nodiscard]] bool is_dear() const noexcept override { return true; }
    task<result<Bytes>> sign(Bytes message) override {
        const std::uint32_t flags = algorithm_.starts_with("rsa-") ? kRsaSha512 : 0;
        co_return co_await agent_->sign(blob_, std::move(message), flags);
    }

private:
    std::shared_ptr<Agent> agent_;
    Bytes blob_;
    std::string algorithm_;
};

}  // namespace

task<result<Bytes>> Agent::ask(Bytes question) {
    ALKNET_CO_CHECK(co_await stream_->write(question));
    co_return co_await read_framed(*stream_);
}

task<result<std::vector<AgentKey>>> Agent::keys() {
    ALKNET_CO_TRY(const Bytes answer,
                  co_await with_timeout(kAgentTime, ask(agent::list_request())));
    co_return agent::parse_keys(answer);
}

task<result<Bytes>> Agent::sign(Bytes blob, Bytes message, std::uint32_t flags) {
    ALKNET_CO_TRY(const Bytes answer, co_await ask(agent::sign_request(blob, message, flags)));
    co_return agent::parse_signature(answer);
}

// An agent that knows nothing of bindings says so, and serves as it always did.
task<result<void>> share_agent(BiStream& program, Agent& agent, const AgentShare& share) {
    if (!share.binding.empty()) {
        ALKNET_CO_CHECK(co_await agent.ask(share.binding));
    }
    for (;;) {
        ALKNET_CO_TRY(Bytes message, co_await read_framed(program));
        ALKNET_CO_TRY(const Bytes answer, co_await answer_to(agent, share, std::move(message)));
        ALKNET_CO_CHECK(co_await program.write(answer));
    }
}

task<result<std::vector<std::shared_ptr<Signer>>>> agent_signers(std::shared_ptr<Agent> agent) {
    ALKNET_CO_TRY(std::vector<AgentKey> keys, co_await agent->keys());
    std::vector<std::shared_ptr<Signer>> signers;
    for (AgentKey& key : keys) {
        WireReader in(key.blob);
        const std::string_view algorithm = algorithm_of(take_text(in));
        if (!algorithm.empty()) {
            signers.push_back(std::make_shared<AgentSigner>(agent, std::move(key.blob), algorithm));
        }
    }
    co_return signers;
}

}  // namespace alknet::ssh
