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

std::string import_of(std::string_view prefix) {
    return "[[call.import]]\npeer = 'office'\nprefix = '" + std::string(prefix) + "'\n";
}

TEST(ConfigImports, AreRead) {
    const Parsed parsed = parse_text(import_of("office") +
                                     "operations = ['files/*', '*/list', 'a/b']\n"
                                     "scope = 'office:use'\nhops = 2\n" +
                                     import_of("lab"));
    ASSERT_THAT(parsed.problems, IsEmpty()) << as_error(parsed.problems).message();
    const auto& imports = parsed.config.dynamic.imports;
    ASSERT_THAT(imports, SizeIs(2));
    EXPECT_EQ(imports[0].peer, "office");
    EXPECT_EQ(imports[0].prefix, "office");
    EXPECT_EQ(imports[0].scope, "office:use");
    EXPECT_EQ(imports[0].hops, 2U);
    EXPECT_EQ(imports[1].hops, 0U);
    for (const std::string_view wanted : {"files/read", "peers/list", "a/b"}) {
        EXPECT_TRUE(imports[0].wants(wanted)) << wanted;
    }
    for (const std::string_view other : {"file/read", "files", "a/c", "b/b", ""}) {
        EXPECT_FALSE(imports[0].wants(other)) << other;
    }
    EXPECT_TRUE(imports[1].wants("whatever/there-is"));
    const Config other = parse_text(import_of("office")).config;
    EXPECT_EQ(parsed.config.fixed, other.fixed) << "a reload follows them";
    EXPECT_NE(imports, other.dynamic.imports);
}

TEST(ConfigImports, HaveAPeerAndAPrefix) {
    EXPECT_THAT(reasons("[[call.import]]\n"),
                ElementsAre("needs the key 'prefix'", "needs the key 'peer' or 'peers'"));
    for (const std::string& prefix : {std::string("a/b"), std::string(), std::string(33, 'a')}) {
        EXPECT_THAT(reasons(import_of(prefix)), ElementsAre(HasSubstr("at most 32 letters")));
    }
    EXPECT_THAT(reasons("[call]\nimport = 7\n"), SizeIs(1));
    EXPECT_THAT(reasons("[call]\nimport = [7]\n"), SizeIs(1));
    EXPECT_THAT(reasons("[call]\nother = 7\n"), SizeIs(1));
}

TEST(ConfigImports, AreOfOnePeerOrOfSeveral) {
    const std::string prefix = "[[call.import]]\nprefix = 'any'\n";
    const Parsed several = parse_text(prefix + "peers = ['lab', 'office']\n");
    ASSERT_THAT(several.problems, IsEmpty()) << as_error(several.problems).message();
    EXPECT_THAT(several.config.dynamic.imports[0].from(), ElementsAre("lab", "office"));
    EXPECT_THAT(parse_text(import_of("x")).config.dynamic.imports[0].from(), ElementsAre("office"));
    EXPECT_THAT(parse_text(prefix + "peer = 'a'\npeers = ['b']\n").config.dynamic.imports[0].from(),
                ElementsAre("a", "b"));
    EXPECT_THAT(reasons(prefix + "peer = 'a'\npeers = ['a']\n"), ElementsAre(HasSubstr("twice")));
    EXPECT_THAT(reasons(prefix + "peers = ['a', 'b', 'a']\n"), ElementsAre(HasSubstr("twice")));
    EXPECT_THAT(reasons(prefix + "peers = []\n"), ElementsAre(HasSubstr("at least one")));
    std::string many = "peers = [";
    for (std::size_t i = 0; i <= kImportPeersMax; ++i) {
        many += "'p" + std::to_string(i) + "', ";
    }
    EXPECT_THAT(reasons(prefix + many + "]\n"), SizeIs(1));
}

TEST(ConfigImports, NameOperationsAsTheyAreCalled) {
    for (const std::string_view wrong : {"files", "/read", "files/", "a/b/c", "a b/c", "**/c"}) {
        EXPECT_THAT(reasons(import_of("x") + "operations = ['" + std::string(wrong) + "']\n"),
                    ElementsAre(HasSubstr("SERVICE/NAME")))
            << wrong;
    }
    EXPECT_THAT(reasons(import_of("x") + "operations = [7]\nprefix = 8\n"), SizeIs(1));
    EXPECT_THAT(reasons(import_of("x") + "operations = [7]\n"), SizeIs(1));
}

TEST(ConfigImports, DoNotMixWithOneAnotherOrWithPrograms) {
    const std::string program =
        "[[exec]]\nname = 'far-off'\ncommand = ['/x']\noperations = true\nas_node = true\n";
    EXPECT_THAT(reasons(import_of("far") + import_of("far")),
                ElementsAre(HasSubstr("could be the same")));
    EXPECT_THAT(reasons(import_of("far") + import_of("far-away")),
                ElementsAre(HasSubstr("could be the same")));
    EXPECT_THAT(reasons(import_of("far") + import_of("farther")), IsEmpty());
    EXPECT_THAT(reasons(program + import_of("far")), ElementsAre(HasSubstr("could be the same")));
    EXPECT_THAT(reasons(program + import_of("near")), IsEmpty());
}

}  // namespace
}  // namespace alknet::config
