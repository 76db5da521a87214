#include <sodium.h>

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/quic/knock.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/wait.hpp>
#include <array>
#include <memory>

namespace alknet::quic {

namespace {

constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kVersionBytes = 4;
/// The form, the version, the two ids with their lengths (RFC 8999 section 5.1).
constexpr std::size_t kHeaderBytes = 1 + kVersionBytes + 2 * (1 + kIdBytes);

struct Ids {
    std::array<std::byte, kIdBytes> theirs{};
    std::array<std::byte, kIdBytes> ours{};
};

void append(Bytes& packet, const std::array<std::byte, kIdBytes>& id) {
    packet.push_back(std::byte{kIdBytes});
    packet.insert(packet.end(), id.begin(), id.end());
}

Bytes write_knock(const Ids& ids) {
    Bytes packet;
    packet.reserve(kKnockBytes);
    packet.push_back(std::byte{0xc0});
    for (std::size_t i = 0; i < kVersionBytes; ++i) {  // 0x?a?a?a?a (RFC 9000 section 15)
        packet.push_back(static_cast<std::byte>(randombytes_uniform(16) << 4 | 0x0a));
    }
    append(packet, ids.theirs);
    append(packet, ids.ours);
    packet.resize(kKnockBytes);
    return packet;
}

/// Version Negotiation (RFC 8999 section 6): version 0, and the ids the other way round.
bool answers(BytesView packet, const Ids& ids) {
    Bytes expected(kVersionBytes);
    append(expected, ids.ours);
    append(expected, ids.theirs);
    return packet.size() > kHeaderBytes && (packet[0] & std::byte{0x80}) != std::byte{0} &&
           std::ranges::equal(packet.subspan(1, expected.size()), expected);
}

class Knocker final : public net::UdpSocket::Receiver {
public:
    Knocker(std::unique_ptr<net::UdpSocket> socket, WaitList& changed)
        : socket_(std::move(socket)), changed_(changed) {
        randombytes_buf(ids_.theirs.data(), ids_.theirs.size());
        randombytes_buf(ids_.ours.data(), ids_.ours.size());
        socket_->set_receiver(this);
    }
    Knocker(const Knocker&) = delete;
    Knocker& operator=(const Knocker&) = delete;
    ~Knocker() { socket_->set_receiver(nullptr); }

    void ask(const SocketAddress& remote) {
        const Bytes packet = write_knock(ids_);
        net::DatagramBatch batch;
        batch.data = packet;
        batch.remote = remote;
        over_ = socket_->send(batch) != net::SendStatus::sent;
    }
    void on_datagrams(std::span<const net::DatagramBatch> batches) noexcept override {
        for (const net::DatagramBatch& batch : batches) {
            const std::size_t size =
                batch.segment_bytes == 0 ? batch.data.size() : batch.segment_bytes;
            if (answers(batch.data.first(std::min(size, batch.data.size())), ids_)) {
                answered_ = over_ = true;
                changed_.wake_all();
            }
        }
    }
    void on_writable() noexcept override {}
    void on_unreachable(const SocketAddress&) noexcept override {
        over_ = true;
        changed_.wake_all();
    }
    [[nodiscard]] bool answered() const noexcept { return answered_; }
    [[nodiscard]] bool over() const noexcept { return over_; }

private:
    std::unique_ptr<net::UdpSocket> socket_;
    WaitList& changed_;
    Ids ids_;
    bool over_ = false;
    bool answered_ = false;
};

struct Knocking {
    WaitList changed;
    std::vector<std::unique_ptr<Knocker>> knockers;

    [[nodiscard]] bool answered() const {
        return std::ranges::any_of(knockers, [](const auto& one) { return one->answered(); });
    }
    [[nodiscard]] bool over() const {
        return answered() ||
               std::ranges::all_of(knockers, [](const auto& one) { return one->over(); });
    }
};

task<result<void>> wait_for_an_answer(Knocking& knocking) {
    while (!knocking.over()) {
        ALKNET_CO_CHECK(co_await knocking.changed.wait());
    }
    co_return result<void>{};
}

}  // namespace

task<result<bool>> knock(Loop& loop, net::Network& network, std::vector<SocketAddress> remotes,
                         Duration timeout) {
    Knocking knocking;
    for (const SocketAddress& remote : remotes) {
        const bool v6 = remote.family() == SocketAddress::Family::v6;
        const SocketAddress any = v6 ? SocketAddress::v6({}, 0) : SocketAddress::v4({}, 0);
        if (auto socket = network.bind_udp(loop, any, net::UdpOptions{})) {
            knocking.knockers.push_back(
                std::make_unique<Knocker>(std::move(*socket), knocking.changed));
            knocking.knockers.back()->ask(remote);
        }
    }
    const auto waited = co_await with_timeout(timeout, wait_for_an_answer(knocking));
    if (!waited && !waited.error().is(causes::kTimeout)) {
        co_return unexpected(waited.error());
    }
    co_return knocking.answered();
}

}  // namespace alknet::quic
