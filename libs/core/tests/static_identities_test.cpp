#include <alknet/base/causes.hpp>
#include <alknet/core/static_identities.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/testing/co_test.hpp>

namespace alknet {
namespace {

constexpr std::string_view kHex =
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

StaticPeer peer(std::string id, std::vector<std::string> fingerprints) {
    return {.identity = {.id = std::move(id), .scopes = {"echo:use"}, .resources = {}},
            .fingerprints = std::move(fingerprints)};
}

TEST(CanonicalFingerprint, ConvertsEveryForm) {
    const NodeId id = NodeId::parse(kHex).value();
    const std::string canonical = "ed25519:" + std::string(kHex);
    for (const std::string& text :
         {canonical, std::string(kHex), id.z_base_32(), id.base32(), id.openssh()}) {
        EXPECT_EQ(canonical_fingerprint(text).value(), canonical) << text;
    }
    const std::string digest(64, 'A');
    EXPECT_EQ(canonical_fingerprint("x509-sha256:" + digest).value(),
              "x509-sha256:" + std::string(64, 'a'));
    for (const std::string& text : {std::string("x509-sha256:ab"), "x509-sha256:" + digest + "0",
                                    "x509-sha256:" + std::string(64, 'g'), std::string("nonsense"),
                                    std::string("SHA256:abc"), std::string()}) {
        EXPECT_TRUE(canonical_fingerprint(text).error().is(causes::kKeyInvalid)) << text;
    }
}

ALKNET_CO_TEST(StaticIdentityProvider, FindsAPeerByAnyOfItsKeys) {
    const NodeId second = NodeKey::generate()->id();
    const std::string certificate = "x509-sha256:" + std::string(64, '0');
    const auto provider = StaticIdentityProvider::create(
        {peer("alice", {std::string(kHex), second.openssh(), certificate}), peer("bob", {})});
    ALKNET_CO_ASSERT_OK(provider);
    EXPECT_EQ((*provider)->size(), 2U);
    for (const std::string& fingerprint :
         {"ed25519:" + std::string(kHex), second.fingerprint(), certificate}) {
        const auto found = co_await (*provider)->resolve_from_fingerprint(fingerprint);
        ALKNET_CO_ASSERT_OK(found);
        ALKNET_CO_ASSERT(found->has_value());
        EXPECT_EQ((*found)->id, "alice");
        EXPECT_EQ((*found)->scopes, std::vector<std::string>{"echo:use"});
    }
    const auto stranger =
        co_await (*provider)->resolve_from_fingerprint(NodeKey::generate()->id().fingerprint());
    ALKNET_CO_ASSERT_OK(stranger);
    EXPECT_FALSE(stranger->has_value());
}

ALKNET_CO_TEST(StaticIdentityProvider, AReplacedListIsUsedAtOnceAndABadOneNot) {
    const auto provider = StaticIdentityProvider::create({peer("alice", {std::string(kHex)})});
    ALKNET_CO_ASSERT_OK(provider);
    const std::string key = "ed25519:" + std::string(kHex);
    EXPECT_FALSE((*provider)->replace({peer("bob", {"nonsense"})}));
    EXPECT_EQ((co_await (*provider)->resolve_from_fingerprint(key)).value()->id, "alice");

    EXPECT_TRUE((*provider)->replace({peer("bob", {std::string(kHex)})}));
    EXPECT_EQ((co_await (*provider)->resolve_from_fingerprint(key)).value()->id, "bob");

    StaticPeer disabled = peer("bob", {std::string(kHex)});
    disabled.enabled = false;
    EXPECT_TRUE((*provider)->replace({disabled}));
    EXPECT_FALSE((co_await (*provider)->resolve_from_fingerprint(key)).value().has_value());
}

void expect_refused(std::vector<StaticPeer> peers, const Cause& cause, std::string_view detail) {
    const auto provider = StaticIdentityProvider::create(std::move(peers));
    ASSERT_FALSE(provider);
    EXPECT_TRUE(provider.error().is(cause)) << provider.error().message();
    EXPECT_NE(provider.error().detail().find(detail), std::string::npos)
        << provider.error().detail();
}

TEST(StaticIdentityProvider, RefusesListsThatMeanTwoThings) {
    const std::string key(kHex);
    expect_refused({peer("", {key})}, causes::kConfigInvalid, "not empty");
    expect_refused({peer("a", {}), peer("a", {})}, causes::kConfigInvalid, "\"a\"");
    expect_refused({peer("a", {key}), peer("b", {"ed25519:" + key})}, causes::kConfigInvalid,
                   "peer b");
    expect_refused({peer("a", {"what?"})}, causes::kKeyInvalid, "peer a");
    StaticPeer disabled = peer("b", {key});
    disabled.enabled = false;
    expect_refused({peer("a", {key}), disabled}, causes::kConfigInvalid, "peer b");
}

TEST(StaticIdentityProvider, HasLimits) {
    const std::vector<std::string> keys(StaticIdentityProvider::kFingerprintsPerPeerMax + 1,
                                        std::string(kHex));
    expect_refused({peer("a", keys)}, causes::kConfigInvalid, "64 fingerprints");
    const std::vector<StaticPeer> peers(StaticIdentityProvider::kPeersMax + 1);
    expect_refused(peers, causes::kConfigInvalid, "100000 peers");
}

}  // namespace
}  // namespace alknet
