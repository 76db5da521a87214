#include <alknet/base/causes.hpp>
#include <alknet/identity/token.hpp>
#include <alknet/testing/random.hpp>
#include <set>

#include "support.hpp"

namespace alknet::identity {
namespace {

struct Tokens {
    NewToken key = make_token();
    NewToken of_peer = make_token();
    std::shared_ptr<const PeerDirectory> peers;

    explicit Tokens(bool enabled = true) {
        PeerList list;
        list.peers = {peer("bob", {}, {"git:read"})};
        list.peers[0].enabled = enabled;
        list.tokens.resize(2);
        list.tokens[0].id = key.id;
        list.tokens[0].hash = key.hash;
        list.tokens[0].grants = {grant("call:echo"), grant("call:add")};
        list.tokens[0].expires = at(1000);
        list.tokens[1].id = of_peer.id;
        list.tokens[1].hash = of_peer.hash;
        list.tokens[1].peer = "bob";
        peers = directory(list);
    }
    [[nodiscard]] result<std::optional<Identity>> resolve(const NewToken& token,
                                                          WallTime now = at(0)) const {
        return resolve_stored_token(*peers, as_text(token.text.view()), now);
    }
};

TEST(Token, IsRandomAndNamedByItsBeginning) {
    std::set<std::string> texts;
    for (int i = 0; i < 100; ++i) {
        const NewToken token = make_token();
        const std::string text(as_text(token.text.view()));
        EXPECT_EQ(text.size(), 56U);
        EXPECT_EQ(token.id.size(), 12U);
        EXPECT_TRUE(text.starts_with(token.id) && text.starts_with("alk_"));
        EXPECT_EQ(token_hash(text), token.hash);
        EXPECT_TRUE(texts.insert(text).second);
    }
}

TEST(Token, IsAnIdentityOfItsOwnOrAPeers) {
    const Tokens tokens;
    const auto key = tokens.resolve(tokens.key);
    ASSERT_TRUE(key && *key);
    EXPECT_EQ((*key)->id, tokens.key.id);
    EXPECT_EQ((*key)->scopes, (std::vector<std::string>{"call:add", "call:echo"}));
    const auto of_peer = tokens.resolve(tokens.of_peer);
    ASSERT_TRUE(of_peer && *of_peer);
    EXPECT_EQ((*of_peer)->id, "bob");
    const auto unknown = tokens.resolve(make_token());
    EXPECT_TRUE(unknown && !*unknown);
}

TEST(Token, ThatHasExpiredOrBelongsToNobodyIsRefused) {
    const Tokens tokens;
    EXPECT_TRUE(tokens.resolve(tokens.key, at(999)));
    const auto late = tokens.resolve(tokens.key, at(1000));
    EXPECT_TRUE(!late && late.error().is(causes::kTokenInvalid));
    const Tokens disabled(false);
    const auto of_disabled = disabled.resolve(disabled.of_peer);
    EXPECT_TRUE(!of_disabled && of_disabled.error().is(causes::kTokenInvalid));
}

// Also those that were cut inside a character, or are no text at all.
TEST(Token, MayBeAnyOctetsOfAnyLength) {
    const Tokens tokens;
    sim::Random random(5);
    const std::string good(as_text(tokens.key.text.view()));
    for (std::size_t size = 0; size <= kTokenBytesMax + 1; ++size) {
        std::string text(size, '\0');
        random.fill(std::as_writable_bytes(std::span(text.data(), text.size())));
        for (const std::string& token : {text, "alk_" + text, good + text + "x"}) {
            const auto resolved = resolve_stored_token(*tokens.peers, token, at(0));
            ASSERT_TRUE(resolved && !*resolved);
        }
    }
    for (std::size_t size = 0; size < good.size(); ++size) {
        const auto cut = resolve_stored_token(*tokens.peers, good.substr(0, size), at(0));
        ASSERT_TRUE(cut && !*cut);
    }
    EXPECT_FALSE(*resolve_stored_token(*tokens.peers, "alk_\xff\xfe", at(0)));
}

TEST(Token, IsFoundAmongThoseWithTheSameFirstOctets) {
    PeerList list;
    list.tokens.resize(3);
    for (std::size_t i = 0; i < list.tokens.size(); ++i) {
        list.tokens[i].id = "t" + std::to_string(i);
        list.tokens[i].hash.back() = std::byte(i);
    }
    const auto peers = directory(list);
    TokenHash wanted{};
    wanted.back() = std::byte(1);
    EXPECT_EQ(peers->find_token(wanted)->id, "t1");
    wanted.back() = std::byte(7);
    EXPECT_EQ(peers->find_token(wanted), nullptr);
    list.tokens[1].hash = list.tokens[0].hash;
    const auto twice = PeerDirectory::create(list);
    EXPECT_TRUE(!twice && twice.error().is(causes::kPeerExists));
    list.tokens.resize(1);
    list.tokens[0].peer = "nobody";
    list.tokens[0].hash = token_hash("secret");
    const auto orphan = resolve_stored_token(*directory(list), "secret", at(0));
    EXPECT_TRUE(!orphan && orphan.error().is(causes::kTokenInvalid));
}

}  // namespace
}  // namespace alknet::identity
