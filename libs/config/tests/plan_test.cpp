#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/config/plan.hpp>

namespace alknet::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Version {
    Config config;
    std::shared_ptr<const identity::PeerDirectory> peers;
};

Version version(std::string_view text) {
    Parsed parsed = parse(text, {.file = "test.toml", .base = "/n"});
    EXPECT_THAT(parsed.problems, IsEmpty()) << as_error(parsed.problems).message();
    auto peers = identity::PeerDirectory::create(peer_list(parsed.config.dynamic, "test.toml"));
    EXPECT_TRUE(peers);
    return {.config = std::move(parsed.config), .peers = *peers};
}

std::vector<Effect> effects(std::string_view from, std::string_view to) {
    const Version before = version(from);
    const Version after = version(to);
    return plan({.config = before.config, .peers = *before.peers},
                {.config = after.config, .peers = *after.peers});
}

std::vector<std::string> texts(std::string_view from, std::string_view to) {
    std::vector<std::string> all;
    for (const Effect& one : effects(from, to)) {
        all.push_back(std::string(one.cuts() ? "! " : "") + std::string(to_string(one.kind)) + " " +
                      one.subject + ": " + one.text);
    }
    return all;
}

std::string peer(std::string_view rest) {
    return "[[role]]\nname = 'ops'\nscopes = ['node:status', 'git:read']\n[[peer]]\nname = "
           "'bob'\n" +
           std::string(rest);
}

TEST(ConfigPlan, OfWhatChangesNothingIsEmpty) {
    EXPECT_THAT(texts("", "[limits]\nidle_timeout = '30s'\n[log]\nlevel = 'debug'\n"), IsEmpty());
    EXPECT_THAT(texts(peer("keys = []\nscopes = ['a:b', 'c:d']\n"),
                      peer("keys = []\nscopes = ['c:d', 'a:b']\n")),
                IsEmpty());
}

TEST(ConfigPlan, NamesPeersThatComeAndGo) {
    const std::string with = peer("keys = []\n");
    EXPECT_THAT(texts(with, ""), ElementsAre("! peer removed bob: is known no longer"));
    EXPECT_THAT(texts("", with), ElementsAre("peer added bob: becomes known"));
}

TEST(ConfigPlan, NamesWhatAPeerLosesAndGains) {
    EXPECT_THAT(
        texts(peer("keys = []\nroles = ['ops']\n"),
              peer("keys = []\nscopes = ['git:read', 'git:write']\n")),
        ElementsAre("! peer narrowed bob: loses node:status", "peer widened bob: gains git:write"));
    EXPECT_THAT(texts(peer("keys = []\n"), peer("keys = []\nenabled = false\n")),
                ElementsAre("! peer narrowed bob: is disabled"));
    EXPECT_THAT(texts(peer("keys = []\nenabled = false\n"), peer("keys = []\n")),
                ElementsAre("peer widened bob: is enabled"));
    EXPECT_THAT(texts(peer("keys = []\n"), peer("keys = []\nexpires = 2030-01-01\n")),
                ElementsAre("! peer narrowed bob: has a term that ends sooner"));
    EXPECT_THAT(
        texts(peer("keys = []\nexpires = 2030-01-01\n"), peer("keys = []\nexpires = 2031-01-01\n")),
        ElementsAre("peer widened bob: has a term that ends later, or never"));
    const std::string key =
        "ed25519:e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc";
    EXPECT_THAT(texts(peer("keys = ['" + key + "']\n"), peer("keys = []\n")),
                ElementsAre("! peer narrowed bob: is known no longer by " + key));
    EXPECT_THAT(texts(peer("keys = []\n"), peer("keys = ['" + key + "']\n")),
                ElementsAre("peer widened bob: is also known by " + key));
}

TEST(ConfigPlan, NamesServicesThatAskForMoreOrLess) {
    const std::string echo = "[alpn.'alknet/echo']\n";
    EXPECT_THAT(texts("", echo + "scope = 'echo:use'\n"),
                ElementsAre("! service narrowed alknet/echo: asks for a known peer; asks for the "
                            "scope echo:use"));
    EXPECT_THAT(texts(echo + "scope = 'echo:use'\n", echo + "identity_required = true\n"),
                ElementsAre("service widened alknet/echo: asks no longer for the scope echo:use"));
    EXPECT_THAT(texts(echo + "transports = ['tcp']\n", echo + "transports = ['quic']\n"),
                ElementsAre("! service narrowed alknet/echo: is reached by QUIC alone",
                            "service widened alknet/echo: is also reached by QUIC"));
    EXPECT_THAT(texts(echo + "scope = 'a:b'\n", echo + "scope = 'a:c'\n"),
                ElementsAre("! service narrowed alknet/echo: asks for the scope a:c",
                            "service widened alknet/echo: asks no longer for the scope a:b"));
}

TEST(ConfigPlan, NamesWhatForwardingAllowsAndDenies) {
    const std::string open = "[[forwarding.rules]]\ntarget = '*.example:22'\n";
    const std::string shut =
        "[[forwarding.rules]]\ntarget = '10.0.0.0/8'\naction = 'deny'\nroles = ['ops']\n";
    const std::string bob = peer("keys = []\n");
    EXPECT_THAT(
        texts(bob, bob + open + shut),
        ElementsAre("forwarding widened connect *.example:22: is allowed for every known peer",
                    "forwarding narrowed connect 10.0.0.0/8:*: is denied for role ops"));
    EXPECT_THAT(
        texts(bob + open + shut, bob),
        ElementsAre("forwarding narrowed connect *.example:22: is allowed no more for every known "
                    "peer",
                    "forwarding widened connect 10.0.0.0/8:*: is denied no more for role ops"));
    EXPECT_THAT(texts(bob + open + shut, bob + shut + open),
                ElementsAre("forwarding reordered rules: the first that matches decides, and they "
                            "stand in another order"));
    EXPECT_THAT(texts(bob + open + shut, bob + "\n\n" + open + shut), IsEmpty());
    EXPECT_THAT(
        texts(bob + open, bob + open + "peers = ['bob']\nstreams_max = 3\n"),
        ElementsAre("forwarding narrowed connect *.example:22: is allowed no more for every "
                    "known peer",
                    "forwarding widened connect *.example:22: is allowed for bob, 3 streams "
                    "at a time"));
    EXPECT_THAT(
        texts(bob + open, bob + open + "proxy_header = true\n"),
        ElementsAre("forwarding narrowed connect *.example:22: is allowed no more for every "
                    "known peer",
                    "forwarding widened connect *.example:22: is allowed for every known "
                    "peer, with a PROXY header"));
}

TEST(ConfigPlan, NamesListenersByTheirAddresses) {
    const std::string first = "[[listener]]\nname = 'a'\naddresses = ['127.0.0.1:1']\n";
    const std::string second = "[[listener]]\nname = 'b'\naddresses = ['127.0.0.1:2']\n";
    EXPECT_THAT(texts(first, second),
                ElementsAre("listener closed 127.0.0.1:1: takes no new connections; those that "
                            "there are stay",
                            "listener opened 127.0.0.1:2: opens"));
    EXPECT_THAT(texts("[ssh]\nlisten = ['127.0.0.1:3']\n", "[ssh]\nlisten = ['127.0.0.1:4']\n"),
                ElementsAre("listener closed ssh 127.0.0.1:3: takes no new connections; those that "
                            "there are stay",
                            "listener opened ssh 127.0.0.1:4: opens"));
    EXPECT_THAT(texts("", "[http.status]\nlisten = ['127.0.0.1:5']\n"),
                ElementsAre("listener opened status 127.0.0.1:5: opens"));
    EXPECT_THAT(texts("[ssh]\nrun_as = 'guest'\n", "[ssh]\nrun_as_self = true\n"),
                ElementsAre("! service narrowed alknet/ssh: ends commands that run as guest",
                            "service widened alknet/ssh: runs commands as the node itself"));
    EXPECT_THAT(texts("", "[ssh]\nrun_as = 'guest'\n"),
                ElementsAre("service widened alknet/ssh: runs commands as guest"));
    EXPECT_THAT(texts("[ssh]\nrun_as = 'guest'\n", "[ssh]\n"),
                ElementsAre("! service narrowed alknet/ssh: ends commands that run as guest"));
    EXPECT_THAT(
        texts(first,
              "[[listener]]\nname = 'c'\naddresses = ['127.0.0.1:1']\n"
              "quic = false\nalpns = ['alknet/echo']\ncongestion = 'cubic'\n"
              "proxy_protocol_from = ['127.0.0.1']\nunknown_alpn = 'http'\n"),
        ElementsAre("listener changed 127.0.0.1:1: accepts no more QUIC; offers "
                    "alknet/echo; believes other proxies; answers otherwise who asks for an "
                    "unknown service; uses another congestion control"));
    EXPECT_THAT(texts(first + "alpns = ['a']\ntcp = false\n", first),
                ElementsAre("listener changed 127.0.0.1:1: accepts TCP; offers every service"));
    const std::string free =
        "[[listener]]\nname = 'a'\naddresses = ['127.0.0.1:0']\n"
        "[[listener]]\nname = 'b'\naddresses = ['127.0.0.1:0']\n";
    EXPECT_THAT(texts(free, free), IsEmpty());
}

TEST(ConfigPlan, SaysWhatNeedsARestart) {
    EXPECT_THAT(texts("", "[runtime]\nloops = 2\n"),
                ElementsAre("restart needed node: a key that is read at start only differs"));
}

TEST(ConfigPlan, SaysWhichImportsBeginAndEnd) {
    const std::string office = "[[call.import]]\npeer = 'office'\nprefix = 'office'\n";
    const std::string any = "[[call.import]]\npeers = ['lab', 'office']\nprefix = 'any'\n";
    EXPECT_THAT(texts(office, office + any),
                ElementsAre("import begun any: operations of lab, office are offered"));
    EXPECT_THAT(
        texts(office + any, office + any + "hops = 1\n"),
        ElementsAre(
            "! import ended any: operations of lab, office are offered no more as they were",
            "import begun any: operations of lab, office are offered"));
    EXPECT_THAT(texts(office, ""),
                ElementsAre("! import ended office: operations of office are offered no more as "
                            "they were"));
}

TEST(ConfigPlan, BeginsWithWhatCuts) {
    const auto all = effects("[[peer]]\nname = 'z'\nkeys = []\n",
                             "[[peer]]\nname = 'a'\nkeys = []\n[alpn.'x']\nscope = 'a:b'\n"
                             "[runtime]\nloops = 2\n");
    ASSERT_EQ(all.size(), 4U);
    EXPECT_TRUE(all[0].cuts() && all[1].cuts());
    EXPECT_FALSE(all[2].cuts() || all[3].cuts());
}

}  // namespace
}  // namespace alknet::config
