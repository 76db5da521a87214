// Two ends joined by transports that can be cut behind any octet.
#include "state.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/testing/random.hpp>
#include <optional>

namespace alknet::resume {
namespace {

Bytes pattern(std::size_t size, std::uint32_t seed) {
    Bytes bytes(size);
    for (std::byte& byte : bytes) {
        seed = seed * 1664525 + 1013904223;
        byte = static_cast<std::byte>(seed >> 24);
    }
    return bytes;
}

/// One end: what its application has still to say, and what it has heard.
struct End {
    End(std::size_t ring, bool opener, Bytes text) : state(ring, opener), to_say(std::move(text)) {}

    StreamState state;
    Bytes to_say;
    std::size_t said = 0;
    Bytes heard;
    bool reads = true;
    FrameReader reader;
    std::size_t most_held = 0;

    void work() {
        said += state.write(BytesView(to_say).subspan(said));
        if (said == to_say.size()) {
            state.finish();
        }
        Bytes buffer(37);
        while (reads) {
            const std::size_t size = state.read(buffer);
            if (size == 0) {
                break;
            }
            heard.insert(heard.end(), buffer.begin(), buffer.begin() + std::ptrdiff_t(size));
        }
        most_held = std::max(most_held, state.held_bytes());
    }
    result<void> take(BytesView octets) {
        while (!octets.empty()) {
            const MutableBytes space = reader.space();
            const std::size_t part = std::min(space.size(), octets.size());
            std::copy_n(octets.begin(), part, space.begin());
            reader.commit(part);
            octets = octets.subspan(part);
            for (;;) {
                ALKNET_TRY(const auto frame, reader.next());
                if (!frame) {
                    break;
                }
                ALKNET_CHECK(state.receive(*frame));
            }
        }
        return {};
    }
};

constexpr std::size_t kEver = ~std::size_t{0};

/// Both ends until nothing moves, or until one of the directions has carried its share. False when
/// cut. Counts what was carried.
struct Transport {
    std::size_t there_max = kEver;
    std::size_t back_max = kEver;
    std::size_t there = 0;
    std::size_t back = 0;

    bool run(End& opener, End& other) {
        const Position here = opener.state.tell();
        const Position yonder = other.state.tell();
        EXPECT_TRUE(opener.state.attach(yonder));
        EXPECT_TRUE(other.state.attach(here));
        opener.reader = FrameReader();
        other.reader = FrameReader();
        for (int still = 0; still < 3; ++still) {
            opener.work();
            other.work();
            if (carry(opener, other, there, there_max) || carry(other, opener, back, back_max)) {
                still = -1;
            }
            if (there == there_max || back == back_max) {
                opener.state.detach();
                other.state.detach();
                return false;
            }
        }
        return true;
    }

    /// Whether anything moved.
    static bool carry(End& from, End& to, std::size_t& carried, std::size_t most) {
        Bytes octets;
        from.state.produce(octets, 200, true);
        Bytes idle;
        append_frame(idle, Ack{from.state.receiving().position()});
        const bool news = octets != idle;
        octets.resize(std::min(octets.size(), most - carried));
        carried += octets.size();
        const auto taken = to.take(octets);
        EXPECT_TRUE(taken) << taken.error().message();
        return news;
    }
};

void expect_all_arrived(const End& opener, const End& other) {
    EXPECT_EQ(other.heard, opener.to_say);
    EXPECT_EQ(opener.heard, other.to_say);
    EXPECT_EQ(opener.state.receiving().ending(), Ending::finished);
    EXPECT_EQ(other.state.receiving().ending(), Ending::finished);
    EXPECT_TRUE(opener.state.complete());
    EXPECT_TRUE(other.state.done());
    EXPECT_EQ(opener.state.held_bytes() + other.state.held_bytes(), 0U);
}

TEST(ResumeState, CarriesBothDirections) {
    End opener(64, true, pattern(1000, 1));
    End other(50, false, pattern(700, 2));
    EXPECT_TRUE(Transport().run(opener, other));
    expect_all_arrived(opener, other);
    EXPECT_LE(opener.most_held, 128U);
    EXPECT_LE(other.most_held, 100U);
}

TEST(ResumeState, CutsBehindEveryOctet) {
    Transport whole;
    {
        End opener(64, true, pattern(300, 1));
        End other(64, false, pattern(200, 2));
        ASSERT_TRUE(whole.run(opener, other));
    }
    ASSERT_GT(whole.there, 300U);
    for (std::size_t there = 0; there <= whole.there; ++there) {
        End opener(64, true, pattern(300, 1));
        End other(64, false, pattern(200, 2));
        EXPECT_EQ(Transport{.there_max = there}.run(opener, other), false);
        EXPECT_TRUE(Transport().run(opener, other));
        expect_all_arrived(opener, other);
    }
    for (std::size_t back = 0; back <= whole.back; ++back) {
        End opener(64, true, pattern(300, 1));
        End other(64, false, pattern(200, 2));
        EXPECT_EQ(Transport{.back_max = back}.run(opener, other), false);
        EXPECT_TRUE(Transport().run(opener, other));
        expect_all_arrived(opener, other);
    }
}

TEST(ResumeState, ManyCutsAtRandom) {
    sim::Random random(17);
    for (int round = 0; round < 300; ++round) {
        End opener(1 + random.below(300), true, pattern(random.below(3000), 1));
        End other(1 + random.below(300), false, pattern(random.below(3000), 2));
        for (int cut = 0; cut < 12; ++cut) {
            Transport{.there_max = random.below(700), .back_max = random.below(700)}.run(opener,
                                                                                         other);
        }
        EXPECT_TRUE(Transport().run(opener, other));
        expect_all_arrived(opener, other);
    }
}

TEST(ResumeState, FullRingHoldsTheWriterBack) {
    End opener(64, true, pattern(1000, 1));
    End other(32, false, {});
    other.reads = false;
    EXPECT_TRUE(Transport().run(opener, other));
    EXPECT_EQ(opener.said, 32U + 64U);  // what the reader holds, and what the writer does
    EXPECT_EQ(other.state.held_bytes(), 32U);
    EXPECT_EQ(opener.state.write(as_bytes("x")), 0U);
    other.reads = true;
    EXPECT_TRUE(Transport().run(opener, other));
    expect_all_arrived(opener, other);
}

TEST(ResumeState, DetachedHoldsOnlyWhatIsNotAcknowledged) {
    End opener(100'000, true, pattern(60'000, 1));
    End other(100'000, false, {});
    Transport().run(opener, other);
    opener.state.detach();
    EXPECT_EQ(opener.state.capacity_bytes(), 0U);
    End cut_off(100'000, true, pattern(60'000, 1));
    End silent(100'000, false, {});
    Transport{.there_max = 0}.run(cut_off, silent);
    EXPECT_EQ(cut_off.state.held_bytes(), 60'000U);
    EXPECT_EQ(cut_off.state.capacity_bytes(), 60'000U);
}

TEST(ResumeState, HalfCloseLeavesTheOtherHalf) {
    End opener(64, true, {});
    End other(64, false, pattern(10, 2));
    other.said = 0;
    opener.work();
    EXPECT_EQ(opener.state.sending().ending(), Ending::finished);
    EXPECT_TRUE(Transport().run(opener, other));
    EXPECT_EQ(opener.heard, other.to_say);
}

TEST(ResumeState, ResetDropsWhatWasNotAcknowledged) {
    for (std::size_t there = 0; there < 60; ++there) {
        End opener(64, true, pattern(40, 1));
        End other(64, false, pattern(40, 2));
        Transport{.there_max = there}.run(opener, other);
        opener.state.reset(9);
        EXPECT_EQ(opener.state.sending().ring().size(), 0U);
        EXPECT_TRUE(Transport().run(opener, other));
        EXPECT_TRUE(opener.state.complete());
        // All of it arrived before, or the reset says that not all will.
        if (other.state.receiving().ending() == Ending::reset) {
            EXPECT_EQ(other.state.receiving().code(), 9U);
            EXPECT_LE(other.heard.size(), 40U);
        } else {
            EXPECT_EQ(other.heard, opener.to_say);
        }
        EXPECT_EQ(opener.heard, other.to_say);
    }
}

TEST(ResumeState, StopAnswersWithAReset) {
    for (std::size_t there = 0; there < 60; ++there) {
        End opener(64, true, {});
        End other(64, false, pattern(1000, 2));
        opener.reads = false;
        opener.state.stop(5);
        Transport{.there_max = there}.run(opener, other);
        EXPECT_TRUE(Transport().run(opener, other));
        EXPECT_EQ(other.state.unwanted(), 5U);
        EXPECT_EQ(opener.state.receiving().ending(), Ending::reset);
        EXPECT_EQ(opener.state.receiving().code(), 5U);
        EXPECT_TRUE(opener.state.complete());
        EXPECT_TRUE(other.state.done());
        EXPECT_EQ(other.state.held_bytes(), 0U);
    }
}

TEST(ResumeState, PingIsAnsweredAtOnce) {
    End opener(64, true, {});
    End other(64, false, {});
    ASSERT_TRUE(opener.state.attach(other.state.tell()));
    ASSERT_TRUE(other.state.attach(opener.state.tell()));
    Bytes octets;
    opener.state.ping();
    opener.state.produce(octets, 1000, false);
    ASSERT_TRUE(other.take(octets));
    octets.clear();
    other.state.produce(octets, 1000, false);
    Bytes expected;
    append_frame(expected, Ack{{.received = 0, .limit = 64}});
    EXPECT_EQ(octets, expected);
}

TEST(ResumeState, AcknowledgementsWaitUntilTheyAreWorthAFrame) {
    End opener(400, true, {});
    End other(400, false, {});
    ASSERT_TRUE(opener.state.attach(other.state.tell()));
    ASSERT_TRUE(other.state.attach(opener.state.tell()));
    const Bytes data = pattern(100, 1);
    const auto says = [&](bool acknowledge) {
        Bytes octets;
        other.state.produce(octets, 1000, acknowledge);
        return octets.size();
    };
    ASSERT_TRUE(other.state.receive(Data{0, BytesView(data).first(99)}));
    EXPECT_TRUE(other.state.acknowledgement_waits());
    EXPECT_EQ(says(false), 0U);
    ASSERT_TRUE(other.state.receive(Data{99, BytesView(data).first(1)}));
    EXPECT_GT(says(false), 0U);
    EXPECT_FALSE(other.state.acknowledgement_waits());
    ASSERT_TRUE(other.state.receive(Data{100, BytesView(data).first(1)}));
    EXPECT_GT(says(true), 0U);
    ASSERT_TRUE(other.state.receive(Data{101, BytesView(data).first(1)}));
    ASSERT_EQ(other.state.write(data), 100U);
    EXPECT_EQ(says(false), kHeaderBytes + 8 + 100 + kHeaderBytes + 16);  // it rides along
    EXPECT_FALSE(other.state.acknowledgement_waits());
}

/// What a peer must not say to a stream that has said three octets and heard none.
void expect_refused(const Frame& frame, bool finished_before = false) {
    End other(64, false, {});
    (void)other.state.tell();
    ASSERT_TRUE(other.state.attach({.received = 0, .limit = 64}));
    ASSERT_EQ(other.state.write(as_bytes("abc")), 3U);
    Bytes octets;
    other.state.produce(octets, 1000, false);
    if (finished_before) {
        ASSERT_TRUE(other.state.receive(Fin{0}));
    }
    const auto taken = other.state.receive(frame);
    ASSERT_FALSE(taken) << frame.index();
    EXPECT_TRUE(taken.error().is(causes::kProtocol));
}

TEST(ResumeState, RefusesWhatBreaksTheRules) {
    const Bytes much(65);
    expect_refused(Data{1, as_bytes("x")});
    expect_refused(Data{0, much});
    expect_refused(Data{0, as_bytes("x")}, true);
    expect_refused(Data{1, as_bytes("x")}, true);
    expect_refused(Ack{{.received = 4, .limit = 64}});
    expect_refused(Fin{1});
    expect_refused(Fin{1}, true);
    expect_refused(Reset{1, 0}, true);
    expect_refused(Done{});
    expect_refused(Done{}, true);
    expect_refused(Open{});
    expect_refused(Resume{});
    expect_refused(Accept{});
    expect_refused(Refuse{});
}

TEST(ResumeState, RefusesAPositionThatCannotBe) {
    End opener(64, true, pattern(40, 1));
    End other(64, false, {});
    Transport().run(opener, other);
    // All 40 octets and the end are acknowledged: a peer that knows less has lost them.
    EXPECT_FALSE(opener.state.attach({.received = 40, .limit = 104}));
    EXPECT_FALSE(opener.state.attach({.received = 42, .limit = 104}));
    EXPECT_TRUE(opener.state.attach({.received = 41, .limit = 104}));
}

// What only an older transport has sent may be acknowledged on a new one: it is sent no more there.
TEST(ResumeState, TakesAnAcknowledgementOfWhatAnOlderTransportSent) {
    for (const bool done : {false, true}) {
        End opener(64, true, {});
        End other(64, false, pattern(40, 1));
        other.work();
        ASSERT_TRUE(other.state.attach({.received = 0, .limit = 64}));
        Bytes octets;
        other.state.produce(octets, 200, true);
        other.state.detach();
        ASSERT_TRUE(other.state.attach({.received = 0, .limit = 64}));
        if (done) {
            ASSERT_TRUE(other.state.receive(Fin{0}));
            ASSERT_TRUE(other.state.receive(Done{}));
        } else {
            ASSERT_TRUE(other.state.receive(Ack{{.received = 30, .limit = 94}}));
        }
        octets.clear();
        other.state.produce(octets, 200, false);
        Bytes expected;
        if (done) {
            append_frame(expected, Ack{other.state.receiving().position()});
        } else {
            append_frame(expected, Data{30, BytesView(other.to_say).subspan(30)});
            append_frame(expected, Fin{40});
        }
        EXPECT_EQ(octets, expected) << done;
    }
}

}  // namespace
}  // namespace alknet::resume
