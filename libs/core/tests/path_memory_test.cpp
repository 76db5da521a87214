// What is remembered of the ways to nodes, and for how long.
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/core/path_memory.hpp>

namespace alknet {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

const WallTime kNow{std::chrono::seconds(1'767'225'600)};
const PathKey kKey{"0123456789abcdef", "ed25519:aa"};

Goodput goodput(Rung rung, std::uint64_t bytes, Duration time = seconds(10)) {
    return {.rung = rung, .bytes = bytes, .time = time};
}

TEST(PathMemory, RemembersForADayAndForOneNetwork) {
    PathMemory memory;
    EXPECT_FALSE(memory.advice(kKey, kNow).remembered);
    memory.worked(kKey, Rung::tcp_v4, kNow);
    EXPECT_EQ(memory.advice(kKey, kNow).remembered, Rung::tcp_v4);
    EXPECT_EQ(memory.advice(kKey, kNow + hours(23)).remembered, Rung::tcp_v4);
    EXPECT_FALSE(memory.advice(kKey, kNow + hours(24)).remembered);
    EXPECT_FALSE(memory.advice(kKey, kNow - seconds(1)).remembered);  // the clock was set back
    EXPECT_FALSE(memory.advice({"fedcba9876543210", kKey.node}, kNow).remembered);
    EXPECT_FALSE(memory.advice({kKey.network, "other"}, kNow).remembered);
}

// Where TCP always wins nobody would ever learn that QUIC works again.
TEST(PathMemory, TheDayOfALowerRungIsNotRenewedByItsUse) {
    PathMemory memory;
    for (const Rung rung : {Rung::tcp_v4, Rung::proxy, Rung::quic_v4}) {
        memory.worked(kKey, rung, kNow);
        memory.worked(kKey, rung, kNow + hours(20));
        memory.report(kKey, goodput(rung, std::uint64_t{1} << 30), kNow + hours(21));
        memory = PathMemory::parse(memory.to_text()).value();
        EXPECT_EQ(memory.advice(kKey, kNow + hours(23)).remembered, rung);
        EXPECT_EQ(memory.advice(kKey, kNow + hours(25)).remembered.has_value(), is_quic(rung));
        memory.worked(kKey, rung, kNow + hours(26));
        EXPECT_EQ(memory.advice(kKey, kNow + hours(49)).remembered, rung);
    }
}

TEST(PathMemory, ForgetsWhatFailed) {
    PathMemory memory;
    memory.worked(kKey, Rung::quic_v6, kNow);
    memory.failed(kKey, Rung::tcp_v4);  // another one
    EXPECT_EQ(memory.advice(kKey, kNow).remembered, Rung::quic_v6);
    memory.failed(kKey, Rung::quic_v6);
    EXPECT_FALSE(memory.advice(kKey, kNow).remembered);
    memory.failed({"x", "y"}, Rung::quic_v6);
}

TEST(PathMemory, PolicedQuicLosesItsPlace) {
    EXPECT_TRUE(loses_its_place(goodput(Rung::quic_v4, 49), goodput(Rung::tcp_v4, 100)));
    EXPECT_FALSE(loses_its_place(goodput(Rung::quic_v4, 50), goodput(Rung::tcp_v4, 100)));
    EXPECT_TRUE(
        loses_its_place(goodput(Rung::quic_v4, 90, seconds(20)), goodput(Rung::tcp_v4, 100)));
    EXPECT_FALSE(
        loses_its_place(goodput(Rung::quic_v4, 1, seconds(9)), goodput(Rung::tcp_v4, 100)));
    EXPECT_FALSE(
        loses_its_place(goodput(Rung::quic_v4, 1), goodput(Rung::tcp_v4, 100, seconds(9))));

    PathMemory memory;
    memory.worked(kKey, Rung::quic_v4, kNow);
    memory.report(kKey, goodput(Rung::quic_v4, 400), kNow);
    memory.report(kKey, goodput(Rung::tcp_v6, 1000), kNow);
    EXPECT_TRUE(memory.advice(kKey, kNow).quic_demoted);
    EXPECT_FALSE(memory.advice(kKey, kNow).remembered);  // it was QUIC
    EXPECT_FALSE(memory.advice(kKey, kNow + hours(24)).quic_demoted);
    memory.report(kKey, goodput(Rung::tcp_v6, 600), kNow);  // not much of a difference any more
    EXPECT_TRUE(memory.advice(kKey, kNow).quic_demoted);
    memory.report(kKey, goodput(Rung::quic_v4, 600), kNow);
    EXPECT_FALSE(memory.advice(kKey, kNow).quic_demoted);
    EXPECT_EQ(memory.advice(kKey, kNow).remembered, Rung::quic_v4);
    memory.report({"n", "m"}, goodput(Rung::quic_v4, 1, seconds(1)), kNow);  // too short to count
    EXPECT_EQ(memory.size(), 1U);
}

TEST(PathMemory, SlowQuicPutsTcpOnTrial) {
    PathMemory memory;
    const std::uint64_t suspect = PathMemory::kSuspectRate * 10;
    memory.report(kKey, goodput(Rung::quic_v4, suspect), kNow);
    EXPECT_FALSE(memory.advice(kKey, kNow).quic_demoted);
    memory.report(kKey, goodput(Rung::quic_v4, suspect - 10), kNow);
    EXPECT_TRUE(memory.advice(kKey, kNow).quic_demoted);
    EXPECT_TRUE(memory.advice(kKey, kNow + seconds(3599)).quic_demoted);
    EXPECT_FALSE(memory.advice(kKey, kNow + seconds(3600)).quic_demoted);
    // From one run to the next, too.
    PathMemory later = PathMemory::parse(memory.to_text()).value();
    EXPECT_TRUE(later.advice(kKey, kNow).quic_demoted);
    // TCP is no better: QUIC is first again, and TCP not remembered.
    later.worked(kKey, Rung::tcp_v4, kNow);
    later.report(kKey, goodput(Rung::tcp_v4, suspect), kNow);
    EXPECT_FALSE(later.advice(kKey, kNow).quic_demoted);
    EXPECT_FALSE(later.advice(kKey, kNow).remembered);
    // TCP is: that is for a day.
    memory.worked(kKey, Rung::tcp_v4, kNow);
    memory.report(kKey, goodput(Rung::tcp_v4, 2 * suspect), kNow);
    EXPECT_TRUE(memory.advice(kKey, kNow + hours(23)).quic_demoted);
    EXPECT_EQ(memory.advice(kKey, kNow + hours(23)).remembered, Rung::tcp_v4);
    // After it nothing is known, and what was measured then is not compared with what is now.
    memory.report(kKey, goodput(Rung::quic_v4, suspect), kNow + hours(24));
    EXPECT_FALSE(memory.advice(kKey, kNow + hours(24)).quic_demoted);
}

TEST(PathMemory, IsBoundedAndForgetsTheOldestFirst) {
    PathMemory memory;
    for (std::size_t i = 0; i < PathMemory::kEntriesMax; ++i) {
        memory.worked({"n", "node" + std::to_string(i)}, Rung::proxy, kNow + seconds(i));
    }
    memory.worked(kKey, Rung::proxy, kNow + hours(1));
    EXPECT_EQ(memory.size(), PathMemory::kEntriesMax);
    EXPECT_FALSE(memory.advice({"n", "node0"}, kNow + hours(1)).remembered);
    EXPECT_TRUE(memory.advice({"n", "node1"}, kNow + hours(1)).remembered);
    const PathKey huge{"n", std::string(PathMemory::kNodeBytesMax + 1, 'x')};
    memory.worked(huge, Rung::proxy, kNow);
    EXPECT_FALSE(memory.advice(huge, kNow).remembered);
    memory.worked({"n", "white space"}, Rung::proxy, kNow);
    EXPECT_FALSE(memory.advice({"n", "white space"}, kNow).remembered);
}

TEST(PathMemory, IsReadAsItWasWritten) {
    PathMemory memory;
    memory.worked(kKey, Rung::quic_v6, kNow);
    memory.worked({"n", "host:4433"}, Rung::proxy, kNow);
    memory.failed({"n", "host:4433"}, Rung::proxy);
    memory.report(kKey, goodput(Rung::quic_v4, 1), kNow);
    memory.report(kKey, goodput(Rung::tcp_v4, 100), kNow);
    const auto again = PathMemory::parse(memory.to_text());
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->to_text(), memory.to_text());
    EXPECT_TRUE(again->advice(kKey, kNow).quic_demoted);
    EXPECT_EQ(PathMemory::parse(PathMemory().to_text())->size(), 0U);
}

TEST(PathMemory, RefusesWhatIsNone) {
    for (const char* text :
         {"", "alknet-paths 2\n", "alknet-paths 1\n\n", "alknet-paths 1\nn node quic 1 0\n",
          "alknet-paths 1\nn node proxy x 0\n", "alknet-paths 1\nn node proxy 1\n",
          "alknet-paths 1\nn node proxy 1 0 0\n", "alknet-paths 1\nn node proxy 1 0 0 1 1\n",
          "alknet-paths 1\nn node proxy 1 0 1 1\n",
          "alknet-paths 1\nn node proxy 1 0 1 1 9223372036854775808\n",
          "alknet-paths 1\nn node proxy@x 1 0\n", "alknet-paths 1\nn node proxy@-1 1 0\n",
          "alknet-paths 1\nn node proxy -1 0\n", "alknet-paths 1\nn  proxy 1 0\n",
          "alknet-paths 1\nn n\xc3\xa9 proxy 1 0\n"}) {
        const auto memory = PathMemory::parse(text);
        ASSERT_FALSE(memory) << text;
        EXPECT_TRUE(memory.error().is(causes::kProtocol));
    }
    EXPECT_FALSE(PathMemory::parse(std::string(PathMemory::kTextBytesMax + 1, 'x')));
}

TEST(PathMemory, MergesWhatIsNewer) {
    PathMemory mine;
    PathMemory theirs;
    mine.worked(kKey, Rung::tcp_v4, kNow);
    theirs.worked(kKey, Rung::quic_v4, kNow + seconds(1));
    theirs.worked({"n", "m"}, Rung::proxy, kNow);
    mine.merge(theirs);
    EXPECT_EQ(mine.size(), 2U);
    EXPECT_EQ(mine.advice(kKey, kNow + seconds(1)).remembered, Rung::quic_v4);
    theirs.worked(kKey, Rung::quic_v6, kNow - hours(1));
    mine.merge(theirs);
    EXPECT_EQ(mine.advice(kKey, kNow + seconds(1)).remembered, Rung::quic_v4);
}

constexpr std::string_view kRoutes =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
    "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    "wlan0\t0001A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0\n"
    "eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n";

TEST(NetworkIdentity, IsThatOfTheBestDefaultRoute) {
    const NetworkIdentity network = identify_network(kRoutes);
    EXPECT_EQ(network.interface, "eth0");
    EXPECT_EQ(network.gateway, "192.0.2.1");
    EXPECT_EQ(network.prefix, "192.0.2.0/255.255.255.0");
    EXPECT_EQ(identify_network(""), NetworkIdentity());
    EXPECT_EQ(identify_network("eth0\tzz\t0\n\n\t\t\t"), NetworkIdentity());
}

TEST(NetworkIdentity, HasAFingerprint) {
    const NetworkIdentity network = identify_network(kRoutes);
    const std::string text = network_fingerprint(network);
    EXPECT_EQ(text.size(), 16U);
    EXPECT_EQ(text, network_fingerprint(network));
    NetworkIdentity other = network;
    other.gateway = "192.0.2.2";
    EXPECT_NE(text, network_fingerprint(other));
    EXPECT_NE(network_fingerprint({"ab", "c", ""}), network_fingerprint({"a", "bc", ""}));
}

}  // namespace
}  // namespace alknet
