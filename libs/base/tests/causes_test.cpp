#include <gtest/gtest.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <cctype>
#include <set>
#include <string>

namespace alknet {
namespace {

bool is_id(std::string_view id) {
    const auto good = [](unsigned char c) {
        return std::isupper(c) || std::isdigit(c) || c == '-';
    };
    return id.starts_with("E-") && id.size() > 3 && !id.ends_with('-') &&
           id.find("--") == std::string_view::npos && std::ranges::all_of(id, good);
}

TEST(Causes, IdsAreUniqueAndWellFormed) {
    std::set<std::string_view> ids;
    for (const Cause* cause : all_causes()) {
        EXPECT_TRUE(ids.insert(cause->id).second) << cause->id;
        EXPECT_TRUE(is_id(cause->id)) << cause->id;
    }
}

TEST(Causes, EveryEntryIsComplete) {
    for (const Cause* cause : all_causes()) {
        EXPECT_GE(cause->what.size(), 10U) << cause->id;
        EXPECT_GE(cause->next.size(), 10U) << cause->id;
        EXPECT_GE(cause->explain.size(), 30U) << cause->id;
        EXPECT_FALSE(cause->what.ends_with('.')) << cause->id;
        EXPECT_FALSE(cause->next.ends_with('.')) << cause->id;
        EXPECT_TRUE(cause->explain.ends_with('.')) << cause->id;
        EXPECT_NE(to_string(cause->condition), "unknown") << cause->id;
        for (const std::string_view text : {cause->what, cause->next, cause->explain}) {
            EXPECT_EQ(text.find('\n'), std::string_view::npos) << cause->id;
            EXPECT_EQ(text.find("  "), std::string_view::npos) << cause->id;
        }
    }
}

TEST(Causes, AreFoundByTheirIdInAnyLetterCase) {
    for (const Cause* cause : all_causes()) {
        std::string lower(cause->id);
        std::ranges::transform(lower, lower.begin(),
                               [](unsigned char c) { return std::tolower(c); });
        EXPECT_EQ(find_cause(cause->id), cause);
        EXPECT_EQ(find_cause(lower), cause);
    }
    EXPECT_EQ(find_cause("E-NO-SUCH-CAUSE"), nullptr);
    EXPECT_EQ(find_cause(""), nullptr);
}

TEST(Error, SaysWhatWhereAndTheNextStep) {
    error failure(causes::kAddressInUse, "bind 0.0.0.0:443");
    failure = std::move(failure).within("listener web");
    EXPECT_EQ(failure.message(),
              "the address is already in use: listener web: bind 0.0.0.0:443 (stop the other "
              "program or choose another port: --listen HOST:PORT)");
    EXPECT_EQ(error(causes::kClosed).within("stream 4").detail(), "stream 4");
    EXPECT_TRUE(failure.is(errc::exists));
    EXPECT_TRUE(failure.is(causes::kAddressInUse));
    EXPECT_FALSE(failure.is(causes::kIo));
    EXPECT_EQ(error(causes::kReset, "", 42).code(), 42U);
}

result<int> positive(int value) {
    if (value < 0) {
        return fail(causes::kUsage, "negative");
    }
    return value;
}

result<int> sum(int a, int b) {
    ALKNET_TRY(const int first, positive(a));
    ALKNET_TRY(const int second, positive(b));
    ALKNET_CHECK(positive(first + second - 100));
    return first + second;
}

TEST(Result, TheMacrosHandErrorsOn) {
    EXPECT_EQ(sum(60, 40), 100);
    EXPECT_FALSE(sum(-1, 200));
    EXPECT_FALSE(sum(200, -1));
    EXPECT_FALSE(sum(1, 2));
}

}  // namespace
}  // namespace alknet
