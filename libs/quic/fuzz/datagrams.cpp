// Whatever a network can deliver to an endpoint that serves, on virtual time. The first octet sets
// the admission policy; records follow: two octets of length, one of flags, the datagram.
//
// At the end every handshake that was admitted has ended, nothing is left, and nobody whose address
// was not proven was sent more than three times what came from there (RFC 9000 section 8).
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/quic/endpoint.hpp>
#include <alknet/testing/virtual_loop.hpp>
#include <array>

namespace {

using namespace alknet;
using namespace alknet::quic;

constexpr std::uint8_t kOtherRemote = 1;
constexpr std::uint8_t kLater = 2;
constexpr std::uint8_t kMarked = 4;
constexpr std::uint8_t kInSegments = 8;
constexpr std::uint8_t kStop = 16;

constexpr std::size_t kSegmentBytes = 1200;

class FuzzSocket final : public net::UdpSocket {
public:
    void set_receiver(Receiver* receiver) noexcept override { receiver_ = receiver; }
    net::SendStatus send(const net::DatagramBatch& batch) noexcept override {
        sent[index(batch.remote)] += batch.data.size();
        return net::SendStatus::sent;
    }
    [[nodiscard]] SocketAddress local_address() const noexcept override { return kLocal; }
    [[nodiscard]] std::size_t segments_max() const noexcept override { return 64; }

    void deliver(BytesView data, std::uint8_t flags) {
        net::DatagramBatch batch;
        batch.data = data;
        batch.segment_bytes = (flags & kInSegments) != 0 ? kSegmentBytes : 0;
        batch.local = kLocal;
        batch.remote = kRemotes[flags & kOtherRemote];
        batch.ecn = (flags & kMarked) != 0 ? 3 : 0;
        received[flags & kOtherRemote] += data.size();
        receiver_->on_datagrams({&batch, 1});
    }

    std::array<std::size_t, 2> received{};
    std::array<std::size_t, 2> sent{};

private:
    static std::size_t index(const SocketAddress& remote) {
        const auto* const found = std::ranges::find(kRemotes, remote);
        ALKNET_ASSERT(found != kRemotes.end());
        return static_cast<std::size_t>(found - kRemotes.begin());
    }
    inline static const SocketAddress kLocal = SocketAddress::v4({10, 0, 0, 1}, 4433);
    inline static const std::array<SocketAddress, 2> kRemotes = {
        SocketAddress::v4({10, 0, 0, 2}, 1000), SocketAddress::v4({10, 0, 0, 3}, 1000)};

    Receiver* receiver_ = nullptr;
};

class FuzzPolicy final : public ServerPolicy {
public:
    explicit FuzzPolicy(std::uint8_t mode) : mode_(mode) {}
    std::string select_alpn(const tls::ClientHello& hello) override {
        return hello.alpns.empty() ? std::string() : std::string(hello.alpns.front());
    }
    Admission admit(const Incoming& incoming) override {
        const auto admission = static_cast<Admission>(mode_ % 4);
        const bool again = admission == Admission::retry && incoming.validated && (mode_ & 4) == 0;
        const auto verdict = again ? Admission::accept : admission;
        admitted += verdict == Admission::accept ? 1 : 0;
        proven = proven || incoming.validated;
        return verdict;
    }
    void handshake_ended(const Incoming&, const result<void>&) override { ++ended; }
    std::shared_ptr<const tls::TlsContext> tls_context() override {
        static const auto context = [] {
            const Bytes seed(32, std::byte{7});
            tls::ContextOptions options;
            options.key = NodeKey::from_seed(seed).value();
            return tls::TlsContext::create(std::move(options)).value();
        }();
        return context;
    }
    TransportOptions transport_options() override { return {}; }

    std::size_t admitted = 0;
    std::size_t ended = 0;
    bool proven = false;

private:
    std::uint8_t mode_;
};

EndpointOptions make_options(FuzzPolicy& policy, std::uint8_t mode) {
    EndpointOptions options;
    options.server = &policy;
    options.secrets.token.fill(std::byte{1});
    options.secrets.stateless_reset.fill(std::byte{2});
    options.half_open_max = 8;
    if ((mode & 8) != 0) {
        options.transport.versions = {Version::v1};
    }
    return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    sim::VirtualLoop virtual_loop;
    FuzzPolicy policy(data[0]);
    auto owned = std::make_unique<FuzzSocket>();
    FuzzSocket& socket = *owned;
    const auto endpoint =
        Endpoint::create(virtual_loop.loop(), std::move(owned), make_options(policy, data[0]))
            .value();
    auto rest = view_octets(data, size).subspan(1);
    while (rest.size() >= 3) {
        const auto octet = [&rest](std::size_t at) { return std::to_integer<unsigned>(rest[at]); };
        const std::size_t length = std::min<std::size_t>(octet(0) << 8 | octet(1), rest.size() - 3);
        const auto flags = static_cast<std::uint8_t>(octet(2));
        if ((flags & kStop) != 0) {
            endpoint->stop_accepting();
        }
        socket.deliver(rest.subspan(3, length), flags);
        virtual_loop.settle();
        if ((flags & kLater) != 0) {
            virtual_loop.advance(std::chrono::seconds(1));
        }
        rest = rest.subspan(3 + length);
    }
    virtual_loop.advance(std::chrono::minutes(5));
    ALKNET_ASSERT(policy.admitted == policy.ended);
    ALKNET_ASSERT(endpoint->stats().connections == 0 && endpoint->stats().half_open == 0);
    for (std::size_t i = 0; i < socket.sent.size(); ++i) {
        ALKNET_ASSERT(policy.proven || socket.sent[i] <= 3 * socket.received[i]);
    }
    return 0;
}
