#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/config/config.hpp>
#include <alknet/config/reference.hpp>

namespace alknet::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view kHex =
    "e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc";
constexpr std::string_view kZ32 = "h6gnq3i81majz9gmkfru14fcgete84gorgtoya5ajsyg1kmsf5gy";

Parsed parse_text(std::string_view text) {
    return parse(text, {.file = "test.toml", .base = "/var/lib/node"});
}

std::vector<std::string> complaints(std::string_view text) {
    std::vector<std::string> all;
    for (const Problem& problem : parse_text(text).problems) {
        all.push_back(problem.text());
    }
    return all;
}

Config accepted(std::string_view text) {
    Parsed parsed = parse_text(text);
    EXPECT_THAT(parsed.problems, IsEmpty()) << as_error(parsed.problems).message();
    return std::move(parsed.config);
}

SocketAddress address(std::string_view text) {
    return *SocketAddress::parse(text);
}

TEST(ConfigParse, AnEmptyFileIsTheDefaults) {
    const Config config = accepted("");
    EXPECT_EQ(config.fixed.key_file, "/var/lib/node/node.key");
    ASSERT_THAT(config.dynamic.listeners, SizeIs(1));
    EXPECT_EQ(config.dynamic.listeners[0].name, "main");
    EXPECT_THAT(config.dynamic.listeners[0].addresses, ElementsAre(address("[::]:4433")));
    EXPECT_EQ(config.dynamic.limits.idle_timeout, EndpointLimits().idle_timeout);
    EXPECT_EQ(config.dynamic.log_level, LogLevel::info);
}

TEST(ConfigParse, ReadsTheNodeTheLogAndQuic) {
    const Config config = accepted(R"(
        [node]
        key = "/elsewhere/key.pem"
        [log]
        level = "debug"
        format = "json"
        [quic]
        qlog_directory = "traces"
        [runtime]
        loops = 4
    )");
    EXPECT_EQ(config.fixed.loops, 4U);
    EXPECT_EQ(config.fixed.key_file, "/elsewhere/key.pem");
    EXPECT_EQ(config.dynamic.log_level, LogLevel::debug);
    EXPECT_EQ(config.fixed.log_format, LogFormat::json);
    EXPECT_EQ(config.fixed.qlog_directory, "/var/lib/node/traces");
}

TEST(ConfigParse, ReadsWhatTheAuditLogKeeps) {
    EXPECT_EQ(accepted("").dynamic.audit, identity::AuditRules());
    const identity::AuditRules rules = accepted(R"(
        [audit]
        enabled = false
        required = true
        file_bytes_max = "1MiB"
        files_max = 3
    )")
                                           .dynamic.audit;
    EXPECT_FALSE(rules.enabled);
    EXPECT_TRUE(rules.required);
    EXPECT_EQ(rules.files.file_bytes_max, 1U << 20);
    EXPECT_EQ(rules.files.files_max, 3U);
    EXPECT_EQ(complaints("[audit]\nfiles_max = 1\nfile_bytes_max = '1KiB'\n").size(), 2U);
}

TEST(ConfigParse, ReadsListenersInTheirOrder) {
    const Config config = accepted(R"(
        [[listener]]
        name = "web"
        addresses = ["192.0.2.1:443", "[2001:db8::1]:443"]
        quic = false
        alpns = ["h2", "http/1.1"]
        [[listener]]
        name = "native"
        addresses = ["127.0.0.1:0"]
        tcp = false
        congestion = "cubic"
    )");
    const Listener web{.name = "web",
                       .addresses = {address("192.0.2.1:443"), address("[2001:db8::1]:443")},
                       .quic = false,
                       .alpns = {"h2", "http/1.1"},
                       .proxies = {}};
    const Listener native{.name = "native",
                          .addresses = {address("127.0.0.1:0")},
                          .quic = true,
                          .tcp = false,
                          .alpns = {},
                          .congestion = quic::Congestion::cubic,
                          .proxies = {}};
    EXPECT_THAT(config.dynamic.listeners, ElementsAre(web, native));
}

TEST(ConfigParse, AddressesThatDoNotCollideStandSideBySide) {
    (void)accepted(R"(
        [[listener]]
        name = "a"
        addresses = ["0.0.0.0:1", "[::1]:1", "[2001:db8::1]:1", "[::]:2", "127.0.0.1:0", "[::]:0"]
        [[listener]]
        name = "b"
        addresses = ["127.0.0.1:3", "192.0.2.1:3", "0.0.0.0:0"]
    )");
}

TEST(ConfigParse, APeersKeysAreKeptInTheirCanonicalForm) {
    const std::string text = "[[peer]]\nname = \"alice\"\nkeys = [\"" + std::string(kZ32) +
                             "\", \"x509-sha256:" + std::string(64, 'A') +
                             "\"]\nscopes = [\"git:read:*\", \"call:invoke\"]\n"
                             "address = \"node.example:443\"\n";
    const Config config = accepted(text);
    ASSERT_THAT(config.dynamic.peers, SizeIs(1));
    const Peer& alice = config.dynamic.peers[0];
    EXPECT_EQ(alice.name, "alice");
    EXPECT_THAT(alice.keys,
                ElementsAre("ed25519:" + std::string(kHex), "x509-sha256:" + std::string(64, 'a')));
    EXPECT_THAT(alice.scopes, ElementsAre("git:read:*", "call:invoke"));
    ASSERT_TRUE(alice.address);
    EXPECT_EQ(alice.address->host, "node.example");
    ASSERT_TRUE(alice.node_id());
    EXPECT_EQ(alice.node_id()->hex(), kHex);
}

TEST(ConfigParse, AnAuthorityIsForThePeersName) {
    const std::string digest = "SHA256:" + std::string(42, 'a') + "A";
    const Config config = accepted("[[peer]]\nname = 'bob'\nkeys = ['cert-authority " + digest +
                                   "']\n[[peer]]\nname = 'eve'\nkeys = ['cert-authority " + digest +
                                   "', 'cert-authority,principals=\"eva\" " + digest + "']\n");
    EXPECT_THAT(config.dynamic.peers.at(0).keys, ElementsAre("cert:bob:" + digest));
    EXPECT_THAT(config.dynamic.peers.at(1).keys,
                ElementsAre("cert:eve:" + digest, "cert:eva:" + digest));
}

TEST(ConfigParse, APeerSaysHowItIsReached) {
    const Config config = accepted(
        "[[peer]]\nname = 'a'\nkeys = []\ntransports = ['proxy', 'tcp']\ncongestion = 'cubic'\n"
        "[[peer]]\nname = 'b'\nkeys = []\n");
    ASSERT_THAT(config.dynamic.peers, SizeIs(2));
    EXPECT_EQ(config.dynamic.peers[0].transports,
              (Ways{.quic = false, .tcp = true, .proxy = true}));
    EXPECT_EQ(config.dynamic.peers[0].congestion, quic::Congestion::cubic);
    EXPECT_EQ(config.dynamic.peers[1].transports, Ways());
    EXPECT_EQ(config.dynamic.peers[1].congestion, quic::Congestion::bbr);
}

TEST(ConfigParse, ReadsAssertions) {
    const Config config = accepted(
        "[[access.assert]]\npeer = 'bob'\ndo = 'git:read:website'\n"
        "[[access.assert]]\npeer = 'eve'\ndo = 'ssh:shell'\nallow = false\n");
    ASSERT_THAT(config.dynamic.assertions, SizeIs(2));
    EXPECT_TRUE(config.dynamic.assertions[0].allow);
    const identity::PeerList list = peer_list(config.dynamic, "alknet.toml");
    ASSERT_THAT(list.assertions, SizeIs(2));
    EXPECT_EQ(list.assertions[0].wanted.text(), "git:read:website");
    EXPECT_EQ(list.assertions[1].peer, "eve");
    EXPECT_FALSE(list.assertions[1].allow);
    EXPECT_EQ(list.assertions[1].origin.text(), "alknet.toml:4");
}

TEST(ConfigParse, SaysWhatIsWrongWithAssertions) {
    EXPECT_THAT(complaints("[[access.assert]]\npeer = 'bob'\ndo = 'git:*'\n"),
                ElementsAre(HasSubstr("test.toml:3:6: access.assert.do: must be one scope")));
    EXPECT_THAT(complaints("[[access.assert]]\npeer = 'bob'\n"),
                ElementsAre(HasSubstr("access.assert: needs the key 'do'")));
    EXPECT_THAT(complaints("[access]\nasert = 1\n"),
                ElementsAre("test.toml:2:1: access.asert: this key is not known; did you mean "
                            "'assert'?"));
    EXPECT_THAT(complaints("acces.assert = 1\n"),
                ElementsAre("test.toml:1:1: acces: this key is not known; did you mean 'access'?"));
    EXPECT_THAT(complaints("access = 1\n"), ElementsAre(HasSubstr("access: must be a table")));
    EXPECT_THAT(complaints("access.assert = 1\n"),
                ElementsAre(HasSubstr("access.assert: must be an array")));
}

TEST(ConfigParse, ReadsForwardingRulesInTheirOrder) {
    const Config config = accepted(R"(
        [[role]]
        name = 'ops'
        scopes = ['node:status']
        [[forwarding.rules]]
        target = "10.1.0.0/16"
        action = "deny"
        [[forwarding.rules]]
        target = "*.Example:1-1023"
        peers = ["bob"]
        roles = ["ops"]
        streams_max = 10
        [[forwarding.rules]]
        claim = "listen"
        target = "localhost:8080"
    )");
    const auto& rules = config.dynamic.forwarding;
    ASSERT_THAT(rules, SizeIs(3));
    EXPECT_FALSE(rules[0].allow);
    EXPECT_EQ(rules[0].origin.line, 5U);
    EXPECT_EQ(rules[1].target.text(), "*.example:1-1023");
    EXPECT_TRUE(rules[1].allow);
    EXPECT_THAT(rules[1].peers, ElementsAre("bob"));
    EXPECT_THAT(rules[1].roles, ElementsAre("ops"));
    EXPECT_EQ(rules[1].streams_max, 10U);
    EXPECT_EQ(rules[2].claim, identity::ForwardClaim::listen);
}

TEST(ConfigParse, SaysWhatIsWrongWithForwardingRules) {
    const std::string rule = "[[forwarding.rules]]\n";
    EXPECT_THAT(complaints(rule), ElementsAre(HasSubstr("needs the key 'target'")));
    EXPECT_THAT(complaints(rule + "target = '10.*'\n"),
                ElementsAre(HasSubstr("test.toml:2:10: forwarding.rules.target: 10.*: the host is "
                                      "neither")));
    EXPECT_THAT(complaints(rule + "target = 'a:0-x'\n"),
                ElementsAre(HasSubstr("ports are a number, A-B or *")));
    EXPECT_THAT(complaints(rule + "target = '*'\naction = 'permit'\nclaim = 'both'\n"),
                ElementsAre(HasSubstr("must be one of allow, deny"),
                            HasSubstr("must be one of connect, listen")));
    EXPECT_THAT(complaints(rule + "target = '*'\nroles = ['ops']\n"),
                ElementsAre("test.toml:1:1: forwarding rule: there is no role 'ops'"));
    EXPECT_THAT(complaints("[[forwarding.rule]]\ntarget = '*'\n"),
                ElementsAre(HasSubstr("did you mean 'rules'?")));
}

TEST(ConfigParse, ARecordKnowsTheLineOfEachScope) {
    const Config config = accepted(
        "[[role]]\nname = 'ops'\nscopes = ['node:status']\n"
        "[[peer]]\nname = 'alice'\nkeys = []\nroles = ['ops']\nenabled = false\n"
        "expires = 2030-02-28\nrenew = '30d'\nscopes = [\n  'call:echo',\n  'git:read:*',\n]\n"
        "[[peer]]\nname = 'bob'\nkeys = []\nexpires = 2030-02-28T02:30:00+02:00\n");
    const identity::PeerList list = peer_list(config.dynamic, "alknet.toml");
    ASSERT_THAT(list.peers, SizeIs(2));
    const identity::PeerRecord& alice = list.peers[0];
    EXPECT_EQ(alice.id, "alice");
    EXPECT_EQ(alice.origin.text(), "alknet.toml:4");
    EXPECT_FALSE(alice.enabled);
    EXPECT_THAT(alice.roles, ElementsAre("ops"));
    const WallTime day =
        std::chrono::sys_days(std::chrono::year(2030) / std::chrono::February / 28);
    EXPECT_EQ(alice.expires, day);
    EXPECT_EQ(list.peers[1].expires, day + std::chrono::minutes(30));
    ASSERT_THAT(alice.grants, SizeIs(2));
    EXPECT_EQ(alice.grants[1].scope.text(), "git:read:*");
    EXPECT_EQ(alice.grants[1].origin.text(), "alknet.toml:13");
    ASSERT_THAT(list.roles, SizeIs(1));
    ASSERT_THAT(list.roles[0].grants, SizeIs(1));
    EXPECT_EQ(list.roles[0].grants[0].origin.text(), "alknet.toml:3");
}

TEST(ConfigParse, APeerWithOnlyACertificateHasNoNodeId) {
    const Config config =
        accepted("[[peer]]\nname = \"bob\"\nkeys = [\"x509-sha256:" + std::string(64, '0') + "\"]");
    EXPECT_FALSE(config.dynamic.peers[0].node_id());
}

TEST(ConfigParse, ReadsRulesOfServices) {
    const Config config = accepted(R"(
        [alpn."alknet/echo"]
        identity_required = true
        [alpn.h3]
        transports = ["quic"]
        [alpn.h2]
        transports = ["tcp"]
    )");
    const auto& alpns = config.dynamic.alpns;
    EXPECT_TRUE(alpns.at("alknet/echo").identity_required);
    EXPECT_EQ(alpns.at("alknet/echo").transports, (Transports{true, true}));
    EXPECT_EQ(alpns.at("h3").transports, (Transports{true, false}));
    EXPECT_EQ(alpns.at("h2").transports, (Transports{false, true}));
}

TEST(ConfigParse, ReadsWhichSignedTokensAreAccepted) {
    EXPECT_EQ(accepted("").dynamic.signed_tokens, identity::SignedTokenRules());
    const Config config = accepted("[tokens]\nsigned_v1 = true\nsigned_window = \"1m\"");
    EXPECT_TRUE(config.dynamic.signed_tokens.v1);
    EXPECT_EQ(config.dynamic.signed_tokens.window, std::chrono::minutes(1));
}

TEST(ConfigParse, ReadsWhereElsePeersAreWrittenDown) {
    EXPECT_TRUE(accepted("").dynamic.authorized_keys.file.empty());
    const Config config = accepted(
        "[identity]\nauthorized_keys = \"keys\"\nauthorized_keys_scopes = [\n\"git:read\"]");
    EXPECT_EQ(config.dynamic.authorized_keys.file.filename(), "keys");
    const auto grants = authorized_grants(config.dynamic, "alknet.toml");
    ASSERT_THAT(grants, SizeIs(1));
    EXPECT_EQ(grants[0].scope.text(), "git:read");
    EXPECT_EQ(grants[0].origin.text(), "alknet.toml:4");
}

TEST(ConfigParse, ReadsCertificatesRelativeToTheHome) {
    const Config config = accepted(R"(
        [tls]
        certificates = [{ chain = "a.pem", key = "/etc/tls/a.key" }]
    )");
    ASSERT_THAT(config.dynamic.certificates, SizeIs(1));
    EXPECT_EQ(config.dynamic.certificates[0].chain, "/var/lib/node/a.pem");
    EXPECT_EQ(config.dynamic.certificates[0].key, "/etc/tls/a.key");
}

TEST(ConfigParse, ReadsEveryLimit) {
    const EndpointLimits limits = accepted(R"(
        [limits]
        connections_max = 1
        connections_per_ip_max = 2
        connections_per_identity_max = 3
        half_open_max = 5
        half_open_retry = 4
        handshake_timeout = "500ms"
        idle_timeout = "2 m"
        streams_max = 6
        streams_unauthenticated_max = 7
        connection_bytes_max = 1048576
        connection_bytes_unauthenticated_max = "64 KiB"
        shutdown_grace = "0s"
        handler_unwind_timeout = "3s"
        linger_timeout = "4s"
    )")
                                      .dynamic.limits;
    EXPECT_EQ(limits.connections_max, 1U);
    EXPECT_EQ(limits.connections_per_ip_max, 2U);
    EXPECT_EQ(limits.connections_per_identity_max, 3U);
    EXPECT_EQ(limits.half_open_max, 5U);
    EXPECT_EQ(limits.half_open_retry, 4U);
    EXPECT_EQ(limits.handshake_timeout, milliseconds(500));
    EXPECT_EQ(limits.idle_timeout, minutes(2));
    EXPECT_EQ(limits.streams_max, 6U);
    EXPECT_EQ(limits.streams_unauthenticated_max, 7U);
    EXPECT_EQ(limits.connection_bytes_max, 1U << 20);
    EXPECT_EQ(limits.connection_bytes_unauthenticated_max, 64U << 10);
    EXPECT_EQ(limits.shutdown_grace, seconds(0));
    EXPECT_EQ(limits.handler_unwind_timeout, seconds(3));
    EXPECT_EQ(limits.linger_timeout, seconds(4));
}

TEST(ConfigParse, LimitsOfResumableStreams) {
    const resume::ResumeLimits limits = accepted(R"(
        [resume]
        streams_max = 1
        streams_per_identity_max = 2
        streams_unauthenticated_max = 0
        ring_bytes_max = '1MiB'
        ring_bytes_unauthenticated_max = '4KiB'
        linger_max = '3h'
        linger_unauthenticated_max = '4s'
    )")
                                            .dynamic.resume;
    EXPECT_EQ(limits, (resume::ResumeLimits{.streams_max = 1,
                                            .streams_per_identity_max = 2,
                                            .streams_unauthenticated_max = 0,
                                            .ring_bytes_max = 1 << 20,
                                            .ring_bytes_unauthenticated_max = 4 << 10,
                                            .linger_max = hours(3),
                                            .linger_unauthenticated_max = seconds(4)}));
    EXPECT_EQ(accepted("").dynamic.resume, resume::ResumeLimits());
}

TEST(ConfigParse, Ssh) {
    EXPECT_TRUE(accepted("").dynamic.ssh.listen.empty());
    EXPECT_EQ(accepted("[ssh]\nlisten = ['127.0.0.1:2222', '[::]:22']\n").dynamic.ssh.listen,
              (std::vector{SocketAddress::v4({127, 0, 0, 1}, 2222), SocketAddress::v6({}, 22)}));
    EXPECT_FALSE(accepted("[ssh]\nshell = '/bin/sh'\n").dynamic.ssh.runs_programs());
    const SshRules rules = accepted("[ssh]\nrun_as = 'guest'\nshell = '/bin/sh'\n").dynamic.ssh;
    EXPECT_TRUE(rules.runs_programs());
    EXPECT_EQ(rules.run_as, "guest");
    EXPECT_EQ(rules.shell, "/bin/sh");
    EXPECT_TRUE(accepted("[ssh]\nrun_as_self = true\n").dynamic.ssh.runs_programs());
    EXPECT_THAT(complaints("[ssh]\nrun_as_self = true\nrun_as = 'guest'\n"),
                ElementsAre(HasSubstr("has both of 'run_as' and 'run_as_self'")));
}

TEST(ConfigParse, UnitsOfTimeAndSize) {
    EXPECT_EQ(accepted("limits.idle_timeout = '24h'").dynamic.limits.idle_timeout, hours(24));
    EXPECT_EQ(accepted("limits.idle_timeout = '1d'").dynamic.limits.idle_timeout, hours(24));
    EXPECT_EQ(accepted("limits.connection_bytes_max = '1GiB'").dynamic.limits.connection_bytes_max,
              1U << 30);
}

TEST(ConfigParse, AProblemHasFileLineColumnKeyAndReason) {
    EXPECT_THAT(complaints("[limits]\nstreams_max = 0\n"),
                ElementsAre("test.toml:2:15: limits.streams_max: must be an integer from 1 to "
                            "100000, and is 0"));
    EXPECT_THAT(complaints("[limits\n"), ElementsAre(HasSubstr("test.toml:1:")));
}

TEST(ConfigParse, AnUnknownKeyIsAProblemAndNamesTheNearestOne) {
    EXPECT_THAT(complaints("[limits]\nstream_max = 1"),
                ElementsAre("test.toml:2:1: limits.stream_max: this key is not known; did you mean "
                            "'streams_max'?"));
    EXPECT_THAT(complaints("[limit]\n"), ElementsAre(HasSubstr("did you mean 'limits'?")));
    EXPECT_THAT(complaints("[node]\nsomething-else = 1"),
                ElementsAre("test.toml:2:1: node.something-else: this key is not known"));
    EXPECT_THAT(complaints("[alpn.'a b'.c]"),
                ElementsAre(HasSubstr("alpn.\"a b\".c: this key is not known")));
}

TEST(ConfigParse, SeveralProblemsComeInTheOrderOfTheFile) {
    const auto all = complaints("[log]\nlevel = 'loud'\nformat = 7\n[node]\nkey = ''\n");
    EXPECT_THAT(all, ElementsAre(HasSubstr(":2:9: log.level: must be one of trace, debug"),
                                 HasSubstr(":3:10: log.format: must be text in quotes, and is an "
                                           "integer"),
                                 HasSubstr(":5:7: node.key: is not a path")));
    const error failure = as_error(parse_text("a = 1\nb = 2\nc = 3").problems);
    EXPECT_TRUE(failure.is(causes::kConfigInvalid));
    EXPECT_THAT(failure.detail(), HasSubstr("test.toml:1:1: a: this key is not known"));
    EXPECT_THAT(failure.detail(), HasSubstr("and 2 more"));
}

struct Refusal {
    const char* text;
    const char* key;
    const char* reason;
};

class ConfigRefuses : public testing::TestWithParam<Refusal> {};

TEST_P(ConfigRefuses, AndSaysWhy) {
    const Parsed parsed = parse_text(GetParam().text);
    ASSERT_FALSE(parsed.problems.empty());
    EXPECT_EQ(parsed.problems[0].key, GetParam().key);
    EXPECT_THAT(parsed.problems[0].reason, HasSubstr(GetParam().reason));
    EXPECT_GT(parsed.problems[0].line, 0U);
    EXPECT_GT(parsed.problems[0].column, 0U);
}

#define LISTENER "[[listener]]\nname = 'a'\naddresses = ['127.0.0.1:1']\n"
#define PEER_KEY "keys = ['e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc']\n"

INSTANTIATE_TEST_SUITE_P(
    Kinds, ConfigRefuses,
    testing::Values(
        Refusal{"node = 1", "node", "must be a table, and is an integer"},
        Refusal{"listener = 1.5", "listener", "and is a number with a fraction"},
        Refusal{"peer = [1]", "peer", "must be a table"},
        Refusal{"alpn = 'x'", "alpn", "must be a table, and is text"},
        Refusal{"tls.certificates = 2020-01-01", "tls.certificates", "and is a date or time"},
        Refusal{"tls.certificates = [true]", "tls.certificates",
                "must be a table, and is true or false"},
        Refusal{"tls.certificates = [{chain='a'}]", "tls.certificates", "needs the key 'key'"},
        Refusal{"[alpn]\necho = []", "alpn.echo", "must be a table, and is an array"},
        Refusal{"log = {level = {}}", "log.level", "and is a table"},
        Refusal{"quic = 1", "quic", "must be a table"},
        Refusal{"log = 1", "log", "must be a table"}, Refusal{"tls = 1", "tls", "must be a table"},
        Refusal{"limits = 1", "limits", "must be a table"}));

INSTANTIATE_TEST_SUITE_P(
    Values, ConfigRefuses,
    testing::Values(
        Refusal{"limits.streams_max = -1", "limits.streams_max", "and is -1"},
        Refusal{"limits.streams_max = '1'", "limits.streams_max", "and is text"},
        Refusal{"limits.idle_timeout = 10", "limits.idle_timeout", "must be text"},
        Refusal{"limits.idle_timeout = '10'", "limits.idle_timeout", "a duration"},
        Refusal{"limits.idle_timeout = 'long'", "limits.idle_timeout", "a duration"},
        Refusal{"limits.idle_timeout = '10  s'", "limits.idle_timeout", "a duration"},
        Refusal{"limits.idle_timeout = '9ms'", "limits.idle_timeout", "from 1s to 1d"},
        Refusal{"limits.idle_timeout = '18446744073709551615d'", "limits.idle_timeout",
                "a duration"},
        Refusal{"limits.connection_bytes_max = '1 TiB'", "limits.connection_bytes_max",
                "from 64 KiB to 1 GiB"},
        Refusal{"limits.connection_bytes_max = -4", "limits.connection_bytes_max", "octets"},
        Refusal{"[limits]\nhalf_open_max = 1\nhalf_open_retry = 2", "limits",
                "half_open_retry must not be above"},
        Refusal{"[limits]\nconnection_bytes_max = '64 KiB'", "limits",
                "connection_bytes_unauthenticated_max must not be above"},
        Refusal{"node.key = \"a\\u0000b\"", "node.key", "is not a path"},
        Refusal{"log.format = 'xml'", "log.format", "must be one of text, json"},
        Refusal{"[alpn.h3]\ntransports = []", "alpn.h3.transports", "not empty"},
        Refusal{"[alpn.h3]\ntransports = ['udp']", "alpn.h3.transports", "quic, tcp"},
        Refusal{"[alpn.h3]\ntransports = ['tcp','tcp','tcp']", "alpn.h3.transports", "at most 2"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\ntransports = []", "peer.transports",
                "\"quic\", \"tcp\" and \"proxy\", not empty"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\ntransports = ['udp']", "peer.transports",
                "must be one of quic, tcp, proxy"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\ntransport = ['tcp']", "peer.transport",
                "did you mean 'transports'"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\ncongestion = 'reno'", "peer.congestion",
                "must be one of bbr, cubic"},
        Refusal{"[alpn.h3]\nidentity_required = 1", "alpn.h3.identity_required",
                "must be true or false, and is an integer"},
        Refusal{"[alpn.'']", "alpn.\"\"", "not a usable service name"}));

INSTANTIATE_TEST_SUITE_P(
    Listeners, ConfigRefuses,
    testing::Values(
        Refusal{"[[listener]]\n", "listener", "needs the key 'name'"},
        Refusal{"[[listener]]\nname = 'a'\naddresses = []", "listener", "needs an address"},
        Refusal{LISTENER "quic = false\ntcp = false", "listener", "neither QUIC nor TCP"},
        Refusal{LISTENER LISTENER, "listener", "another listener 'a'"},
        Refusal{LISTENER "[[listener]]\nname = 'b'\naddresses = ['127.0.0.1:1']", "listener",
                "cannot be open beside 127.0.0.1:1 of listener 'a'"},
        Refusal{"[[listener]]\nname = 'a'\naddresses = ['0.0.0.0:1', '[::]:1']", "listener",
                "[::]:1 cannot be open beside 0.0.0.0:1"},
        Refusal{LISTENER "[[listener]]\nname = 'b'\naddresses = ['0.0.0.0:1']", "listener",
                "0.0.0.0:1 cannot be open beside 127.0.0.1:1"},
        Refusal{LISTENER "[[listener]]\nname = 'b'\naddresses = ['[::]:1']", "listener",
                "[::]:1 cannot be open beside 127.0.0.1:1"},
        Refusal{"[[listener]]\nname = 'a'\naddresses = ['localhost:1']", "listener.addresses",
                "must be IP:PORT"},
        Refusal{"[[listener]]\nname = 'a'\naddresses = [1]", "listener.addresses", "must be text"},
        Refusal{"[[listener]]\nname = 'a'\naddresses = ['1.2.3.4:5','1.2.3.4:5']",
                "listener.addresses", "twice"},
        Refusal{"[[listener]]\nname = 'a/b'\naddresses = ['1.2.3.4:5']", "listener.name",
                "a name of at most 64"},
        Refusal{LISTENER "alpns = ['']", "listener.alpns", "not a usable service name"},
        Refusal{LISTENER "alpns = [[]]", "listener.alpns", "must be text"},
        Refusal{LISTENER "congestion = 'reno'", "listener.congestion", "bbr, cubic"}));

INSTANTIATE_TEST_SUITE_P(
    Peers, ConfigRefuses,
    testing::Values(
        Refusal{"[[peer]]\nname = 'a'", "peer", "needs the key 'keys'"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = ['what']", "peer.keys", "cannot be read"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = ['x509-sha256:00']", "peer.keys", "cannot be read"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = [1]", "peer.keys", "must be text"},
        Refusal{"[[peer]]\nname = 'a'\n" PEER_KEY "[[peer]]\nname = 'a'\nkeys=[]", "peer",
                "another peer 'a'"},
        Refusal{"[[peer]]\nname = 'a'\n" PEER_KEY "[[peer]]\nname = 'b'\n" PEER_KEY, "peer",
                "belongs to peer 'a'"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\nscopes = ['git']", "peer.scopes",
                "SERVICE:ACTION"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\nscopes = [':read']", "peer.scopes",
                "SERVICE:ACTION"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\nscopes = ['git::x']", "peer.scopes",
                "SERVICE:ACTION"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\nscopes = ['git:re ad']", "peer.scopes",
                "SERVICE:ACTION"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\nscopes = [{}]", "peer.scopes", "must be text"},
        Refusal{"[[peer]]\nname = 'bob'\nkeys = []\n[[peer]]\nname = 'B0B'\nkeys = []", "peer",
                "looks like that of peer 'bob'"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\nroles = ['ops']", "", "no role 'ops'"},
        Refusal{"[[role]]\nname = 'a'\nscopes = []\n[[role]]\nname = 'a'\nscopes = []", "role",
                "another role 'a'"},
        Refusal{"[[role]]\nname = 'a'", "role", "needs the key 'scopes'"},
        Refusal{"[alpn.a]\nscope = 'git:*'", "alpn.a.scope", "without *"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\nexpires = '2030-01-01'", "peer.expires",
                "must be a date"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\nexpires = 2030-01-01T00:00:00", "peer.expires",
                "with its offset"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\nexpires = 2201-01-01", "peer.expires",
                "between 1970 and 2200"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\nrenew = '30d'", "peer", "belongs to 'expires'"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\nexpires = 2030-01-01\nrenew = '59m'",
                "peer.renew", "1h"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\nexpires = 2030-01-01\nrenew = '3651d'",
                "peer.renew", "3650d"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\naddress = 'a:b:c'", "peer.address", "address"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\naddress = 1", "peer.address", "must be text"},
        Refusal{"[[peer]]\nname = 'a'\nkeys = []\naddress = "
                "'e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc'",
                "peer.address", "must be HOST[:PORT]"}));

}  // namespace
}  // namespace alknet::config
