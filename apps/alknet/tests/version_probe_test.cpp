#include "version_probe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/base/encoding.hpp>

namespace alknet::app {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

ProbeIds ids() {
    ProbeIds ids;
    ids.destination.fill(std::byte{0xdd});
    ids.source.fill(std::byte{0x55});
    return ids;
}

Bytes answer(std::string_view versions, std::string_view head = "8000000000") {
    std::string hex(head);
    hex += "085555555555555555";
    hex += "08dddddddddddddddd";
    return *hex_decode(hex.append(versions));
}

TEST(VersionProbe, TheQuestionIsALongHeaderOf1200Octets) {
    const Bytes packet = version_probe_packet(ids());
    EXPECT_EQ(packet.size(), 1200U);
    EXPECT_EQ(hex_encode(BytesView(packet).first(23)),
              "c01a2a3a4a08dddddddddddddddd085555555555555555");
}

TEST(VersionProbe, TheAnswerListsVersionsAndGreaseIsLeftOut) {
    const auto versions = parse_version_answer(answer("000000013a4a5a6a6b3343cf"), ids());
    EXPECT_THAT(versions, Optional(ElementsAre(1U, 0x6b3343cfU)));
    EXPECT_THAT(parse_version_answer(answer(""), ids()), Optional(IsEmpty()));
}

TEST(VersionProbe, EverythingElseIsNoAnswer) {
    const Bytes good = answer("00000001");
    for (std::size_t size = 0; size < good.size(); ++size) {
        const auto cut = parse_version_answer(BytesView(good).first(size), ids());
        EXPECT_EQ(cut.has_value(), size == good.size() - 4) << size;  // an empty list is a list
    }
    EXPECT_FALSE(parse_version_answer(answer("00000001", "8000000001"), ids()));
    EXPECT_FALSE(parse_version_answer(answer("00000001", "0000000000"), ids()));
    ProbeIds others = ids();
    others.source[0] = std::byte{0};
    EXPECT_FALSE(parse_version_answer(good, others));
    others = ids();
    others.destination[7] = std::byte{0};
    EXPECT_FALSE(parse_version_answer(good, others));
}

TEST(VersionProbe, Names) {
    EXPECT_EQ(version_name(1), "v1");
    EXPECT_EQ(version_name(0x6b3343cf), "v2");
    EXPECT_EQ(version_name(0xff00001d), "draft-29");
    EXPECT_EQ(version_name(0x12345678), "0x12345678");
}

}  // namespace
}  // namespace alknet::app
