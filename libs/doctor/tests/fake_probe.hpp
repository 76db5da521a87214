// A machine in perfect order, of which each test breaks one thing.
#pragma once

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/doctor/local_checks.hpp>
#include <alknet/doctor/system_probe.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace alknet::doctor::test {

inline constexpr std::int64_t kToday = 1'800'000'000;  // 2027-01-15
inline constexpr std::int64_t kDay = 86'400;

class FakeProbe final : public SystemProbe {
public:
    FakeProbe() {
        NodeFacts facts;
        config::Listener listener;
        listener.name = "main";
        listener.addresses = {SocketAddress::v6({}, 4433)};
        facts.config.dynamic.listeners = {listener};
        facts.certificates = {
            {.file = "cert.pem", .not_before = kToday - kDay, .not_after = kToday + 100 * kDay}};
        node_facts = facts;
    }

    result<NodeFacts> node() override { return node_facts; }
    bool node_runs() override { return runs; }
    std::int64_t unix_seconds() override { return now; }
    result<FileLimits> file_limits() override { return files; }
    result<UdpBuffers> udp_buffers() override { return buffers; }
    result<UdpOffload> udp_offload() override { return offload; }
    result<void> can_bind(const SocketAddress&, Transport transport) override {
        return transport == Transport::tcp ? bind_tcp : bind_udp;
    }
    std::vector<PortHolder> port_holders(const SocketAddress&, Transport) override {
        return holders;
    }
    result<std::size_t> path_mtu(SocketAddress::Family family) override {
        return family == SocketAddress::Family::v6 ? mtu_v6 : mtu_v4;
    }
    result<SocketAddress> send_v6() override { return v6_source; }
    std::optional<std::string> environment(const std::string& name) override {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
    }
    result<DiskSpace> disk_space() override { return disk; }

    bool runs = false;
    result<NodeFacts> node_facts;
    std::int64_t now = kToday;
    result<FileLimits> files = FileLimits{.soft = 1024, .hard = 1 << 20};
    result<UdpBuffers> buffers = UdpBuffers{.receive = 4 << 20, .send = 4 << 20};
    result<UdpOffload> offload = UdpOffload{.gso = true, .gro = true};
    result<void> bind_udp;
    result<void> bind_tcp;
    std::vector<PortHolder> holders;
    result<std::size_t> mtu_v4 = 1500;
    result<std::size_t> mtu_v6 = 1500;
    result<SocketAddress> v6_source = SocketAddress::v6({0x20, 1, 0xd, 0xb8, 0, 7}, 5000);
    std::map<std::string, std::string> variables;
    result<DiskSpace> disk = DiskSpace{.free_bytes = 100ULL << 30, .free_files = 1'000'000};
};

}  // namespace alknet::doctor::test
