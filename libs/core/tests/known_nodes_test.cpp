// What is believed of a name: the text of the file, and two who see it at once.
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/core/known_nodes.hpp>
#include <alknet/crypto/node_key.hpp>

namespace alknet {
namespace {

using Judgement = KnownNodes::Judgement;
using Kind = KnownIdentity::Kind;

const std::string kName = "node.example:4433";
const std::string kHead = "alknet-known-nodes 1\n";

KnownIdentity raw_key() {
    PeerIdentity peer;
    peer.kind = PeerIdentity::Kind::raw_key;
    peer.key = NodeKey::generate()->id();
    return KnownIdentity::of(peer).value();
}

KnownIdentity certificate(std::byte first = std::byte{1}) {
    PeerIdentity peer;
    peer.kind = PeerIdentity::Kind::x509;
    peer.certificate_sha256[0] = first;
    return KnownIdentity::of(peer).value();
}

KnownNodes parsed(std::string_view text) {
    auto known = KnownNodes::parse(text);
    EXPECT_TRUE(known) << known.error().message();
    return known ? *known : KnownNodes();
}

std::string why_not(const std::string& lines) {
    const auto known = KnownNodes::parse(kHead + lines);
    EXPECT_FALSE(known);
    EXPECT_TRUE(known.error().is(causes::kHomeInvalid));
    return known.error().detail();
}

void expect_known(KnownNodes& known, const std::string& name, const KnownIdentity& identity) {
    static std::uint64_t nonce = 1000;
    ASSERT_TRUE(known.begin(name, ++nonce));
    ASSERT_EQ(known.saw(nonce, identity), Judgement::agreed);
    ASSERT_TRUE(known.keep(nonce));
    ASSERT_NE(known.find(name), nullptr);
    EXPECT_EQ(known.find(name)->identity, identity);
}

TEST(KnownIdentity, EachKindDemandsItselfAlone) {
    const KnownIdentity raw = raw_key();
    const auto pin = raw.demand("host");
    ASSERT_TRUE(std::holds_alternative<tls::VerifyPin>(pin));
    EXPECT_EQ(std::get<tls::VerifyPin>(pin).id.fingerprint(), raw.to_string());
    const auto digest = certificate().demand("host");
    ASSERT_TRUE(std::holds_alternative<tls::VerifyCertificate>(digest));
    EXPECT_EQ(std::get<tls::VerifyCertificate>(digest).sha256, certificate().value);
    PeerIdentity peer;
    EXPECT_FALSE(KnownIdentity::of(peer));
    peer.kind = PeerIdentity::Kind::x509;
    peer.certificate_sha256[0] = std::byte{1};
    peer.verified_by_ca = true;
    const auto authorities = KnownIdentity::of(peer);
    ASSERT_EQ(authorities, KnownIdentity());  // whatever the certificate is
    const auto ca = authorities->demand("host");
    ASSERT_TRUE(std::holds_alternative<tls::VerifyCa>(ca));
    EXPECT_EQ(std::get<tls::VerifyCa>(ca).host, "host");
}

TEST(KnownIdentity, TextsGoThereAndBack) {
    for (const KnownIdentity& identity : {KnownIdentity(), raw_key(), certificate()}) {
        const auto again = KnownIdentity::parse(identity.to_string());
        ASSERT_TRUE(again);
        EXPECT_EQ(*again, identity);
    }
    for (const std::string_view text : {"", "CA", "ed25519:00", "x509-sha256:zz", "sha256:00"}) {
        const auto refused = KnownIdentity::parse(text);
        ASSERT_FALSE(refused) << text;
        EXPECT_TRUE(refused.error().is(causes::kKeyInvalid)) << text;
    }
}

TEST(KnownName, IsTheSameForTheSamePlace) {
    const auto name = [](std::string_view text) {
        return known_name(NodeAddress::parse(text).value());
    };
    EXPECT_EQ(name("Node.Example"), kName);
    EXPECT_EQ(name("node.example.:4433"), kName);
    EXPECT_EQ(name("node.example:443"), "node.example:443");
    EXPECT_EQ(name("[FD00::1]"), "[fd00::1]:4433");
    EXPECT_EQ(name("192.0.2.1:1"), "192.0.2.1:1");
}

TEST(KnownNodes, KeepsWhatWasSeenAndSaysWhere) {
    KnownNodes known;
    const KnownIdentity raw = raw_key();
    expect_known(known, "a.example:443", KnownIdentity());
    expect_known(known, kName, raw);
    expect_known(known, "[fd00::1]:1", certificate());
    KnownNodes again = parsed(known.to_text());
    EXPECT_EQ(again.to_text(), known.to_text());
    ASSERT_EQ(again.entries().size(), 3U);
    EXPECT_EQ(again.find(kName)->identity, raw);
    EXPECT_EQ(again.find("b.example:443"), nullptr);
    EXPECT_EQ(again.line_of("a.example:443"), 2U);
    EXPECT_EQ(again.line_of(kName), 3U);
    EXPECT_EQ(again.line_of("none:1"), 0U);
    EXPECT_TRUE(again.remove(kName));
    EXPECT_FALSE(again.remove(kName));
    EXPECT_EQ(again.find(kName), nullptr);
    EXPECT_EQ(parsed("").entries().size(), 0U);
}

TEST(KnownNodes, GivesANameItsNextKey) {
    KnownNodes known;
    const KnownIdentity raw = raw_key();
    const NodeId before(raw.value);
    const NodeId now = NodeKey::generate()->id();
    expect_known(known, kName, raw);
    expect_known(known, "a.example:443", raw);
    const std::string text = known.to_text();
    known.renew(kName, now, before);
    known.renew("b.example:443", before, now);
    EXPECT_EQ(known.to_text(), text);
    known.renew(kName, before, now);
    EXPECT_EQ(known.find(kName)->identity.to_string(), now.fingerprint());
    EXPECT_EQ(known.find("a.example:443")->identity, raw);
}

TEST(KnownNodes, NamesTheLineThatCannotBeUsed) {
    EXPECT_EQ(KnownNodes::parse("alknet-known-nodes 2\n").error().detail(),
              "line 1: this is no list of known nodes");
    EXPECT_EQ(why_not("a:1 ca\na:1 ca\n"), "line 3: another line is about the same name");
    EXPECT_EQ(why_not("A:1 ca\n"), "line 2: it does not begin with HOST:PORT");
    EXPECT_EQ(why_not("\n"), "line 2: it does not begin with HOST:PORT");
    EXPECT_EQ(why_not("a:1 no\n"), "line 2: neither ca, ed25519:HEX nor x509-sha256:HEX");
    EXPECT_EQ(why_not("a:1 first 0 -\n"), "line 2: a first contact without a number");
    EXPECT_EQ(why_not("a:1 first 1 no\n"), "line 2: neither ca, ed25519:HEX nor x509-sha256:HEX");
    EXPECT_EQ(why_not("a:1 first 1 -\nb:1 first 1 -\n"), "line 3: it stands here twice");
}

TEST(KnownNodes, IsBounded) {
    const std::string longest = std::string(KnownNodes::kLineBytesMax, 'x');
    EXPECT_EQ(why_not(longest + "\n"), "line 2: it does not begin with HOST:PORT");
    EXPECT_EQ(why_not(longest + "x\n"), "line 2: it is too long");
    EXPECT_EQ(KnownNodes::parse(std::string(KnownNodes::kTextBytesMax + 1, 'x')).error().detail(),
              "the file is too long");
    std::string full;
    for (std::size_t i = 0; i < KnownNodes::kEntriesMax; ++i) {
        full += "n" + std::to_string(i) + ":1 ca\n";
    }
    KnownNodes known = parsed(kHead + full);
    EXPECT_EQ(why_not(full + "more:1 ca\n"),
              "line " + std::to_string(KnownNodes::kEntriesMax + 2) + ": too many nodes");
    ASSERT_TRUE(known.begin(kName, 1));
    ASSERT_EQ(known.saw(1, certificate()), Judgement::agreed);
    const auto kept = known.keep(1);
    ASSERT_FALSE(kept);
    EXPECT_TRUE(kept.error().is(causes::kLimit));
    EXPECT_EQ(known.find(kName), nullptr);
    std::string contacts;
    for (std::uint64_t i = 1; i < KnownNodes::kFirstContactsMax; ++i) {
        ASSERT_TRUE(known.begin("n:2", i + 1));
        contacts += "a:1 first " + std::to_string(i) + " -\n";
    }
    EXPECT_TRUE(known.begin("n:2", 99).error().is(causes::kLimit));
    EXPECT_TRUE(KnownNodes::parse(kHead + contacts + "a:1 first 98 -\n"));
    EXPECT_EQ(
        why_not(contacts + "a:1 first 98 -\na:1 first 99 -\n"),
        "line " + std::to_string(KnownNodes::kFirstContactsMax + 2) + ": too many first contacts");
}

// ---- two first contacts at a time

struct Race : testing::Test {
    void SetUp() override {
        ASSERT_TRUE(known.begin(kName, 1));
        ASSERT_TRUE(known.begin(kName, 2));
    }
    /// As another process would find it.
    void travel() { known = parsed(known.to_text()); }

    KnownNodes known;
    KnownIdentity one = raw_key();
    KnownIdentity other = raw_key();
};

TEST_F(Race, WhoSeesTheSameAgrees) {
    EXPECT_EQ(known.saw(1, one), Judgement::wait);
    travel();
    EXPECT_EQ(known.saw(2, one), Judgement::agreed);
    ASSERT_TRUE(known.keep(2));
    travel();
    EXPECT_EQ(known.saw(1, one), Judgement::agreed);
    ASSERT_TRUE(known.keep(1));
    EXPECT_EQ(known.find(kName)->identity, one);
    EXPECT_EQ(known.entries().size(), 1U);
    EXPECT_TRUE(known.first_contacts().empty());
}

TEST_F(Race, WhoSeesSomethingElseStopsBoth) {
    for (const KnownIdentity& seen : {other, certificate(), KnownIdentity()}) {
        known = KnownNodes();
        SetUp();
        EXPECT_EQ(known.saw(1, one), Judgement::wait);
        travel();
        EXPECT_EQ(known.saw(2, seen), Judgement::disputed);
        known.end(2);
        travel();
        EXPECT_EQ(known.saw(1, one), Judgement::disputed);
        const auto kept = known.keep(1);
        ASSERT_FALSE(kept);
        EXPECT_TRUE(kept.error().is(causes::kPeerKeyMismatch));
        known.end(1);
        EXPECT_EQ(known.to_text(), kHead);
    }
}

TEST_F(Race, AThirdDoesNotBelieveEitherWhileTheyDisagree) {
    EXPECT_EQ(known.saw(1, one), Judgement::wait);
    EXPECT_EQ(known.saw(2, other), Judgement::disputed);
    known.end(2);
    ASSERT_TRUE(known.begin(kName, 3));
    EXPECT_EQ(known.saw(3, one), Judgement::disputed);
}

TEST_F(Race, OneThatSeesTwoThingsByItselfStopsAll) {
    known.dispute(2);
    EXPECT_EQ(known.saw(1, one), Judgement::disputed);
    EXPECT_EQ(known.saw(2, one), Judgement::disputed);
}

TEST_F(Race, WhoEndsOrDiesIsNotWaitedFor) {
    EXPECT_EQ(known.saw(1, one), Judgement::wait);
    known.drop_dead([](std::uint64_t nonce) { return nonce == 1; });
    EXPECT_EQ(known.saw(1, one), Judgement::agreed);
    ASSERT_TRUE(known.begin(kName, 4));
    EXPECT_EQ(known.saw(1, one), Judgement::wait);
    known.end(4);
    EXPECT_EQ(known.saw(1, one), Judgement::agreed);
}

TEST_F(Race, WhoIsLateIsMeasuredByWhatIsKnown) {
    known.end(2);
    EXPECT_EQ(known.saw(1, one), Judgement::agreed);
    ASSERT_TRUE(known.begin(kName, 5));
    ASSERT_TRUE(known.keep(1));
    EXPECT_EQ(known.saw(5, other), Judgement::disputed);
    EXPECT_EQ(known.find(kName)->identity, one);
}

TEST_F(Race, OneThatSomebodyRemovedFails) {
    EXPECT_TRUE(known.remove(kName));
    EXPECT_EQ(known.saw(1, one), Judgement::disputed);
    EXPECT_FALSE(known.keep(1));
}

TEST_F(Race, OtherNamesDoNotMatter) {
    known.end(2);
    ASSERT_TRUE(known.begin("node.example:1", 6));
    EXPECT_EQ(known.saw(6, other), Judgement::agreed);
    EXPECT_EQ(known.saw(1, one), Judgement::agreed);
}

}  // namespace
}  // namespace alknet
