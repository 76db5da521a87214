#include <alknet/base/causes.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/ssh/agent.hpp>
#include <alknet/ssh/public_key.hpp>
#include <alknet/testing/co_test.hpp>
#include <string>

#include "host_key.hpp"
#include "messages.hpp"

namespace alknet::ssh {
namespace {

Bytes keys_answer(const std::vector<AgentKey>& keys) {
    WireWriter out;
    out.number<std::uint8_t>(12);
    out.number(static_cast<std::uint32_t>(keys.size()));
    for (const AgentKey& key : keys) {
        put_string(out, key.blob);
        put_text(out, key.comment);
    }
    return out.take();
}
Bytes signature_answer(BytesView signature) {
    WireWriter out;
    out.number<std::uint8_t>(14);
    put_string(out, signature);
    return out.take();
}
Bytes key_of(std::string_view type) {
    WireWriter out;
    put_text(out, type);
    put_text(out, "digits");
    return out.take();
}

/// Takes questions and gives these answers, with their sizes, in turn.
task<void> answer_each(BiStream& stream, std::vector<Bytes> answers, std::vector<Bytes>& asked) {
    Bytes buffer(4096);
    for (const Bytes& answer : answers) {
        const auto size = co_await stream.read(buffer);
        if (!size) {
            co_return;
        }
        asked.push_back(to_bytes(BytesView(buffer).first(*size)));
        (void)co_await stream.write(answer);
    }
    (void)co_await stream.finish();
}
Bytes framed(BytesView body) {
    WireWriter out;
    put_string(out, body);
    return out.take();
}

ALKNET_CO_TEST(SshAgent, ListsItsKeysAndSigns) {
    // In pieces, as a socket may have it.
    auto [near, far] = net::make_memory_streams({.chunk_bytes_max = 3});
    std::vector<Bytes> asked;
    TaskScope serving(loop);
    const std::vector<AgentKey> keys = {{.blob = key_of("ssh-ed25519"), .comment = "one"},
                                        {.blob = key_of("ssh-dss"), .comment = "old"},
                                        {.blob = key_of("ssh-rsa"), .comment = "two"},
                                        {.blob = {}, .comment = ""}};
    serving.spawn(
        answer_each(*far,
                    {framed(keys_answer(keys)), framed(signature_answer(as_bytes("s"))),
                     framed(signature_answer(as_bytes("t"))), framed(Bytes{std::byte{5}})},
                    asked),
        "agent");
    const auto agent = std::make_shared<Agent>(std::move(near));
    auto signers = co_await agent_signers(agent);
    ALKNET_CO_ASSERT_OK(signers);
    ALKNET_CO_ASSERT(signers->size() == 2);
    Signer& first = *signers->at(0);
    Signer& second = *signers->at(1);
    EXPECT_TRUE(first.is_dear());
    EXPECT_EQ(first.algorithm(), "ssh-ed25519");
    EXPECT_EQ(second.algorithm(), "rsa-sha2-512");
    EXPECT_EQ(to_bytes(first.key()), keys[0].blob);
    EXPECT_EQ(co_await first.sign(Bytes(3)), to_bytes(as_bytes("s")));
    EXPECT_EQ(co_await second.sign(Bytes(3)), to_bytes(as_bytes("t")));
    const auto refused = co_await first.sign({});
    EXPECT_TRUE(!refused && refused.error().is(causes::kForbidden));
    (void)co_await serving.join();
    EXPECT_EQ(asked.at(1), agent::sign_request(keys[0].blob, Bytes(3), 0));
    EXPECT_EQ(asked.at(2), agent::sign_request(keys[2].blob, Bytes(3), 4));
    const auto gone = co_await first.sign({});
    EXPECT_FALSE(gone);
}

ALKNET_CO_TEST(SshAgent, WhatItSaysHasALimit) {
    for (const std::uint32_t size : {0U, static_cast<std::uint32_t>(kAgentMessageBytesMax) + 1}) {
        auto [near, far] = net::make_memory_streams();
        std::vector<Bytes> asked;
        WireWriter header;
        header.number(size);
        TaskScope serving(loop);
        serving.spawn(answer_each(*far, {header.take()}, asked), "agent");
        Agent agent(std::move(near));
        const auto keys = co_await agent.keys();
        EXPECT_TRUE(!keys && keys.error().is(causes::kProtocol));
        (void)co_await serving.join();
    }
    auto [near, far] = net::make_memory_streams();
    Agent silent(std::move(near));
    const TimePoint begun = loop.now();
    const auto keys = co_await silent.keys();
    EXPECT_TRUE(!keys && keys.error().is(causes::kTimeout));
    EXPECT_EQ(loop.now() - begun, kAgentTime);
}

TEST(SshAgent, UnderstandsWhatProgramsAsk) {
    using Kind = agent::Question::Kind;
    const auto kind_of = [](BytesView framed) {
        return agent::read_question(framed.subspan(4)).kind;
    };
    EXPECT_EQ(kind_of(agent::list_request()), Kind::list);
    const Bytes sign = agent::sign_request(key_of("ssh-ed25519"), Bytes(3), 0);
    EXPECT_EQ(kind_of(sign), Kind::sign);
    EXPECT_EQ(to_bytes(agent::read_question(BytesView(sign).subspan(4)).key),
              key_of("ssh-ed25519"));
    EXPECT_EQ(kind_of(agent::bind_request(Bytes(3), Bytes(3), Bytes(3))), Kind::bind);
    for (const std::uint8_t number :
         std::vector<std::uint8_t>{0, 1, 17, 18, 19, 20, 22, 23, 25, 26, 27, 255}) {
        const Bytes message{std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1},
                            std::byte{number}};
        EXPECT_EQ(kind_of(message), Kind::other) << +number;
    }
    Bytes longer = agent::list_request();
    longer.push_back(std::byte{0});
    EXPECT_EQ(kind_of(longer), Kind::other);
    EXPECT_EQ(kind_of(BytesView(sign).first(sign.size() - 1)), Kind::other);
}

/// What a program is told by an agent that is shared like this.
task<result<Bytes>> told(Loop& loop, AgentShare share, Bytes question, std::vector<Bytes> answers,
                         std::vector<Bytes>& asked) {
    auto [near, far] = net::make_memory_streams();
    auto [here, program] = net::make_memory_streams({.chunk_bytes_max = 3});
    TaskScope serving(loop);
    serving.spawn(answer_each(*far, std::move(answers), asked), "agent");
    Agent agent(std::move(near));
    const auto sharing = [](BiStream& with, Agent& of, const AgentShare& what) -> task<void> {
        (void)co_await share_agent(with, of, what);
        (void)co_await with.finish();
    };
    serving.spawn(sharing(*here, agent, share), "share");
    ALKNET_CO_CHECK(co_await program->write(question));
    ALKNET_CO_CHECK(co_await program->finish());
    Bytes all;
    Bytes buffer(4096);
    for (;;) {
        const auto size = co_await program->read(buffer);
        if (!size || *size == 0) {
            break;
        }
        all.insert(all.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*size));
    }
    serving.cancel();
    (void)co_await serving.join();
    co_return all;
}

ALKNET_CO_TEST(SshAgent, IsSharedForTheKeysThatWereNamed) {
    const AgentKey named{.blob = key_of("ssh-ed25519"), .comment = "named"};
    const AgentKey other{.blob = key_of("ssh-rsa"), .comment = "other"};
    const AgentShare share{.keys = {digest_fingerprint(named.blob)}, .binding = {}};
    std::vector<Bytes> asked;
    EXPECT_EQ((co_await told(loop, share, agent::list_request(),
                             {framed(keys_answer({other, named}))}, asked))
                  .value(),
              framed(keys_answer({named})));
    asked.clear();
    const Bytes sign = agent::sign_request(named.blob, Bytes(9), 0);
    EXPECT_EQ((co_await told(loop, share, sign, {framed(signature_answer(as_bytes("s")))}, asked))
                  .value(),
              framed(signature_answer(as_bytes("s"))));
    EXPECT_EQ(asked, std::vector<Bytes>{sign});
    asked.clear();
    const Bytes bind = agent::bind_request(Bytes(1), Bytes(2), Bytes(3));
    EXPECT_EQ((co_await told(loop, share, bind, {framed(Bytes{std::byte{6}})}, asked)).value(),
              framed(Bytes{std::byte{6}}));
    EXPECT_EQ(asked, std::vector<Bytes>{bind});
    asked.clear();
    // Not with another key; and keys are neither added nor removed.
    const Bytes remove_all = framed(Bytes{std::byte{19}});
    for (const Bytes& question : {agent::sign_request(other.blob, Bytes(9), 0), remove_all}) {
        EXPECT_EQ((co_await told(loop, share, question, {}, asked)).value(),
                  agent::failure_answer());
    }
    EXPECT_TRUE(asked.empty());
}

ALKNET_CO_TEST(SshAgent, IsBoundToTheConnectionFirst) {
    const AgentKey named{.blob = key_of("ssh-ed25519"), .comment = "named"};
    const AgentShare share{.keys = {digest_fingerprint(named.blob)},
                           .binding = agent::bind_request(Bytes(1), Bytes(2), Bytes(3))};
    for (const std::uint8_t answer :
         std::vector<std::uint8_t>{5, 6}) {  // whether it knows of such things or not
        std::vector<Bytes> asked;
        EXPECT_EQ(
            (co_await told(loop, share, agent::list_request(),
                           {framed(Bytes{std::byte{answer}}), framed(keys_answer({named}))}, asked))
                .value(),
            framed(keys_answer({named})));
        EXPECT_EQ(asked, (std::vector<Bytes>{share.binding, agent::list_request()}));
    }
}

TEST(SshAgent, RefusesMalformedAnswers) {
    const std::vector<AgentKey> most(kAgentKeysMax, {.blob = Bytes(1), .comment = "c"});
    EXPECT_EQ(agent::parse_keys(keys_answer(most)), most);
    const auto many = agent::parse_keys(keys_answer(std::vector<AgentKey>(kAgentKeysMax + 1)));
    EXPECT_TRUE(!many && many.error().is(causes::kLimit));
    Bytes answer = keys_answer({{.blob = Bytes(1), .comment = "c"}});
    answer.pop_back();
    EXPECT_FALSE(agent::parse_keys(answer));
    EXPECT_FALSE(agent::parse_keys({}));
    EXPECT_FALSE(agent::parse_keys(signature_answer({})));
    EXPECT_FALSE(agent::parse_signature(keys_answer({})));
    EXPECT_FALSE(agent::parse_signature({}));
}

}  // namespace
}  // namespace alknet::ssh
