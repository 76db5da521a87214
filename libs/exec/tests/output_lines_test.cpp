#include "output_lines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace alknet::exec {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

struct Said {
    std::vector<std::string> all;
    OutputLines lines{[this](std::string_view line) { all.emplace_back(line); }};
    TimePoint now{std::chrono::hours(1)};
    void push(std::string_view text) { lines.push(as_bytes(text), now); }
};

TEST(OutputLines, AreLinesHoweverTheyCome) {
    Said said;
    said.push("one\ntw");
    EXPECT_THAT(said.all, ElementsAre("one"));
    said.push("o\n\n\nthree");
    said.lines.end(said.now);
    EXPECT_THAT(said.all, ElementsAre("one", "two", "three")) << "and empty ones are none";
    said.lines.end(said.now);
    EXPECT_THAT(said.all, SizeIs(3));
}

TEST(OutputLines, OfAnyLengthAreCut) {
    Said said;
    said.push(std::string(OutputLines::kLineBytesMax, 'a') + "\n");
    EXPECT_THAT(said.all, ElementsAre(std::string(OutputLines::kLineBytesMax, 'a')));
    said.all.clear();
    said.push(std::string(OutputLines::kLineBytesMax + 1, 'b') + "\n");
    EXPECT_THAT(said.all, ElementsAre(std::string(OutputLines::kLineBytesMax, 'b'), "b"));
}

TEST(OutputLines, ThatAreTooManyAreCounted) {
    Said said;
    for (std::uint64_t i = 0; i < OutputLines::kLinesBurst + 7; ++i) {
        said.push("x\n");
    }
    EXPECT_THAT(said.all, SizeIs(OutputLines::kLinesBurst));
    EXPECT_EQ(said.lines.take_dropped(), 7U);
    EXPECT_EQ(said.lines.take_dropped(), 0U);
    said.all.clear();
    said.now += std::chrono::seconds(1);
    for (int i = 0; i < 100; ++i) {
        said.push("y\n");
    }
    EXPECT_THAT(said.all, SizeIs(OutputLines::kLinesPerSecond));
    said.all.clear();
    said.now += std::chrono::hours(1);
    for (std::uint64_t i = 0; i < OutputLines::kLinesBurst * 2; ++i) {
        said.push("z\n");
    }
    EXPECT_THAT(said.all, SizeIs(OutputLines::kLinesBurst));
    said.all.clear();
    said.push("");
    EXPECT_THAT(said.all, IsEmpty());
}

}  // namespace
}  // namespace alknet::exec
