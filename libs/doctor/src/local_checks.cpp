#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/config/units.hpp>
#include <alknet/doctor/local_checks.hpp>
#include <array>
#include <chrono>
#include <cmath>

namespace alknet::doctor {

namespace {

using Family = SocketAddress::Family;

Check good(std::string_view group, std::string name, std::string value) {
    return {.group = std::string(group),
            .name = std::move(name),
            .status = Status::ok,
            .value = std::move(value),
            .consequence = {},
            .next = {}};
}

Check bad(Check check, Status status, std::string consequence, std::string next) {
    check.status = status;
    check.consequence = std::move(consequence);
    check.next = std::move(next);
    return check;
}

Check skipped(std::string_view group, std::string name, std::string why) {
    Check check = good(group, std::move(name), std::move(why));
    check.status = Status::skipped;
    return check;
}

/// What could not be asked: the system's answer stands for the value.
Check not_known(std::string_view group, std::string name, const error& why) {
    return skipped(group, std::move(name),
                   "the system does not say: " + std::string(why.cause().what) +
                       (why.detail().empty() ? "" : ": " + why.detail()));
}

std::string mebibytes(std::uint64_t bytes) {
    return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

// ---- node ----

Check check_node(const result<NodeFacts>& node, bool runs) {
    if (node) {
        return good("node", "key and configuration", node->id.fingerprint());
    }
    const error& why = node.error();
    Check check = good("node", "key and configuration", std::string(why.cause().what));
    if (!why.detail().empty()) {
        check.value += ": " + why.detail();
    }
    if (why.is(causes::kConfigMissing)) {
        return bad(std::move(check), Status::warn,
                   "this machine can reach others as a stranger, and nobody can reach it",
                   std::string(why.cause().next));
    }
    return bad(std::move(check), Status::fail,
               runs ? "the node that runs goes on as it was, and could not be started again"
                    : "the node cannot start",
               std::string(why.cause().next));
}

std::string holders_text(const std::vector<PortHolder>& holders) {
    std::string text;
    for (const PortHolder& holder : holders) {
        text += (text.empty() ? "" : ", ") + holder.program;
        if (holder.pid != 0) {
            text += fmt::format(" (process {})", holder.pid);
        }
    }
    return text;
}

Check check_port_in_use(Check check, bool running, const std::vector<PortHolder>& holders) {
    const auto ours = [](const PortHolder& one) { return one.program.starts_with("alknet"); };
    check.value = "held by " + (holders.empty() ? "an unknown program" : holders_text(holders));
    if (running &&
        (holders.empty() || std::ranges::any_of(holders, ours) || holders.front().pid == 0)) {
        check.value = "the node listens";
        return check;
    }
    return bad(std::move(check), Status::fail, "the node cannot listen there",
               "stop that program, or choose another port in alknet.toml: [[listener]] addresses");
}

Check check_port(SystemProbe& probe, const SocketAddress& address, Transport transport,
                 bool running) {
    const std::string name =
        fmt::format("port {} {}", address.to_string(), transport == Transport::tcp ? "TCP" : "UDP");
    Check check = good("node", name, "free");
    const result<void> bound = probe.can_bind(address, transport);
    if (!bound && bound.error().is(causes::kAddressInUse)) {
        return check_port_in_use(std::move(check), running, probe.port_holders(address, transport));
    }
    if (!bound) {
        check.value = bound.error().detail();
        const bool low = address.port() != 0 && address.port() < 1024;
        return bad(std::move(check), Status::fail, "the node cannot listen there",
                   low ? "give the node CAP_NET_BIND_SERVICE, or choose a port above 1023"
                       : "choose an address of this machine in alknet.toml, or [::] for all");
    }
    if (running && address.port() != 0) {
        return bad(std::move(check), Status::warn,
                   "the node runs, and does not listen where alknet.toml says",
                   "see its log for listener.failed, and whether it was started with --listen");
    }
    return check;
}

void check_ports(std::vector<Check>& into, SystemProbe& probe, const NodeFacts& node) {
    into.push_back(good("node", "running", node.running ? "yes" : "no"));
    for (const config::Listener& listener : node.config.dynamic.listeners) {
        for (const SocketAddress& address : listener.addresses) {
            if (listener.quic) {
                into.push_back(check_port(probe, address, Transport::quic, node.running));
            }
            if (listener.tcp) {
                into.push_back(check_port(probe, address, Transport::tcp, node.running));
            }
        }
    }
}

// ---- system ----

Check check_clock(std::int64_t now, const NodeFacts* node) {
    Check check = good("system", "clock", utc_text(now));
    if (!plausible_clock(now)) {
        return bad(std::move(check), Status::fail,
                   "certificates do not verify, and others take what this node signs for stale",
                   "set the clock: timedatectl set-ntp true");
    }
    if (node != nullptr) {
        for (const CertificateDates& dates : node->certificates) {
            if (now < dates.not_before) {
                return bad(std::move(check), Status::fail,
                           fmt::format("it stands before {} was made ({}), so one of them is wrong",
                                       dates.file, utc_text(dates.not_before)),
                           "set the clock: timedatectl set-ntp true");
            }
        }
    }
    return check;
}

Check check_files(const result<FileLimits>& limits, const NodeFacts* node) {
    if (!limits) {
        return not_known("system", "open files", limits.error());
    }
    Check check =
        good("system", "open files", fmt::format("{} now, at most {}", limits->soft, limits->hard));
    const std::uint64_t connections =
        node == nullptr ? 0 : node->config.dynamic.limits.connections_max;
    const std::string next = fmt::format("LimitNOFILE={} in the systemd unit, or ulimit -Hn",
                                         std::max(connections + kFilesBeside, kFilesMin * 4));
    if (limits->hard < kFilesMin) {
        return bad(std::move(check), Status::fail,
                   "the node runs out of descriptors with a few connections over TCP", next);
    }
    if (limits->hard < connections + kFilesBeside) {
        return bad(std::move(check), Status::warn,
                   fmt::format("there are descriptors for {} connections over TCP, and "
                               "limits.connections_max is {}",
                               limits->hard - kFilesBeside, connections),
                   next);
    }
    return check;
}

Check check_disk(const result<DiskSpace>& space) {
    if (!space) {
        return not_known("system", "disk", space.error());
    }
    Check check = good("system", "disk", mebibytes(space->free_bytes) + " free");
    if (space->free_files < kDiskFilesMin) {
        check.value += fmt::format(", {} files", space->free_files);
    }
    const std::string next = "make room on the file system of the home: df -h, df -i";
    if (space->free_bytes < kDiskBytesMin || space->free_files < kDiskFilesMin) {
        return bad(std::move(check), Status::fail, "the node cannot save what it has to keep",
                   next);
    }
    if (space->free_bytes < kDiskBytesWanted) {
        return bad(std::move(check), Status::warn, "logs and state will soon find no room", next);
    }
    return check;
}

// ---- network ----

Check check_buffers(const result<UdpBuffers>& buffers) {
    if (!buffers) {
        return not_known("network", "UDP buffers", buffers.error());
    }
    Check check = good("network", "UDP buffers",
                       fmt::format("{} to receive, {} to send", mebibytes(buffers->receive),
                                   mebibytes(buffers->send)));
    std::string next = "sysctl -w";
    for (const auto& [granted, key] : {std::pair(buffers->receive, "net.core.rmem_max"),
                                       std::pair(buffers->send, "net.core.wmem_max")}) {
        if (granted < kUdpBufferBytesWanted) {
            next += fmt::format(" {}={}", key, kUdpBufferBytesWanted);
        }
    }
    const std::uint64_t least = std::min(buffers->receive, buffers->send);
    if (least < kUdpBufferBytesMin) {
        return bad(std::move(check), Status::fail, "QUIC loses packets in this machine", next);
    }
    if (least < kUdpBufferBytesWanted) {
        return bad(std::move(check), Status::warn,
                   "QUIC may lose packets in this machine when it is busy, and is slower then",
                   next);
    }
    return check;
}

Check check_offload(const result<UdpOffload>& offload) {
    if (!offload) {
        return not_known("network", "UDP offload", offload.error());
    }
    Check check = good(
        "network", "UDP offload",
        fmt::format("GSO {}, GRO {}", offload->gso ? "yes" : "no", offload->gro ? "yes" : "no"));
    if (!offload->gso || !offload->gro) {
        return bad(std::move(check), Status::warn,
                   "each QUIC packet costs a system call: bulk data takes several times the CPU",
                   "use a Linux kernel of 5.0 or newer, and no sandbox that hides socket options");
    }
    return check;
}

Check check_mtu(SystemProbe& probe, Family family) {
    const bool v6 = family == Family::v6;
    const std::string name = v6 ? "path MTU, IPv6" : "path MTU, IPv4";
    const auto mtu = probe.path_mtu(family);
    if (!mtu) {
        return mtu.error().is(causes::kUnreachable)
                   ? skipped("network", name, "no route to the Internet")
                   : not_known("network", name, mtu.error());
    }
    Check check = good("network", name, fmt::format("{} octets", *mtu));
    const std::size_t least = v6 ? kMtuMinV6 : kMtuMinV4;
    if (*mtu < least) {
        return bad(std::move(check), Status::fail,
                   fmt::format("QUIC needs {} octets; only TLS over TCP can work", least),
                   "raise the MTU of the interface or tunnel: ip link set dev NAME mtu 1500");
    }
    return check;
}

Check check_v6(SystemProbe& probe) {
    const auto source = probe.send_v6();
    if (source) {
        return good("network", "IPv6", "sends from " + source->ip_text());
    }
    const error& why = source.error();
    if (why.is(causes::kUnreachable)) {
        return skipped("network", "IPv6", "no route to the Internet");
    }
    Check check = good("network", "IPv6", why.detail());
    return bad(std::move(check), Status::warn,
               "there is a route and nothing leaves: dials by IPv6 fail before IPv4 is tried",
               "look at the firewall for outgoing IPv6: nft list ruleset");
}

Check check_proxy(SystemProbe& probe) {
    const auto variable = proxy_variable(probe);
    if (!variable) {
        return good("network", "proxy", "none is set");
    }
    const auto shown = proxy_without_secrets(variable->value);
    Check check = good("network", "proxy", variable->name + "=" + shown.value_or("?"));
    if (!shown) {
        return bad(std::move(check), Status::warn, "it is not used: this is no http or socks5 URL",
                   "set it to http://HOST:PORT or socks5://HOST:PORT, or unset it");
    }
    return check;
}

Check check_tls(TlsSeen seen) {
    const std::string name = "TLS opened on the way";
    switch (seen) {
        case TlsSeen::not_asked:
            return skipped("network", name, "only a dial can tell: alknet doctor NODE");
        case TlsSeen::no_answer:
            return skipped("network", name, "no peer answers over TCP");
        case TlsSeen::genuine:
            return good("network", name, "no: a peer proves its own key over TCP");
        case TlsSeen::opened:
            break;
    }
    return bad(good("network", name, "somebody shows a certificate in the place of a peer's key"),
               Status::warn, "TLS over TCP does not get through here, and nothing is sent over it",
               "use QUIC (--transport quic), or have alknet's port excepted from inspection");
}

// ---- certificates ----

Check check_dates(const CertificateDates& dates, std::int64_t now) {
    Check check =
        good("certificates", dates.file,
             fmt::format("{} to {}", utc_text(dates.not_before), utc_text(dates.not_after)));
    const std::string consequence = "browsers and other clients that know X.509 alone refuse it";
    const std::string next = "renew it and put the new files in its place";
    if (!plausible_clock(now)) {
        return skipped("certificates", dates.file, "the clock is wrong");
    }
    if (now < dates.not_before) {
        return bad(std::move(check), Status::fail, consequence + " until it is valid",
                   "wait, or set the clock if that is wrong");
    }
    if (now > dates.not_after) {
        return bad(std::move(check), Status::fail, consequence + ": it has expired", next);
    }
    if (dates.not_after - now < kExpiryWarningSeconds) {
        const auto days = (dates.not_after - now) / 86'400;
        return bad(std::move(check), Status::warn,
                   fmt::format("{} in {} day{}", consequence, days, days == 1 ? "" : "s"), next);
    }
    return check;
}

}  // namespace

bool plausible_clock(std::int64_t unix_seconds) noexcept {
    return unix_seconds >= kClockMin && unix_seconds < kClockMax;
}

std::string utc_text(std::int64_t unix_seconds) {
    // The years that have four digits.
    constexpr std::int64_t kMin = -62'135'596'800;
    constexpr std::int64_t kMax = 253'402'300'799;
    const std::chrono::sys_seconds time{std::chrono::seconds(std::clamp(unix_seconds, kMin, kMax))};
    const auto days = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day day(days);
    const std::chrono::hh_mm_ss clock(time - days);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(day.year()),
                       static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::optional<std::string> proxy_without_secrets(std::string_view url) {
    std::string_view scheme = "http";
    if (const std::size_t end = url.find("://"); end != std::string_view::npos) {
        scheme = url.substr(0, end);
        url.remove_prefix(end + 3);
    }
    constexpr std::array<std::string_view, 3> kKnown = {"http", "socks5", "socks5h"};
    url = url.substr(0, url.find_first_of("/?#"));
    if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) {
        url.remove_prefix(at + 1);
    }
    if (std::ranges::count(kKnown, scheme) == 0 || url.empty()) {
        return std::nullopt;
    }
    return std::string(scheme) + "://" + std::string(url);
}

std::optional<ProxyVariable> proxy_variable(SystemProbe& probe) {
    for (const char* name : {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
        if (auto value = probe.environment(name)) {
            return ProxyVariable{.name = name, .value = std::move(*value)};
        }
    }
    return std::nullopt;
}

std::vector<Check> local_checks(SystemProbe& probe, const CheckOptions& options) {
    std::vector<Check> all;
    const auto node = probe.node();
    const NodeFacts* facts = node ? &*node : nullptr;
    const std::int64_t now = probe.unix_seconds();
    all.push_back(check_node(node, !node && probe.node_runs()));
    if (facts != nullptr && options.ports) {
        check_ports(all, probe, *facts);
    }
    all.push_back(check_clock(now, facts));
    all.push_back(check_files(probe.file_limits(), facts));
    all.push_back(check_disk(probe.disk_space()));
    all.push_back(check_buffers(probe.udp_buffers()));
    all.push_back(check_offload(probe.udp_offload()));
    all.push_back(check_mtu(probe, Family::v4));
    all.push_back(check_mtu(probe, Family::v6));
    all.push_back(check_v6(probe));
    all.push_back(check_proxy(probe));
    all.push_back(check_tls(options.tls));
    if (facts != nullptr) {
        for (const CertificateDates& dates : facts->certificates) {
            all.push_back(check_dates(dates, now));
        }
    }
    return all;
}

}  // namespace alknet::doctor
