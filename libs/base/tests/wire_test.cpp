#include <gtest/gtest.h>

#include <alknet/base/wire.hpp>
#include <string>

namespace alknet {
namespace {

TEST(Wire, IsReadAsItWasWritten) {
    WireWriter out;
    out.number(std::uint8_t{7});
    out.number(std::uint32_t{0x01020304});
    out.text<std::uint16_t>("text");
    EXPECT_EQ(as_text(out.view()), std::string("\7\1\2\3\4\0\4text", 11));
    WireReader in(out.view());
    EXPECT_EQ(in.number<std::uint8_t>(), 7);
    EXPECT_EQ(in.number<std::uint32_t>(), 0x01020304U);
    EXPECT_FALSE(in.complete());
    EXPECT_EQ(in.text<std::uint16_t>(), "text");
    EXPECT_TRUE(in.complete());
}

TEST(Wire, NothingIsLeftBehindWhatIsMissing) {
    const Bytes octets(5);
    WireReader in(octets);
    EXPECT_EQ(in.number<std::uint64_t>(), 0U);
    EXPECT_TRUE(in.empty());
    EXPECT_FALSE(in.ok());
    EXPECT_EQ(in.take(1).size(), 0U);
    EXPECT_FALSE(in.complete());
}

TEST(Wire, ATextCannotBeLongerThanWhatIsThere) {
    WireWriter out;
    out.number(std::uint16_t{5});
    out.append(as_bytes("four"));
    WireReader in(out.view());
    EXPECT_EQ(in.text<std::uint16_t>(), "");
    EXPECT_FALSE(in.complete());
}

}  // namespace
}  // namespace alknet
