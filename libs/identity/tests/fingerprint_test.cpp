#include <alknet/base/causes.hpp>
#include <alknet/identity/fingerprint.hpp>

#include "support.hpp"

namespace alknet::identity {
namespace {

TEST(Fingerprint, HasOneTextForEveryFormOfAKey) {
    const NodeId id = NodeKey::generate()->id();
    for (const std::string& text :
         {id.hex(), id.fingerprint(), id.z_base_32(), id.base32(), id.openssh(),
          id.openssh() + " alice@laptop", "  " + id.hex() + "\n"}) {
        EXPECT_EQ(parse_fingerprint(text).value_or("refused"), id.fingerprint()) << text;
    }
}

TEST(Fingerprint, OfSshIsADigestAndStaysOne) {
    const NodeId id = NodeKey::generate()->id();
    const std::string digest = id.openssh_fingerprint();
    EXPECT_EQ(parse_fingerprint(digest).value_or("refused"), digest);
    EXPECT_EQ(parse_fingerprint(digest + "=").value_or("refused"), digest);
    for (const std::string& line :
         {"256 " + digest + " bob@laptop (ED25519)", "256 " + digest + " (ED25519)\n",
          "256 " + digest + " a comment of words (ED25519)"}) {
        EXPECT_EQ(parse_fingerprint(line).value_or("refused"), digest) << line;
    }
    const std::vector<std::string> both{id.fingerprint(), digest};
    EXPECT_EQ(fingerprint_aliases(id.fingerprint()), both);
    EXPECT_EQ(fingerprint_aliases(digest), std::vector<std::string>{digest});
}

TEST(Fingerprint, OfAnAuthorityIsForAPrincipal) {
    const NodeId id = NodeKey::generate()->id();
    const std::string raw = "cert:bob:" + id.fingerprint();
    const std::string digest = "cert:bob:" + id.openssh_fingerprint();
    for (const std::string& text :
         {raw, "cert:bob:" + id.hex(), "cert:bob:" + id.openssh() + " the authority",
          "cert-authority,principals=\"bob\" " + id.openssh()}) {
        EXPECT_EQ(parse_fingerprint(text).value_or("refused"), raw) << text;
    }
    EXPECT_EQ(parse_fingerprint(digest).value_or("refused"), digest);
    EXPECT_EQ(fingerprint_aliases(raw), (std::vector<std::string>{raw, digest}));
    EXPECT_EQ(fingerprint_aliases(digest), std::vector<std::string>{digest});
    EXPECT_FALSE(key_of_fingerprint(raw)) << "it is not the peer's key";
    for (const std::string& text :
         {"cert-authority " + id.openssh(), "cert::" + id.fingerprint()}) {
        const auto nobodys = parse_fingerprint(text);
        ASSERT_TRUE(nobodys) << text;
        EXPECT_EQ(with_principal(*nobodys, "bob"), raw);
    }
    EXPECT_EQ(with_principal(raw, "eve"), raw);
    EXPECT_EQ(with_principal(id.fingerprint(), "eve"), id.fingerprint());
}

TEST(Fingerprint, RefusesAuthoritiesThatAreNone) {
    const std::string key = NodeKey::generate()->id().fingerprint();
    for (const std::string& text :
         {std::string("cert:"), std::string("cert:bob"), std::string("cert:bob:"),
          "cert:a b:" + key, "cert:a,b:" + key, "cert:\"a:" + key,
          "cert:b\xc3\xb6"
          "b:" +
              key,
          "cert:" + std::string(65, 'a') + ":" + key, "cert:bob:cert:bob:" + key,
          "cert:bob:x509-sha256:" + std::string(64, 'a'), std::string("cert-authority"),
          "cert-authority cert-authority " + key, "cert-authority,principals=\"\" " + key,
          "cert-authority,principals=\"a,b\" " + key, "cert-authority,principals=\"bob\"" + key,
          "cert-authority,principals=bob " + key, "cert-authority,from=\"::\" " + key}) {
        const auto parsed = parse_fingerprint(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_TRUE(parsed.error().is(causes::kKeyInvalid)) << text;
    }
}

TEST(Fingerprint, RefusesWhatIsNone) {
    const std::string digest = NodeKey::generate()->id().openssh_fingerprint();
    for (const std::string& text :
         {std::string(), std::string("SHA256:"), digest + "A", digest.substr(0, 49),
          digest + "==", "sha256:" + digest.substr(7), "SHA256:" + std::string(43, '!'),
          std::string("x509-sha256:00"), std::string("ed25519:") + std::string(64, '0'),
          std::string("MD5:00:11"), "256 " + digest + " (ECDSA)", "3072 " + digest + " (RSA)",
          "256 " + digest, std::string("256 MD5:00:11 x (ED25519)"), std::string("256  (ED25519)"),
          "256 " + digest.substr(0, 40) + " x (ED25519)"}) {
        const auto parsed = parse_fingerprint(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_TRUE(parsed.error().is(causes::kKeyInvalid));
    }
}

}  // namespace
}  // namespace alknet::identity
