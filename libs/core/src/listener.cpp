#include "listener.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/core/stream_connection.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/tls/stream.hpp>
#include <exception>
#include <limits>

#include "endpoint_state.hpp"
#include "proxied.hpp"
#include "tls_connection.hpp"

namespace alknet {

namespace {

using Handshake = result<std::unique_ptr<tls::TlsStream>>;

/// An exception is a bug, and ends this handshake, not all that share its scope.
task<Handshake> catching(task<Handshake> work) {
    try {
        co_return co_await std::move(work);
    } catch (const std::exception& bug) {
        co_return fail(causes::kInternal, bug.what());
    }
}

/// What a client over TCP gets that names no service at all: programs that know no ALPN speak this.
constexpr std::string_view kWithoutAlpn = tls::kUnansweredAlpn;
/// What clients of HTTP over TCP are told of.
constexpr std::string_view kHttp3 = "h3";

}  // namespace

class Listener::Use {
public:
    explicit Use(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {
        ++listener_->uses_;
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() {
        if (--listener_->uses_ == 0) {
            listener_->unused_.wake_all();
        }
    }

private:
    std::shared_ptr<Listener> listener_;
};

Listener::Listener(EndpointState& state, ListenerOptions options)
    : state_(state), options_(std::move(options)), tcp_selector_(*this) {}

Listener::~Listener() = default;

result<void> Listener::check(const ListenerOptions& options) {
    if (!options.quic && !options.tcp) {
        return fail(causes::kConfigInvalid, "listener " + options.name + " has no transport");
    }
    for (const std::string& alpn : options.alpns) {
        ALKNET_CHECK(tls::check_alpn(alpn));
    }
    return {};
}

result<std::shared_ptr<Listener>> Listener::bind(EndpointState& state, ListenerOptions options) {
    ALKNET_CHECK(check(options));
    auto listener = std::make_shared<Listener>(state, std::move(options));
    const bool any_port = listener->options_.address.port() == 0;
    for (int attempt = 1;; ++attempt) {
        auto opened = listener->open_sockets();
        if (opened) {
            return listener;
        }
        // Another program may hold the TCP twin of a UDP port that was free.
        if (!any_port || !opened.error().is(causes::kAddressInUse) || attempt == kPortAttempts) {
            return unexpected(std::move(opened).error());
        }
    }
}

result<std::unique_ptr<net::UdpSocket>> Listener::bind_udp(const SocketAddress& address) {
    net::UdpOptions options;
    options.share = state_.shared.share;
    return state_.options.network->bind_udp(state_.loop, address, options);
}

result<std::unique_ptr<net::TcpListener>> Listener::listen_tcp(const SocketAddress& address) {
    return state_.options.network->listen_tcp_shared(state_.loop, address, state_.shared.share);
}

result<void> Listener::open_sockets() {
    SocketAddress address = options_.address;
    std::unique_ptr<net::UdpSocket> udp;
    if (options_.quic) {
        ALKNET_TRY(udp, bind_udp(address));
        address = udp->local_address();
    }
    if (options_.tcp) {
        ALKNET_TRY(tcp_, listen_tcp(address));
        address = tcp_->local_address();
    }
    if (udp != nullptr) {
        ALKNET_CHECK(open_quic(std::move(udp)));
    }
    address_ = address;
    return {};
}

result<void> Listener::open_quic(std::unique_ptr<net::UdpSocket> socket) {
    quic::EndpointOptions options;
    options.transport = transport_options();
    options.secrets = state_.options.secrets;
    options.server = this;
    // The policy counts all listeners together, by limits that may change.
    options.connections_max = std::numeric_limits<std::size_t>::max();
    options.half_open_max = std::numeric_limits<std::size_t>::max();
    options.log = state_.options.log;
    options.loop_index = state_.shared.share.index;
    options.loop_count = state_.shared.share.count;
    options.steering = state_.shared.steering;
    ALKNET_TRY(quic_, quic::Endpoint::create(state_.loop, std::move(socket), std::move(options)));
    return {};
}

void Listener::start() {
    if (quic_ != nullptr) {
        start_quic();
    }
    if (tcp_ != nullptr) {
        start_tcp();
    }
}

void Listener::start_quic() {
    state_.running.spawn(accept_quic(shared_from_this()), "core.accept_quic");
}

void Listener::start_tcp() {
    accepting_tcp_.emplace(state_.loop);
    accepting_tcp_->spawn(accept_tcp(), "core.accept_tcp");
}

result<void> Listener::update(ListenerOptions options) {
    ALKNET_CHECK(check(options));
    const bool begin_quic = options.quic && quic_ == nullptr;
    const bool begin_tcp = options.tcp && tcp_ == nullptr;
    std::unique_ptr<net::TcpListener> tcp;
    if (begin_tcp) {
        ALKNET_TRY(tcp, listen_tcp(address_));
    }
    if (begin_quic) {
        ALKNET_TRY(auto udp, bind_udp(address_));
        ALKNET_CHECK(open_quic(std::move(udp)));
        start_quic();
    }
    if (begin_tcp) {
        tcp_ = std::move(tcp);
        start_tcp();
    } else if (!options.tcp) {
        accepting_tcp_.reset();
        tcp_.reset();
    }
    // The UDP socket stays for the connections that it has; `admit` refuses others.
    options_.quic = options.quic;
    options_.tcp = options.tcp;
    options_.alpns = std::move(options.alpns);
    options_.congestion = options.congestion;
    options_.proxies = std::move(options.proxies);
    options_.unknown_alpn = options.unknown_alpn;
    return {};
}

void Listener::stop() noexcept {
    stopped_ = true;
    accepting_tcp_.reset();
    tcp_.reset();
    if (quic_ != nullptr) {
        quic_->stop_accepting();
    }
}

task<void> Listener::wait_unused() {
    while (uses_ > 0) {
        (void)co_await unused_.wait_uncancellable();
    }
}

task<void> Listener::drain(std::uint64_t code) {
    if (quic_ != nullptr) {
        co_await quic_->shutdown(code, {});
    }
    newcomers_.clear();
}

bool Listener::is_served(std::string_view name, bool AlpnPolicy::* allowed) const {
    if (!options_.alpns.empty() &&
        std::ranges::find(options_.alpns, name) == options_.alpns.end()) {
        return false;
    }
    const RegisteredHandler* found = state_.options.registry->find(name);
    return found != nullptr && found->policy.*allowed;
}

std::string Listener::select(const tls::ClientHello& hello, bool AlpnPolicy::* allowed) const {
    for (const std::string_view name : hello.alpns) {
        if (is_served(name, allowed)) {
            return std::string(name);
        }
    }
    const bool otherwise = allowed == &AlpnPolicy::tcp &&
                           (!hello.has_alpn || options_.unknown_alpn == UnknownAlpn::http);
    return otherwise && is_served(kWithoutAlpn, allowed) ? std::string(kWithoutAlpn)
                                                         : std::string();
}

// ---- QUIC ----

quic::Admission Listener::admit(const quic::Incoming& incoming) {
    state_.beginnings->add(incoming.remote, state_.loop.clock().now());
    if (stopped_ || state_.stopping || !options_.quic) {
        return quic::Admission::refuse;
    }
    AdmissionVerdict verdict =
        state_.counters->admit(state_.options.limits, incoming.remote, incoming.validated);
    state_.telemetry.admitted(Transport::quic, verdict.admission);
    if (verdict.struck) {
        state_.telemetry.limit_hit(*verdict.struck, incoming.remote);
    }
    if (verdict.admission == quic::Admission::accept) {
        newcomers_.emplace(incoming.remote, Newcomer{.ticket = std::move(verdict.ticket),
                                                     .began = state_.loop.now()});
        state_.telemetry.half_open(*state_.counters);
    }
    return verdict.admission;
}

void Listener::handshake_ended(const quic::Incoming& incoming, const result<void>& outcome) {
    auto [newcomer, end] = newcomers_.equal_range(incoming.remote);
    while (newcomer != end && newcomer->second.established) {
        ++newcomer;
    }
    if (newcomer == end) {
        return;
    }
    if (outcome) {
        Newcomer& mine = newcomer->second;
        mine.established = true;
        mine.admitted = mine.ticket.established(state_.options.limits.connections_per_ip_max);
        state_.telemetry.handshake_ok(Transport::quic, state_.loop.now() - mine.began);
    } else {
        newcomers_.erase(newcomer);
        const error& why = outcome.error();
        if (why.is(causes::kHandshakeTimeout)) {
            state_.telemetry.limit_hit(Limit::handshake_timeout, incoming.remote);
        }
        state_.telemetry.handshake_failed(Transport::quic, incoming.remote, incoming.validated,
                                          why);
    }
    state_.telemetry.half_open(*state_.counters);
}

std::shared_ptr<const tls::TlsContext> Listener::tls_context() {
    return state_.options.tls;
}

quic::TransportOptions Listener::transport_options() {
    // Everybody is a stranger until the handshake has ended.
    const EndpointLimits& limits = state_.options.limits;
    const std::uint64_t bytes = limits.connection_bytes_unauthenticated_max;
    quic::TransportOptions options;
    options.congestion = options_.congestion;
    options.handshake_timeout = limits.handshake_timeout;
    options.idle_timeout = limits.idle_timeout;
    options.streams_bidi_max = limits.streams_unauthenticated_max;
    options.streams_uni_max = limits.streams_unauthenticated_max;
    options.connection_window_bytes = std::min(options.connection_window_bytes, bytes);
    options.connection_window_bytes_max = bytes;
    options.stream_window_bytes = std::min(options.stream_window_bytes, bytes);
    options.stream_window_bytes_max = std::min(options.stream_window_bytes_max, bytes);
    options.unsent_bytes_max = std::min(options.unsent_bytes_max, limits.connection_bytes_max);
    options.qlog_directory = state_.options.qlog_directory;
    return options;
}

Listener::Newcomer Listener::claim(const SocketAddress& remote) {
    auto [newcomer, end] = newcomers_.equal_range(remote);
    while (newcomer != end && !newcomer->second.established) {
        ++newcomer;
    }
    if (newcomer == end) {
        return {};
    }
    Newcomer mine = std::move(newcomer->second);
    newcomers_.erase(newcomer);
    return mine;
}

task<void> Listener::accept_quic(std::shared_ptr<Listener> self) {
    EndpointState& state = self->state_;
    for (;;) {
        result<std::shared_ptr<quic::Connection>> accepted = co_await self->quic_->accept();
        if (!accepted) {
            co_return;
        }
        Newcomer newcomer = self->claim((*accepted)->info().remote);
        auto session = std::make_shared<Session>();
        session->quic = accepted->get();
        session->connection = std::move(*accepted);
        session->ticket = std::move(newcomer.ticket);
        session->admitted = newcomer.admitted;
        session->keep = std::make_shared<Use>(self);
        start_session(state, std::move(session));
    }
}

// ---- TLS over TCP ----

task<result<void>> Listener::accept_tcp() {
    for (;;) {
        result<net::TcpStream> accepted = co_await tcp_->accept();
        if (accepted) {
            begin_tcp(std::move(*accepted));
        } else if (accepted.error().is(errc::cancelled)) {
            co_return result<void>{};
        } else {
            // Out of descriptors, most likely: what is open goes on, and frees some.
            state_.telemetry.accept_failed(Transport::tcp, accepted.error());
            ALKNET_CO_CHECK(co_await state_.loop.sleep(kAcceptRetryDelay));
        }
    }
}

Ticket Listener::admit_tcp(const SocketAddress& remote) {
    AdmissionVerdict verdict = state_.counters->admit(state_.options.limits, remote, true);
    state_.telemetry.admitted(Transport::tcp, verdict.admission);
    if (verdict.admission != quic::Admission::accept) {
        state_.telemetry.limit_hit(*verdict.struck, remote);
    }
    state_.telemetry.half_open(*state_.counters);
    return std::move(verdict.ticket);
}

/// Without a ticket the stream is dropped, which resets the connection.
void Listener::begin_tcp(net::TcpStream stream) {
    const TimePoint now = state_.loop.now();
    if (options_.proxies.empty()) {
        if (Ticket ticket = admit_tcp(stream.remote)) {
            state_.handshakes.spawn(
                handshake_tcp(shared_from_this(), std::move(stream), std::move(ticket), now),
                "core.handshake_tcp");
        }
        return;
    }
    // Until its header has come it counts for nobody, only among those that have not finished.
    AdmissionVerdict verdict = state_.counters->admit(state_.options.limits, {}, true);
    if (verdict.admission != quic::Admission::accept) {
        state_.telemetry.admitted(Transport::tcp, verdict.admission);
        state_.telemetry.limit_hit(*verdict.struck, stream.remote);
        return;
    }
    state_.handshakes.spawn(
        identify_tcp(shared_from_this(), std::move(stream), std::move(verdict.ticket)),
        "core.identify_tcp");
}

task<void> Listener::identify_tcp(std::shared_ptr<Listener> self, net::TcpStream stream,
                                  Ticket ticket) {
    EndpointState& state = self->state_;
    const TimePoint began = state.loop.now();
    const SocketAddress proxy = stream.remote;
    const bool trusted =
        std::ranges::any_of(self->options_.proxies,
                            [&](const net::AddressRange& range) { return range.contains(proxy); });
    auto identified = co_await with_timeout(state.options.limits.handshake_timeout,
                                            identify_client(std::move(stream), trusted));
    ticket = Ticket();
    if (!identified) {
        self->fail_tcp(proxy, std::move(identified).error());
    } else if (Ticket own = self->admit_tcp(identified->remote)) {
        co_await handshake_tcp(self, std::move(*identified), std::move(own), began);
    }
}

void Listener::fail_tcp(const SocketAddress& remote, error why) {
    state_.telemetry.half_open(*state_.counters);
    if (why.is(causes::kTimeout)) {
        why = error(causes::kHandshakeTimeout);
        state_.telemetry.limit_hit(Limit::handshake_timeout, remote);
    }
    if (!why.is(errc::cancelled)) {
        state_.telemetry.handshake_failed(Transport::tcp, remote, true, why);
    }
}

task<void> Listener::handshake_tcp(std::shared_ptr<Listener> self, net::TcpStream stream,
                                   Ticket ticket, TimePoint began) {
    EndpointState& state = self->state_;
    const EndpointLimits& limits = state.options.limits;
    // One deadline for the whole handshake: a client that sends an octet a second gains nothing.
    const Duration left = limits.handshake_timeout - (state.loop.now() - began);
    auto handshake = co_await with_timeout(
        left, catching(tls::accept_tls(state.loop, std::move(stream.stream), state.options.tls,
                                       self->tcp_selector_)));
    if (!handshake) {
        ticket = Ticket();
        self->fail_tcp(stream.remote, std::move(handshake).error());
        co_return;
    }
    const bool admitted = ticket.established(limits.connections_per_ip_max);
    state.telemetry.handshake_ok(Transport::tcp, state.loop.now() - began);
    state.telemetry.half_open(*state.counters);
    auto session = std::make_shared<Session>();
    const bool http3 = self->options_.quic && self->is_served(kHttp3, &AlpnPolicy::quic);
    session->connection = make_tls_connection(state.loop, std::move(*handshake),
                                              {.tcp = stream,
                                               .idle_timeout = limits.idle_timeout,
                                               .server_side = true,
                                               .http3_beside = http3});
    session->ticket = std::move(ticket);
    session->admitted = admitted;
    start_session(state, std::move(session));
}

}  // namespace alknet
