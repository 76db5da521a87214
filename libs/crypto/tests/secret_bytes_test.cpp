#include <gtest/gtest.h>
#include <alknet/crypto/secret_bytes.hpp>
#include <array>

namespace alknet::crypto {
namespace {

TEST(SecretBytes, StartAsZeros) {
    const SecretBytes secret(100);
    EXPECT_EQ(secret.size(), 100U);
    EXPECT_EQ(to_bytes(secret.view()), Bytes(100));
}

TEST(SecretBytes, MayBeEmpty) {
    const SecretBytes none;
    const SecretBytes zero(0);
    const SecretBytes copy = SecretBytes::copy_of({});
    EXPECT_TRUE(none.view().empty());
    EXPECT_TRUE(zero.view().empty());
    EXPECT_TRUE(copy.view().empty());
}

TEST(SecretBytes, MoveAndLeaveNothingBehind) {
    SecretBytes first = SecretBytes::copy_of(as_bytes("first"));
    SecretBytes moved(std::move(first));
    EXPECT_EQ(as_text(moved.view()), "first");
    EXPECT_EQ(first.size(),
              0U);  // NOLINT(bugprone-use-after-move): what a move leaves is the point

    SecretBytes second = SecretBytes::copy_of(as_bytes("second"));
    second = std::move(moved);
    EXPECT_EQ(as_text(second.view()), "first");
    SecretBytes& itself = second;
    second = std::move(itself);
    EXPECT_EQ(as_text(second.view()), "first");
}

static_assert(!std::is_copy_constructible_v<SecretBytes>);
static_assert(!std::is_copy_assignable_v<SecretBytes>);

TEST(SecretBytesDeathTest, StandBeforeAGuardPage) {
    SecretBytes secret(32);
    // Through a volatile pointer, so that the write past the end is really made.
    EXPECT_DEATH(*static_cast<volatile std::byte*>(secret.span().data() + 32) = std::byte{1}, "");
}

TEST(Wipe, Overwrites) {
    std::array<std::byte, 5> octets{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},
                                    std::byte{5}};
    wipe(std::span(octets).first(4));
    EXPECT_EQ(octets, (std::array<std::byte, 5>{{{}, {}, {}, {}, std::byte{5}}}));
    wipe({});
}

TEST(EqualConstantTime, ComparesSizesAndOctets) {
    EXPECT_TRUE(equal_constant_time(as_bytes("abc"), as_bytes("abc")));
    EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("abd")));
    EXPECT_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("ab")));
    EXPECT_FALSE(equal_constant_time(as_bytes("abc"), {}));
    EXPECT_TRUE(equal_constant_time({}, {}));
}

}  // namespace
}  // namespace alknet::crypto
