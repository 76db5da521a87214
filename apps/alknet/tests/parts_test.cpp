// The small parts of the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <array>
#include <csignal>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "after_start.hpp"
#include "cli.hpp"
#include "client.hpp"
#include "json.hpp"
#include "node.hpp"
#include "notify.hpp"
#include "output.hpp"
#include "statistics.hpp"

namespace alknet::app {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr std::string_view kId = "e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc";

TEST(JsonText, Values) {
    const std::vector<std::string> words = {"a", "b"};
    const Json json = Json::object({{"null", Json()},
                                    {"flag", true},
                                    {"low", std::numeric_limits<std::int64_t>::min()},
                                    {"high", std::numeric_limits<std::uint64_t>::max()},
                                    {"half", 0.5},
                                    {"list", Json::list(words)},
                                    {"empty", Json::object({})}});
    EXPECT_EQ(json.text(),
              "{\"null\":null,\"flag\":true,\"low\":-9223372036854775808,"
              "\"high\":18446744073709551615,\"half\":0.5,\"list\":[\"a\",\"b\"],\"empty\":{}}");
    EXPECT_EQ(Json(std::numeric_limits<double>::infinity()).text(), "null");
    EXPECT_EQ(Json(std::numeric_limits<double>::quiet_NaN()).text(), "null");
}

TEST(JsonText, TextIsEscapedAndAlwaysUtf8) {
    EXPECT_EQ(Json("a\"b\\c\nd\x01\x7f").text(), R"("a\"b\\c\nd\u0001\u007f")");
    EXPECT_EQ(Json("\xc3\xa9").text(), "\"\xc3\xa9\"");
    EXPECT_EQ(Json("\xff").text(), "\"\xef\xbf\xbd\"");
}

TEST(Printable, NothingReachesTheTerminalThatChangesIt) {
    EXPECT_EQ(printable("plain \xc3\xa9"), "plain \xc3\xa9");
    EXPECT_EQ(printable("a\x1b[2J\xff\xe2\x80\xae"), "a?[2J??");
}

TEST(Printing, AnOutputThatNobodyReadsIsItsOwnCause) {
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    close(ends[0]);
    const auto handler = std::signal(SIGPIPE, SIG_IGN);
    const int kept = dup(STDOUT_FILENO);
    ASSERT_GE(kept, 0);
    dup2(ends[1], STDOUT_FILENO);
    const auto outcome = print_line("nobody reads this");
    dup2(kept, STDOUT_FILENO);
    close(kept);
    close(ends[1]);
    (void)std::signal(SIGPIPE, handler);
    EXPECT_TRUE(!outcome && outcome.error().is(causes::kOutputClosed));
}

TEST(Statistics, PercentilesAreOneOfTheValues) {
    std::vector<Duration> durations;
    for (int i = 100; i >= 1; --i) {
        durations.emplace_back(milliseconds(i));
    }
    const Summary summary = summarize(durations);
    EXPECT_EQ(summary.count, 100U);
    EXPECT_EQ(summary.min, milliseconds(1));
    EXPECT_EQ(summary.p50, milliseconds(50));
    EXPECT_EQ(summary.p90, milliseconds(90));
    EXPECT_EQ(summary.p99, milliseconds(99));
    EXPECT_EQ(summary.max, milliseconds(100));
    EXPECT_EQ(summary.mean, Duration(milliseconds(101)) / 2);
    EXPECT_EQ(summarize({milliseconds(7)}).p99, milliseconds(7));
    EXPECT_EQ(summarize({}).count, 0U);
}

TEST(AfterStart, WhatWasGivenBackComesBack) {
    const std::string before = help_text("ping").value();
    const std::vector<std::byte> kept(1 << 20, std::byte{7});
    give_back_start();
    EXPECT_EQ(help_text("ping").value(), before);
    EXPECT_EQ(std::ranges::count(kept, std::byte{7}), 1 << 20);
    EXPECT_THROW(throw std::runtime_error("unwinding needs tables and code"), std::runtime_error);
}

config::Peer peer(const char* name, const char* address) {
    config::Peer peer;
    peer.name = name;
    peer.keys = {"ed25519:" + std::string(kId)};
    if (address != nullptr) {
        peer.address = *NodeAddress::parse(address);
    }
    return peer;
}

TEST(ResolveAddress, PeersLendTheirAddressAndTheirKey) {
    const std::vector<config::Peer> peers = {peer("alice", "node.example:77")};
    const std::string whole = "alknet://" + std::string(kId) + "@node.example:77";
    EXPECT_EQ(resolve_address("alice", peers)->to_string(), whole);
    EXPECT_EQ(resolve_address(kId, peers)->to_string(), whole);
    EXPECT_EQ(resolve_address(whole, {})->to_string(), whole);
}

TEST(ResolveAddress, WhatIsNoPeerIsAHost) {
    const std::vector<config::Peer> peers = {peer("alice", "node.example:77")};
    EXPECT_EQ(resolve_address("bob", peers)->host, "bob");
    EXPECT_FALSE(resolve_address("bob", peers)->id);
    // With a port it can only be a host.
    EXPECT_FALSE(resolve_address("alice:1", peers)->id);
}

TEST(ResolveAddress, APeerWithoutAnAddressCannotBeReached) {
    EXPECT_TRUE(
        resolve_address("alice", {peer("alice", nullptr)}).error().is(causes::kUnknownPeer));
    EXPECT_TRUE(resolve_address(kId, {}).error().is(causes::kUnknownPeer));
    const auto nonsense = resolve_address("a b", {});
    ASSERT_FALSE(nonsense);
    EXPECT_THAT(nonsense.error().detail(), HasSubstr("a b"));
}

TEST(ExplainClose, CodesOfTheDefaultTable) {
    EXPECT_TRUE(explain_close(error(causes::kClosed, "", 2)).is(causes::kAuthRequired));
    EXPECT_TRUE(explain_close(error(causes::kClosed, "", 6)).is(causes::kHandlerFailed));
    EXPECT_TRUE(explain_close(error(causes::kClosed, "", 7)).is(causes::kShuttingDown));
    EXPECT_TRUE(explain_close(error(causes::kClosed, "", 0)).is(causes::kClosed));
    EXPECT_TRUE(explain_close(error(causes::kClosed, "", 9)).is(causes::kClosed));
    EXPECT_TRUE(explain_close(error(causes::kReset, "", 2)).is(causes::kReset));
}

TEST(ListenerOptions, OneForEachAddress) {
    config::Listener listener;
    listener.name = "web";
    listener.addresses = {*SocketAddress::parse("127.0.0.1:1"), *SocketAddress::parse("[::1]:2")};
    listener.tcp = false;
    const auto options = listener_options({listener});
    ASSERT_EQ(options.size(), 2U);
    EXPECT_EQ(options[0].name, "web");
    EXPECT_EQ(options[1].name, "web/2");
    EXPECT_EQ(options[1].address.to_string(), "[::1]:2");
    EXPECT_FALSE(options[1].tcp);
}

TEST(Notifier, WithoutASocketNothingHappens) {
    const Notifier notifier("", std::nullopt);
    EXPECT_TRUE(notifier.ready("serving"));
    EXPECT_TRUE(notifier.alive());
    EXPECT_FALSE(notifier.watchdog());
}

TEST(Notifier, APathThatNoSocketCanHaveIsAnError) {
    const Notifier notifier(std::string(200, 'a'), std::nullopt);
    EXPECT_TRUE(notifier.stopping().error().is(causes::kIo));
}

}  // namespace
}  // namespace alknet::app
