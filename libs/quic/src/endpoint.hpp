// EndpointImpl: the socket, the table of connections, and what comes in before there is a
// connection. See endpoint.hpp in include/ for the contract.
#pragma once

#include "address_token.hpp"
#include "connection.hpp"
#include "connection_id.hpp"
#include "routing_table.hpp"
#include "stateless_reset.hpp"

#include <alknet/quic/endpoint.hpp>
#include <alknet/rt/wait.hpp>
#include <deque>
#include <map>
#include <memory>
#include <vector>

namespace alknet::quic {

/// A UDP socket of the endpoint: the first one, or one that a connection migrated to.
class LocalSocket final : private net::UdpSocket::Receiver {
public:
    LocalSocket(EndpointImpl& endpoint, std::unique_ptr<net::UdpSocket> socket);
    LocalSocket(const LocalSocket&) = delete;
    LocalSocket& operator=(const LocalSocket&) = delete;
    ~LocalSocket();

    /// As it was bound, perhaps to the wildcard address.
    [[nodiscard]] const SocketAddress& address() const noexcept { return address_; }
    [[nodiscard]] std::size_t segments_max() const noexcept { return socket_->segments_max(); }
    /// After would_block `connection` is told when to try again.
    net::SendStatus send(const net::DatagramBatch& batch, ConnectionImpl& connection) noexcept;
    /// A packet that belongs to no connection: lost when the socket is full.
    void send(const net::DatagramBatch& batch) noexcept;

private:
    void on_datagrams(std::span<const net::DatagramBatch> batches) noexcept override;
    void on_writable() noexcept override;
    void on_unreachable(const SocketAddress& remote) noexcept override;

    EndpointImpl& endpoint_;
    std::unique_ptr<net::UdpSocket> socket_;
    SocketAddress address_;
    bool blocked_ = false;
    IntrusiveList<ConnectionImpl, BlockedTag> waiting_;
};

class EndpointImpl final : public Endpoint, private FlushHook, private SteeredReceiver {
public:
    EndpointImpl(Loop& loop, std::unique_ptr<net::UdpSocket> socket, EndpointOptions options);
    ~EndpointImpl() override;

    task<result<std::shared_ptr<Connection>>> accept() override;
    task<result<std::shared_ptr<Connection>>> connect(ConnectOptions options) override;
    void stop_accepting() noexcept override;
    task<void> shutdown(std::uint64_t code, std::string reason) override;
    [[nodiscard]] SocketAddress local_address() const noexcept override {
        return sockets_.front()->address();
    }
    [[nodiscard]] EndpointStats stats() const noexcept override;

    // ---- for connections ----
    [[nodiscard]] Loop& loop() noexcept { return loop_; }
    [[nodiscard]] RoutingTable<ConnectionImpl>& routes() noexcept { return routes_; }
    [[nodiscard]] const AddressTokens& tokens() const noexcept { return tokens_; }
    [[nodiscard]] const Log& log() const noexcept { return options_.log; }
    /// Where packets are written before they are sent; nobody holds on to it.
    [[nodiscard]] MutableBytes packet_buffer() noexcept { return packet_buffer_; }
    /// For the buffers of streams, which may outlive the endpoint.
    [[nodiscard]] const std::shared_ptr<ChunkPool>& chunks() const noexcept { return chunks_; }
    /// Draws an id that leads to `connection`.
    ngtcp2_cid add_route(ConnectionImpl& connection);
    [[nodiscard]] ResetToken reset_token(const ngtcp2_cid& id) const noexcept;
    LocalSocket& add_socket(std::unique_ptr<net::UdpSocket> socket);
    void remove_socket(const LocalSocket& socket) noexcept;
    void handshake_ended(ConnectionImpl& connection, const result<void>& outcome);
    /// Nothing leads to it any more; its object dies when the application lets go.
    void forget(ConnectionImpl& connection) noexcept;

    // ---- for sockets ----
    void on_datagrams(LocalSocket& socket, std::span<const net::DatagramBatch> batches) noexcept;
    void on_unreachable(const SocketAddress& remote) noexcept;

private:
    /// One datagram, and the batch whose addresses it has.
    struct Arrival {
        BytesView data;
        const net::DatagramBatch& batch;
        LocalSocket& socket;
    };
    // endpoint_intake.cpp
    void on_steered(const net::DatagramBatch& datagram) noexcept override;
    /// True if the packet is for another loop.
    bool is_elsewhere(const Arrival& arrival, BytesView dcid);
    void on_datagram(const Arrival& arrival);
    void on_unknown_short(const Arrival& arrival, BytesView dcid);
    void send_version_negotiation(const Arrival& arrival, const ngtcp2_version_cid& ids);
    /// Answers and tells the log, where strangers may not fill more than its debug level.
    void answer(const Arrival& arrival, BytesView packet, std::string_view event) noexcept;
    [[nodiscard]] bool speaks(std::uint32_t version) const noexcept;
    // endpoint_accept.cpp
    void on_initial(const Arrival& arrival);
    void begin_connection(const Arrival& arrival, const ServerStart& start);
    void send_retry(const Arrival& arrival, const ngtcp2_pkt_hd& header);
    void close_statelessly(const Arrival& arrival, const ngtcp2_pkt_hd& header, std::uint64_t code);
    void add(std::shared_ptr<ConnectionImpl> connection);
    /// Ends sockets that nobody is inside of any more.
    void flush() noexcept override;

    Loop& loop_;
    EndpointOptions options_;
    RoutingTable<ConnectionImpl> routes_;
    AddressTokens tokens_;
    std::vector<std::byte> packet_buffer_;
    std::shared_ptr<ChunkPool> chunks_ = std::make_shared<ChunkPool>();
    std::map<std::uint64_t, std::shared_ptr<ConnectionImpl>> connections_;  // by serial number
    std::uint64_t serial_ = 0;
    std::size_t half_open_ = 0;  // of the server side
    std::size_t dialling_ = 0;   // of the client side
    std::deque<std::shared_ptr<ConnectionImpl>> accepted_;
    WaitList acceptors_;
    WaitList drained_;
    RateLimit resets_;
    bool stopping_ = false;
    EndpointStats stats_;
    std::vector<std::unique_ptr<LocalSocket>> retired_;
    std::vector<std::unique_ptr<LocalSocket>> sockets_;  // first: the endpoint's own; dies first
};

}  // namespace alknet::quic
