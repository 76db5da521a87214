// Each verdict of the local checks, on a machine that is in order but for one thing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <alknet/doctor/examine.hpp>
#include <functional>

#include "fake_probe.hpp"

namespace alknet::doctor {
namespace {

using test::FakeProbe;
using test::kDay;
using test::kToday;
using testing::HasSubstr;
using testing::Not;

const Check* find(const std::vector<Check>& checks, std::string_view name) {
    const auto found = std::ranges::find(checks, name, &Check::name);
    return found == checks.end() ? nullptr : &*found;
}

struct Row {
    std::string_view what;
    std::function<void(FakeProbe&)> breaks;
    std::string_view check;
    Status status;
    std::string_view consequence;  // a part of it
    std::string_view next;         // a part of it
};

NodeFacts& facts(FakeProbe& probe) {
    return *probe.node_facts;
}

constexpr std::string_view kKey = "key and configuration";
constexpr std::string_view kUdp = "port [::]:4433 UDP";
constexpr std::string_view kTcp = "port [::]:4433 TCP";

std::vector<Row> node_rows() {
    return {
        {"no home", [](FakeProbe& p) { p.node_facts = fail(causes::kConfigMissing); }, kKey,
         Status::warn, "nobody can reach it", "alknet init"},
        {"a bad file",
         [](FakeProbe& p) { p.node_facts = fail(causes::kConfigInvalid, "alknet.toml:3:1"); }, kKey,
         Status::fail, "cannot start", "correct the named line"},
        {"a bad file, while the node runs",
         [](FakeProbe& p) {
             p.node_facts = fail(causes::kConfigInvalid, "alknet.toml:3:1");
             p.runs = true;
         },
         kKey, Status::fail, "goes on as it was", "correct the named line"},
        {"a key that others can read",
         [](FakeProbe& p) { p.node_facts = fail(causes::kHomeInvalid, "node.key"); }, kKey,
         Status::fail, "cannot start", "mend what the detail names"},
        {"another program on the port",
         [](FakeProbe& p) {
             p.bind_udp = fail(causes::kAddressInUse);
             p.holders = {{.pid = 77, .program = "nginx"}};
         },
         kUdp, Status::fail, "cannot listen", "another port"},
        {"another program, while the node runs",
         [](FakeProbe& p) {
             facts(p).running = true;
             p.bind_tcp = fail(causes::kAddressInUse);
             p.holders = {{.pid = 77, .program = "nginx"}};
         },
         kTcp, Status::fail, "cannot listen", "stop that program"},
        {"the node itself",
         [](FakeProbe& p) {
             facts(p).running = true;
             p.bind_udp = fail(causes::kAddressInUse);
             p.holders = {{.pid = 77, .program = "alknet"}};
         },
         kUdp, Status::ok, "", ""},
        {"the node of another user",
         [](FakeProbe& p) {
             facts(p).running = true;
             p.bind_udp = fail(causes::kAddressInUse);
             p.holders = {{.pid = 0, .program = "a program of another user"}};
         },
         kUdp, Status::ok, "", ""},
        {"a node that listens elsewhere", [](FakeProbe& p) { facts(p).running = true; }, kTcp,
         Status::warn, "does not listen", "--listen"},
        {"an address of another machine",
         [](FakeProbe& p) { p.bind_udp = fail(causes::kIo, "bind: Cannot assign"); }, kUdp,
         Status::fail, "cannot listen", "an address of this machine"},
        {"a low port",
         [](FakeProbe& p) {
             facts(p).config.dynamic.listeners[0].addresses = {SocketAddress::v4({}, 443)};
             p.bind_tcp = fail(causes::kIo, "bind: Permission denied");
         },
         "port 0.0.0.0:443 TCP", Status::fail, "cannot listen", "CAP_NET_BIND_SERVICE"},
    };
}

std::vector<Row> system_rows() {
    return {
        {"1970", [](FakeProbe& p) { p.now = 100; }, "clock", Status::fail, "certificates",
         "timedatectl"},
        {"2040", [](FakeProbe& p) { p.now = kClockMax; }, "clock", Status::fail, "certificates",
         "timedatectl"},
        {"before the certificate", [](FakeProbe& p) { p.now = kToday - 2 * kDay; }, "clock",
         Status::fail, "cert.pem was made", "timedatectl"},
        {"hardly any files",
         [](FakeProbe& p) { p.files = FileLimits{.soft = 100, .hard = kFilesMin - 1}; },
         "open files", Status::fail, "descriptors", "LimitNOFILE=10064"},
        {"fewer files than connections",
         [](FakeProbe& p) { p.files = FileLimits{.soft = 1024, .hard = 4096}; }, "open files",
         Status::warn, "4032 connections", "LimitNOFILE=10064"},
        {"a full disk", [](FakeProbe& p) { p.disk->free_bytes = kDiskBytesMin - 1; }, "disk",
         Status::fail, "cannot save", "df -h"},
        {"no files left", [](FakeProbe& p) { p.disk->free_files = kDiskFilesMin - 1; }, "disk",
         Status::fail, "cannot save", "df -i"},
        {"little room", [](FakeProbe& p) { p.disk->free_bytes = kDiskBytesWanted - 1; }, "disk",
         Status::warn, "soon", "df -h"},
        {"a disk that does not answer", [](FakeProbe& p) { p.disk = fail(causes::kIo, "statvfs"); },
         "disk", Status::skipped, "", ""},
        {"a limit that is not told", [](FakeProbe& p) { p.files = fail(causes::kIo); },
         "open files", Status::skipped, "", ""},
        {"an expired certificate",
         [](FakeProbe& p) { facts(p).certificates[0].not_after = kToday - 1; }, "cert.pem",
         Status::fail, "expired", "renew"},
        {"one that ends soon",
         [](FakeProbe& p) { facts(p).certificates[0].not_after = kToday + 3 * kDay; }, "cert.pem",
         Status::warn, "3 days", "renew"},
        {"one for tomorrow", [](FakeProbe& p) { facts(p).certificates[0].not_before = kToday + 1; },
         "cert.pem", Status::fail, "until it is valid", "wait"},
        {"a certificate and no clock", [](FakeProbe& p) { p.now = 0; }, "cert.pem", Status::skipped,
         "", ""},
    };
}

std::vector<Row> network_rows() {
    const auto no_route = fail(causes::kUnreachable);
    return {
        {"small buffers", [](FakeProbe& p) { p.buffers->receive = 208 << 10; }, "UDP buffers",
         Status::warn, "may lose", "sysctl -w net.core.rmem_max=4194304"},
        {"tiny buffers", [](FakeProbe& p) { p.buffers->receive = kUdpBufferBytesMin - 1; },
         "UDP buffers", Status::fail, "loses", "sysctl -w net.core.rmem_max=4194304"},
        {"small buffers to send", [](FakeProbe& p) { p.buffers->send = 208 << 10; }, "UDP buffers",
         Status::warn, "may lose", "sysctl -w net.core.wmem_max=4194304"},
        {"no sockets", [](FakeProbe& p) { p.buffers = fail(causes::kIo); }, "UDP buffers",
         Status::skipped, "", ""},
        {"no GSO", [](FakeProbe& p) { p.offload->gso = false; }, "UDP offload", Status::warn, "CPU",
         "kernel"},
        {"no GRO", [](FakeProbe& p) { p.offload->gro = false; }, "UDP offload", Status::warn, "CPU",
         "kernel"},
        {"offload not told", [](FakeProbe& p) { p.offload = fail(causes::kIo); }, "UDP offload",
         Status::skipped, "", ""},
        {"a narrow path", [](FakeProbe& p) { p.mtu_v4 = kMtuMinV4 - 1; }, "path MTU, IPv4",
         Status::fail, "only TLS over TCP", "ip link"},
        {"a path just wide enough", [](FakeProbe& p) { p.mtu_v4 = kMtuMinV4; }, "path MTU, IPv4",
         Status::ok, "", ""},
        {"a narrow path, IPv6", [](FakeProbe& p) { p.mtu_v6 = kMtuMinV6 - 1; }, "path MTU, IPv6",
         Status::fail, "1248", "ip link"},
        {"no IPv6 route", [=](FakeProbe& p) { p.mtu_v6 = no_route; }, "path MTU, IPv6",
         Status::skipped, "", ""},
        {"MTU not told", [](FakeProbe& p) { p.mtu_v4 = fail(causes::kIo); }, "path MTU, IPv4",
         Status::skipped, "", ""},
        {"no IPv6", [=](FakeProbe& p) { p.v6_source = no_route; }, "IPv6", Status::skipped, "", ""},
        {"a firewall for IPv6",
         [](FakeProbe& p) { p.v6_source = fail(causes::kIo, "send: Operation not permitted"); },
         "IPv6", Status::warn, "nothing leaves", "nft"},
        {"a proxy", [](FakeProbe& p) { p.variables["HTTPS_PROXY"] = "http://u:pw@squid:3128/"; },
         "proxy", Status::ok, "", ""},
        {"a proxy of a kind that nobody knows",
         [](FakeProbe& p) { p.variables["ALL_PROXY"] = "gopher://u:pw@old:70"; }, "proxy",
         Status::warn, "not used", "socks5"},
        {"what only a dial tells", [](FakeProbe&) {}, "TLS opened on the way", Status::skipped, "",
         ""},
    };
}

void expect_row(const Row& row) {
    SCOPED_TRACE(std::string(row.what));
    FakeProbe probe;
    row.breaks(probe);
    const auto checks = local_checks(probe);
    const Check* check = find(checks, row.check);
    ASSERT_NE(check, nullptr);
    EXPECT_EQ(check->status, row.status) << check->value;
    EXPECT_FALSE(check->value.empty());
    EXPECT_THAT(check->value, Not(HasSubstr("pw")));
    EXPECT_THAT(check->consequence, HasSubstr(std::string(row.consequence)));
    EXPECT_THAT(check->next, HasSubstr(std::string(row.next)));
    const bool calm = row.status == Status::ok || row.status == Status::skipped;
    EXPECT_EQ(check->consequence.empty(), calm);
    EXPECT_EQ(check->next.empty(), calm);
    EXPECT_EQ(worst(checks), calm ? worst(checks) : std::max(worst(checks), row.status));
}

TEST(LocalChecks, OfTheNode) {
    std::ranges::for_each(node_rows(), expect_row);
}

TEST(LocalChecks, OfTheSystem) {
    std::ranges::for_each(system_rows(), expect_row);
}

TEST(LocalChecks, OfTheNetwork) {
    std::ranges::for_each(network_rows(), expect_row);
}

TEST(LocalChecks, AMachineInOrderHasNothingToComplainOf) {
    FakeProbe probe;
    const auto checks = local_checks(probe);
    for (const Check& check : checks) {
        EXPECT_TRUE(check.status == Status::ok || check.status == Status::skipped) << check.name;
    }
    EXPECT_EQ(worst(checks), Status::ok);
    EXPECT_EQ(worst({}), Status::ok);
}

TEST(LocalChecks, PortsCanBeLeftOut) {
    FakeProbe probe;
    probe.bind_udp = fail(causes::kAddressInUse);
    EXPECT_EQ(find(local_checks(probe, {.ports = false}), kUdp), nullptr);
}

TEST(LocalChecks, GroupsStandTogether) {
    FakeProbe probe;
    std::vector<std::string> groups;
    for (const Check& check : local_checks(probe)) {
        if (groups.empty() || groups.back() != check.group) {
            groups.push_back(check.group);
        }
    }
    EXPECT_EQ(groups, (std::vector<std::string>{"node", "system", "network", "certificates"}));
}

TEST(LocalChecks, ProxiesAreShownWithoutTheirPasswords) {
    EXPECT_EQ(proxy_without_secrets("http://a:b@h:1/x"), "http://h:1");
    EXPECT_EQ(proxy_without_secrets("h:1"), "http://h:1");
    EXPECT_EQ(proxy_without_secrets("a:b@c@h:1"), "http://h:1");
    EXPECT_EQ(proxy_without_secrets("socks5h://[::1]:9"), "socks5h://[::1]:9");
    EXPECT_EQ(proxy_without_secrets("https://h:1"), std::nullopt);
    EXPECT_EQ(proxy_without_secrets("http://"), std::nullopt);
}

TEST(LocalChecks, TheNearerVariableWins) {
    FakeProbe probe;
    EXPECT_FALSE(proxy_variable(probe));
    probe.variables = {{"ALL_PROXY", "b"}, {"https_proxy", "a"}};
    EXPECT_EQ(proxy_variable(probe)->value, "a");
}

TEST(LocalChecks, DatesAsText) {
    EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00Z");
    EXPECT_EQ(utc_text(kClockMin), "2025-01-01T00:00:00Z");
    EXPECT_EQ(utc_text(kClockMax), "2040-01-01T00:00:00Z");
    EXPECT_EQ(utc_text(INT64_MAX), "9999-12-31T23:59:59Z");
    EXPECT_EQ(utc_text(INT64_MIN), "0001-01-01T00:00:00Z");
}

TEST(LocalChecks, WhatDialsToPeersTellOfTls) {
    for (const auto& [seen, status] :
         {std::pair(TlsSeen::not_asked, Status::skipped),
          std::pair(TlsSeen::no_answer, Status::skipped), std::pair(TlsSeen::genuine, Status::ok),
          std::pair(TlsSeen::opened, Status::warn)}) {
        FakeProbe probe;
        const std::vector<Check> checks = local_checks(probe, {.tls = seen});
        const auto found = std::ranges::find(checks, "TLS opened on the way", &Check::name);
        ASSERT_NE(found, checks.end());
        EXPECT_EQ(found->status, status);
        EXPECT_EQ(found->next.empty(), status != Status::warn);
    }
}

TEST(LocalChecks, TlsIsOpenedWhereACertificateStandsForAKey) {
    const auto pair = [](Way way, Outcome outcome, Answerer answerer, bool pinned = true) {
        PairReport report;
        report.pinned = pinned;
        report.ways.emplace_back();
        report.ways[0].way = way;
        report.ways[0].outcome = outcome;
        report.ways[0].answerer = answerer;
        return report;
    };
    const PairReport silent = pair(Way::tcp_v4, Outcome::silent, Answerer::nobody);
    const PairReport works = pair(Way::tcp_v6, Outcome::connected, Answerer::the_node);
    const PairReport opened = pair(Way::tcp_v4, Outcome::tls, Answerer::a_certificate);
    EXPECT_EQ(tls_seen({}), TlsSeen::not_asked);
    EXPECT_EQ(tls_seen({silent}), TlsSeen::no_answer);
    EXPECT_EQ(tls_seen({silent, works}), TlsSeen::genuine);
    EXPECT_EQ(tls_seen({works, opened}), TlsSeen::opened);
    EXPECT_EQ(tls_seen({pair(Way::proxy, Outcome::wrong_key, Answerer::a_certificate)}),
              TlsSeen::opened);
    EXPECT_EQ(tls_seen({pair(Way::tcp_v4, Outcome::wrong_key, Answerer::another_key)}),
              TlsSeen::no_answer);
    EXPECT_EQ(tls_seen({pair(Way::quic_v4, Outcome::tls, Answerer::a_certificate)}),
              TlsSeen::no_answer);
    EXPECT_EQ(tls_seen({pair(Way::tcp_v4, Outcome::unverified, Answerer::a_certificate, false)}),
              TlsSeen::no_answer);
}

}  // namespace
}  // namespace alknet::doctor
