#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/config/config.hpp>
#include <alknet/config/settings.hpp>
#include <string>

namespace alknet::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Parsed parse_text(std::string_view text) {
    return parse(text, {.file = "test.toml", .base = "/n"});
}

std::vector<std::string> reasons(std::string_view text) {
    std::vector<std::string> all;
    for (const Problem& problem : parse_text(text).problems) {
        all.push_back(problem.reason);
    }
    return all;
}

constexpr std::string_view kStart = "[[exec]]\nname = 'x'\ncommand = ['/x']\n";

std::vector<std::string> reasons_of(std::string_view keys) {
    return reasons(std::string(kStart) + std::string(keys));
}

TEST(ConfigPrograms, AreRead) {
    const Parsed parsed = parse_text(
        "[[exec]]\nname = 'greeter'\ncommand = ['/usr/bin/env', '-', '-']\n"
        "alpn = 'example/greeter'\nuser = 'nobody'\ndirectory = 'srv'\n"
        "environment = ['TZ', 'A=b=c']\nstop_timeout = '2s'\nmemory_max = '64 MiB'\n"
        "[[exec]]\nname = 'sums'\ncommand = ['/sums']\noperations = true\nas_node = true\n");
    ASSERT_THAT(parsed.problems, IsEmpty()) << as_error(parsed.problems).message();
    const auto& programs = parsed.config.fixed.programs;
    ASSERT_THAT(programs, SizeIs(2));
    EXPECT_THAT(programs[0].command, ElementsAre("/usr/bin/env", "-", "-"));
    EXPECT_THAT(programs[0].environment, ElementsAre("TZ", "A=b=c"));
    EXPECT_EQ(programs[0].directory, "/n/srv");
    EXPECT_EQ(programs[0].stop_timeout, std::chrono::seconds(2));
    EXPECT_EQ(programs[0].memory_max, 64U << 20U);
    EXPECT_EQ(programs[1].directory, "/");
    EXPECT_TRUE(programs[1].operations);
}

TEST(ConfigPrograms, AreReadAtTheStartAlone) {
    const auto fixed = [](std::string_view more) {
        return parse_text(std::string(kStart) + "alpn = 'x'\nuser = 'nobody'\n" + std::string(more))
            .config.fixed;
    };
    EXPECT_EQ(fixed(""), fixed("streams_max = 256"));
    EXPECT_NE(fixed(""), fixed("streams_max = 2"));
}

TEST(ConfigPrograms, SayWhoRunsThem) {
    EXPECT_THAT(reasons_of("alpn = 'x'\n"), ElementsAre(HasSubstr("or as_node = true")));
    EXPECT_THAT(reasons_of("alpn = 'x'\nuser = 'a'\nas_node = true\n"),
                ElementsAre(HasSubstr("both")));
}

TEST(ConfigPrograms, ServeOneThing) {
    EXPECT_THAT(reasons_of("user = 'a'\n"), ElementsAre(HasSubstr("or operations = true")));
    EXPECT_THAT(reasons_of("user = 'a'\nalpn = 'x'\noperations = true\n"),
                ElementsAre(HasSubstr("both")));
    EXPECT_THAT(reasons_of("user = 'a'\noperations = true\nproxy_header = true\n"),
                ElementsAre(HasSubstr("belongs to an 'alpn'")));
    EXPECT_THAT(reasons("[[exec]]\nname = 'a.b'\ncommand = ['/x']\nuser = 'a'\n"
                        "operations = true\n"),
                ElementsAre(HasSubstr("operations need a name")));
}

TEST(ConfigPrograms, HaveACommandWithItsPath) {
    const auto with = [](std::string_view command) {
        return reasons("[[exec]]\nname = 'x'\nalpn = 'x'\nuser = 'a'\ncommand = " +
                       std::string(command) + "\n");
    };
    EXPECT_THAT(with("['/x', '']"), IsEmpty());
    for (const std::string_view command :
         {"[]", "['x']", "['']", "'/x'", "['/x', 1]", "[1]", R"(["/x", "\u0000"])"}) {
        EXPECT_FALSE(with(command).empty()) << command;
    }
    std::string many = "['/x'";
    for (int i = 0; i < 256; ++i) {
        many += ", 'a'";
    }
    EXPECT_THAT(with(many + "]"), ElementsAre(HasSubstr("at most 256")));
}

TEST(ConfigPrograms, HaveVariablesThatAreTheirOwn) {
    for (const std::string_view bad : {"A B=c", "=c", "", "LISTEN_FDS=1", "LISTEN_PID"}) {
        EXPECT_FALSE(
            reasons_of("alpn = 'x'\nuser = 'a'\nenvironment = ['" + std::string(bad) + "']\n")
                .empty())
            << bad;
    }
}

TEST(ConfigPrograms, DifferFromOneAnother) {
    const std::string one = std::string(kStart) + "user = 'a'\nalpn = 'x'\n";
    EXPECT_THAT(reasons(one + one), ElementsAre(HasSubstr("name"), HasSubstr("alpn")));
    std::string many;
    for (std::size_t i = 0; i <= kProgramsMax; ++i) {
        many += fmt::format(
            "[[exec]]\nname = 'n{0}'\ncommand = ['/x']\nuser = 'a'\nalpn = 'n{0}'\n", i);
    }
    EXPECT_THAT(reasons(many), ElementsAre(HasSubstr("at most 64")));
}

TEST(ConfigPrograms, ServeNothingThatTheNodeServesItself) {
    const auto reasons_for = [](std::string_view alpn) {
        const Parsed parsed =
            parse(std::string(kStart) + "user = 'a'\nalpn = '" + std::string(alpn) + "'\n",
                  {.file = "test.toml", .base = "/n", .services = {"alknet/call", "h2"}});
        std::vector<std::string> all;
        for (const Problem& problem : parsed.problems) {
            all.push_back(problem.reason);
        }
        return all;
    };
    EXPECT_THAT(
        reasons_for("alknet/call"),
        ElementsAre("the node serves 'alknet/call' itself; a program needs an 'alpn' of its "
                    "own, or operations = true"));
    EXPECT_THAT(reasons_for("h2"), ElementsAre(HasSubstr("serves 'h2' itself")));
    EXPECT_THAT(reasons_for("example/greeter"), testing::IsEmpty());
}

TEST(ConfigPrograms, OfferNothingUnderAnothersNames) {
    const auto both = [](const std::string& one, const std::string& other) {
        std::string text;
        for (const std::string& name : {one, other}) {
            text += "[[exec]]\nname = '" + name +
                    "'\ncommand = ['/x']\nuser = 'a'\noperations = true\n";
        }
        return reasons(text);
    };
    EXPECT_THAT(both("p", "pa"), IsEmpty());
    EXPECT_THAT(both("p", "p-a"), ElementsAre(HasSubstr("could be the same")));
    EXPECT_THAT(both("p-a", "p"), ElementsAre(HasSubstr("could be the same")));
}

TEST(ConfigPrograms, AreShown) {
    const std::string text = std::string(kStart) + "user = 'a'\nalpn = 'x'\n";
    const Parsed parsed = parse_text(text);
    std::string shown;
    for (const Setting& setting : settings(parsed.config, text)) {
        if (setting.entry == "exec.x") {
            shown += setting.key + " = " + setting.value + "\n";
        }
    }
    EXPECT_THAT(shown, HasSubstr("command = [\"/x\"]\n"));
    EXPECT_THAT(shown, HasSubstr("stop_timeout = \"5s\"\n"));
    EXPECT_THAT(shown, HasSubstr("user = \"a\"\n"));
}

}  // namespace
}  // namespace alknet::config
