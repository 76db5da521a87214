#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/call/failure.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/call/typed_operation.hpp>
#include <alknet/testing/co_test.hpp>
#include <random>

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

Json input_for(std::string_view name) {
    return name == "services/schema" ? Json::object({{"name", "/services/list"}}) : Json();
}

ALKNET_CO_TEST(CallOperations, AreListedForWhoeverMayCallThem) {
    OperationRegistry registry;
    ALKNET_CO_ASSERT_OK(registry.add(operation("a/open", "")));
    ALKNET_CO_ASSERT_OK(registry.add(operation("a/read", "a:read")));
    ALKNET_CO_ASSERT_OK(registry.add(operation("b/read", "b:read")));
    Operation hidden = operation("a/hidden", "a:read");
    hidden.visibility = Operation::Visibility::internal;
    ALKNET_CO_ASSERT_OK(registry.add(hidden));
    const std::vector<std::string> all{"services/list", "services/schema", "a/open",
                                       "a/read",        "b/read",          "a/hidden"};
    const std::vector<std::optional<Identity>> callers{
        std::nullopt, caller({}), caller({"a:read"}), caller({"a:*", "b:read"}), caller({"*:*:*"})};
    const std::vector<std::size_t> callable{3, 3, 4, 5, 5};
    for (std::size_t i = 0; i < callers.size(); ++i) {
        std::size_t count = 0;
        const auto listed = co_await registry.call("services/list", {.identity = callers[i]}, {});
        ALKNET_CO_ASSERT_OK(listed);
        const Json::Array& names = *listed->find("operations")->as_array();
        for (const std::string& name : all) {
            const auto outcome =
                co_await registry.call(name, {.identity = callers[i]}, input_for(name));
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
    EXPECT_EQ(why("a/none", known), &causes::kNoOperation);
    Operation of_the_known = operation("a/known", "");
    of_the_known.known_only = true;
    ALKNET_CO_ASSERT_OK(registry.add(of_the_known));
    EXPECT_EQ(why("a/known", known), nullptr);
    EXPECT_EQ(why("a/known", {}), &causes::kAuthRequired);
    // An internal one is no different from none, also for whoever may do everything.
    EXPECT_EQ(why("a/hidden", {.identity = caller({"*:*:*"})}), &causes::kNoOperation);
    // A stranger cannot tell one from the other.
    EXPECT_EQ(why("a/none", {}), &causes::kAuthRequired);
    EXPECT_EQ(why("a/hidden", {}), &causes::kAuthRequired);
    EXPECT_EQ((co_await registry.call_internal("a/hidden", {}, {})).value(), Json("a/hidden"));
    EXPECT_FALSE(co_await registry.call_internal("a/none", {}, {}));
    EXPECT_FALSE(co_await registry.call("services/list", {}, Json::object({{"stray", 1}})));
}

ALKNET_CO_TEST(CallOperations, AnswerWhoseTermHasEndedForARenewalAlone) {
    OperationRegistry registry;
    ALKNET_CO_ASSERT_OK(registry.add(operation("a/open", "")));
    ALKNET_CO_ASSERT_OK(registry.add(operation("a/read", "a:read")));
    ALKNET_CO_ASSERT_OK(registry.add(operation("peer/renew", kRenewScope)));
    Operation of_the_known = operation("a/known", "");
    of_the_known.known_only = true;
    ALKNET_CO_ASSERT_OK(registry.add(of_the_known));
    Identity late = caller({"a:read", std::string(kRenewScope)});
    late.renewal_only = true;
    for (const char* name : {"a/open", "a/read", "a/known", "services/list", "services/schema"}) {
        const auto answer = co_await registry.call(name, {.identity = late}, input_for(name));
        ALKNET_CO_ASSERT(!answer);
        EXPECT_TRUE(answer.error().is(causes::kForbidden)) << name;
    }
    EXPECT_TRUE(co_await registry.call("peer/renew", {.identity = late}, {}));
    late.scopes = {"a:read"};
    const auto answer = co_await registry.call("peer/renew", {.identity = late}, {});
    EXPECT_TRUE(!answer && answer.error().is(causes::kScopeMissing));
}

// For random scopes, of operations and of callers.
ALKNET_CO_TEST(CallOperations, AreListedExactlyWhenTheyCanBeCalled) {
    std::mt19937 random(20261123);
    const auto word = [&] { return std::string(1, static_cast<char>('a' + random() % 3)); };
    const auto scope = [&](bool exact) {
        std::string text = word() + ":" + word();
        if (random() % 2 == 0) {
            text += ":" + word();
        }
        if (!exact && random() % 3 == 0) {
            text.replace(text.rfind(':') + 1, 1, "*");
        }
        return text;
    };
    for (int round = 0; round < 200; ++round) {
        OperationRegistry registry;
        std::vector<std::string> all;
        for (int i = 0; i < 12; ++i) {
            Operation made =
                operation("s/o" + std::to_string(i), random() % 4 == 0 ? "" : scope(true));
            if (random() % 4 == 0) {
                made.visibility = Operation::Visibility::internal;
            }
            all.push_back(made.name);
            ALKNET_CO_ASSERT_OK(registry.add(std::move(made)));
        }
        CallContext context;
        if (round % 5 != 0) {
            context.identity = caller({scope(false), scope(false)});
        }
        const auto listed = co_await registry.call("services/list", context, {});
        ALKNET_CO_ASSERT_OK(listed);
        const Json::Array& names = *listed->find("operations")->as_array();
        for (const std::string& name : all) {
            const bool shown = std::ranges::any_of(
                names, [&](const Json& one) { return one.text_of("name") == "/" + name; });
            const auto called = co_await registry.call(name, context, {});
            const auto schema = co_await registry.call("services/schema", context,
                                                       Json::object({{"name", "/" + name}}));
            EXPECT_EQ(called.has_value(), shown) << name;
            EXPECT_EQ(schema.has_value(), shown) << name;
            if (!called) {
                EXPECT_EQ(called.error().message(), schema.error().message());
            }
        }
    }
}

struct Sample {
    std::string text;
    List<std::string, 2> texts{};
    std::optional<std::uint8_t> number{};
    bool flag = false;
    static constexpr std::array<std::string_view, 4> kAbout = {"a word", "", "", ""};
};
struct Nothing {};

task<result<Nothing>> take_sample(CallContext /*context*/, Sample /*sample*/) {
    co_return Nothing();
}

ALKNET_CO_TEST(CallOperations, SayWhatTheyTakeAndRefuseTheRest) {
    OperationRegistry registry;
    Operation made = operation("a/b", "");
    set_function<Sample, Nothing>(made, take_sample);
    ALKNET_CO_ASSERT_OK(registry.add(std::move(made)));
    ALKNET_CO_ASSERT_OK(registry.add(operation("a/any", "")));
    const auto schema =
        co_await registry.call("services/schema", {}, Json::object({{"name", "a/b"}}));
    ALKNET_CO_ASSERT_OK(schema);
    EXPECT_EQ(schema->find("input")->text(),
              R"({"type":"object","properties":{"text":{"type":"string","description":"a word"},)"
              R"("texts":{"type":["array","null"],"items":{"type":"string"},"maxItems":2},)"
              R"("number":{"type":["integer","null"],"minimum":0,"maximum":255},)"
              R"("flag":{"type":["boolean","null"]}},)"
              R"("required":["text"],"additionalProperties":false})");
    EXPECT_EQ(schema->find("output")->text(), R"({"type":"object","properties":{}})");
    const auto any =
        co_await registry.call("services/schema", {}, Json::object({{"name", "a/any"}}));
    EXPECT_EQ(any->find("input")->text(), "true");
    EXPECT_TRUE(co_await registry.call("a/any", {}, "whatever"));
    const std::vector<std::pair<std::string, std::string>> cases{
        {R"({"text":"a"})", ""},
        {R"({"text":"a","texts":["b"],"number":0,"flag":false})", ""},
        {R"({"text":"a","texts":null,"number":null})", ""},
        {R"({})", "the input must have a member 'text'"},
        {R"(null)", "the input must have a member 'text'"},
        {R"({"text":null})", "/text: must be a text"},
        {R"({"text":7})", "/text: must be a text"},
        {R"({"text":"a","texts":[7]})", "/texts/0: must be a text"},
        {R"({"text":"a","texts":["b","c","d"]})", "/texts: must have at most 2 elements"},
        {R"({"text":"a","texts":"b"})", "/texts: must be a list"},
        {R"({"text":"a","number":-1})", "/number: must be at least 0"},
        {R"({"text":"a","number":1.5})", "/number: must be a whole number"},
        {R"({"text":"a","flag":"yes"})", "/flag: must be true or false"},
        {R"({"text":"a","stray":1})", "/stray: must not be there"},
        {R"([])", "the input must be an object"},
    };
    for (const auto& [input, why] : cases) {
        const auto called = co_await registry.call("a/b", {}, parse_json(input).value());
        EXPECT_EQ(called ? "" : called.error().detail(), why) << input;
    }
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
    for (std::size_t i = 2; i < OperationRegistry::kOperationsMax; ++i) {
        ASSERT_TRUE(registry.add(operation("a/" + std::to_string(i), "")));
    }
    EXPECT_TRUE(registry.add(operation("a/more", "")).error().is(causes::kLimit));
}

ALKNET_CO_TEST(CallOperations, MayTakeTheResourceOfTheirScopeFromTheInput) {
    OperationRegistry registry;
    Operation read = operation("git/read", "git:read");
    read.resource_at = "/repo/name";
    ALKNET_CO_ASSERT_OK(registry.add(read));
    for (const std::string_view wrong : {"", "git:read:website"}) {
        Operation other = operation("git/other", wrong);
        other.resource_at = "/repo";
        EXPECT_FALSE(registry.add(other)) << "there is nothing to add a resource to";
    }
    const auto ask = [&](std::vector<std::string> scopes, std::string_view repo) {
        Json input = Json::object({{"repo", Json::object({{"name", repo}})}});
        return registry.call("git/read", {.identity = caller(std::move(scopes))}, input);
    };
    EXPECT_TRUE(co_await ask({"git:read:website"}, "website"));
    EXPECT_TRUE(co_await ask({"git:read:*"}, "website"));
    EXPECT_TRUE(co_await ask({"git:read:team/*"}, "team/website"));
    const auto other = co_await ask({"git:read:website", "git:write:secret"}, "secret");
    ALKNET_CO_ASSERT(!other);
    EXPECT_TRUE(other.error().is(causes::kScopeMissing));
    EXPECT_EQ(other.error().detail(), "git:read:secret");
    for (const std::string_view odd : {"", "*", "team/*", "team/../secret", "a b"}) {
        EXPECT_FALSE(co_await ask({"git:read:website", "git:read:team/*"}, odd)) << odd;
    }
    const auto none =
        co_await registry.call("git/read", {.identity = caller({"git:read:website"})}, Json());
    ALKNET_CO_ASSERT(!none);
    EXPECT_TRUE(none.error().is(causes::kUsage));
    // Whoever has it for nothing at all is not told of it.
    const auto missing = registry.find("git/read", caller({"git:read", "git:write:*"}));
    ALKNET_CO_ASSERT(!missing);
    EXPECT_EQ(missing.error().detail(), "git:read:*");
    EXPECT_EQ(registry.visible_to(caller({"git:read"})).size(), 2U);
    EXPECT_EQ(registry.visible_to(caller({"git:read:website"})).size(), 3U);
    EXPECT_TRUE(co_await registry.call_internal("git/read", {}, Json()));
}

class NoItems final : public ItemSink {
public:
    task<result<void>> give(Item /*item*/) override { co_return result<void>(); }
};

task<result<void>> give_nothing() {
    co_return result<void>();
}

ALKNET_CO_TEST(CallOperations, TakeTheResourceOfSubscriptionsAndComposedCallsToo) {
    OperationRegistry registry;
    Operation watch = operation("git/watch", "git:read");
    watch.kind = Operation::Kind::subscription;
    watch.resource_at = "/repo";
    watch.subscribe = [](CallContext, Json, ItemSink&) { return give_nothing(); };
    ALKNET_CO_ASSERT_OK(registry.add(watch));
    Operation read = operation("git/read", "git:read");
    read.resource_at = "/repo";
    ALKNET_CO_ASSERT_OK(registry.add(read));
    const CallContext context{.identity = caller({"git:read:website"})};
    for (const std::string_view repo : {"website", "secret"}) {
        const Json input = Json::object({{"repo", repo}});
        const bool may = repo == "website";
        NoItems items;
        const auto watched = co_await registry.subscribe("git/watch", context, input, items);
        EXPECT_EQ(watched.has_value(), may);
        const auto composed = co_await registry.call_composed("git/read", context, input);
        EXPECT_EQ(composed.has_value(), may);
    }
}

ALKNET_CO_TEST(CallOperations, DescribeTheirErrors) {
    OperationRegistry registry;
    Operation one = operation("a/one", "");
    one.errors = {&causes::kUnknownPeer};
    ALKNET_CO_ASSERT_OK(registry.add(one));
    const auto shown =
        co_await registry.call("services/schema", {}, Json::object({{"name", "/a/one"}}));
    ALKNET_CO_ASSERT_OK(shown);
    const Json& error = shown->find("errors")->as_array()->front();
    EXPECT_EQ(error.text_of("cause"), causes::kUnknownPeer.id);
    const auto schema = Schema::compile(*error.find("details"));
    ALKNET_CO_ASSERT_OK(schema);
    EXPECT_FALSE(schema->check(to_failed(fail(causes::kUnknownPeer, "bob").error()).details));
    EXPECT_TRUE(schema->check(to_failed(fail(causes::kUsage, "bob").error()).details));
}

}  // namespace
}  // namespace alknet::call
