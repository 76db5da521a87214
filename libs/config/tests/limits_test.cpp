// Every limit of the configuration, reached.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/config/config.hpp>

#include "nesting.hpp"

namespace alknet::config {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string repeat(std::size_t count, std::string_view text) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) {
        all += text;
    }
    return all;
}

std::string numbered(std::size_t count, std::string_view before, std::string_view after) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) {
        all.append(before).append(std::to_string(i)).append(after);
    }
    return all;
}

std::vector<Problem> problems(std::string_view text) {
    return parse(text, {}).problems;
}

std::string first_reason(std::string_view text) {
    const auto all = problems(text);
    return all.empty() ? std::string() : all[0].reason;
}

TEST(ConfigLimits, OctetsOfAFile) {
    EXPECT_THAT(problems(std::string(kFileBytesMax, '\n')), IsEmpty());
    const auto all = problems(std::string(kFileBytesMax + 1, '\n'));
    ASSERT_THAT(all, SizeIs(1));
    EXPECT_EQ(all[0].text(), "alknet.toml: has 1048577 octets, and at most 1048576 are allowed");
}

TEST(ConfigLimits, ProblemsReportedAtOnce) {
    EXPECT_THAT(problems(numbered(kProblemsMax, "a", " = 1\n")), SizeIs(kProblemsMax));
    EXPECT_THAT(problems(numbered(kProblemsMax + 1, "a", " = 1\n")), SizeIs(kProblemsMax));
}

TEST(ConfigLimits, ProblemsReportedAtOnceAreThoseBetweenTablesToo) {
    EXPECT_THAT(problems("[[forwarding.rules]]\ntarget = '*:*'\nroles = [" +
                         numbered(kProblemsMax + 1, "'none", "', ") + "]"),
                SizeIs(kProblemsMax));
}

TEST(ConfigLimits, OctetsOfAValue) {
    const auto with = [](std::size_t size) {
        return "node.key = '" + std::string(size, 'a') + "'";
    };
    EXPECT_THAT(problems(with(kTextBytesMax)), IsEmpty());
    EXPECT_THAT(first_reason(with(kTextBytesMax + 1)), HasSubstr("at most 4096 are allowed"));
}

TEST(ConfigLimits, Sites) {
    const auto with = [](std::size_t count) {
        return numbered(count, "[[http.site]]\nroot = '/srv'\nnames = ['s", "']\n");
    };
    EXPECT_THAT(problems(with(kSitesMax)), IsEmpty());
    EXPECT_THAT(first_reason(with(kSitesMax + 1)), HasSubstr("at most 256 are allowed"));
}

TEST(ConfigLimits, NamesOfASite) {
    const auto with = [](std::size_t count) {
        return "[[http.site]]\nroot = '/srv'\nnames = [" + numbered(count, "'s", "', ") + "]";
    };
    EXPECT_THAT(problems(with(kSiteNamesMax)), IsEmpty());
    EXPECT_THAT(first_reason(with(kSiteNamesMax + 1)), HasSubstr("at most 64 are allowed"));
}

TEST(ConfigLimits, RoutesOfASite) {
    const auto with = [](std::size_t count) {
        return "[[http.site]]\n" +
               numbered(count, "[[http.site.route]]\nproxy = 'http://a'\npath = '/r", "'\n");
    };
    EXPECT_THAT(problems(with(kRoutesMax)), IsEmpty());
    EXPECT_THAT(first_reason(with(kRoutesMax + 1)), HasSubstr("at most 64 are allowed"));
}

TEST(ConfigLimits, Listeners) {
    const auto with = [](std::size_t count) {
        return numbered(count, "[[listener]]\naddresses = ['127.0.0.1:0']\nname = 'l", "'\n");
    };
    EXPECT_THAT(problems(with(kListenersMax)), IsEmpty());
    EXPECT_THAT(first_reason(with(kListenersMax + 1)), HasSubstr("at most 64 are allowed"));
}

TEST(ConfigLimits, AddressesOfAListener) {
    const auto with = [](std::size_t count) {
        return "[[listener]]\nname = 'a'\naddresses = [" + numbered(count, "'127.0.0.1:1", "', ") +
               "]";
    };
    EXPECT_THAT(problems(with(kAddressesMax)), IsEmpty());
    EXPECT_THAT(first_reason(with(kAddressesMax + 1)), HasSubstr("at most 16 are allowed"));
}

TEST(ConfigLimits, Assertions) {
    const auto with = [](std::size_t count) {
        return numbered(count, "[[access.assert]]\ndo = 'a:b'\npeer = 'p", "'\n");
    };
    EXPECT_THAT(problems(with(identity::kAssertionsMax)), IsEmpty());
    EXPECT_THAT(first_reason(with(identity::kAssertionsMax + 1)),
                HasSubstr("at most 1024 are allowed"));
}

TEST(ConfigLimits, ForwardingRules) {
    const auto with = [](std::size_t count) {
        return numbered(count, "[[forwarding.rules]]\ntarget = 'host", ".example'\n");
    };
    EXPECT_THAT(problems(with(identity::kForwardRulesMax)), IsEmpty());
    EXPECT_THAT(first_reason(with(identity::kForwardRulesMax + 1)),
                HasSubstr("at most 1024 are allowed"));
}

TEST(ConfigLimits, PeersOfAForwardingRule) {
    const auto with = [](std::size_t count) {
        return "[[forwarding.rules]]\ntarget = '*'\npeers = [" + numbered(count, "'p", "', ") + "]";
    };
    EXPECT_THAT(problems(with(kRulePeersMax)), IsEmpty());
    EXPECT_THAT(first_reason(with(kRulePeersMax + 1)), HasSubstr("at most 256 are allowed"));
}

TEST(ConfigLimits, Peers) {
    const auto with = [](std::size_t count) {
        return numbered(count, "[[peer]]\nkeys = []\nname = 'p", "'\n");
    };
    EXPECT_THAT(problems(with(kPeersMax)), IsEmpty());
    EXPECT_THAT(first_reason(with(kPeersMax + 1)), HasSubstr("at most 10000 are allowed"));
}

TEST(ConfigLimits, KeysOfAPeer) {
    const auto with = [](std::size_t count) {
        std::string text = "[[peer]]\nname = 'a'\nkeys = [";
        for (std::size_t i = 0; i < count; ++i) {
            std::string digest = std::to_string(i);
            digest.insert(0, 64 - digest.size(), '0');
            text.append("'x509-sha256:").append(digest).append("', ");
        }
        return text + "]";
    };
    EXPECT_THAT(problems(with(kKeysMax)), IsEmpty());
    EXPECT_THAT(first_reason(with(kKeysMax + 1)), HasSubstr("at most 16 are allowed"));
}

TEST(ConfigLimits, ScopesOfAPeer) {
    const auto with = [](std::size_t count) {
        return "[[peer]]\nname = 'a'\nkeys = []\nscopes = [" + numbered(count, "'a:b:", "', ") +
               "]";
    };
    EXPECT_THAT(problems(with(kScopesMax)), IsEmpty());
    EXPECT_THAT(first_reason(with(kScopesMax + 1)), HasSubstr("at most 64 are allowed"));
}

TEST(ConfigLimits, Roles) {
    const auto with = [](std::size_t count) {
        std::string text;
        for (std::size_t i = 0; i < count; ++i) {
            text.append("[[role]]\nname = 'r").append(std::to_string(i)).append("'\nscopes = []\n");
        }
        return text;
    };
    EXPECT_THAT(problems(with(kRolesMax)), IsEmpty());
    EXPECT_THAT(first_reason(with(kRolesMax + 1)), HasSubstr("at most 256 are allowed"));
}

TEST(ConfigLimits, Services) {
    const auto with = [](std::size_t count) { return numbered(count, "[alpn.s", "]\n"); };
    EXPECT_THAT(problems(with(kAlpnsMax)), IsEmpty());
    EXPECT_THAT(first_reason(with(kAlpnsMax + 1)), HasSubstr("more than 256 services"));
}

TEST(ConfigLimits, Certificates) {
    const auto with = [](std::size_t count) {
        return "tls.certificates = [" + numbered(count, "{ key = 'k', chain = 'c", "' }, ") + "]";
    };
    EXPECT_THAT(problems(with(kCertificatesMax)), IsEmpty());
    EXPECT_THAT(first_reason(with(kCertificatesMax + 1)), HasSubstr("at most 64 are allowed"));
}

TEST(ConfigLimits, DotsOnALine) {
    EXPECT_THAT(first_reason("# comment\n" + repeat(kDotsMax, "a.") + "b = 1"),
                HasSubstr("not known"));
    const auto all = problems("# comment\n" + repeat(kDotsMax + 1, "a.") + "b = 1");
    ASSERT_THAT(all, SizeIs(1));
    EXPECT_EQ(all[0].text(), "alknet.toml:2:1: has more than 32 dots");
    // A million levels overflow the stack of the TOML library.
    EXPECT_THAT(first_reason(repeat(kFileBytesMax / 2 - 8, "a.") + "b = 1"),
                HasSubstr("more than 32 dots"));
}

TEST(ConfigLimits, DotsInTextAndCommentsAreFree) {
    const std::string dots(100, '.');
    EXPECT_EQ(find_deep_line("a = \"" + dots + "\\\"" + dots + "\""), 0U);
    EXPECT_EQ(find_deep_line("a = '" + dots + "\\' # " + dots), 0U);
    EXPECT_EQ(find_deep_line("a = \"\"\"\n" + dots + "\"" + dots + "\n\"\"\" # " + dots), 0U);
    EXPECT_EQ(find_deep_line("a = ''' " + dots + "\n" + dots + "'''\n"), 0U);
    EXPECT_EQ(find_deep_line("a = '''" + dots), 0U);
    EXPECT_EQ(find_deep_line("a = 'unfinished\n\n" + dots), 3U);
    EXPECT_EQ(find_deep_line("a = ''\n" + dots), 2U);
    EXPECT_EQ(find_deep_line("a = \"\\"), 0U);
}

TEST(ConfigLimits, NestedArraysEndInAProblem) {
    EXPECT_THAT(problems("a = " + std::string(100'000, '[')), SizeIs(1));
}

TEST(NearestName, FindsSlipsAndNothingElse) {
    const std::vector<std::string_view> names = {"limits", "listener", "log"};
    EXPECT_EQ(nearest_name("limit", names), "limits");
    EXPECT_EQ(nearest_name("lsitener", names), "listener");
    EXPECT_EQ(nearest_name("lg", names), "log");
    EXPECT_EQ(nearest_name("lgo", names), "log");
    EXPECT_EQ(nearest_name("peers", names), "");
    EXPECT_EQ(nearest_name(std::string(1000, 'l'), names), "");
    EXPECT_EQ(nearest_name("x", {}), "");
}

}  // namespace
}  // namespace alknet::config
