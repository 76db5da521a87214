#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/core/dial.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/tls/stream.hpp>

#include "dial_ladder.hpp"
#include "tls_connection.hpp"

namespace alknet {

namespace {

/// What the attempts of one dial share.
struct Race {
    NodeAddress address;
    DialOptions options;
    tls::ClientOptions client;
    std::shared_ptr<Connection> winner;
    std::optional<error> failure;  // the one that says most so far
    std::size_t running = 0;
    WaitList changed;

    void lost(error why) {
        if (!failure || dial_error_rank(why) > dial_error_rank(*failure)) {
            failure = std::move(why);
        }
    }
};

/// A QUIC connection and the endpoint whose socket it uses.
struct Kept {
    std::shared_ptr<quic::Endpoint> endpoint;
    std::shared_ptr<quic::Connection> connection;  // goes first
};

/// SNI has no literals (RFC 6066 section 3).
std::string server_name(const std::string& host) {
    const bool v6 = host.find(':') != std::string::npos;
    return v6 || net::SocketAddress::parse(host + ":1") ? std::string() : host;
}

class DialerImpl final : public Dialer {
public:
    DialerImpl(Loop& loop, std::shared_ptr<net::Network> network,
               std::shared_ptr<const tls::TlsContext> tls, Log log)
        : loop_(loop), network_(std::move(network)), tls_(std::move(tls)), log_(std::move(log)) {}

    task<result<std::shared_ptr<Connection>>> dial(NodeAddress address,
                                                   DialOptions options) override;
    void set_tls(std::shared_ptr<const tls::TlsContext> tls) override { tls_ = std::move(tls); }
    task<void> shutdown() override;

private:
    result<void> prepare(Race& race) const;
    task<result<void>> climb(Race& race, std::vector<DialAttempt> ladder, TaskScope& scope);
    task<void> attempt(Race& race, DialAttempt rung);
    task<result<std::shared_ptr<Connection>>> dial_quic(const Race& race, SocketAddress remote);
    task<result<std::shared_ptr<Connection>>> dial_tcp(const Race& race, SocketAddress remote);
    result<std::shared_ptr<quic::Endpoint>> endpoint_for(const SocketAddress& remote);

    Loop& loop_;
    std::shared_ptr<net::Network> network_;
    std::shared_ptr<const tls::TlsContext> tls_;
    Log log_;
    std::shared_ptr<tls::ResumptionStore> resumption_ = tls::make_resumption_store();
    std::shared_ptr<quic::Endpoint> quic_v4_;  // made when first needed
    std::shared_ptr<quic::Endpoint> quic_v6_;
    std::vector<std::weak_ptr<Connection>> tcp_;  // those that live
    bool stopped_ = false;
};

result<void> DialerImpl::prepare(Race& race) const {
    const NodeAddress& address = race.address;
    const DialOptions& options = race.options;
    if (!options.quic && !options.tcp) {
        return fail(causes::kUsage, "no transport is left to try");
    }
    if (options.alpns.empty() || options.alpns.size() > tls::kAlpnsOfferedMax) {
        return fail(causes::kAlpnInvalid, "a dial offers 1 to 8 names");
    }
    for (const std::string& alpn : options.alpns) {
        ALKNET_CHECK(tls::check_alpn(alpn));
    }
    if (address.host.empty()) {
        return fail(causes::kResolve, "nothing tells where this node id is; add @HOST:PORT");
    }
    race.client.context = tls_;
    race.client.alpns = options.alpns;
    race.client.resumption = resumption_;
    if (address.id) {
        race.client.verify = tls::VerifyPin{*address.id};
    } else {
        race.client.verify = tls::VerifyCa{address.host};
    }
    if (options.verify) {
        const auto* pin = std::get_if<tls::VerifyPin>(&*options.verify);
        const bool nothing = std::holds_alternative<tls::VerifyNothing>(*options.verify);
        if (address.id && !nothing && (pin == nullptr || pin->id != *address.id)) {
            return fail(causes::kUsage, "the address names a node id, which has to be verified");
        }
        race.client.verify = *options.verify;
    }
    // A node is known by its key and needs no SNI, which everybody on the way can read.
    if (const auto* ca = std::get_if<tls::VerifyCa>(&race.client.verify)) {
        race.client.server_name = server_name(ca->host);
    } else if (!std::holds_alternative<tls::VerifyPin>(race.client.verify) && !address.id) {
        race.client.server_name = server_name(address.host);
    }
    return {};
}

task<result<std::shared_ptr<Connection>>> DialerImpl::dial(NodeAddress address,
                                                           DialOptions options) {
    if (stopped_) {
        co_return fail(causes::kShuttingDown);
    }
    Race race;
    race.address = std::move(address);
    race.options = std::move(options);
    ALKNET_CO_CHECK(prepare(race));
    const std::uint16_t port = race.address.port.value_or(kDefaultPort);
    ALKNET_CO_TRY(const std::vector<SocketAddress> addresses,
                  co_await network_->resolve(loop_, race.address.host, port));
    std::vector<DialAttempt> ladder = dial_ladder(addresses, race.options.quic, race.options.tcp);
    const TaskContext context = co_await current_context();
    TaskScope scope(loop_, context.cancel);
    const result<void> climbed = co_await climb(race, std::move(ladder), scope);
    scope.cancel();
    (void)co_await scope.join();
    if (race.winner != nullptr) {
        co_return std::move(race.winner);
    }
    ALKNET_CO_CHECK(climbed);
    if (!race.failure) {
        co_return fail(causes::kResolve, race.address.host);
    }
    co_return unexpected(std::move(*race.failure));
}

/// Begins the attempts in turn, until one has succeeded or all have failed.
task<result<void>> DialerImpl::climb(Race& race, std::vector<DialAttempt> ladder,
                                     TaskScope& scope) {
    const TimePoint began = loop_.now();
    for (const DialAttempt& rung : ladder) {
        while (race.running > 0 && race.winner == nullptr && loop_.now() < began + rung.after) {
            Timer turn(loop_, [&race] { race.changed.wake_all(); });
            turn.arm(began + rung.after);
            ALKNET_CO_CHECK(co_await race.changed.wait());
        }
        if (race.winner != nullptr) {
            co_return result<void>{};
        }
        ++race.running;
        scope.spawn(attempt(race, rung), "core.dial");
    }
    while (race.running > 0 && race.winner == nullptr) {
        ALKNET_CO_CHECK(co_await race.changed.wait());
    }
    co_return result<void>{};
}

task<void> DialerImpl::attempt(Race& race, DialAttempt rung) {
    auto connected = rung.transport == Transport::quic ? co_await dial_quic(race, rung.remote)
                                                       : co_await dial_tcp(race, rung.remote);
    if (!connected) {
        const error& why = connected.error();
        log_.debug("dial.failed", {{"remote_addr", rung.remote.to_string()},
                                   {"transport", to_string(rung.transport)},
                                   {"reason", why.cause().id},
                                   {"detail", why.detail()}});
        const std::string where =
            std::string(to_string(rung.transport)) + " " + rung.remote.to_string();
        race.lost(std::move(connected).error().within(where));
    } else if (race.winner == nullptr) {
        race.winner = std::move(*connected);
    } else {
        (*connected)->close(close_code::kOk, "another attempt was first");
    }
    --race.running;
    race.changed.wake_all();
}

result<std::shared_ptr<quic::Endpoint>> DialerImpl::endpoint_for(const SocketAddress& remote) {
    const bool v6 = remote.family() == SocketAddress::Family::v6;
    std::shared_ptr<quic::Endpoint>& endpoint = v6 ? quic_v6_ : quic_v4_;
    if (endpoint == nullptr) {
        const SocketAddress any = v6 ? SocketAddress::v6({}, 0) : SocketAddress::v4({}, 0);
        ALKNET_TRY(auto socket, network_->bind_udp(loop_, any, net::UdpOptions{}));
        quic::EndpointOptions options;
        options.secrets = quic::make_secrets();
        options.log = log_;
        ALKNET_TRY(endpoint, quic::Endpoint::create(loop_, std::move(socket), std::move(options)));
    }
    return endpoint;
}

task<result<std::shared_ptr<Connection>>> DialerImpl::dial_quic(const Race& race,
                                                                SocketAddress remote) {
    ALKNET_CO_TRY(auto endpoint, endpoint_for(remote));
    quic::ConnectOptions options;
    options.remote = remote;
    options.tls = race.client;
    options.transport = race.options.transport;
    ALKNET_CO_TRY(auto connection, co_await endpoint->connect(std::move(options)));
    auto kept = std::make_shared<Kept>(
        Kept{.endpoint = std::move(endpoint), .connection = std::move(connection)});
    Connection* face = kept->connection.get();
    co_return std::shared_ptr<Connection>(std::move(kept), face);
}

task<result<std::unique_ptr<tls::TlsStream>>> connect_over_tcp(Loop& loop, net::Network& network,
                                                               SocketAddress remote,
                                                               tls::ClientOptions options,
                                                               net::TcpStream& tcp) {
    ALKNET_CO_TRY(tcp, co_await network.connect_tcp(loop, remote));
    co_return co_await tls::connect_tls(loop, std::move(tcp.stream), std::move(options));
}

task<result<std::shared_ptr<Connection>>> DialerImpl::dial_tcp(const Race& race,
                                                               SocketAddress remote) {
    net::TcpStream tcp;
    const quic::TransportOptions& limits = race.options.transport;
    auto stream = co_await with_timeout(
        limits.handshake_timeout, connect_over_tcp(loop_, *network_, remote, race.client, tcp));
    if (!stream && stream.error().is(causes::kTimeout)) {
        co_return fail(causes::kHandshakeTimeout);
    }
    if (!stream) {
        co_return unexpected(std::move(stream).error());
    }
    std::shared_ptr<Connection> connection =
        make_tls_connection(loop_, std::move(*stream), tcp, limits.idle_timeout, false);
    std::erase_if(tcp_, [](const std::weak_ptr<Connection>& one) { return one.expired(); });
    tcp_.push_back(connection);
    co_return connection;
}

task<void> DialerImpl::shutdown() {
    stopped_ = true;
    for (const std::weak_ptr<Connection>& one : tcp_) {
        if (const std::shared_ptr<Connection> connection = one.lock()) {
            connection->close(close_code::kOk, {});
        }
    }
    for (std::shared_ptr<quic::Endpoint>* endpoint : {&quic_v4_, &quic_v6_}) {
        if (*endpoint != nullptr) {
            co_await (*endpoint)->shutdown(close_code::kOk, {});
            endpoint->reset();
        }
    }
}

}  // namespace

std::unique_ptr<Dialer> Dialer::create(Loop& loop, std::shared_ptr<net::Network> network,
                                       std::shared_ptr<const tls::TlsContext> tls, Log log) {
    return std::make_unique<DialerImpl>(loop, std::move(network), std::move(tls), std::move(log));
}

}  // namespace alknet
