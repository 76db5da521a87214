#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/config/config.hpp>
#include <string>
#include <utility>
#include <vector>

namespace alknet::config {
namespace {

TEST(ServiceNames, ThatAreNearlyOneAreTypingErrors) {
    const auto reasons = [](std::string_view text, std::vector<std::string> services) {
        std::vector<std::string> all;
        for (const Problem& problem :
             parse(text, {.file = "f", .base = "/", .services = std::move(services)}).problems) {
            all.push_back(problem.text());
        }
        return all;
    };
    const std::string text =
        "[alpn.'a/ehco']\n[alpn.zzzzzz]\n"
        "[[listener]]\nname = 'm'\naddresses = ['127.0.0.1:1']\nalpns = ['a/echo', 'a/cal']\n";
    EXPECT_THAT(reasons(text, {"a/echo", "a/call"}),
                testing::UnorderedElementsAre(
                    "f:1:7: alpn.\"a/ehco\": there is no service 'a/ehco'; did you mean 'a/echo'?",
                    "f:6:20: listener.alpns: there is no service 'a/cal'; did you mean 'a/call'?"));
    EXPECT_THAT(reasons(text, {}), testing::IsEmpty());
    // One that the file itself declares is no typing error.
    EXPECT_THAT(reasons("[alpn.'a/ehco']\n[[exec]]\nalpn = 'a/ehco'\n", {"a/echo"}),
                testing::Not(testing::Contains(testing::HasSubstr("did you mean 'a/echo'"))));
}

}  // namespace
}  // namespace alknet::config
