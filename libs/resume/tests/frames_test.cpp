#include <alknet/resume/frames.hpp>
#include <alknet/testing/vectors.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/testing/random.hpp>
#include <map>
#include <sstream>

namespace alknet::resume {
namespace {

using testing::IsEmpty;

StreamId some_id() {
    StreamId id;
    for (std::size_t i = 0; i < id.octets.size(); ++i) {
        id.octets[i] = static_cast<std::byte>(0xa0 + i);
    }
    return id;
}

const std::map<std::string, Frame>& frames_by_name() {
    static const std::map<std::string, Frame> kFrames = {
        {"open", Open{kVersion, some_id(), 1 << 20, 86400, "alknet/echo"}},
        {"resume", Resume{kVersion, some_id(), {.received = 70000, .limit = 1118576}}},
        {"accept", Accept{{.received = 0, .limit = 65536}, 600}},
        {"refuse", Refuse{4, "resume.streams_max"}},
        {"refuse-unknown", Refuse{kUnknownStream, ""}},
        {"data", Data{0, as_bytes("hello")}},
        {"data-far", Data{kPositionEnd - 6, as_bytes("hello")}},
        {"ack", Ack{{.received = 5, .limit = 65541}}},
        {"fin", Fin{5}},
        {"reset", Reset{5, 8}},
        {"stop", Stop{0}},
        {"ping", Ping{}},
        {"done", Done{}},
    };
    return kFrames;
}

/// All frames of `octets` written again, handed over in pieces of `piece`.
result<Bytes> round_trip(BytesView octets, std::size_t piece) {
    FrameReader reader;
    Bytes again;
    while (!octets.empty()) {
        const MutableBytes space = reader.space();
        const std::size_t part = std::min({piece, space.size(), octets.size()});
        std::copy_n(octets.begin(), part, space.begin());
        reader.commit(part);
        octets = octets.subspan(part);
        for (;;) {
            ALKNET_TRY(const auto frame, reader.next());
            if (!frame) {
                break;
            }
            append_frame(again, *frame);
        }
    }
    return again;
}

TEST(ResumeFrames, AreAsTheVectorsSay) {
    auto left = sim::read_vectors(ALKNET_RESUME_VECTORS);
    for (const auto& [name, frame] : frames_by_name()) {
        Bytes octets;
        append_frame(octets, frame);
        EXPECT_EQ(hex_encode(octets), hex_encode(left[name])) << name;
        EXPECT_EQ(round_trip(octets, octets.size()).value(), octets) << name;
        left.erase(name);
    }
    std::erase_if(left, [](const auto& entry) { return entry.first.starts_with("bad-"); });
    EXPECT_THAT(left, IsEmpty());
}

TEST(ResumeFrames, BadVectorsAreRefused) {
    std::size_t count = 0;
    for (const auto& [name, octets] : sim::read_vectors(ALKNET_RESUME_VECTORS)) {
        if (name.starts_with("bad-")) {
            ++count;
            const auto outcome = round_trip(octets, 7);
            ASSERT_FALSE(outcome) << name;
            EXPECT_TRUE(outcome.error().is(causes::kProtocol)) << name;
        }
    }
    EXPECT_GE(count, 10U);
}

TEST(ResumeFrames, ComeBackWhateverThePieces) {
    const Bytes payload(kDataBytesMax, std::byte{7});
    Bytes octets;
    for (const auto& [name, frame] : frames_by_name()) {
        append_frame(octets, frame);
        append_frame(octets, Data{1, payload});
    }
    sim::Random random(5);
    for (int round = 0; round < 200; ++round) {
        const std::size_t piece = 1 + random.below(2 * kFrameBytesMax);
        const auto again = round_trip(octets, piece);
        ASSERT_TRUE(again) << again.error().message();
        ASSERT_EQ(*again, octets) << piece;
    }
    EXPECT_EQ(round_trip(octets, 1).value(), octets);
}

TEST(ResumeFrames, LongestDataAndNoLonger) {
    Bytes octets;
    append_frame(octets, Data{0, Bytes(kDataBytesMax)});
    EXPECT_EQ(octets.size(), kFrameBytesMax);
    EXPECT_TRUE(round_trip(octets, 1000));
    octets[1] = std::byte{0xff};
    EXPECT_FALSE(round_trip(octets, 1000));
}

TEST(ResumeFrames, ReaderHoldsNoMoreThanHasCome) {
    FrameReader reader;
    const MutableBytes space = reader.space();
    EXPECT_LE(space.size(), 4096U);
    space[0] = std::byte{0x10};  // DATA, as long as can be
    space[1] = std::byte{0x40};
    space[2] = std::byte{0x08};
    reader.commit(3);
    EXPECT_FALSE(reader.next().value().has_value());
    EXPECT_LE(reader.space().size(), 4096U);
}

}  // namespace
}  // namespace alknet::resume
