#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/testing/co_test.hpp>

namespace alknet::call {
namespace {

task<result<Json>> give(Json value) {
    co_return value;
}

Operation operation(std::string name, std::string_view scope) {
    Operation made;
    made.name = std::move(name);
    if (!scope.empty()) {
        made.scope = identity::Scope::parse_exact(scope).value();
    }
    made.about = "for tests";
    made.run = [name = made.name](CallContext, Json) { return give(name); };
    return made;
}

Identity caller(std::vector<std::string> scopes) {
    Identity made;
    made.id = "peer-1";
    made.scopes = std::move(scopes);
    return made;
}

ALKNET_CO_TEST(CallOperations, AreListedForWhoeverMayCallThem) {
    OperationRegistry registry;
    ALKNET_CO_ASSERT_OK(registry.add(operation("a/open", "")));
    ALKNET_CO_ASSERT_OK(registry.add(operation("a/read", "a:read")));
    ALKNET_CO_ASSERT_OK(registry.add(operation("b/read", "b:read")));
    Operation hidden = operation("a/hidden", "a:read");
    hidden.visibility = Operation::Visibility::internal;
    ALKNET_CO_ASSERT_OK(registry.add(hidden));
    const std::vector<std::string> all{"services/list", "a/open", "a/read", "b/read", "a/hidden"};
    const std::vector<std::optional<Identity>> callers{
        std::nullopt, caller({}), caller({"a:read"}), caller({"a:*", "b:read"}), caller({"*:*:*"})};
    const std::vector<std::size_t> callable{2, 2, 3, 4, 4};
    for (std::size_t i = 0; i < callers.size(); ++i) {
        std::size_t count = 0;
        const auto listed = co_await registry.call("services/list", {.identity = callers[i]}, {});
        ALKNET_CO_ASSERT_OK(listed);
        const Json::Array& names = *listed->find("operations")->as_array();
        for (const std::string& name : all) {
            const auto outcome = co_await registry.call(name, {.identity = callers[i]}, {});
            const bool shown = std::ranges::any_of(
                names, [&](const Json& one) { return one.text_of("name") == "/" + name; });
            EXPECT_EQ(outcome.has_value(), shown) << name << " " << i;
            count += outcome.has_value() ? 1 : 0;
        }
        EXPECT_EQ(count, callable[i]);
        EXPECT_EQ(names.size(), callable[i]);
    }
}

ALKNET_CO_TEST(CallOperations, SayWhyNot) {
    OperationRegistry registry;
    ALKNET_CO_ASSERT_OK(registry.add(operation("a/read", "a:read")));
    Operation hidden = operation("a/hidden", "a:read");
    hidden.visibility = Operation::Visibility::internal;
    ALKNET_CO_ASSERT_OK(registry.add(hidden));
    const CallContext known{.identity = caller({"b:read"})};
    const auto why = [&](std::string name, const CallContext& context) -> const Cause* {
        const auto found = registry.find(name, context.identity);
        return found ? nullptr : &found.error().cause();
    };
    EXPECT_EQ(why("a/read", known), &causes::kScopeMissing);
    EXPECT_EQ(why("a/read", {}), &causes::kAuthRequired);
    EXPECT_EQ(why("a/none", known), &causes::kNoHandler);
    // An internal one is no different from none, also for whoever may do everything.
    EXPECT_EQ(why("a/hidden", {.identity = caller({"*:*:*"})}), &causes::kNoHandler);
    EXPECT_EQ((co_await registry.call_internal("a/hidden", {}, {})).value(), Json("a/hidden"));
    EXPECT_FALSE(co_await registry.call_internal("a/none", {}, {}));
    EXPECT_FALSE(co_await registry.call("services/list", {}, Json::object({{"stray", 1}})));
}

TEST(CallOperations, HaveOneNameEach) {
    OperationRegistry registry;
    EXPECT_TRUE(registry.add(operation("a/b", "")));
    EXPECT_TRUE(registry.add(operation("a/b", "")).error().is(causes::kConfigInvalid));
    EXPECT_TRUE(registry.add(operation("services/list", "")).error().is(causes::kConfigInvalid));
    for (const std::string name : {"", "a", "/a/b", "a/b/c", "a/", "/b", "a b/c", "a/b\n"}) {
        EXPECT_FALSE(registry.add(operation(name, ""))) << name;
    }
}

TEST(CallOperations, AreAtMost4096) {
    OperationRegistry registry;
    for (std::size_t i = 1; i < OperationRegistry::kOperationsMax; ++i) {
        ASSERT_TRUE(registry.add(operation("a/" + std::to_string(i), "")));
    }
    EXPECT_TRUE(registry.add(operation("a/more", "")).error().is(causes::kLimit));
}

}  // namespace
}  // namespace alknet::call
