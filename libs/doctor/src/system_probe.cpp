#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/number.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/config/home.hpp>
#include <alknet/doctor/local_checks.hpp>
#include <alknet/doctor/system_probe.hpp>
#include <alknet/tls/certificate.hpp>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <set>

#include "socket_table.hpp"

namespace alknet::doctor {

namespace {

namespace fs = std::filesystem;
using Family = SocketAddress::Family;

constexpr std::size_t kFileBytesMax = 4 << 20;

std::string read_whole(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    std::string text;
    std::array<char, 16 << 10> chunk{};
    while (text.size() < kFileBytesMax && stream) {
        stream.read(chunk.data(), chunk.size());
        text.append(chunk.data(), static_cast<std::size_t>(stream.gcount()));
    }
    return text;
}

// The first certificate of a PEM file.
result<Bytes> first_certificate(const fs::path& file) {
    constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
    constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
    const std::string text = read_whole(file);
    const std::size_t begin = text.find(kBegin);
    const std::size_t end = text.find(kEnd, begin == std::string::npos ? 0 : begin);
    if (begin == std::string::npos || end == std::string::npos) {
        return fail(causes::kCertificateInvalid, file.native());
    }
    std::string body = text.substr(begin + kBegin.size(), end - begin - kBegin.size());
    std::erase_if(body, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
    auto der = base64_decode(body);
    if (!der) {
        return fail(causes::kCertificateInvalid, file.native());
    }
    return std::move(*der);
}

result<CertificateDates> dates_of(const fs::path& file) {
    ALKNET_TRY(const Bytes der, first_certificate(file));
    ALKNET_TRY(const auto summary, tls::summarize_certificate(der));
    return CertificateDates{.file = file.filename().native(),
                            .not_before = summary.not_before,
                            .not_after = summary.not_after};
}

// Whether a node runs there. Nothing is made, and the lock is let go of at once.
bool lock_is_held(const fs::path& home) {
    const UniqueFd fd(::open((home / "node.lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    return fd && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

UniqueFd open_socket(Family family, int type) {
    return UniqueFd(::socket(family == Family::v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0));
}

result<int> get_option(int fd, int level, int option, std::string_view name) {
    int value = 0;
    socklen_t size = sizeof(value);
    if (::getsockopt(fd, level, option, &value, &size) != 0) {
        return os_fail("getsockopt", errno, name);
    }
    return value;
}

bool set_option(int fd, int level, int option, int value) {
    return ::setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

bool no_route(int number) {
    return number == ENETUNREACH || number == EHOSTUNREACH || number == EADDRNOTAVAIL ||
           number == EAFNOSUPPORT || number == ENETDOWN;
}

std::unexpected<error> route_failure(std::string_view call, int number) {
    return no_route(number) ? fail(causes::kUnreachable, os_error_text(number))
                            : os_fail(call, number);
}

// All sockets of one transport that are in the way of `wanted`, by their inode.
std::set<std::uint64_t> inodes_in_the_way(const SocketAddress& wanted, Transport transport) {
    std::set<std::uint64_t> inodes;
    const std::string name = transport == Transport::tcp ? "tcp" : "udp";
    for (const char* suffix : {"", "6"}) {
        const std::string table = read_whole("/proc/net/" + name + suffix);
        for (const BoundSocket& socket : parse_socket_table(table, transport)) {
            if (in_the_way(socket.local, wanted)) {
                inodes.insert(socket.inode);
            }
        }
    }
    return inodes;
}

class RealProbe final : public SystemProbe {
public:
    RealProbe(fs::path home, std::vector<std::string> services, FilesCheck check)
        : home_(std::move(home)), services_(std::move(services)), check_(std::move(check)) {}

    result<NodeFacts> node() override;
    bool node_runs() override { return !home_.empty() && lock_is_held(home_); }
    std::int64_t unix_seconds() override {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        return std::chrono::duration_cast<std::chrono::seconds>(now).count();
    }
    result<FileLimits> file_limits() override;
    result<UdpBuffers> udp_buffers() override;
    result<UdpOffload> udp_offload() override;
    result<void> can_bind(const SocketAddress& address, Transport transport) override;
    std::vector<PortHolder> port_holders(const SocketAddress& address,
                                         Transport transport) override;
    result<std::size_t> path_mtu(Family family) override;
    result<SocketAddress> send_v6() override;
    std::optional<std::string> environment(const std::string& name) override;
    result<DiskSpace> disk_space() override;

private:
    fs::path home_;
    std::vector<std::string> services_;
    FilesCheck check_;
};

result<NodeFacts> RealProbe::node() {
    if (home_.empty()) {
        return fail(causes::kConfigMissing);
    }
    ALKNET_TRY(const auto home, config::Home::open(home_, services_));
    NodeFacts facts;
    ALKNET_TRY(facts.config, home.load_config());
    ALKNET_TRY(const auto key, home.load_key(facts.config.fixed));
    ALKNET_CHECK(home.load_secrets());
    ALKNET_CHECK(tls::TlsContext::create({.key = key,
                                          .certificates = facts.config.dynamic.certificates,
                                          .authorities = {},
                                          .ticket_keys = nullptr}));
    if (check_) {
        ALKNET_CHECK(check_(home, facts.config));
    }
    facts.id = key->id();
    for (const tls::CertificateFiles& files : facts.config.dynamic.certificates) {
        ALKNET_TRY(CertificateDates dates, dates_of(files.chain));
        facts.certificates.push_back(std::move(dates));
    }
    facts.running = lock_is_held(home.directory());
    return facts;
}

result<FileLimits> RealProbe::file_limits() {
    rlimit limits{};
    if (::getrlimit(RLIMIT_NOFILE, &limits) != 0) {
        return os_fail("getrlimit", errno);
    }
    return FileLimits{.soft = limits.rlim_cur, .hard = limits.rlim_max};
}

result<UdpBuffers> RealProbe::udp_buffers() {
    const UniqueFd fd = open_socket(Family::v4, SOCK_DGRAM);
    if (!fd) {
        return os_fail("socket", errno);
    }
    constexpr int kWanted = kUdpBufferBytesWanted;
    // As the sockets of the node do: the forced kind needs a privilege.
    for (const auto& [forced, plain] :
         {std::pair(SO_RCVBUFFORCE, SO_RCVBUF), std::pair(SO_SNDBUFFORCE, SO_SNDBUF)}) {
        if (!set_option(fd.get(), SOL_SOCKET, forced, kWanted)) {
            set_option(fd.get(), SOL_SOCKET, plain, kWanted);
        }
    }
    // The kernel doubles what was asked for, for its own use (socket(7)).
    ALKNET_TRY(const int receive, get_option(fd.get(), SOL_SOCKET, SO_RCVBUF, "SO_RCVBUF"));
    ALKNET_TRY(const int send, get_option(fd.get(), SOL_SOCKET, SO_SNDBUF, "SO_SNDBUF"));
    return UdpBuffers{.receive = static_cast<std::uint64_t>(receive) / 2,
                      .send = static_cast<std::uint64_t>(send) / 2};
}

result<UdpOffload> RealProbe::udp_offload() {
    const UniqueFd fd = open_socket(Family::v4, SOCK_DGRAM);
    if (!fd) {
        return os_fail("socket", errno);
    }
    constexpr int kSegmentBytes = 1200;
    return UdpOffload{.gso = set_option(fd.get(), SOL_UDP, UDP_SEGMENT, kSegmentBytes),
                      .gro = set_option(fd.get(), SOL_UDP, UDP_GRO, 1)};
}

result<void> RealProbe::can_bind(const SocketAddress& address, Transport transport) {
    const bool tcp = transport == Transport::tcp;
    const UniqueFd fd = open_socket(address.family(), tcp ? SOCK_STREAM : SOCK_DGRAM);
    if (!fd) {
        return os_fail("socket", errno, address.to_string());
    }
    if (tcp) {  // connections of a former run that linger are not in the way
        set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    }
    if (address.family() == Family::v6) {
        set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
    }
    sockaddr_storage native{};
    const unsigned size = address.to_native(native);
    const bool bound = ::bind(fd.get(), reinterpret_cast<sockaddr*>(&native), size) == 0;
    if (!bound || (tcp && ::listen(fd.get(), 1) != 0)) {
        return errno == EADDRINUSE ? fail(causes::kAddressInUse, address.to_string())
                                   : os_fail("bind", errno, address.to_string());
    }
    return {};
}

// The program of a process, if one of its descriptors is among `inodes`.
std::optional<PortHolder> holder(const fs::path& process, std::set<std::uint64_t>& inodes) {
    std::error_code ignored;
    bool holds = false;
    for (fs::directory_iterator entry(process / "fd", ignored), end; !ignored && entry != end;
         entry.increment(ignored)) {
        std::error_code gone;
        const auto inode = parse_socket_link(fs::read_symlink(entry->path(), gone).native());
        holds = (!gone && inode && inodes.erase(*inode) != 0) || holds;
    }
    if (!holds) {
        return std::nullopt;
    }
    PortHolder found{.pid = 0, .program = read_whole(process / "comm")};
    std::erase(found.program, '\n');
    const std::string name = process.filename().native();
    found.pid = parse_number<int>(name).value_or(0);
    return found;
}

std::vector<PortHolder> RealProbe::port_holders(const SocketAddress& address, Transport transport) {
    std::set<std::uint64_t> inodes = inodes_in_the_way(address, transport);
    std::vector<PortHolder> holders;
    std::error_code ignored;
    for (fs::directory_iterator process("/proc", ignored), end;
         !ignored && process != end && !inodes.empty(); process.increment(ignored)) {
        const std::string name = process->path().filename().native();
        if (name.find_first_not_of("0123456789") == std::string::npos) {
            if (auto found = holder(process->path(), inodes)) {
                holders.push_back(std::move(*found));
            }
        }
    }
    for (std::size_t i = 0; i < inodes.size(); ++i) {
        holders.push_back({.pid = 0, .program = "a program of another user"});
    }
    return holders;
}

result<std::size_t> RealProbe::path_mtu(Family family) {
    const bool v6 = family == Family::v6;
    // Addresses for documentation: they take the default route, and connecting sends nothing.
    const SocketAddress remote =
        v6 ? SocketAddress::v6({0x20, 0x01, 0x0d, 0xb8}, 9) : SocketAddress::v4({192, 0, 2, 1}, 9);
    const UniqueFd fd = open_socket(family, SOCK_DGRAM);
    if (!fd) {
        return route_failure("socket", errno);
    }
    const int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
    static_assert(int{IPV6_PMTUDISC_DO} == int{IP_PMTUDISC_DO});
    set_option(fd.get(), level, v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, IP_PMTUDISC_DO);
    sockaddr_storage native{};
    const unsigned size = remote.to_native(native);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&native), size) != 0) {
        return route_failure("connect", errno);
    }
    ALKNET_TRY(const int mtu, get_option(fd.get(), level, v6 ? IPV6_MTU : IP_MTU, "IP_MTU"));
    return static_cast<std::size_t>(mtu);
}

result<SocketAddress> RealProbe::send_v6() {
    const UniqueFd fd = open_socket(Family::v6, SOCK_DGRAM);
    if (!fd) {
        return route_failure("socket", errno);
    }
    std::array<std::uint8_t, 16> discard{};
    discard[0] = 0x01;  // 100::1
    discard[15] = 0x01;
    sockaddr_storage native{};
    const unsigned size = SocketAddress::v6(discard, 9).to_native(native);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&native), size) != 0) {
        return route_failure("connect", errno);
    }
    if (::send(fd.get(), "", 0, 0) < 0) {
        return route_failure("send", errno);
    }
    sockaddr_storage source{};
    socklen_t source_size = sizeof(source);
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&source), &source_size) != 0) {
        return os_fail("getsockname", errno);
    }
    return SocketAddress::from_native(reinterpret_cast<sockaddr*>(&source));
}

std::optional<std::string> RealProbe::environment(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

result<DiskSpace> RealProbe::disk_space() {
    struct statvfs space{};
    if (::statvfs(home_.empty() ? "/" : home_.c_str(), &space) != 0) {
        return os_fail("statvfs", errno, home_.native());
    }
    // Some file systems have no fixed number of files, and say 0.
    const bool counts_files = space.f_files != 0;
    return DiskSpace{.free_bytes = std::uint64_t{space.f_bavail} * space.f_frsize,
                     .free_files = counts_files ? space.f_favail : UINT64_MAX};
}

}  // namespace

std::uint64_t udp_drops() {
    return parse_udp_drops(read_whole("/proc/net/snmp")) +
           parse_udp_drops(read_whole("/proc/net/snmp6"));
}

std::unique_ptr<SystemProbe> make_system_probe(fs::path home, std::vector<std::string> services,
                                               FilesCheck check) {
    return std::make_unique<RealProbe>(std::move(home), std::move(services), std::move(check));
}

}  // namespace alknet::doctor
