#include <gtest/gtest.h>
#include <alknet/base/encoding.hpp>
#include <alknet/crypto/digest.hpp>

namespace alknet::crypto {
namespace {

// FIPS 180-4's examples.
TEST(Digest, IsSha256) {
    EXPECT_EQ(hex_encode(sha256(as_bytes("abc"))),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hex_encode(sha256({})),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Digest, RandomOctetsDiffer) {
    std::array<std::byte, 32> a{};
    std::array<std::byte, 32> b{};
    fill_random(a);
    fill_random(b);
    EXPECT_NE(a, b);
}

}  // namespace
}  // namespace alknet::crypto
