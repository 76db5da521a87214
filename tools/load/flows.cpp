#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/rt/combine.hpp>
#include <array>
#include <set>

#include "modes.hpp"
#include "sources.hpp"

namespace alknet::load {

namespace {

/// Flows that wait for their answer at a time: what the sockets on the way hold.
constexpr std::size_t kWindow = 64;
constexpr Duration kAgain = std::chrono::milliseconds(200);
constexpr std::size_t kInitialBytes = 1200;

/// Of a version that nobody speaks (RFC 9000 section 15): answered by whoever speaks another.
Bytes unknown_version() {
    constexpr std::size_t kIdBytes = 8;
    Bytes packet(kInitialBytes);
    randombytes_buf(packet.data(), packet.size());
    packet[0] |= std::byte{0xc0};
    packet[1] = packet[2] = packet[3] = packet[4] = std::byte{0x1a};
    packet[5] = packet[6 + kIdBytes] = std::byte{kIdBytes};
    return packet;
}

/// As if of a connection that was forgotten.
std::array<std::byte, 64> short_header() {
    std::array<std::byte, 64> packet;
    randombytes_buf(packet.data(), packet.size());
    packet[0] = (packet[0] & std::byte{0x3f}) | std::byte{0x40};
    return packet;
}

/// RFC 9000 section 17.2.1.
bool is_version_negotiation(BytesView packet) {
    constexpr std::size_t kVersionEnd = 5;
    return packet.size() > kVersionEnd && (packet[0] & std::byte{0x80}) != std::byte{} &&
           std::ranges::all_of(packet.subspan(1, 4),
                               [](std::byte octet) { return octet == std::byte{}; });
}

class Flows final : private net::UdpSocket::Receiver {
public:
    Flows(Loop& loop, Strangers strangers)
        : loop_(loop),
          strangers_(std::move(strangers)),
          to_(SocketAddress::v4({127, 0, 0, 1}, strangers_.port)) {}

    result<void> open() {
        ALKNET_TRY(sources_, Sources::open(loop_, this));
        return {};
    }

    task<result<void>> run() {
        while (next_ < strangers_.count || !waiting_.empty()) {
            while (next_ < strangers_.count && waiting_.size() < kWindow) {
                waiting_.insert(next_);
                ALKNET_CO_CHECK(send(next_++));
            }
            const auto outcome = co_await with_timeout(kAgain, wait_for_answers());
            if (!outcome && outcome.error().is(causes::kTimeout)) {
                for (const std::size_t flow : waiting_) {
                    ALKNET_CO_CHECK(send(flow));
                }
            } else {
                ALKNET_CO_CHECK(outcome);
            }
        }
        co_return co_await strangers_.lines.print(fmt::format("{}", strangers_.count));
    }

private:
    result<void> send(std::size_t flow) {
        (void)sources_.send(flow, to_, short_header());
        ALKNET_TRY(const BytesView initial, strangers_.initials.next(InitialKind::whole));
        (void)sources_.send(flow, to_, initial);
        (void)sources_.send(flow, to_, unknown_version());
        return {};
    }

    task<result<void>> wait_for_answers() { co_return co_await answers_.wait(); }

    void on_datagrams(std::span<const net::DatagramBatch> batches) noexcept override {
        for (const net::DatagramBatch& batch : batches) {
            if (is_version_negotiation(batch.data) &&
                waiting_.erase(sources_.index_of(batch.local)) > 0) {
                answers_.wake_all();
            }
        }
    }
    void on_writable() noexcept override {}

    Loop& loop_;
    Strangers strangers_;
    SocketAddress to_;
    Sources sources_;
    std::size_t next_ = 0;
    std::set<std::size_t> waiting_;
    WaitList answers_;
};

}  // namespace

task<result<void>> flows(Loop& loop, Strangers strangers) {
    Flows state(loop, std::move(strangers));
    ALKNET_CO_CHECK(state.open());
    co_return co_await state.run();
}

}  // namespace alknet::load
