#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/core/registry.hpp>

namespace alknet {
namespace {

class Named final : public ProtocolHandler {
public:
    explicit Named(std::vector<std::string> names) : names_(std::move(names)) {}
    [[nodiscard]] std::vector<std::string> alpns() const override { return names_; }
    task<result<void>> handle(std::shared_ptr<Connection>, AuthContext) override {
        co_return result<void>{};
    }

private:
    std::vector<std::string> names_;
};

std::shared_ptr<ProtocolHandler> named(std::vector<std::string> names) {
    return std::make_shared<Named>(std::move(names));
}

TEST(HandlerRegistry, ServesEveryNameOfAHandlerInOrder) {
    HandlerRegistry registry;
    const auto web = named({"h2", "http/1.1"});
    const auto echo = named({"alknet/echo"});
    ASSERT_TRUE(registry.add(web, {.identity_required = false, .quic = false}));
    ASSERT_TRUE(registry.add(echo, {.identity_required = true}));
    EXPECT_EQ(registry.alpns(), (std::vector<std::string>{"h2", "http/1.1", "alknet/echo"}));
    EXPECT_EQ(registry.find("http/1.1")->handler, web);
    EXPECT_FALSE(registry.find("http/1.1")->policy.quic);
    EXPECT_TRUE(registry.find("alknet/echo")->policy.identity_required);
    EXPECT_EQ(registry.find("h3"), nullptr);
    EXPECT_EQ(registry.handlers(), (std::vector{web, echo}));
}

TEST(HandlerRegistry, ChecksNames) {
    HandlerRegistry registry;
    EXPECT_TRUE(registry.add(named({std::string(31, 'a')})));
    EXPECT_TRUE(registry.add(named({"b"})));
    EXPECT_TRUE(registry.add(named({std::string("\0\xff", 2)})));  // any octets
    for (const auto& wrong : {std::vector<std::string>{}, {std::string(32, 'a')}, {""}}) {
        EXPECT_TRUE(registry.add(named(wrong)).error().is(causes::kAlpnInvalid));
    }
    EXPECT_EQ(registry.alpns().size(), 3U);
}

TEST(HandlerRegistry, ANameIsServedOnceAndARefusedHandlerLeavesNothing) {
    HandlerRegistry registry;
    ASSERT_TRUE(registry.add(named({"a"})));
    EXPECT_TRUE(registry.add(named({"b", "a"})).error().is(causes::kConfigInvalid));
    EXPECT_TRUE(registry.add(named({"c", "c"})).error().is(causes::kConfigInvalid));
    EXPECT_EQ(registry.alpns(), std::vector<std::string>{"a"});
}

TEST(HandlerRegistry, AliasesFollowTheirHandlerAndPolicy) {
    HandlerRegistry registry;
    const auto echo = named({"alknet/echo"});
    ASSERT_TRUE(registry.add(echo, {.tcp = false}));
    ASSERT_TRUE(registry.add_alias("echo", "alknet/echo"));
    EXPECT_EQ(registry.find("echo")->handler, echo);
    EXPECT_FALSE(registry.find("echo")->policy.tcp);
    EXPECT_EQ(registry.handlers(), std::vector{echo});
    EXPECT_TRUE(registry.add_alias("x", "nothing").error().is(causes::kNoHandler));
    EXPECT_TRUE(registry.add_alias("echo", "alknet/echo").error().is(causes::kConfigInvalid));
    EXPECT_TRUE(
        registry.add_alias(std::string(32, 'x'), "alknet/echo").error().is(causes::kAlpnInvalid));
    // The alias stands by itself once the first name has gone.
    EXPECT_TRUE(registry.remove("alknet/echo"));
    EXPECT_EQ(registry.find("echo")->handler, echo);
}

TEST(HandlerRegistry, NamesCanGoAndPoliciesChange) {
    HandlerRegistry registry;
    ASSERT_TRUE(registry.add(named({"a", "b"})));
    EXPECT_TRUE(registry.remove("a"));
    EXPECT_FALSE(registry.remove("a"));
    EXPECT_EQ(registry.alpns(), std::vector<std::string>{"b"});
    EXPECT_TRUE(registry.set_policy("b", {.identity_required = true}));
    EXPECT_TRUE(registry.find("b")->policy.identity_required);
    EXPECT_FALSE(registry.set_policy("a", {}));
    EXPECT_TRUE(registry.add(named({"a"})));
}

TEST(HandlerRegistry, TakesMoreNamesThanOneClientHelloOfOursOffers) {
    HandlerRegistry registry;
    for (int i = 0; i < 30; ++i) {
        ASSERT_TRUE(registry.add(named({"service/" + std::to_string(i)})));
    }
    EXPECT_EQ(registry.alpns().size(), 30U);
}

}  // namespace
}  // namespace alknet
