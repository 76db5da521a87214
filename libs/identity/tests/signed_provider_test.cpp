#include <alknet/base/causes.hpp>
#include <alknet/identity/signed_provider.hpp>
#include <alknet/identity/token.hpp>
#include <alknet/testing/co_test.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <atomic>
#include <thread>

#include "support.hpp"

namespace alknet::identity {
namespace {

using std::chrono::seconds;

struct World {
    explicit World(sim::VirtualClock& time) : clock(time) {
        PeerRecord bob = peer("bob", {key->id().fingerprint()}, {"git:read"});
        peers->replace(directory_of({bob}));
        start();
        clock.advance(seconds(1000));
    }

    // A node that starts now.
    void start() {
        auto opened = store::Store::open(home / kStateFile,
                                         {.database = state_options(), .own_thread = false});
        EXPECT_TRUE(opened);
        state = *opened;
        const auto database = store::Database::open(home / kStateFile, state_options());
        EXPECT_TRUE(database);
        auto newest = load_newest_tokens(**database);
        EXPECT_TRUE(newest);
        provider = std::make_shared<SignedTokenProvider>(
            clock, SignedTokenOptions{.audience = node,
                                      .rules = rules,
                                      .peers = peers,
                                      .state = state,
                                      .newest = std::move(newest).value()});
    }
    [[nodiscard]] std::string sign(seconds later = {}, std::uint8_t counter = 0,
                                   const std::string& purpose = "call") const {
        return sign_token(*key, {.audience = node,
                                 .purpose = purpose,
                                 .now = clock.wall_now() + later,
                                 .counter = counter})
            .value()
            .encode();
    }
    task<std::string> ask(std::string token, std::string purpose = "call") const {
        const auto resolved =
            co_await provider->resolve_from_token(std::move(token), std::move(purpose));
        if (!resolved) {
            co_return std::string(resolved.error().cause().id) + " " + resolved.error().detail();
        }
        co_return *resolved ? (*resolved)->id : "nobody";
    }
    task<bool> refused(std::string token, std::string purpose = "call") const {
        const std::string answer = co_await ask(std::move(token), std::move(purpose));
        co_return answer.starts_with(causes::kTokenInvalid.id);
    }

    sim::VirtualClock& clock;
    sim::TempDir home;
    SignedTokenRules rules;
    std::shared_ptr<const NodeKey> key = NodeKey::generate();
    NodeId node = NodeKey::generate()->id();
    std::shared_ptr<ConfigIdentityProvider> peers =
        std::make_shared<ConfigIdentityProvider>(clock, directory_of({}));
    std::shared_ptr<store::Store> state;
    std::shared_ptr<SignedTokenProvider> provider;
};

ALKNET_CO_TEST(SignedTokenProvider, OneTokenOpensOneSession) {
    const World world(clock);
    const std::string token = world.sign();
    EXPECT_EQ(co_await world.ask(token), "bob");
    EXPECT_TRUE(co_await world.refused(token));
    EXPECT_EQ(co_await world.ask(world.sign({}, 1)), "bob");
    EXPECT_TRUE(co_await world.refused(world.sign({}, 1)));
    EXPECT_EQ(co_await world.ask(world.sign(seconds(-300))), "bob");
    EXPECT_TRUE(co_await world.refused(world.sign(seconds(-301))));
    EXPECT_EQ(co_await world.ask(world.sign(seconds(300))), "bob");
    EXPECT_TRUE(co_await world.refused(world.sign(seconds(301))));
    const auto nobody =
        co_await world.provider->resolve_from_fingerprint(world.key->id().fingerprint());
    EXPECT_TRUE(nobody && !*nobody);
}

ALKNET_CO_TEST(SignedTokenProvider, OneTokenIsForOneNodeAndPurpose) {
    const World world(clock);
    EXPECT_TRUE(co_await world.refused(world.sign(), "git"));
    EXPECT_TRUE(co_await world.refused(world.sign(), ""));
    EXPECT_TRUE(co_await world.refused(world.sign(), std::string(300, 'x')));
    const auto elsewhere = sign_token(
        *world.key, {.audience = world.key->id(), .purpose = "call", .now = clock.wall_now()});
    EXPECT_TRUE(co_await world.refused(elsewhere->encode()));
    const auto stranger = sign_token(
        *NodeKey::generate(), {.audience = world.node, .purpose = "call", .now = clock.wall_now()});
    EXPECT_TRUE(co_await world.refused(stranger->encode()));
    // None of that has used the good one up. For another purpose it is another token.
    EXPECT_EQ(co_await world.ask(world.sign()), "bob");
    EXPECT_EQ(co_await world.ask(world.sign({}, 0, "git"), "git"), "bob");
}

ALKNET_CO_TEST(SignedTokenProvider, WhatHasAnotherFormIsNobodys) {
    const World world(clock);
    for (const std::string& token :
         {std::string(), std::string("alk_\xff\xfe"), std::string(104, '\xff'),
          std::string(139, '\0'), std::string(1 << 20, 'A'), world.sign() + "A"}) {
        EXPECT_EQ(co_await world.ask(token), "nobody");
    }
}

ALKNET_CO_TEST(SignedTokenProvider, TheFirstFormIsOffUnlessItIsSwitchedOn) {
    const World world(clock);
    const std::string token = sign_token_v1(*world.key, clock.wall_now())->encode();
    EXPECT_TRUE(co_await world.refused(token));
    world.provider->set_rules({.v1 = true});
    EXPECT_EQ(co_await world.ask(token, "anything"), "bob");
    EXPECT_TRUE(co_await world.refused(token, "anything else"));
    world.provider->set_rules({.v1 = false});
    EXPECT_TRUE(co_await world.refused(sign_token_v1(*world.key, clock.wall_now())->encode()));
}

ALKNET_CO_TEST(SignedTokenProvider, TheWindowIsConfigurable) {
    const World world(clock);
    world.provider->set_rules({.window = seconds(10)});
    EXPECT_TRUE(co_await world.refused(world.sign(seconds(-11))));
    EXPECT_EQ(co_await world.ask(world.sign(seconds(-10))), "bob");
    clock.advance(seconds(11));
    EXPECT_EQ(co_await world.ask(world.sign()), "bob");  // and forgets the one before
    world.provider->set_rules({});
    EXPECT_TRUE(co_await world.refused(world.sign(seconds(-21))));
}

ALKNET_CO_TEST(SignedTokenProvider, RefusesADisabledOrExpiredPeersTokens) {
    const World world(clock);
    PeerRecord bob = peer("bob", {world.key->id().fingerprint()}, {"git:read"});
    bob.enabled = false;
    world.peers->replace(directory_of({bob}));
    EXPECT_TRUE((co_await world.ask(world.sign())).ends_with("its peer is disabled"));
    bob.enabled = true;
    bob.expires = clock.wall_now() - kExpiryGrace;
    world.peers->replace(directory_of({bob}));
    EXPECT_TRUE((co_await world.ask(world.sign())).ends_with("its peer is expired"));
    bob.expires = clock.wall_now();
    world.peers->replace(directory_of({bob}));
    const auto grace = co_await world.provider->resolve_from_token(world.sign(), "call");
    ALKNET_CO_ASSERT(grace && *grace);
    EXPECT_TRUE((*grace)->renewal_only);
    world.peers->replace(directory_of({}));
    EXPECT_TRUE(co_await world.refused(world.sign({}, 1)));
    // A digest is not enough to verify anything.
    world.peers->replace(directory_of({peer("bob", {world.key->id().openssh_fingerprint()})}));
    EXPECT_TRUE(co_await world.refused(world.sign({}, 1)));
}

ALKNET_CO_TEST(SignedTokenProvider, RefusesOlderTokensAfterARestart) {
    World world(clock);
    const std::string used = world.sign();
    const std::string early = world.sign(seconds(200));
    const std::string unused = world.sign(seconds(-1));
    EXPECT_EQ(co_await world.ask(used), "bob");
    EXPECT_EQ(co_await world.ask(early), "bob");
    clock.advance(seconds(1));
    world.start();
    EXPECT_TRUE(co_await world.refused(used));
    EXPECT_TRUE(co_await world.refused(unused));
    EXPECT_TRUE(co_await world.refused(early));
    EXPECT_TRUE(co_await world.refused(world.sign(seconds(100))));
    clock.advance(seconds(200));
    EXPECT_EQ(co_await world.ask(world.sign()), "bob");
    // What is kept for restarts is forgotten once it is in the past.
    EXPECT_EQ(co_await world.ask(world.sign(seconds(5))), "bob");
    const auto kept = co_await world.state->transact(load_newest_tokens);
    ALKNET_CO_ASSERT(kept && kept->size() == 1);
    EXPECT_EQ(kept->front().unix_s, unix_seconds(clock.wall_now() + seconds(5)));
}

ALKNET_CO_TEST(SignedTokenProvider, AClockThatIsSetAfterTheStartBringsNothingBack) {
    World world(clock);
    const std::string used = world.sign();
    EXPECT_EQ(co_await world.ask(used), "bob");
    const Duration since_1970 = clock.wall_now().time_since_epoch();
    clock.step_wall(-since_1970);
    world.start();
    EXPECT_TRUE(co_await world.refused(used));  // from the future
    clock.advance(seconds(20));
    clock.step_wall(since_1970);
    EXPECT_TRUE(co_await world.refused(used));  // from before the start
    EXPECT_EQ(co_await world.ask(world.sign()), "bob");
}

ALKNET_CO_TEST(SignedTokenProvider, WorksIn1970AndIn2040) {
    World world(clock);
    clock.step_wall(-clock.wall_now().time_since_epoch());
    world.start();
    EXPECT_TRUE(co_await world.refused(world.sign()));
    clock.advance(seconds(1));
    EXPECT_EQ(co_await world.ask(world.sign()), "bob");
    clock.step_wall(at(2'208'988'800) - clock.wall_now());
    world.start();
    clock.advance(seconds(1));
    const std::string token = world.sign();
    EXPECT_EQ(co_await world.ask(token), "bob");
    EXPECT_TRUE(co_await world.refused(token));
}

ALKNET_CO_TEST(SignedTokenProvider, AUseThatCannotBeKeptIsRefused) {
    World world(clock);
    const auto database = store::Database::open(world.home / kStateFile, state_options());
    ALKNET_CO_ASSERT(database);
    ALKNET_CO_ASSERT((*database)->run("DROP TABLE signed_token"));
    const std::string answer = co_await world.ask(world.sign(seconds(10)));
    EXPECT_NE(answer, "bob");
    EXPECT_TRUE(co_await world.refused(world.sign(seconds(10))));  // and it is used up
}

ALKNET_CO_TEST(SignedTokenProvider, InAChainEachKindGivesTheSamePeer) {
    const World world(clock);
    const NewToken made = make_token();
    PeerList list;
    list.peers = {peer("bob", {world.key->id().fingerprint()}, {"git:read"})};
    list.tokens.resize(1);
    list.tokens[0].id = made.id;
    list.tokens[0].hash = made.hash;
    list.tokens[0].peer = "bob";
    world.peers->replace(directory(list));
    IdentityChain chain({world.peers, world.provider});
    const auto by_key = co_await chain.resolve_from_fingerprint(world.key->id().fingerprint());
    const auto by_secret =
        co_await chain.resolve_from_token(std::string(as_text(made.text.view())), "call");
    const auto by_signature = co_await chain.resolve_from_token(world.sign(), "call");
    ALKNET_CO_ASSERT(by_key && *by_key && by_secret && *by_secret && by_signature && *by_signature);
    EXPECT_EQ(**by_key, **by_secret);
    EXPECT_EQ(**by_key, **by_signature);
    const auto again = co_await chain.resolve_from_token(world.sign(), "call");
    EXPECT_TRUE(!again && again.error().is(causes::kTokenInvalid));
}

task<void> count_win(const World& world, std::atomic<int>& won, std::string token) {
    const std::string answer = co_await world.ask(std::move(token));
    won += answer == "bob" ? 1 : 0;
}

// Loops that race for one token.
TEST(SignedTokenProviderThreads, OneOfManyWins) {
    sim::VirtualClock clock;
    const World world(clock);
    for (int round = 0; round < 20; ++round) {
        const std::string token = world.sign({}, static_cast<std::uint8_t>(round));
        std::atomic<int> won = 0;
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&world, &won, token] {
                sim::VirtualLoop loop;
                EXPECT_TRUE(loop.run(count_win(world, won, token)));
            });
        }
        threads.clear();
        EXPECT_EQ(won, 1);
    }
}

}  // namespace
}  // namespace alknet::identity
