#include <alknet/base/causes.hpp>
#include <alknet/identity/forwarding.hpp>
#include <alknet/testing/random.hpp>

#include "support.hpp"

namespace alknet::identity {
namespace {

ForwardRule rule(std::string_view target, bool allow = true,
                 ForwardClaim claim = ForwardClaim::connect) {
    ForwardRule made;
    auto parsed = ForwardTarget::parse(target);
    EXPECT_TRUE(parsed) << target;
    made.claim = claim;
    made.target = parsed.value_or(ForwardTarget());
    made.allow = allow;
    made.origin = {.file = "alknet.toml", .line = 7};
    return made;
}

ForwardVerdict ask(const std::vector<ForwardRule>& rules, std::string_view host,
                   std::string_view resolved, std::string_view peer = "bob",
                   const std::vector<std::string>& roles = {},
                   ForwardClaim claim = ForwardClaim::connect) {
    const auto address = SocketAddress::parse(resolved);
    EXPECT_TRUE(address) << resolved;
    return decide_forward(rules, {.claim = claim,
                                  .peer = peer,
                                  .roles = roles,
                                  .host = host,
                                  .resolved = address.value_or(SocketAddress())})
        .verdict;
}

TEST(ForwardTarget, HasOneTextForEachMeaning) {
    for (const auto& [text, shown] : std::vector<std::pair<std::string, std::string>>{
             {"*", "*:*"},
             {"*:443", "*:443"},
             {"DB.Example.", "db.example:*"},
             {"db.example:5432", "db.example:5432"},
             {"db.example:1-1023", "db.example:1-1023"},
             {"db.example:22-22", "db.example:22"},
             {"*.example:*", "*.example:*"},
             {"10.0.0.0/8:22", "10.0.0.0/8:22"},
             {"192.0.2.1", "192.0.2.1/32:*"},
             {"2001:db8::1", "[2001:db8::1/128]:*"},
             {"[2001:db8::/32]:0-65535", "[2001:db8::/32]:*"},
         }) {
        const auto target = ForwardTarget::parse(text);
        ASSERT_TRUE(target) << text;
        EXPECT_EQ(target->text(), shown);
        EXPECT_EQ(ForwardTarget::parse(shown).value(), *target);
    }
}

TEST(ForwardTarget, Sockets) {
    for (const std::string text : {"/a", "/run/db/.s.PGSQL.5432", "/run/*/a*.sock"}) {
        const auto target = ForwardTarget::parse(text);
        ASSERT_TRUE(target) << text;
        EXPECT_EQ(target->path, text);
        EXPECT_EQ(target->text(), text);
    }
    for (const std::string text : {"/", "/a/", "//a", "/a//b", "/./a", "/a/..", "/a b", "/a\n"}) {
        EXPECT_FALSE(ForwardTarget::parse(text)) << text;
    }
    EXPECT_TRUE(ForwardTarget::parse("/" + std::string(kSocketPathBytesMax - 1, 'a')));
    EXPECT_FALSE(ForwardTarget::parse("/" + std::string(kSocketPathBytesMax, 'a')));
}

TEST(Forwarding, SocketsNeedRulesOfTheirOwn) {
    const auto allowed = [](std::string_view target, std::string_view path) {
        ForwardRule rule;
        rule.target = ForwardTarget::parse(target).value();
        const std::vector<ForwardRule> rules = {rule};
        return decide_forward(rules, {.peer = "bob", .host = {}, .resolved = {}, .path = path})
            .allowed();
    };
    EXPECT_TRUE(allowed("/run/a", "/run/a"));
    EXPECT_FALSE(allowed("/run/a", "/run/ab"));
    EXPECT_FALSE(allowed("/run/a", "/run"));
    EXPECT_FALSE(allowed("/run/a", "/run/a/b"));
    EXPECT_TRUE(allowed("/run/*", "/run/a"));
    EXPECT_FALSE(allowed("/run/*", "/run/a/b"));
    EXPECT_FALSE(allowed("/run/*/b", "/run/../b"));
    EXPECT_TRUE(allowed("/run/*/b", "/run/a/b"));
    EXPECT_FALSE(allowed("*:*", "/run/a"));
    EXPECT_FALSE(allowed("0.0.0.0/0", "/run/a"));
    EXPECT_FALSE(allowed("/run/a", "run/a"));
    // And rules of sockets say nothing of ports, also where one listens on all addresses.
    ForwardRule socket;
    socket.target = ForwardTarget::parse("/*").value();
    socket.claim = ForwardClaim::listen;
    socket.allow = false;
    ForwardRule any;
    any.target = ForwardTarget::parse("*").value();
    any.claim = ForwardClaim::listen;
    const std::vector<ForwardRule> rules = {socket, any};
    EXPECT_TRUE(decide_forward(rules, {.claim = ForwardClaim::listen,
                                       .peer = "bob",
                                       .host = "",
                                       .resolved = SocketAddress::v4({0, 0, 0, 0}, 80)})
                    .allowed());
    const ForwardQuestion question{
        .claim = ForwardClaim::listen, .peer = "bob", .host = {}, .resolved = {}, .path = "/a"};
    EXPECT_EQ(decide_forward(rules, question).verdict, ForwardVerdict::denied);
    const auto change = change_to_allow(rules, question);
    ASSERT_TRUE(change);
    EXPECT_EQ(change->rule.target.text(), "/a");
    EXPECT_EQ(change->before, 0U);
}

TEST(ForwardTarget, RefusesWhatIsNone) {
    for (const std::string& text : std::vector<std::string>{
             "", ":22", "a b:1", "db.example:", "db.example:0x1", "db.example:5-1",
             "db.example:65536", "db.example:1-2-3", "10.*", "10.0.0.*:22", "10.0.0.1/8", "1.2.3",
             "[db.example]:1", "[::1", "[::1]22", "[::1]:x", "caf\xc3\xa9.example",
             std::string(kHostBytesMax + 1, 'a')}) {
        const auto target = ForwardTarget::parse(text);
        EXPECT_TRUE(!target && target.error().is(causes::kAddressInvalid)) << text;
    }
    EXPECT_TRUE(ForwardTarget::parse(std::string(kHostBytesMax, 'a')));
}

TEST(Forwarding, DeniesWhatNoRuleAllows) {
    EXPECT_EQ(ask({}, "db.example", "192.0.2.1:22"), ForwardVerdict::no_rule);
    const std::vector<ForwardRule> rules = {rule("db.example:22")};
    EXPECT_EQ(ask(rules, "db.example", "192.0.2.1:22"), ForwardVerdict::allowed);
    EXPECT_EQ(ask(rules, "DB.example.", "192.0.2.1:22"), ForwardVerdict::allowed);
    EXPECT_EQ(ask(rules, "db.example", "192.0.2.1:23"), ForwardVerdict::no_rule);
    EXPECT_EQ(ask(rules, "xdb.example", "192.0.2.1:22"), ForwardVerdict::no_rule);
    EXPECT_EQ(ask(rules, "db.example.evil", "192.0.2.1:22"), ForwardVerdict::no_rule);
    EXPECT_EQ(ask(rules, "192.0.2.1", "192.0.2.1:22"), ForwardVerdict::no_rule);
    EXPECT_EQ(ask(rules, "db.example", "192.0.2.1:22", "bob", {}, ForwardClaim::listen),
              ForwardVerdict::no_rule);
}

TEST(Forwarding, TheFirstMatchWins) {
    const std::vector<ForwardRule> rules = {rule("secret.example", false), rule("*.example:1-100"),
                                            rule("10.1.0.0/16", false), rule("10.0.0.0/8:22")};
    EXPECT_EQ(ask(rules, "secret.example", "192.0.2.1:22"), ForwardVerdict::denied);
    EXPECT_EQ(ask(rules, "a.example", "192.0.2.1:1"), ForwardVerdict::allowed);
    EXPECT_EQ(ask(rules, "a.b.example", "192.0.2.1:100"), ForwardVerdict::allowed);
    EXPECT_EQ(ask(rules, "a.example", "192.0.2.1:101"), ForwardVerdict::no_rule);
    EXPECT_EQ(ask(rules, "example", "192.0.2.1:22"), ForwardVerdict::no_rule);
    EXPECT_EQ(ask(rules, "10.1.2.3", "10.1.2.3:22"), ForwardVerdict::denied);
    EXPECT_EQ(ask(rules, "10.2.2.3", "10.2.2.3:22"), ForwardVerdict::allowed);
    // A range means where a name leads.
    EXPECT_EQ(ask(rules, "inside.test", "10.2.2.3:22"), ForwardVerdict::allowed);
    EXPECT_EQ(ask(rules, "inside.test", "10.1.2.3:22"), ForwardVerdict::denied);
    EXPECT_EQ(ask(rules, "10.1.2.3", "[::ffff:10.1.2.3]:22"), ForwardVerdict::denied);
}

TEST(Forwarding, RulesAreForPeersRolesOrEverybody) {
    ForwardRule limited = rule("*:22");
    limited.peers = {"bob"};
    limited.roles = {"ops"};
    EXPECT_EQ(ask({limited}, "a", "192.0.2.1:22", "bob"), ForwardVerdict::allowed);
    EXPECT_EQ(ask({limited}, "a", "192.0.2.1:22", "eve"), ForwardVerdict::no_rule);
    EXPECT_EQ(ask({limited}, "a", "192.0.2.1:22", "eve", {"dev", "ops"}), ForwardVerdict::allowed);
    EXPECT_EQ(ask({limited}, "a", "192.0.2.1:22", "ops"), ForwardVerdict::no_rule);
}

TEST(Forwarding, NoNameLeadsToThisMachineOrItsLink) {
    const std::vector<ForwardRule> anywhere = {rule("*")};
    EXPECT_EQ(ask(anywhere, "a", "192.0.2.1:22"), ForwardVerdict::allowed);
    EXPECT_EQ(ask(anywhere, "a", "[2001:db8::1]:22"), ForwardVerdict::allowed);
    for (const char* guarded :
         {"127.0.0.1:22", "127.8.8.8:22", "0.0.0.0:22", "0.1.2.3:22", "169.254.169.254:80",
          "224.0.0.1:22", "255.255.255.255:22", "[::1]:22", "[::]:22", "[fe80::1]:22",
          "[febf::1]:22", "[ff02::1]:22", "[fd00:ec2::254]:80", "[::ffff:127.0.0.1]:22",
          "[::ffff:169.254.169.254]:80"}) {
        EXPECT_EQ(ask(anywhere, "rebound.example", guarded), ForwardVerdict::egress) << guarded;
        EXPECT_EQ(ask({rule("0.0.0.0/0"), rule("::/0")}, "rebound.example", guarded),
                  ForwardVerdict::egress)
            << guarded;
        // Where the node listens for a peer is what the rule says.
        EXPECT_EQ(ask({rule("*", true, ForwardClaim::listen)}, "x", guarded, "bob", {},
                      ForwardClaim::listen),
                  ForwardVerdict::allowed);
    }
    EXPECT_EQ(ask({rule("127.0.0.1:5432")}, "127.0.0.1", "127.0.0.1:5432"),
              ForwardVerdict::allowed);
    EXPECT_EQ(ask({rule("localhost:5432")}, "localhost", "127.0.0.1:5432"),
              ForwardVerdict::allowed);
    EXPECT_EQ(ask({rule("localhost:5432")}, "localhost", "[::1]:5432"), ForwardVerdict::allowed);
    EXPECT_EQ(ask({rule("localhost:5432")}, "localhost", "169.254.0.1:5432"),
              ForwardVerdict::egress);
    EXPECT_EQ(ask({rule("intranet.example")}, "intranet.example", "127.0.0.1:80"),
              ForwardVerdict::egress);
}

TEST(Forwarding, SaysWhatDecided) {
    const auto explain = [](const std::vector<ForwardRule>& rules, std::string_view resolved) {
        return decide_forward(rules, {.peer = "bob",
                                      .host = "db.example",
                                      .resolved = SocketAddress::parse(resolved).value()})
            .explain();
    };
    EXPECT_EQ(explain({}, "192.0.2.1:22"), "denied: no forwarding rule matches");
    EXPECT_EQ(explain({rule("*.example:22")}, "192.0.2.1:22"),
              "allowed: by connect *.example:22 at alknet.toml:7");
    EXPECT_EQ(explain({rule("*.example:22", false)}, "192.0.2.1:22"),
              "denied: by connect *.example:22 at alknet.toml:7");
    EXPECT_EQ(explain({rule("*.example:22")}, "127.0.0.1:22"),
              "denied: connect *.example:22 at alknet.toml:7 allows it, but only a rule that names "
              "the address can allow one of this machine or its link");
}

// The text of the rule, and where it goes.
std::string change(const std::vector<ForwardRule>& rules, std::string_view host,
                   std::string_view resolved, ForwardClaim claim = ForwardClaim::connect) {
    const auto made = change_to_allow(rules, {.claim = claim,
                                              .peer = "bob",
                                              .host = host,
                                              .resolved = SocketAddress::parse(resolved).value()});
    return made ? made->rule.target.text() + " before " + std::to_string(made->before) : "none";
}

TEST(ForwardChange, IsARuleForThatAlone) {
    const std::vector<ForwardRule> rules = {rule("a.example"), rule("*.example", false), rule("*")};
    EXPECT_EQ(change({}, "DB.Example.", "192.0.2.1:22"), "db.example:22 before 0");
    EXPECT_EQ(change(rules, "b.example", "192.0.2.1:22"), "b.example:22 before 1");
    EXPECT_EQ(change(rules, "a.example", "192.0.2.1:22"), "none");
    EXPECT_EQ(change(rules, "b.test", "127.0.0.1:22"), "127.0.0.1/32:22 before 2");
    EXPECT_EQ(change(rules, "localhost", "127.0.0.1:22"), "localhost:22 before 2");
    EXPECT_EQ(change(rules, "localhost", "169.254.0.1:22"), "169.254.0.1/32:22 before 2");
    EXPECT_EQ(change({}, "::1", "[::1]:22"), "[::1/128]:22 before 0");
    EXPECT_EQ(change({}, "x", "[::ffff:192.0.2.1]:22"), "x:22 before 0");
    EXPECT_EQ(change({}, "no name", "192.0.2.1:22"), "192.0.2.1/32:22 before 0");
    EXPECT_EQ(change(rules, "0.0.0.0", "0.0.0.0:8080", ForwardClaim::listen),
              "0.0.0.0/32:8080 before 3");
    EXPECT_FALSE(change_to_allow({}, {.peer = "", .host = "x", .resolved = SocketAddress()}));
    // What reads as a host with a port would name another host.
    EXPECT_FALSE(
        change_to_allow({}, {.peer = "bob", .host = "a.example:5", .resolved = SocketAddress()}));
}

TEST(ForwardChange, AllowsExactlyWhatIsAsked) {
    sim::Random random(7);
    const std::vector<std::string> hosts = {"a.example", "b.example", "localhost",
                                            "x.test",    "192.0.2.1", "127.0.0.1"};
    const std::vector<std::string> ips = {"192.0.2.1", "192.0.2.2", "127.0.0.1", "169.254.169.254"};
    const std::vector<std::string> targets = {
        "*", "*.example", "a.example:22", "localhost", "127.0.0.1", "192.0.2.0/24", "0.0.0.0/0:22"};
    const std::vector<std::string> peers = {"bob", "eve"};
    const auto pick = [&](const auto& all) -> const auto& { return all[random.below(all.size())]; };
    struct Asked {
        ForwardClaim claim;
        std::string peer, host, at;
        [[nodiscard]] ForwardQuestion question() const {
            return {.claim = claim,
                    .peer = peer,
                    .host = host,
                    .resolved = SocketAddress::parse(at).value()};
        }
    };
    const auto asked = [&] {
        const std::string& host = pick(hosts);
        const bool literal = SocketAddress::parse(host + ":1").has_value();
        return Asked{.claim = random.below(2) == 0 ? ForwardClaim::connect : ForwardClaim::listen,
                     .peer = pick(peers),
                     .host = host,
                     .at = (literal ? host : pick(ips)) + (random.below(2) == 0 ? ":22" : ":80")};
    };
    int changed = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::vector<ForwardRule> rules;
        for (auto left = random.below(4); left > 0; --left) {
            rules.push_back(
                rule(pick(targets), random.below(2) == 0,
                     random.below(2) == 0 ? ForwardClaim::connect : ForwardClaim::listen));
            if (random.below(2) == 0) {
                rules.back().peers = {pick(peers)};
            }
        }
        const Asked mine = asked();
        const auto change = change_to_allow(rules, mine.question());
        EXPECT_EQ(change.has_value(), !decide_forward(rules, mine.question()).allowed());
        if (!change) {
            continue;
        }
        ++changed;
        std::vector<ForwardRule> after = rules;
        after.insert(after.begin() + static_cast<std::ptrdiff_t>(change->before), change->rule);
        EXPECT_TRUE(decide_forward(after, mine.question()).allowed());
        const Asked other = asked();
        const bool same_place = other.host == mine.host ||
                                other.question().resolved.ip() == mine.question().resolved.ip();
        if (other.claim != mine.claim || other.peer != mine.peer || !same_place ||
            other.question().resolved.port() != mine.question().resolved.port()) {
            EXPECT_EQ(decide_forward(after, other.question()).verdict,
                      decide_forward(rules, other.question()).verdict)
                << other.host << " " << other.at;
        }
    }
    EXPECT_GT(changed, 1000);
}

TEST(Forwarding, StarsMatchAnyPartOfAName) {
    for (const auto& [pattern, host, expected] :
         std::vector<std::tuple<std::string, std::string, bool>>{
             {"a*c", "abc", true},
             {"a*c", "ac", true},
             {"a*c", "acb", false},
             {"*-*.example", "db-1.example", true},
             {"*-*.example", "db1.example", false},
             {"a**b", "a.x.b", true},
             {"*a*a*a*a*b", std::string(200, 'a'), false},
         }) {
        EXPECT_EQ(ask({rule(pattern)}, host, "192.0.2.1:22") == ForwardVerdict::allowed, expected)
            << pattern << " " << host;
    }
}

}  // namespace
}  // namespace alknet::identity
