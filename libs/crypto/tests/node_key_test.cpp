#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <array>
#include <cstdio>
#include <fstream>
#include <string>

namespace alknet::crypto {
namespace {

using sim::TempDir;

constexpr std::string_view kSeed =
    "603aa5c626317fda4afd87b902e5c9de76c33f40834005245e1c5a675e92d700";
constexpr std::string_view kPublic =
    "e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc";
constexpr std::string_view kPem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIGA6pcYmMX/aSv2HuQLlyd52wz9Ag0AFJF4cWmdektcA\n"
    "-----END PRIVATE KEY-----\n";

std::shared_ptr<const NodeKey> key_of(std::string_view seed_hex) {
    return NodeKey::from_seed(*hex_decode(seed_hex)).value();
}

struct Rfc8032Vector {
    std::string_view seed, public_key, message, signature;
};

// RFC 8032 section 7.1: TEST 1, 2, 3 and SHA(abc).
constexpr std::array kVectors = {
    Rfc8032Vector{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
                  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
                  "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    Rfc8032Vector{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                  "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
                  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e"
                  "458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    Rfc8032Vector{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                  "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
                  "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290"
                  "ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    Rfc8032Vector{"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
                  "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
                  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a8"
                  "36ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
                  "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ec"
                  "fdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"},
};

TEST(NodeKey, SignsAsTheRfcDoes) {
    for (const Rfc8032Vector& v : kVectors) {
        const auto key = key_of(v.seed);
        const Bytes message = *hex_decode(v.message);
        EXPECT_EQ(key->id().hex(), v.public_key);
        EXPECT_EQ(hex_encode(key->sign(message)), v.signature);
        EXPECT_TRUE(verify(key->id(), message, *hex_decode(v.signature)));
    }
}

TEST(NodeKey, VerifiesNothingElse) {
    const auto key = key_of(kSeed);
    const auto other = NodeKey::generate();
    const BytesView message = as_bytes("message");
    const auto signature = key->sign(message);
    EXPECT_TRUE(verify(key->id(), message, signature));
    EXPECT_FALSE(verify(other->id(), message, signature));
    EXPECT_FALSE(verify(key->id(), as_bytes("massage"), signature));
    EXPECT_FALSE(verify(key->id(), message, std::span(signature).first(63)));
    EXPECT_FALSE(verify(key->id(), message, {}));
    for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
        auto damaged = signature;
        damaged[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
        EXPECT_FALSE(verify(key->id(), message, damaged)) << bit;
    }
}

TEST(NodeKey, RefusesTheSecondSpellingOfASignature) {
    // S + L verifies in the equation; RFC 8032 section 5.1.7 wants S < L.
    constexpr std::string_view kOrder =
        "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    const auto key = key_of(kSeed);
    auto signature = key->sign(as_bytes("message"));
    const Bytes order = *hex_decode(kOrder);
    unsigned carry = 0;
    for (std::size_t i = 0; i < 32; ++i) {
        carry += std::to_integer<unsigned>(signature[32 + i]) + std::to_integer<unsigned>(order[i]);
        signature[32 + i] = static_cast<std::byte>(carry & 0xff);
        carry >>= 8;
    }
    ASSERT_EQ(carry, 0U);
    EXPECT_FALSE(verify(key->id(), as_bytes("message"), signature));
}

TEST(NodeKey, AKeyOfSmallOrderVerifiesNothing) {
    // With the identity as key, R = S * B "signs" any message for whoever does not check.
    std::array<std::byte, 32> identity{};
    identity[0] = std::byte{1};
    std::array<std::byte, 64> signature{};
    signature[0] = std::byte{1};
    EXPECT_FALSE(verify(NodeId(identity), as_bytes("any"), signature));
    EXPECT_FALSE(verify(NodeId(), as_bytes("any"), signature));
}

TEST(NodeKey, GeneratesDifferentKeys) {
    EXPECT_NE(NodeKey::generate()->id(), NodeKey::generate()->id());
}

TEST(NodeKey, ASeedHas32Octets) {
    for (const std::size_t size : {0, 31, 33, 64}) {
        const auto key = NodeKey::from_seed(Bytes(size));
        ASSERT_FALSE(key);
        EXPECT_TRUE(key.error().is(causes::kKeyInvalid));
    }
}

TEST(NodeKey, WritesPkcs8) {
    EXPECT_EQ(hex_encode(key_of(kSeed)->pkcs8().view()),
              "302e020100300506032b657004220420" + std::string(kSeed));
}

TEST(NodeKey, SavesAndLoads) {
    const TempDir dir;
    const auto key = key_of(kSeed);
    ASSERT_TRUE(key->save(dir / "node.key"));
    std::ifstream in(dir / "node.key");
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(text, kPem);
    const auto loaded = NodeKey::load(dir / "node.key");
    ASSERT_TRUE(loaded);
    EXPECT_EQ((*loaded)->id().hex(), kPublic);
    EXPECT_EQ((*loaded)->sign(as_bytes("m")), key->sign(as_bytes("m")));
}

TEST(NodeKey, NeverSavesOverAFile) {
    const TempDir dir;
    const auto first = NodeKey::generate();
    ASSERT_TRUE(first->save(dir / "node.key"));
    const auto saved = NodeKey::generate()->save(dir / "node.key");
    ASSERT_FALSE(saved);
    EXPECT_TRUE(saved.error().is(causes::kHomeExists));
    EXPECT_EQ(NodeKey::load(dir / "node.key").value()->id(), first->id());
    EXPECT_EQ(dir.entries(), 1U);
}

TEST(NodeKey, NamesTheFileThatIsNoKey) {
    const TempDir dir;
    std::ofstream(dir / "node.key") << "nothing of use\n";
    std::filesystem::permissions(dir / "node.key", std::filesystem::perms::owner_read);
    const auto key = NodeKey::load(dir / "node.key");
    ASSERT_FALSE(key);
    EXPECT_TRUE(key.error().is(causes::kKeyInvalid));
    EXPECT_NE(key.error().detail().find("node.key"), std::string::npos);
}

TEST(NodeKeyPem, MayHaveTextAroundAndOtherLineEnds) {
    std::string crlf;
    for (const char c : kPem) {
        crlf += c == '\n' ? "\r\n" : std::string(1, c);
    }
    for (const std::string& text :
         {"my node\n" + std::string(kPem) + "the end\n", crlf, std::string(kPem.substr(0, 118))}) {
        const auto key = NodeKey::from_pem(as_bytes(text));
        ASSERT_TRUE(key) << text;
        EXPECT_EQ((*key)->id().hex(), kPublic);
    }
}

std::string pem_of(BytesView der, const std::string& label = "PRIVATE KEY") {
    return "-----BEGIN " + label + "-----\n" + base64_encode(der) + "\n-----END " + label +
           "-----\n";
}

Bytes version_2(std::string_view public_hex) {
    return *hex_decode("3051020101300506032b657004220420" + std::string(kSeed) + "812100" +
                       std::string(public_hex));
}

TEST(NodeKeyPem, TakesVersion2WithItsPublicKey) {
    const auto key = NodeKey::from_pem(as_bytes(pem_of(version_2(kPublic))));
    ASSERT_TRUE(key);
    EXPECT_EQ((*key)->id().hex(), kPublic);
}

TEST(NodeKeyPem, RefusesHalvesThatDoNotBelongTogether) {
    const auto key = NodeKey::from_pem(as_bytes(pem_of(version_2(kVectors[0].public_key))));
    ASSERT_FALSE(key);
    EXPECT_TRUE(key.error().is(causes::kKeyInvalid));
    EXPECT_NE(key.error().detail().find("belong together"), std::string::npos);
}

TEST(NodeKeyPem, RefusesOtherText) {
    const Bytes der = to_bytes(key_of(kSeed)->pkcs8().view());
    Bytes p256 = der;
    p256[10] ^= std::byte{1};
    Bytes longer = der;
    longer.push_back({});
    const std::string pem(kPem);
    std::string stray = pem;
    stray[40] = '!';
    for (const std::string& text :
         {std::string(), std::string("-----BEGIN "), std::string("-----BEGIN PRIVATE KEY"),
          pem.substr(0, 60), pem.substr(0, 100), pem_of(der, "CERTIFICATE"), pem_of({}),
          pem_of(p256), pem_of(longer), pem_of(std::span(der).first(47)), pem_of(Bytes(500)),
          "-----BEGIN PRIVATE KEY-----\n" + pem, pem_of(version_2(std::string(kPublic) + "00")),
          stray}) {
        const auto key = NodeKey::from_pem(as_bytes(text));
        ASSERT_FALSE(key) << text;
        EXPECT_TRUE(key.error().is(causes::kKeyInvalid)) << text;
    }
}

// ssh-keygen -t ed25519 -N '' -C 'test key'
constexpr std::string_view kOpenSshPem =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
    "QyNTUxOQAAACDT9ZDxY4v2t01q17BzrGHiuhd3yQ3OY1l7KI2uChFIrAAAAJCTKs5jkyrO\n"
    "YwAAAAtzc2gtZWQyNTUxOQAAACDT9ZDxY4v2t01q17BzrGHiuhd3yQ3OY1l7KI2uChFIrA\n"
    "AAAEBT+O8IOKtFAFCrYJvWSBS4cT3sNmpvBv2TNAbL8Sb7o9P1kPFji/a3TWrXsHOsYeK6\n"
    "F3fJDc5jWXsoja4KEUisAAAACHRlc3Qga2V5AQIDBAU=\n"
    "-----END OPENSSH PRIVATE KEY-----\n";
constexpr std::string_view kOpenSshLine =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINP1kPFji/a3TWrXsHOsYeK6F3fJDc5jWXsoja4KEUis test key";

Bytes openssh_block() {
    std::string digits(kOpenSshPem.substr(36, kOpenSshPem.rfind("-----END") - 36));
    std::erase(digits, '\n');
    return *base64_decode(digits);
}

TEST(NodeKeyPem, TakesWhatSshKeygenWrites) {
    const auto key = NodeKey::from_pem(as_bytes(kOpenSshPem));
    ASSERT_TRUE(key) << key.error().message();
    EXPECT_EQ((*key)->id(), *NodeId::parse(kOpenSshLine));
}

TEST(NodeKeyPem, RefusesADamagedOpenSshKeyWhereverItIsDamaged) {
    const Bytes block = openssh_block();
    for (std::size_t i = 0; i < block.size(); ++i) {
        const BytesView cut = std::span(block).first(i);
        EXPECT_FALSE(NodeKey::from_pem(as_bytes(pem_of(cut, "OPENSSH PRIVATE KEY")))) << i;
        Bytes damaged = block;
        damaged[i] ^= std::byte{1};
        const auto key = NodeKey::from_pem(as_bytes(pem_of(damaged, "OPENSSH PRIVATE KEY")));
        // Only the comment says nothing about the key.
        const bool in_comment = i >= block.size() - 5 - 8 && i < block.size() - 5;
        EXPECT_EQ(key.has_value(), in_comment) << i;
    }
}

TEST(NodeKeyPem, SaysWhatIsWrongWithCommonMistakes) {
    const auto ssh = NodeKey::from_pem(as_bytes(pem_of({}, "OPENSSH PRIVATE KEY")));
    ASSERT_FALSE(ssh);
    EXPECT_NE(ssh.error().detail().find("OpenSSH"), std::string::npos);
    const auto encrypted = NodeKey::from_pem(as_bytes(pem_of({}, "ENCRYPTED PRIVATE KEY")));
    ASSERT_FALSE(encrypted);
    EXPECT_NE(encrypted.error().detail().find("encrypted"), std::string::npos);
}

/// What the command prints; it must succeed.
std::string output_of(const std::string& command) {
    std::string text;
    FILE* pipe = popen(command.c_str(), "r");  // NOLINT(cert-env33-c): the command is ours
    EXPECT_NE(pipe, nullptr);
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
        text.push_back(static_cast<char>(c));
    }
    EXPECT_EQ(pclose(pipe), 0) << command;
    return text;
}

TEST(NodeKeyAndOpenssl, ReadEachOthersKeys) {
    const TempDir dir;
    const auto ours = NodeKey::generate();
    const std::string file = dir / "ours.key";
    ASSERT_TRUE(ours->save(file));
    EXPECT_EQ(output_of("openssl pkey -in '" + file + "'"), output_of("cat '" + file + "'"));
    const std::string spki = output_of("openssl pkey -in '" + file + "' -pubout -outform DER");
    EXPECT_EQ(to_bytes(as_bytes(spki)), to_bytes(ours->id().spki()));

    const std::string theirs = dir / "theirs.key";
    output_of("openssl genpkey -algorithm ed25519 -out '" + theirs + "'");
    const auto loaded = NodeKey::load(theirs);
    ASSERT_TRUE(loaded) << loaded.error().message();
    const std::string their_spki =
        output_of("openssl pkey -in '" + theirs + "' -pubout -outform DER");
    EXPECT_EQ(to_bytes(as_bytes(their_spki)), to_bytes((*loaded)->id().spki()));
}

TEST(NodeKeyAndOpenSsh, KeysOfSshKeygenAreReadAndThoseWithAPassphraseExplained) {
    const TempDir dir;
    const std::string file = dir / "id_ed25519";
    output_of("ssh-keygen -q -t ed25519 -N '' -C 'a comment' -f '" + file + "'");
    const auto key = NodeKey::load(file);
    ASSERT_TRUE(key) << key.error().message();
    EXPECT_TRUE(output_of("cat '" + file + ".pub'").starts_with((*key)->id().openssh()));
    output_of("ssh-keygen -q -p -N secret -f '" + file + "'");
    const auto locked = NodeKey::load(file);
    ASSERT_FALSE(locked);
    EXPECT_NE(locked.error().detail().find("passphrase"), std::string::npos);
    const std::string other = dir / "id_ecdsa";
    output_of("ssh-keygen -q -t ecdsa -N '' -f '" + other + "'");
    EXPECT_FALSE(NodeKey::load(other));
}

}  // namespace
}  // namespace alknet::crypto
