#include <alknet/base/causes.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/ssh/agent.hpp>
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
