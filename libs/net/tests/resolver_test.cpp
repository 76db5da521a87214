#include "resolver.hpp"

#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <future>

#include "stream_fixture.hpp"

namespace alknet::net {
namespace {

class ResolverTest : public StreamTest {
protected:
    /// Lookups wait until `gate` is opened.
    Resolver::Lookup gated() {
        return [opened = gate.get_future().share()](const std::string&) -> result<Addresses> {
            opened.wait();
            return Addresses{SocketAddress::v4({192, 0, 2, 1}, 0)};
        };
    }
    std::promise<void> gate;
};

TEST_F(ResolverTest, AnswersLiteralsWithoutALookup) {
    Resolver resolver([](const std::string& host) -> result<Addresses> {
        ADD_FAILURE() << host;
        return fail(causes::kResolve);
    });
    struct Literal {
        std::string host, address;
    };
    for (const Literal& literal :
         {Literal{"127.0.0.1", "127.0.0.1:7"}, Literal{"::1", "[::1]:7"},
          Literal{"2001:DB8::1", "[2001:db8::1]:7"}, Literal{"::ffff:192.0.2.1", "192.0.2.1:7"},
          Literal{"fe80::1%1", "[fe80::1%1]:7"}, Literal{"fe80::1%lo", "[fe80::1%1]:7"}}) {
        const auto addresses = run(resolver.resolve(*loop, literal.host, 7));
        ASSERT_TRUE(addresses) << literal.host;
        ASSERT_EQ(addresses->size(), 1U);
        EXPECT_EQ(addresses->front().to_string(), literal.address);
    }
}

TEST_F(ResolverTest, RefusesWhatCannotBeAName) {
    Resolver resolver([](const std::string& host) -> result<Addresses> {
        ADD_FAILURE() << host;
        return fail(causes::kResolve);
    });
    for (const std::string& host :
         {std::string(), std::string("a b"), std::string("a\0b", 3), std::string("a\n"),
          std::string("a:1"), std::string("1::2::3"), std::string("user@host"), std::string("a/b"),
          std::string(Resolver::kHostBytesMax + 1, 'a')}) {
        const auto addresses = run(resolver.resolve(*loop, host, 7));
        ASSERT_FALSE(addresses) << host;
        EXPECT_TRUE(addresses.error().is(causes::kAddressInvalid));
    }
}

TEST_F(ResolverTest, KnowsThisMachine) {
    const auto addresses = run(network->resolve(*loop, "localhost", 443));
    ASSERT_TRUE(addresses) << addresses.error().message();
    ASSERT_FALSE(addresses->empty());
    for (const SocketAddress& address : *addresses) {
        EXPECT_TRUE(address.is_loopback());
        EXPECT_EQ(address.port(), 443);
    }
}

TEST_F(ResolverTest, NamesWhatCouldNotBeResolved) {
    const auto addresses = run(network->resolve(*loop, "no..name", 443));
    ASSERT_FALSE(addresses);
    EXPECT_TRUE(addresses.error().is(causes::kResolve));
    EXPECT_NE(addresses.error().detail().find("no..name"), std::string::npos);
}

TEST_F(ResolverTest, LetsTheLoopRunMeanwhile) {
    Resolver resolver(gated());
    TaskScope scope(*loop);
    result<Addresses> answer = fail(causes::kInternal);
    struct Ask {
        static task<result<void>> ask(Resolver& resolver, Loop& loop, result<Addresses>& answer) {
            answer = co_await resolver.resolve(loop, "example.org", 9);
            co_return result<void>{};
        }
    };
    scope.spawn(Ask::ask(resolver, *loop, answer), "ask");
    while (resolver.lookups() == 0) {
        loop->turn(false);
    }
    EXPECT_FALSE(answer);
    gate.set_value();
    ASSERT_TRUE(run(scope.join()));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->front().to_string(), "192.0.2.1:9");
}

TEST_F(ResolverTest, ALookupCanBeAbandonedAndTheLoopMayDie) {
    {
        Resolver resolver(gated());
        const auto addresses = run(
            with_timeout(std::chrono::milliseconds(1), resolver.resolve(*loop, "example.org", 9)));
        ASSERT_FALSE(addresses);
        EXPECT_TRUE(addresses.error().is(causes::kTimeout));
        EXPECT_EQ(resolver.lookups(), 1U);
    }
    loop.reset();
    gate.set_value();
}

TEST_F(ResolverTest, BoundsTheLookups) {
    Resolver resolver(gated());
    const auto abandoned = [&] {
        return run(
            with_timeout(std::chrono::milliseconds(1), resolver.resolve(*loop, "example.org", 9)));
    };
    for (std::size_t i = 0; i < Resolver::kLookupsMax; ++i) {
        EXPECT_TRUE(abandoned().error().is(causes::kTimeout));
    }
    EXPECT_TRUE(abandoned().error().is(causes::kLimit));
    gate.set_value();
    while (resolver.lookups() > 0) {
        loop->turn(false);
    }
    EXPECT_TRUE(run(resolver.resolve(*loop, "example.org", 9)));
}

}  // namespace
}  // namespace alknet::net
