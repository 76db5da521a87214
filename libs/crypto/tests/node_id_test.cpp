#include <gtest/gtest.h>
#include <sodium.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/crypto/node_id.hpp>
#include <alknet/crypto/node_key.hpp>
#include <array>
#include <string>

namespace alknet::crypto {
namespace {

constexpr std::string_view kHex =
    "e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc";
constexpr std::string_view kZ = "h6gnq3i81majz9gmkfru14fcgete84gorgtoya5ajsyg1kmsf5gy";
constexpr std::string_view kBase32 = "46gcozvhslyjx7glkfets2fmgirih2gqegrqay3yjwagsklwf3ga";
constexpr std::string_view kDnssec = "su62epl7ibo9nv6ba54jiq5c68h87q6g46hg0oro9m06iabm5r60";
constexpr std::string_view kSsh =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOeMJ2ankvCb/MtRSTlorDIig+jQIaMAY3hNgGkpdi7M";
constexpr std::string_view kSshFingerprint = "SHA256:F0YtA4EZe6p9T0vW92Y8PsMvPsFJQ6lC4EhL6AGyLls";

NodeId parsed(std::string_view text) {
    const auto id = NodeId::parse(text);
    EXPECT_TRUE(id) << text;
    return id.value_or(NodeId());
}

std::string upper(std::string_view text) {
    std::string changed(text);
    std::ranges::transform(changed, changed.begin(),
                           [](unsigned char c) { return std::toupper(c); });
    return changed;
}

TEST(NodeId, WritesEveryTextForm) {
    const NodeId id = parsed(kHex);
    EXPECT_EQ(id.hex(), kHex);
    EXPECT_EQ(id.fingerprint(), "ed25519:" + std::string(kHex));
    EXPECT_EQ(id.z_base_32(), kZ);
    EXPECT_EQ(id.base32(), kBase32);
    EXPECT_EQ(id.base32_dnssec(), kDnssec);
    EXPECT_EQ(id.openssh(), kSsh);
    EXPECT_EQ(id.openssh_fingerprint(), kSshFingerprint);
}

TEST(NodeId, ReadsEveryTextForm) {
    const NodeId id = parsed(kHex);
    const std::string ssh(kSsh);
    for (const std::string& text :
         {std::string(kHex), upper(kHex), "ed25519:" + std::string(kHex), std::string(kZ),
          upper(kZ), std::string(kBase32), upper(kBase32), std::string(kDnssec),
          std::string(kDnssec) + ".iroh.invalid", ssh, ssh + " me@home (laptop)", ssh + "\t\r\n",
          "ssh-ed25519 \t " + ssh.substr(12), "  " + std::string(kHex) + "\n"}) {
        EXPECT_EQ(parsed(text), id) << text;
    }
}

TEST(NodeId, RefusesOtherTexts) {
    const std::string hex(kHex);
    const std::string ssh(kSsh);
    for (const std::string& text : {std::string(),
                                    std::string("   "),
                                    hex.substr(1),
                                    hex + "0",
                                    "x" + hex.substr(1),
                                    std::string("ed25519:"),
                                    "ed25519:" + hex.substr(2),
                                    "ED25519:" + hex,
                                    "ed25519: " + hex,
                                    std::string(kZ).substr(1),
                                    std::string(kZ) + ".iroh.invalid",
                                    "0x" + hex,
                                    std::string(kDnssec) + ".iroh.example",
                                    std::string("ssh-ed25519"),
                                    ssh.substr(11),
                                    "ssh-ed25519" + ssh.substr(12),
                                    ssh.substr(0, 79),
                                    ssh + "A",
                                    ssh + "=",
                                    "ssh-ed25519 " + base64_encode(as_bytes("nonsense")),
                                    "ssh-rsa " + ssh.substr(12),
                                    std::string(52, '!'),
                                    std::string(NodeId::kTextBytesMax + 1, 'a'),
                                    ssh + " " + std::string(NodeId::kTextBytesMax, 'c')}) {
        const auto id = NodeId::parse(text);
        ASSERT_FALSE(id) << text;
        EXPECT_TRUE(id.error().is(causes::kKeyInvalid)) << text;
    }
    EXPECT_TRUE(
        NodeId::parse(ssh + " " + std::string(NodeId::kTextBytesMax - ssh.size() - 1, 'c')));
}

TEST(NodeId, TellsTheFormsOf52CharactersApart) {
    for (int round = 0; round < 500; ++round) {
        const NodeId id = NodeKey::generate()->id();
        EXPECT_EQ(parsed(id.z_base_32()), id);
        EXPECT_EQ(parsed(id.base32()), id);
        EXPECT_EQ(parsed(id.base32_dnssec()), id);
    }
}

TEST(NodeId, RoundTripsThroughSpki) {
    const NodeId id = parsed(kHex);
    const auto der = id.spki();
    EXPECT_EQ(hex_encode(der), "302a300506032b6570032100" + std::string(kHex));
    const auto back = NodeId::from_spki(der);
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, id);
}

TEST(NodeId, RefusesOtherSpki) {
    const auto der = parsed(kHex).spki();
    for (std::size_t i = 0; i < der.size() - NodeId::kSize; ++i) {
        auto damaged = der;
        damaged[i] ^= std::byte{1};
        EXPECT_FALSE(NodeId::from_spki(damaged)) << i;
    }
    EXPECT_FALSE(NodeId::from_spki(std::span(der).first(43)));
    Bytes longer = to_bytes(der);
    longer.push_back({});
    EXPECT_FALSE(NodeId::from_spki(longer));
    EXPECT_FALSE(NodeId::from_spki({}));
}

// The eight points of small order, and other octets that some decoders take for them.
constexpr std::array<std::string_view, 14> kSmallOrder = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

TEST(NodeId, RefusesPointsOfSmallOrder) {
    for (const std::string_view text : kSmallOrder) {
        const auto id = NodeId::parse(text);
        ASSERT_FALSE(id) << text;
        EXPECT_TRUE(id.error().is(causes::kKeyInvalid));
    }
}

TEST(NodeId, RefusesEncodingsThatAreNotCanonical) {
    // y between p and 2^255: each is a second spelling of y - p, with either sign.
    for (int y = 0xed; y <= 0xff; ++y) {
        for (const int last : {0x7f, 0xff}) {
            Bytes key(32, std::byte{0xff});
            key.front() = static_cast<std::byte>(y);
            key.back() = static_cast<std::byte>(last);
            EXPECT_FALSE(NodeId::from_bytes(key)) << y;
        }
    }
}

TEST(NodeId, RefusesWhatIsNoPoint) {
    // y = 2 is on no point of the curve.
    EXPECT_FALSE(NodeId::parse("0200000000000000000000000000000000000000000000000000000000000000"));
    EXPECT_FALSE(NodeId::from_bytes(Bytes(31)));
    EXPECT_FALSE(NodeId::from_bytes(Bytes(33)));
    EXPECT_FALSE(NodeId::from_bytes({}));
}

TEST(NodeId, RefusesAKeyWithAPartOfSmallOrder) {
    const NodeId id = parsed(kHex);
    const Bytes torsion = *hex_decode(kSmallOrder[6]);
    Bytes sum(32);
    ASSERT_EQ(crypto_core_ed25519_add(octets(MutableBytes(sum)), octets(id.bytes()),
                                      octets(BytesView(torsion))),
              0);
    EXPECT_FALSE(NodeId::from_bytes(sum));
}

TEST(NodeId, IsOrderedAsItsOctets) {
    const NodeId a = NodeKey::generate()->id();
    const NodeId b = NodeKey::generate()->id();
    EXPECT_NE(a, b);
    EXPECT_EQ(a < b, a.hex() < b.hex());
}

}  // namespace
}  // namespace alknet::crypto
