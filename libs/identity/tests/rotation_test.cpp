#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_audit.hpp>
#include <alknet/identity/rotation.hpp>
#include <array>

#include "support.hpp"

namespace alknet::identity {
namespace {

constexpr Duration kMonth = std::chrono::hours(24 * 30);
const WallTime kBegin = at(1'800'000'000);

// These stand in docs/protocol/rotation.md.
constexpr std::string_view kLine =
    "alkrot1hnvcppgow2sc2yvdvdicu3ynonsteflxdxrehjr2ybekdc2z3iu45tava7ob3xlsswkrykiir"
    "dyjllnzargrw46ws3tn6bs5na55j7aaaaaaa22j2iaaaaaaabvxcxya3iq5626lg7khzymbzh2fmptfj"
    "tbnubmo4dmsi6xdbngubtcbgn6zxey7aqlz7iovv2ux2tfjhnmxfscubkqpbw7v4wo4l4co523nidhxu"
    "ywrcpu7wjgmc7jpowf72bxgtthqhax3jznxnol7i6jkfzvwsxnzqj3smbu6gkkohhwgxjptplsbcasow"
    "cf22nml6vveazeyvtvqg";

std::shared_ptr<const NodeKey> key_of(std::uint8_t first) {
    std::array<std::byte, 32> seed{};
    seed[0] = std::byte{first};
    return NodeKey::from_seed(seed).value();
}

Rotation sample() {
    return make_rotation(*key_of(0), *key_of(1), kBegin, kMonth).value();
}

std::string why_not(const result<void>& outcome) {
    return outcome ? std::string() : outcome.error().detail();
}

std::string why_not(const result<RotatedPeer>& outcome) {
    return outcome ? std::string() : outcome.error().detail();
}

TEST(Rotation, HasOneLine) {
    EXPECT_EQ(encode_rotation(sample()), kLine);
    const auto decoded = decode_rotation(kLine);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, sample());
    std::string shout(kLine);
    shout[20] = 'P';
    for (const std::string& bad :
         {std::string(), std::string(kLine.substr(1)), std::string(kLine) + "a",
          std::string(kLine) + " ", std::string(kLine.substr(0, kLine.size() - 1)), shout,
          "alkrot1" + std::string(kLine.size() - 7, '!'),
          "alkrot1" + std::string(kLine.size() - 7, 'a')}) {
        const auto refused = decode_rotation(bad);
        ASSERT_FALSE(refused) << bad;
        EXPECT_TRUE(refused.error().is(causes::kRotationInvalid));
    }
}

TEST(Rotation, HoldsForItsTime) {
    const Rotation rotation = sample();
    EXPECT_TRUE(check_rotation(rotation, kBegin));
    EXPECT_TRUE(check_rotation(rotation, kBegin - kRotationSkew));
    EXPECT_TRUE(check_rotation(rotation, kBegin + kMonth - std::chrono::seconds(1)));
    EXPECT_EQ(why_not(check_rotation(rotation, kBegin - kRotationSkew - std::chrono::seconds(1))),
              "its time has not come");
    EXPECT_EQ(why_not(check_rotation(rotation, kBegin + kMonth)), "its time is over");
    // Clocks that are wrong by decades.
    EXPECT_FALSE(check_rotation(rotation, WallTime()));
    EXPECT_FALSE(check_rotation(rotation, at(2'208'988'800)));
    for (const Duration bad : {Duration(), kRotationMax + std::chrono::seconds(1)}) {
        const auto made = make_rotation(*key_of(0), *key_of(1), kBegin, bad);
        ASSERT_FALSE(made);
        EXPECT_TRUE(made.error().is(causes::kUsage));
    }
}

TEST(Rotation, NeedsBothSignatures) {
    const std::string by_old = "the key that goes has not signed it";
    Rotation changed = sample();
    changed.by_from[5] ^= std::byte{1};
    EXPECT_EQ(why_not(check_rotation(changed, kBegin)), by_old);
    changed = sample();
    changed.by_to[5] ^= std::byte{1};
    EXPECT_EQ(why_not(check_rotation(changed, kBegin)), "the key that comes has not signed it");
    changed = sample();
    changed.not_after += 1;
    EXPECT_EQ(why_not(check_rotation(changed, kBegin)), by_old);
    changed = sample();
    changed.to = key_of(2)->id();
    EXPECT_EQ(why_not(check_rotation(changed, kBegin)), by_old);
    // Whoever has the new key alone says nothing about the old one.
    changed = make_rotation(*key_of(2), *key_of(1), kBegin, kMonth).value();
    changed.from = key_of(0)->id();
    EXPECT_EQ(why_not(check_rotation(changed, kBegin)), by_old);
    const std::string nothing = "it says nothing that can hold";
    EXPECT_EQ(why_not(check_rotation(make_rotation(*key_of(0), *key_of(0), kBegin, kMonth).value(),
                                     kBegin)),
              nothing);
    changed = sample();
    changed.not_after = changed.not_before;
    EXPECT_EQ(why_not(check_rotation(changed, kBegin)), nothing);
    changed.not_after = ~std::uint64_t{0};
    EXPECT_EQ(why_not(check_rotation(changed, kBegin)), nothing);
}

TEST(Rotation, GivesAPeerItsSecondKey) {
    const Rotation rotation = sample();
    const std::string from = rotation.from.fingerprint();
    const std::string to = rotation.to.fingerprint();
    const auto found = accept_rotation(*directory_of({peer("bob", {from})}), rotation, kBegin);
    ASSERT_TRUE(found) << why_not(found);
    EXPECT_EQ(found->id, "bob");
    EXPECT_EQ(found->fingerprint, to);
    EXPECT_FALSE(found->known);
    // The same again changes nothing.
    const auto again = accept_rotation(*directory_of({peer("bob", {from, to})}), rotation, kBegin);
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->known);
    // A peer that is known by ssh-keygen's form has that key too.
    EXPECT_TRUE(accept_rotation(*directory_of({peer("bob", {rotation.from.openssh_fingerprint()})}),
                                rotation, kBegin));
}

TEST(Rotation, GivesNothingToThoseWhoMayNotComeIn) {
    const Rotation rotation = sample();
    const std::string from = rotation.from.fingerprint();
    const auto refused = [&](std::vector<PeerRecord> peers) {
        return why_not(accept_rotation(*directory_of(std::move(peers)), rotation, kBegin));
    };
    EXPECT_EQ(refused({peer("carol", {new_key()})}), "no peer has the key that goes");
    PeerRecord bob = peer("bob", {from});
    bob.enabled = false;
    EXPECT_EQ(refused({bob}), "bob is disabled");
    bob.enabled = true;
    bob.expires = kBegin - kExpiryGrace;
    EXPECT_EQ(refused({bob}), "bob is expired");
    bob.expires = kBegin - std::chrono::seconds(1);
    EXPECT_EQ(refused({bob}), "bob is grace");
    bob.expires = kBegin + std::chrono::seconds(1);
    EXPECT_EQ(refused({bob}), "");
    EXPECT_EQ(refused({peer("bob", {from}), peer("carol", {rotation.to.fingerprint()})}),
              "the key that comes is carol's");
    PeerRecord many = peer("bob", {from});
    while (many.fingerprints.size() < kFingerprintsPerPeerMax) {
        many.fingerprints.push_back(new_key());
    }
    EXPECT_EQ(refused({many}), "bob has 64 keys");
    EXPECT_EQ(
        why_not(accept_rotation(*directory_of({peer("bob", {from})}), rotation, kBegin + kMonth)),
        "its time is over");
}

}  // namespace
}  // namespace alknet::identity
