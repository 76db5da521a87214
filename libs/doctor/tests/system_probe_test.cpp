// The real probe, on whatever machine this is: what it says must make sense, not be good.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/config/home.hpp>
#include <alknet/doctor/local_checks.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "socket_table.hpp"

namespace alknet::doctor {
namespace {

namespace fs = std::filesystem;

class RealHome : public testing::Test {
protected:
    sim::TempDir path;
};

TEST_F(RealHome, SaysWhatANewNodeHas) {
    ASSERT_TRUE(
        config::Home::create(path / "home", {.addresses = {}, .names = {"x"}, .program = "t"}));
    const auto probe = make_system_probe(path / "home");
    const auto node = probe->node();
    ASSERT_TRUE(node) << node.error().message();
    EXPECT_FALSE(node->running);
    const auto home = config::Home::open(path / "home");
    const auto lock = home->lock();
    ASSERT_TRUE(lock);
    EXPECT_TRUE(probe->node()->running);
    EXPECT_TRUE(probe->disk_space());
    for (const Check& check : local_checks(*probe)) {
        EXPECT_FALSE(check.group.empty() || check.name.empty() || check.value.empty());
    }
}

TEST_F(RealHome, ReadsTheDatesOfCertificates) {
    ASSERT_TRUE(
        config::Home::create(path / "home", {.addresses = {}, .names = {"x"}, .program = "t"}));
    const auto home = config::Home::open(path / "home");
    const auto text = config::read_config_text(home->config_file());
    const auto probe = make_system_probe(path / "home");
    const auto node = probe->node();
    ASSERT_TRUE(node);
    ASSERT_EQ(node->certificates.size(), node->config.dynamic.certificates.size());
    for (const CertificateDates& dates : node->certificates) {
        EXPECT_LE(dates.not_before, probe->unix_seconds());
        EXPECT_GT(dates.not_after, probe->unix_seconds());
    }
}

TEST_F(RealHome, AnEmptyPlaceIsNoNode) {
    EXPECT_TRUE(make_system_probe(path / "none")->node().error().is(causes::kConfigMissing));
    EXPECT_TRUE(make_system_probe({})->node().error().is(causes::kConfigMissing));
}

TEST(RealProbe, TheSystemAnswers) {
    const auto probe = make_system_probe({});
    EXPECT_TRUE(plausible_clock(probe->unix_seconds()));
    const auto files = probe->file_limits();
    ASSERT_TRUE(files);
    EXPECT_LE(files->soft, files->hard);
    const auto buffers = probe->udp_buffers();
    ASSERT_TRUE(buffers);
    EXPECT_GT(buffers->receive, 0U);
    EXPECT_GT(buffers->send, 0U);
    EXPECT_TRUE(probe->udp_offload());
    EXPECT_TRUE(probe->disk_space());
    for (const auto family : {SocketAddress::Family::v4, SocketAddress::Family::v6}) {
        const auto mtu = probe->path_mtu(family);
        EXPECT_TRUE(mtu ? *mtu >= 576 : !mtu.error().detail().empty());
    }
    const auto source = probe->send_v6();
    EXPECT_TRUE(source ? !source->is_any() : !source.error().detail().empty());
}

TEST(RealProbe, Variables) {
    const auto probe = make_system_probe({});
    EXPECT_FALSE(probe->environment("ALKNET_DOCTOR_NO_SUCH_VARIABLE"));
    EXPECT_EQ(probe->environment("PATH"), std::string(std::getenv("PATH")));
}

TEST(RealProbe, FindsWhoHoldsAPort) {
    const auto probe = make_system_probe({});
    const SocketAddress any = SocketAddress::v4({127, 0, 0, 1}, 0);
    for (const auto& [transport, type] :
         {std::pair(Transport::quic, SOCK_DGRAM), std::pair(Transport::tcp, SOCK_STREAM)}) {
        const UniqueFd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
        sockaddr_storage native{};
        socklen_t size = any.to_native(native);
        ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&native), size), 0);
        ASSERT_TRUE(transport == Transport::quic || ::listen(fd.get(), 1) == 0);
        ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&native), &size), 0);
        const auto held = SocketAddress::from_native(reinterpret_cast<sockaddr*>(&native));
        const auto bound = probe->can_bind(held, transport);
        ASSERT_FALSE(bound);
        EXPECT_TRUE(bound.error().is(causes::kAddressInUse));
        const auto holders = probe->port_holders(held, transport);
        EXPECT_EQ(std::ranges::count(holders, std::int64_t{::getpid()}, &PortHolder::pid), 1);
    }
    EXPECT_TRUE(probe->can_bind(any, Transport::tcp));
    EXPECT_TRUE(probe->can_bind(any, Transport::quic));
    const auto elsewhere = probe->can_bind(SocketAddress::v4({192, 0, 2, 1}, 0), Transport::quic);
    ASSERT_FALSE(elsewhere);
    EXPECT_TRUE(elsewhere.error().is(causes::kIo));
}

TEST(SocketTable, ReadsTheKernelsText) {
    constexpr std::string_view kTable =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
        "timeout "
        "inode\n"
        "   0: 0100007F:1151 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        "
        "0 "
        "20611 1 0000000000000000 100 0 0 10 0\n"
        "   1: 0100007F:1152 0100007F:0016 01 00000000:00000000 00:00000000 00000000     0        "
        "0 "
        "20612 1\n"
        "   2: 00000000000000000000000001000000:01BB 0:0 0A 0:0 0:0 0 0 0 77\n"
        "   3: nonsense\n"
        "   4: 0100007F:99999 00000000:0000 0A 0:0 0:0 0 0 0 78\n"
        "   5: 010000ZF:1152 00000000:0000 0A 0:0 0:0 0 0 0 79";
    const SocketAddress v4 = SocketAddress::v4({127, 0, 0, 1}, 4433);
    const SocketAddress v6 = SocketAddress::parse("[::1]:443").value();
    const auto tcp = parse_socket_table(kTable, Transport::tcp);
    EXPECT_EQ(tcp, (std::vector<BoundSocket>{{v4, 20611}, {v6, 77}}));
    EXPECT_EQ(parse_socket_table(kTable, Transport::quic).size(), 3U);
    EXPECT_TRUE(parse_socket_table("", Transport::tcp).empty());
}

TEST(SocketTable, WhatIsInTheWay) {
    const auto at = [](std::string_view text) { return SocketAddress::parse(text).value(); };
    EXPECT_TRUE(in_the_way(at("0.0.0.0:1"), at("127.0.0.1:1")));
    EXPECT_TRUE(in_the_way(at("127.0.0.1:1"), at("0.0.0.0:1")));
    EXPECT_TRUE(in_the_way(at("127.0.0.1:1"), at("[::]:1")));
    EXPECT_TRUE(in_the_way(at("[::]:1"), at("127.0.0.1:1")));
    EXPECT_TRUE(in_the_way(at("[::1]:1"), at("[::1]:1")));
    EXPECT_FALSE(in_the_way(at("[::1]:1"), at("127.0.0.1:1")));
    EXPECT_FALSE(in_the_way(at("127.0.0.2:1"), at("127.0.0.1:1")));
    EXPECT_FALSE(in_the_way(at("0.0.0.0:2"), at("127.0.0.1:1")));
}

TEST(SocketTable, Links) {
    EXPECT_EQ(parse_socket_link("socket:[123]"), 123U);
    for (const char* text : {"", "pipe:[123]", "socket:[]", "socket:[1x]", "socket:[1"}) {
        EXPECT_EQ(parse_socket_link(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace alknet::doctor
