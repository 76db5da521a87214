// Listener: one address, on UDP and TCP. It admits newcomers before their handshake, chooses the
// service in the ClientHello, and hands what is established to a session.
#pragma once

#include <alknet/core/endpoint.hpp>
#include <alknet/net/network.hpp>
#include <alknet/quic/endpoint.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/tls/client_hello.hpp>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "counters.hpp"

namespace alknet {

struct EndpointState;

class Listener final : private quic::ServerPolicy, public std::enable_shared_from_this<Listener> {
public:
    /// With port 0, how many free UDP ports are tried for one whose TCP twin is free too.
    static constexpr int kPortAttempts = 32;
    /// A socket that fails to accept is left alone for this long.
    static constexpr Duration kAcceptRetryDelay = std::chrono::milliseconds(100);

    /// Binds. Errors: those of Endpoint::listen.
    static result<std::shared_ptr<Listener>> bind(EndpointState& state, ListenerOptions options);
    Listener(EndpointState& state, ListenerOptions options);
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener();

    /// Begins to accept.
    void start();
    /// Changes everything but the address. On an error nothing has changed.
    result<void> update(ListenerOptions options);
    /// Accepts no more. The TCP port is free at once, the UDP port after `drain`.
    void stop() noexcept;
    /// Closes the QUIC connections that are left and waits until they have gone.
    task<void> drain(std::uint64_t code);
    /// Waits until no QUIC session is left.
    task<void> wait_unused();

    [[nodiscard]] const ListenerOptions& options() const noexcept { return options_; }
    [[nodiscard]] SocketAddress address() const noexcept { return address_; }

private:
    class TcpSelector final : public tls::AlpnSelector {
    public:
        explicit TcpSelector(const Listener& listener) : listener_(listener) {}
        [[nodiscard]] std::string select_alpn(const tls::ClientHello& hello) override {
            return listener_.select(hello, &AlpnPolicy::tcp);
        }

    private:
        const Listener& listener_;
    };
    /// A QUIC connection between its admission and `accept`.
    struct Newcomer {
        Ticket ticket;
        TimePoint began;
        bool established = false;
        bool admitted = true;
    };
    /// Held by each QUIC session.
    class Use;

    static result<void> check(const ListenerOptions& options);
    /// On this loop's share of the port.
    result<std::unique_ptr<net::UdpSocket>> bind_udp(const SocketAddress& address);
    result<std::unique_ptr<net::TcpListener>> listen_tcp(const SocketAddress& address);
    result<void> open_sockets();
    result<void> open_quic(std::unique_ptr<net::UdpSocket> socket);
    void start_quic();
    void start_tcp();
    [[nodiscard]] bool is_served(std::string_view name, bool AlpnPolicy::* allowed) const;
    /// The client's first name that is served here, over a transport that its policy allows.
    [[nodiscard]] std::string select(const tls::ClientHello& hello,
                                     bool AlpnPolicy::* allowed) const;
    [[nodiscard]] Newcomer claim(const SocketAddress& remote);

    static task<void> accept_quic(std::shared_ptr<Listener> self);
    task<result<void>> accept_tcp();
    void begin_tcp(net::TcpStream stream);
    [[nodiscard]] Ticket admit_tcp(const SocketAddress& remote);
    static task<void> identify_tcp(std::shared_ptr<Listener> self, net::TcpStream stream,
                                   Ticket ticket);
    static task<void> handshake_tcp(std::shared_ptr<Listener> self, net::TcpStream stream,
                                    Ticket ticket, TimePoint began);
    void fail_tcp(const SocketAddress& remote, error why);

    // quic::ServerPolicy
    [[nodiscard]] std::string select_alpn(const tls::ClientHello& hello) override {
        return select(hello, &AlpnPolicy::quic);
    }
    [[nodiscard]] quic::Admission admit(const quic::Incoming& incoming) override;
    void handshake_ended(const quic::Incoming& incoming, const result<void>& outcome) override;
    [[nodiscard]] std::shared_ptr<const tls::TlsContext> tls_context() override;
    [[nodiscard]] quic::TransportOptions transport_options() override;

    EndpointState& state_;
    ListenerOptions options_;
    SocketAddress address_;
    TcpSelector tcp_selector_;
    std::unordered_multimap<SocketAddress, Newcomer> newcomers_;  // limits.half_open_max bounds it
    std::size_t uses_ = 0;
    WaitList unused_;
    bool stopped_ = false;
    std::unique_ptr<net::TcpListener> tcp_;
    std::unique_ptr<quic::Endpoint> quic_;
    std::optional<TaskScope> accepting_tcp_;  // last: its task uses the rest
};

}  // namespace alknet
