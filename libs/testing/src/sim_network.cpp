#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>

#include "tcp.hpp"

namespace alknet::sim {

namespace {

constexpr Duration kResolveDelay = std::chrono::milliseconds(5);
constexpr Duration kFirstSynTimeout = std::chrono::seconds(1);

class SimNetwork final : public net::Network {
public:
    SimNetwork(Fabric& fabric, SimProcess& process) noexcept : fabric_(fabric), process_(process) {}

    result<std::unique_ptr<net::UdpSocket>> bind_udp(Loop& loop, const SocketAddress& local,
                                                     const net::UdpOptions& options) override;
    result<std::unique_ptr<net::TcpListener>> listen_tcp(Loop& loop,
                                                         const SocketAddress& local) override;
    task<result<net::TcpStream>> connect_tcp(Loop& loop, SocketAddress remote) override;
    task<result<std::vector<SocketAddress>>> resolve(Loop& loop, std::string host,
                                                     std::uint16_t port) override;

private:
    result<SocketAddress> free_address(Loop& loop, const SocketAddress& local, bool udp);

    Fabric& fabric_;
    SimProcess& process_;
};

result<SocketAddress> SimNetwork::free_address(Loop& loop, const SocketAddress& local, bool udp) {
    ALKNET_ASSERT(&loop == &process_.loop());
    if (process_.detached()) {
        return fail(causes::kIo, "the simulated process has crashed");
    }
    const SimHost& host = process_.host();
    PortTable& ports = fabric_.ports(host);
    const auto address = udp ? fabric_.free_address(host, local, ports.udp)
                             : fabric_.free_address(host, local, ports.tcp);
    if (!address) {
        return fail(causes::kAddressInUse, local.to_string());
    }
    return *address;
}

result<std::unique_ptr<net::UdpSocket>> SimNetwork::bind_udp(Loop& loop, const SocketAddress& local,
                                                             const net::UdpOptions& options) {
    ALKNET_TRY(const SocketAddress address, free_address(loop, local, true));
    const auto asked = static_cast<std::size_t>(std::max(options.buffer_bytes, 1));
    const std::size_t buffer = std::min(asked, kReceiveBufferBytesMax);
    const bool offload = options.offload && process_.host().offload();
    return std::make_unique<SimUdpSocket>(fabric_, process_, address, buffer, offload);
}

result<std::unique_ptr<net::TcpListener>> SimNetwork::listen_tcp(Loop& loop,
                                                                 const SocketAddress& local) {
    ALKNET_TRY(const SocketAddress address, free_address(loop, local, false));
    return std::make_unique<SimTcpListener>(fabric_, process_, address);
}

task<result<net::TcpStream>> SimNetwork::connect_tcp(Loop& loop, SocketAddress remote) {
    SimHost& host = process_.host();
    const bool v4 = remote.family() == SocketAddress::Family::v4;
    const SocketAddress any = v4 ? SocketAddress::v4({}, 0) : SocketAddress::v6({}, 0);
    ALKNET_CO_TRY(const SocketAddress bound, free_address(loop, any, false));
    const SocketAddress local = v4 ? host.v4(bound.port()) : host.v6(bound.port());
    const auto attempt = std::make_shared<TcpAttempt>(process_, local, remote);
    Duration patience = kFirstSynTimeout;
    for (int tries = 0; tries < kSynTriesMax; ++tries, patience *= 2) {
        send_syn(fabric_, attempt);
        Timer timer(loop, [&attempt] { attempt->answered.wake_all(); });
        timer.arm_after(patience);
        ALKNET_CO_CHECK(co_await attempt->answered.wait());
        if (attempt->answer == TcpAttempt::Answer::refused) {
            co_return fail(causes::kUnreachable, remote.to_string() + " refused");
        }
        if (attempt->answer == TcpAttempt::Answer::accepted) {
            attempt->claimed = true;
            net::TcpStream stream{std::make_unique<SimTcpEnd>(process_, attempt->link, 0), local,
                                  remote};
            co_return stream;
        }
    }
    co_return fail(causes::kTimeout, remote.to_string());
}

task<result<std::vector<SocketAddress>>> SimNetwork::resolve(Loop& loop, std::string host,
                                                             std::uint16_t port) {
    const bool bare_v6 = host.find(':') != std::string::npos && !host.starts_with('[');
    const std::string text = (bare_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
    if (const auto literal = SocketAddress::parse(text)) {
        co_return std::vector<SocketAddress>{*literal};
    }
    ALKNET_CO_CHECK(co_await loop.sleep(kResolveDelay));
    const auto found = fabric_.names.find(host);
    if (found == fabric_.names.end()) {
        co_return fail(causes::kResolve, host);
    }
    std::vector<SocketAddress> addresses;
    for (const SocketAddress& address : found->second) {
        addresses.push_back(address.with_port(port));
    }
    co_return addresses;
}

}  // namespace

std::shared_ptr<net::Network> make_sim_network(Fabric& fabric, SimProcess& process) {
    return std::make_shared<SimNetwork>(fabric, process);
}

}  // namespace alknet::sim
