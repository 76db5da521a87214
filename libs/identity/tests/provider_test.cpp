#include <alknet/base/causes.hpp>
#include <alknet/identity/provider.hpp>
#include <alknet/identity/token.hpp>
#include <alknet/testing/co_test.hpp>

#include "support.hpp"

namespace alknet::identity {
namespace {

ALKNET_CO_TEST(ConfigIdentityProvider, FindsPeersByWhatTheyProved) {
    const NodeId id = NodeKey::generate()->id();
    const WallTime end = loop.wall_now() + std::chrono::hours(1);
    PeerRecord bob = peer("bob", {id.openssh_fingerprint()}, {"git:read"});
    bob.expires = end;
    bob.renew = kRenewMin;
    ConfigIdentityProvider provider(clock, directory_of({bob}));
    const WallTime looked = loop.wall_now();
    EXPECT_EQ(provider.next_change(looked), end);

    const auto known = co_await provider.resolve_from_fingerprint(id.fingerprint());
    ALKNET_CO_ASSERT(known && *known);
    EXPECT_EQ((*known)->id, "bob");
    const auto stranger = co_await provider.resolve_from_fingerprint(new_key());
    EXPECT_TRUE(stranger && !*stranger);

    (void)co_await loop.sleep(std::chrono::hours(1));
    EXPECT_EQ(provider.next_change(looked), end) << "nobody has looked since";
    EXPECT_EQ(provider.next_change(loop.wall_now()), end + kExpiryGrace);
    const auto late = co_await provider.resolve_from_fingerprint(id.fingerprint());
    ALKNET_CO_ASSERT(late && *late);
    EXPECT_EQ((*late)->scopes, std::vector<std::string>{"peer:renew"});
    (void)co_await loop.sleep(kExpiryGrace);
    const auto gone = co_await provider.resolve_from_fingerprint(id.fingerprint());
    EXPECT_TRUE(gone && !*gone);

    provider.replace(directory_of({peer("alice", {id.fingerprint()})}));
    EXPECT_EQ((co_await provider.resolve_from_fingerprint(id.fingerprint())).value()->id, "alice");
}

ALKNET_CO_TEST(ConfigIdentityProvider, GivesTheSamePeerForKeyAndToken) {
    const std::string key = new_key();
    const NewToken made = make_token();
    PeerList list;
    list.peers = {peer("bob", {key}, {"git:read"})};
    list.tokens.resize(1);
    list.tokens[0].id = made.id;
    list.tokens[0].hash = made.hash;
    list.tokens[0].peer = "bob";
    ConfigIdentityProvider provider(clock, directory(list));
    const auto by_key = co_await provider.resolve_from_fingerprint(key);
    const std::string text(as_text(made.text.view()));
    const auto by_token = co_await provider.resolve_from_token(text, "call");
    ALKNET_CO_ASSERT(by_key && *by_key && by_token && *by_token);
    EXPECT_EQ(**by_key, **by_token);
}

class Failing final : public IdentityProvider {
public:
    task<result<std::optional<Identity>>> resolve_from_fingerprint(std::string) override {
        co_return fail(causes::kTimeout);
    }
    task<result<std::optional<Identity>>> resolve_from_token(std::string, std::string) override {
        co_return fail(causes::kTokenInvalid);
    }
};

std::shared_ptr<IdentityProvider> of(const Clock& clock, std::vector<PeerRecord> peers) {
    return std::make_shared<ConfigIdentityProvider>(clock, directory_of(std::move(peers)));
}

ALKNET_CO_TEST(IdentityChain, TakesTheFirstAnswer) {
    const std::string shared = new_key();
    const std::string second = new_key();
    IdentityChain chain({of(clock, {peer("a", {shared})}), of(clock, {peer("b", {shared, second})}),
                         std::make_shared<Failing>()});
    EXPECT_EQ((co_await chain.resolve_from_fingerprint(shared)).value()->id, "a");
    EXPECT_EQ((co_await chain.resolve_from_fingerprint(second)).value()->id, "b");
    // An error is not the same as not knowing.
    const auto failed = co_await chain.resolve_from_fingerprint(new_key());
    EXPECT_TRUE(!failed && failed.error().is(causes::kTimeout));
    const auto refused = co_await chain.resolve_from_token("x", "call");
    EXPECT_TRUE(!refused && refused.error().is(causes::kTokenInvalid));
}

ALKNET_CO_TEST(IdentityChain, KnowsNobodyByItself) {
    IdentityChain chain({});
    const auto nobody = co_await chain.resolve_from_fingerprint(new_key());
    EXPECT_TRUE(nobody && !*nobody);
    const auto token = co_await chain.resolve_from_token("x", "call");
    EXPECT_TRUE(token && !*token);
}

class Told final : public AuditSink {
public:
    void record(AuditEntry entry) noexcept override { entries.push_back(std::move(entry)); }
    [[nodiscard]] result<void> ready() const override {
        return full ? fail(causes::kDiskFull) : result<void>();
    }
    std::vector<AuditEntry> entries;
    bool full = false;
};

ALKNET_CO_TEST(AuditedIdentities, TellWhatBecameOfTokensAndNothingOfThem) {
    const NewToken good = make_token();
    const NewToken ended = make_token();
    PeerList list;
    list.peers = {peer("bob", {new_key()})};
    for (const NewToken* made : {&good, &ended}) {
        TokenRecord token;
        token.id = made->id;
        token.hash = made->hash;
        token.peer = "bob";
        list.tokens.push_back(token);
    }
    list.tokens[1].expires = WallTime();
    const auto audit = std::make_shared<Told>();
    AuditedIdentities audited(
        std::make_shared<ConfigIdentityProvider>(clock, directory(std::move(list))), audit);
    const std::string secret(as_text(good.text.view()));
    EXPECT_TRUE((co_await audited.resolve_from_token(secret, "call")).value());
    EXPECT_FALSE(co_await audited.resolve_from_token(std::string(as_text(ended.text.view())), "x"));
    EXPECT_FALSE((co_await audited.resolve_from_token("a guess", "x")).value());
    ALKNET_CO_ASSERT(audit->entries.size() == 3);
    EXPECT_EQ(audit->entries[0].event, "token.accepted");
    EXPECT_EQ(audit->entries[0].peer, "bob");
    EXPECT_EQ(audit->entries[0].service, "call");
    for (const std::size_t i : {1U, 2U}) {
        EXPECT_EQ(audit->entries[i].event, "token.refused");
        EXPECT_EQ(audit->entries[i].reason, causes::kTokenInvalid.id);
        EXPECT_EQ(audit->entries[i].peer + audit->entries[i].detail, "");
    }
    // Of sessions that last, the end alone.
    EXPECT_TRUE((co_await audited.recheck_token(secret, "call")).value());
    EXPECT_FALSE(co_await audited.recheck_token(std::string(as_text(ended.text.view())), "x"));
    ALKNET_CO_ASSERT(audit->entries.size() == 4);
    EXPECT_EQ(audit->entries[3].event, "token.ended");
    EXPECT_TRUE(audit->entries[3].repeats) << "whoever shows it again and again fills no disk";
    // Of what is looked at before it is shown, refusals alone.
    EXPECT_TRUE((co_await audited.preview_token(secret, "call")).value());
    EXPECT_FALSE(co_await audited.preview_token(std::string(as_text(ended.text.view())), "x"));
    EXPECT_FALSE((co_await audited.preview_token("a guess", "x")).value());
    ALKNET_CO_ASSERT(audit->entries.size() == 6);
    for (const std::size_t i : {4U, 5U}) {
        EXPECT_EQ(audit->entries[i].event, "token.refused");
        EXPECT_EQ(audit->entries[i].service, "x");
    }
    audit->full = true;
    const auto refused = co_await audited.resolve_from_token(secret, "call");
    EXPECT_TRUE(!refused && refused.error().is(causes::kDiskFull));
    EXPECT_FALSE((co_await audited.resolve_from_fingerprint(new_key())).value());
}

}  // namespace
}  // namespace alknet::identity
