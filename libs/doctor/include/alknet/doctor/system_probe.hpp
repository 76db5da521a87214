// SystemProbe: what the checks ask this machine, behind an interface, so that each verdict is
// tested without breaking a machine for it. The real one changes nothing: sockets that it opens are
// closed at once, and the one datagram that it sends goes to a prefix that exists to be discarded.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/config/config.hpp>
#include <alknet/config/home.hpp>
#include <alknet/crypto/node_id.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/net/socket_address.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::doctor {

/// Dates in seconds since 1970.
struct CertificateDates {
    std::string file;
    std::int64_t not_before = 0;
    std::int64_t not_after = 0;
};

struct NodeFacts {
    NodeId id;
    config::Config config;
    std::vector<CertificateDates> certificates;
    bool running = false;  // a node holds the home's lock
};

/// Of the process: RLIMIT_NOFILE.
struct FileLimits {
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
};

/// In octets, as the kernel counts them without its own overhead.
struct UdpBuffers {
    std::uint64_t receive = 0;  // what a socket of ours is granted
    std::uint64_t send = 0;
};

struct UdpOffload {
    bool gso = false;
    bool gro = false;
};

struct PortHolder {
    std::int64_t pid = 0;  // 0: a program that we may not look at
    std::string program;
};

struct DiskSpace {
    std::uint64_t free_bytes = 0;  // for us
    std::uint64_t free_files = 0;
};

class SystemProbe {
public:
    virtual ~SystemProbe() = default;

    /// Errors: those of Home::open, load_config, load_key, load_secrets, TlsContext::create and of
    /// what else a node asks for.
    virtual result<NodeFacts> node() = 0;
    /// Whether a node holds the home's lock, also where `node` fails.
    [[nodiscard]] virtual bool node_runs() = 0;
    [[nodiscard]] virtual std::int64_t unix_seconds() = 0;
    virtual result<FileLimits> file_limits() = 0;
    virtual result<UdpBuffers> udp_buffers() = 0;
    virtual result<UdpOffload> udp_offload() = 0;
    /// Whether a socket can be bound there now. Errors: kAddressInUse, kIo.
    virtual result<void> can_bind(const SocketAddress& address, Transport transport) = 0;
    /// The programs whose sockets hold that port, for this address or for all.
    virtual std::vector<PortHolder> port_holders(const SocketAddress& address,
                                                 Transport transport) = 0;
    /// What the kernel knows of the path to the Internet (IP_MTU of a UDP socket), in octets with
    /// the IP header. Errors: kUnreachable without a route, kIo.
    virtual result<std::size_t> path_mtu(SocketAddress::Family family) = 0;
    /// Sends one datagram to the discard prefix 100::/64 (RFC 6666); gives its source address.
    /// Errors: kUnreachable without a route, kIo.
    virtual result<SocketAddress> send_v6() = 0;
    /// Empty counts as unset.
    [[nodiscard]] virtual std::optional<std::string> environment(const std::string& name) = 0;
    virtual result<DiskSpace> disk_space() = 0;
};

/// UDP packets that this machine has received and thrown away since it started, because a socket's
/// buffer was full; 0 where the system does not count them.
[[nodiscard]] std::uint64_t udp_drops();

/// What else a node asks of its files before it starts.
using FilesCheck = std::function<result<void>(const config::Home& home, const config::Config&)>;

/// `home` may be empty: then there is no node here. `services`: see config::ParseOptions.
[[nodiscard]] std::unique_ptr<SystemProbe> make_system_probe(std::filesystem::path home,
                                                             std::vector<std::string> services = {},
                                                             FilesCheck check = {});

}  // namespace alknet::doctor
