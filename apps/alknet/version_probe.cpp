#include "version_probe.hpp"

#include <fmt/format.h>
#include <sys/random.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/wait.hpp>
#include <cerrno>

namespace alknet::app {

namespace {

constexpr std::size_t kProbeBytes = 1200;
constexpr std::uint32_t kNobodysVersion = 0x1a2a3a4a;
constexpr std::uint8_t kLongHeader = 0x80;
constexpr std::uint8_t kFixedBit = 0x40;
constexpr int kAttempts = 3;

void append(Bytes& out, BytesView more) {
    out.insert(out.end(), more.begin(), more.end());
}

std::array<std::byte, 4> big_endian(std::uint32_t value) {
    return {static_cast<std::byte>(value >> 24), static_cast<std::byte>(value >> 16),
            static_cast<std::byte>(value >> 8), static_cast<std::byte>(value)};
}

std::uint32_t read_u32(BytesView bytes) {
    std::uint32_t value = 0;
    for (const std::byte b : bytes.first(4)) {
        value = value << 8 | static_cast<std::uint8_t>(b);
    }
    return value;
}

// Takes a connection id with its length in front; false unless it is `expected`.
bool take_id(BytesView& rest, BytesView expected) {
    if (rest.size() < 1 + expected.size() || static_cast<std::size_t>(rest[0]) != expected.size() ||
        !std::ranges::equal(rest.subspan(1, expected.size()), expected)) {
        return false;
    }
    rest = rest.subspan(1 + expected.size());
    return true;
}

class Listener final : public net::UdpSocket::Receiver {
public:
    explicit Listener(const ProbeIds& ids) : ids_(ids) {}
    void on_datagrams(std::span<const net::DatagramBatch> batches) noexcept override {
        for (const net::DatagramBatch& batch : batches) {
            if (auto versions = parse_version_answer(batch.data, ids_)) {
                versions_ = std::move(versions);
                answered_.set();
            }
        }
    }
    void on_writable() noexcept override {}
    void on_unreachable(const SocketAddress&) noexcept override {
        unreachable_ = true;
        answered_.set();
    }

    task<result<void>> wait() { return answered_.wait(); }
    [[nodiscard]] bool unreachable() const noexcept { return unreachable_; }
    [[nodiscard]] const auto& versions() const noexcept { return versions_; }

private:
    const ProbeIds& ids_;
    Event answered_;
    bool unreachable_ = false;
    std::optional<std::vector<std::uint32_t>> versions_;
};

}  // namespace

Bytes version_probe_packet(const ProbeIds& ids) {
    Bytes packet = {std::byte{kLongHeader | kFixedBit}};
    append(packet, big_endian(kNobodysVersion));
    packet.push_back(static_cast<std::byte>(ids.destination.size()));
    append(packet, ids.destination);
    packet.push_back(static_cast<std::byte>(ids.source.size()));
    append(packet, ids.source);
    packet.resize(kProbeBytes);
    return packet;
}

std::optional<std::vector<std::uint32_t>> parse_version_answer(BytesView datagram,
                                                               const ProbeIds& ids) {
    if (datagram.size() < 5 || (static_cast<std::uint8_t>(datagram[0]) & kLongHeader) == 0 ||
        read_u32(datagram.subspan(1)) != 0) {
        return std::nullopt;
    }
    BytesView rest = datagram.subspan(5);
    if (!take_id(rest, ids.source) || !take_id(rest, ids.destination) || rest.size() % 4 != 0) {
        return std::nullopt;
    }
    std::vector<std::uint32_t> versions;
    for (; !rest.empty(); rest = rest.subspan(4)) {
        const std::uint32_t version = read_u32(rest);
        if ((version & 0x0f0f0f0f) != 0x0a0a0a0a) {
            versions.push_back(version);
        }
    }
    return versions;
}

std::string version_name(std::uint32_t version) {
    constexpr std::uint32_t kVersion2 = 0x6b3343cf;  // RFC 9369
    if (version == 1) {
        return "v1";
    }
    if (version == kVersion2) {
        return "v2";
    }
    if (version >> 8 == 0xff0000) {
        return fmt::format("draft-{}", version & 0xff);
    }
    return fmt::format("0x{:08x}", version);
}

task<result<std::vector<std::uint32_t>>> probe_versions(Loop& loop, net::Network& network,
                                                        SocketAddress remote, Duration timeout) {
    const bool v6 = remote.family() == SocketAddress::Family::v6;
    const SocketAddress any = v6 ? SocketAddress::v6({}, 0) : SocketAddress::v4({}, 0);
    ALKNET_CO_TRY(auto socket, network.bind_udp(loop, any, net::UdpOptions{}));
    ProbeIds ids;
    if (::getrandom(&ids, sizeof(ids), 0) != static_cast<ssize_t>(sizeof(ids))) {
        co_return os_fail("getrandom", errno);
    }
    Listener listener(ids);
    socket->set_receiver(&listener);
    const Bytes packet = version_probe_packet(ids);
    for (int i = 0; i < kAttempts && !listener.versions() && !listener.unreachable(); ++i) {
        net::DatagramBatch batch;
        batch.data = packet;
        batch.remote = remote;
        (void)socket->send(batch);
        const auto waited = co_await with_timeout(timeout / kAttempts, listener.wait());
        if (!waited && !waited.error().is(causes::kTimeout)) {
            co_return unexpected(waited.error());
        }
    }
    socket->set_receiver(nullptr);
    if (listener.versions()) {
        co_return *listener.versions();
    }
    co_return fail(listener.unreachable() ? causes::kUnreachable : causes::kHandshakeTimeout,
                   remote.to_string());
}

}  // namespace alknet::app
