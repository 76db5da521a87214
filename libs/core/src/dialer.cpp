#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/core/dial.hpp>
#include <alknet/quic/knock.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/tls/stream.hpp>

#include "dial_ladder.hpp"
#include "tls_connection.hpp"

namespace alknet {

namespace {

/// What the attempts of one dial share.
struct Running {
    NodeAddress address;
    DialOptions options;
    tls::ClientOptions client;
    std::uint16_t port = kDefaultPort;
    std::optional<net::ProxyUrl> proxy;
    PathKey path;
    std::shared_ptr<PathMemory> memory;  // null: this dial has nothing to remember
    PathMemory::Advice advice;
    DialRace race{{}};
    std::optional<Dialled> winner;
    std::optional<error> failure;  // the one that says most so far
    WaitList changed;

    /// TLS over what somebody else makes: a proxy, or whatever the caller has.
    [[nodiscard]] bool is_carried() const noexcept { return proxy.has_value() || options.via; }

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

LadderOptions ladder_options(const Running& dial) {
    LadderOptions ladder;
    const bool direct = !dial.options.via;
    ladder.quic =
        direct && dial.options.quic && !(dial.options.better_than && dial.advice.quic_demoted);
    ladder.tcp = direct && dial.options.tcp;
    ladder.v4 = dial.options.v4;
    ladder.v6 = dial.options.v6;
    ladder.proxy = dial.is_carried();
    ladder.remembered = dial.advice.remembered;
    ladder.quic_demoted = dial.advice.quic_demoted;
    ladder.prefer = dial.options.prefer;
    ladder.better_than = dial.options.better_than;
    return ladder;
}

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
    task<result<Dialled>> dial_way(NodeAddress address, DialOptions options) override;
    task<result<bool>> knock(NodeAddress address, DialOptions options) override;
    void report(const Dialled& way, std::uint64_t bytes, Duration time) override;
    [[nodiscard]] bool demoted(const Dialled& way) const override;
    void set_place(DialPlace place) override { place_ = std::move(place); }
    void set_tls(std::shared_ptr<const tls::TlsContext> tls) override { tls_ = std::move(tls); }
    task<void> shutdown() override;

private:
    /// What each of them starts with. Errors: kShuttingDown; those of prepare.
    result<void> begin(Running& dial, NodeAddress address, DialOptions options) const;
    result<void> prepare(Running& dial) const;
    result<void> find_proxy(Running& dial) const;
    void remember(Running& dial) const;
    task<result<void>> go(Running& dial);
    task<result<void>> race_to(Running& dial, std::vector<SocketAddress> addresses);
    task<result<void>> climb(Running& dial, TaskScope& scope);
    task<void> attempt(Running& dial, DialAttempt attempt);
    task<result<std::shared_ptr<Connection>>> dial_quic(const Running& dial, SocketAddress remote);
    task<result<net::TcpStream>> reach_tcp(const Running& dial, const DialAttempt& attempt);
    task<result<std::shared_ptr<Connection>>> dial_tcp(const Running& dial, DialAttempt attempt);
    result<std::shared_ptr<quic::Endpoint>> endpoint_for(const SocketAddress& remote);

    Loop& loop_;
    std::shared_ptr<net::Network> network_;
    std::shared_ptr<const tls::TlsContext> tls_;
    Log log_;
    DialPlace place_;
    std::shared_ptr<tls::ResumptionStore> resumption_ = tls::make_resumption_store();
    std::shared_ptr<quic::Endpoint> quic_v4_;  // made when first needed
    std::shared_ptr<quic::Endpoint> quic_v6_;
    std::vector<std::weak_ptr<Connection>> tcp_;  // those that live
    bool stopped_ = false;
};

result<void> DialerImpl::prepare(Running& dial) const {
    const NodeAddress& address = dial.address;
    const DialOptions& options = dial.options;
    if (options.alpns.empty() || options.alpns.size() > tls::kAlpnsOfferedMax) {
        return fail(causes::kAlpnInvalid, "a dial offers 1 to 8 names");
    }
    for (const std::string& alpn : options.alpns) {
        ALKNET_CHECK(tls::check_alpn(alpn));
    }
    if (address.host.empty()) {
        return fail(causes::kResolve, "nothing tells where this node id is; add @HOST:PORT");
    }
    dial.client.context = tls_;
    dial.client.alpns = options.alpns;
    dial.client.resumption = resumption_;
    dial.client.show_key = options.show_key;
    if (address.id) {
        dial.client.verify = tls::VerifyPin{*address.id};
    } else {
        dial.client.verify = tls::VerifyCa{address.host};
    }
    if (options.verify) {
        const auto* pin = std::get_if<tls::VerifyPin>(&*options.verify);
        const bool nothing = std::holds_alternative<tls::VerifyNothing>(*options.verify);
        if (address.id && !nothing && (pin == nullptr || pin->id != *address.id)) {
            return fail(causes::kUsage, "the address names a node id, which has to be verified");
        }
        dial.client.verify = *options.verify;
    }
    // A node is known by its key and needs no SNI, which everybody on the way can read.
    if (const auto* ca = std::get_if<tls::VerifyCa>(&dial.client.verify)) {
        dial.client.server_name = server_name(ca->host);
    } else if (!std::holds_alternative<tls::VerifyPin>(dial.client.verify) && !address.id) {
        dial.client.server_name = server_name(address.host);
    }
    return {};
}

task<result<std::shared_ptr<Connection>>> DialerImpl::dial(NodeAddress address,
                                                           DialOptions options) {
    ALKNET_CO_TRY(Dialled dialled, co_await dial_way(std::move(address), std::move(options)));
    co_return std::move(dialled.connection);
}

result<void> DialerImpl::begin(Running& dial, NodeAddress address, DialOptions options) const {
    if (stopped_) {
        return fail(causes::kShuttingDown);
    }
    dial.address = std::move(address);
    dial.options = std::move(options);
    ALKNET_CHECK(prepare(dial));
    dial.port = dial.address.port.value_or(kDefaultPort);
    return {};
}

task<result<Dialled>> DialerImpl::dial_way(NodeAddress address, DialOptions options) {
    Running dial;
    ALKNET_CO_CHECK(begin(dial, std::move(address), std::move(options)));
    ALKNET_CO_CHECK(find_proxy(dial));
    remember(dial);
    ALKNET_CO_CHECK(co_await go(dial));
    if (dial.winner) {
        if (dial.memory != nullptr) {
            dial.memory->worked(dial.path, dial.winner->rung, loop_.wall_now());
            dial.winner->path = dial.path;
        }
        co_return std::move(*dial.winner);
    }
    if (!dial.failure) {
        co_return fail(causes::kResolve, dial.address.host + " has no address to be reached by");
    }
    co_return unexpected(std::move(*dial.failure));
}

task<result<bool>> DialerImpl::knock(NodeAddress address, DialOptions options) {
    Running dial;
    ALKNET_CO_CHECK(begin(dial, std::move(address), std::move(options)));
    remember(dial);
    LadderOptions ladder = ladder_options(dial);
    ladder.tcp = false;
    if (!ladder.quic) {
        co_return false;
    }
    ALKNET_CO_TRY(const auto addresses,
                  co_await network_->resolve(loop_, dial.address.host, dial.port));
    std::vector<SocketAddress> remotes;
    for (const DialAttempt& attempt : dial_ladder(addresses, ladder)) {
        const bool asked = std::ranges::any_of(remotes, [&](const SocketAddress& other) {
            return other.family() == attempt.remote.family();
        });
        if (!asked) {
            remotes.push_back(attempt.remote);
        }
    }
    co_return co_await quic::knock(loop_, *network_, std::move(remotes), kKnockTimeout);
}

void DialerImpl::report(const Dialled& way, std::uint64_t bytes, Duration time) {
    if (place_.memory != nullptr && way.path) {
        place_.memory->report(*way.path, {.rung = way.rung, .bytes = bytes, .time = time},
                              loop_.wall_now());
    }
}

bool DialerImpl::demoted(const Dialled& way) const {
    return place_.memory != nullptr && way.path && is_quic(way.rung) &&
           place_.memory->advice(*way.path, loop_.wall_now()).quic_demoted;
}

result<void> DialerImpl::find_proxy(Running& dial) const {
    const DialOptions& options = dial.options;
    if (options.via) {
        return {};
    }
    const bool direct = options.quic || options.tcp;
    const std::string& host = dial.address.host;
    const auto literal = net::SocketAddress::parse(
        host.find(':') == std::string::npos ? host + ":1" : "[" + host + "]:1");
    const bool local = host == "localhost" || (literal && literal->is_loopback());
    const bool meant = !direct || options.prefer == RungKind::proxy;
    if (options.proxy && (meant || !local)) {
        auto found = place_.proxies.proxy_for(host, dial.port);
        if (found) {
            dial.proxy = std::move(*found);
        } else if (direct) {
            dial.lost(std::move(found).error());
        } else {
            return unexpected(std::move(found).error());
        }
    }
    if (!direct && !dial.proxy) {
        return fail(causes::kUsage, options.proxy
                                        ? "HTTPS_PROXY or ALL_PROXY names no proxy for this, "
                                          "and nothing else may be tried"
                                        : "no transport is left to try");
    }
    return {};
}

/// What was remembered of this node in this network. A dial that may not take every way, or that
/// verifies nothing, tells nothing about the ways.
void DialerImpl::remember(Running& dial) const {
    const DialOptions& options = dial.options;
    const bool every_way =
        options.quic && options.tcp && options.v4 && options.v6 && !options.prefer && !options.via;
    const bool verifies = !std::holds_alternative<tls::VerifyNothing>(dial.client.verify);
    if (place_.memory == nullptr || !every_way || !verifies) {
        return;
    }
    dial.memory = place_.memory;
    dial.path.network = network_fingerprint(place_.network ? place_.network() : NetworkIdentity());
    dial.path.node = dial.address.id ? dial.address.id->fingerprint()
                                     : dial.address.host + ":" + std::to_string(dial.port);
    dial.advice = dial.memory->advice(dial.path, loop_.wall_now());
}

/// Where there is a proxy, neither a name that nobody here can resolve nor a resolver that is
/// silent keeps the dial from it.
task<result<void>> DialerImpl::go(Running& dial) {
    if (dial.options.via || (!dial.options.quic && !dial.options.tcp)) {
        co_return co_await race_to(dial, {});
    }
    const Duration patience = dial.proxy ? Dialer::kProxyDelay : Duration::max();
    auto addresses =
        co_await with_timeout(patience, network_->resolve(loop_, dial.address.host, dial.port));
    if (addresses) {
        co_return co_await race_to(dial, std::move(*addresses));
    }
    if (!dial.proxy || addresses.error().is(causes::kCancelled)) {
        co_return unexpected(std::move(addresses).error());
    }
    const bool silent = addresses.error().is(causes::kTimeout);
    dial.lost(std::move(addresses).error());
    ALKNET_CO_CHECK(co_await race_to(dial, {}));
    if (!dial.winner && silent) {
        dial.proxy.reset();
        ALKNET_CO_TRY(auto late, co_await network_->resolve(loop_, dial.address.host, dial.port));
        ALKNET_CO_CHECK(co_await race_to(dial, std::move(late)));
    }
    co_return result<void>{};
}

task<result<void>> DialerImpl::race_to(Running& dial, std::vector<SocketAddress> addresses) {
    dial.race = DialRace(dial_ladder(addresses, ladder_options(dial)));
    const TaskContext context = co_await current_context();
    TaskScope scope(loop_, context.cancel);
    const result<void> climbed = co_await climb(dial, scope);
    scope.cancel();
    (void)co_await scope.join();
    if (!dial.winner) {
        ALKNET_CO_CHECK(climbed);
    }
    co_return result<void>{};
}

/// Begins the attempts in turn, until one has succeeded or all have failed.
task<result<void>> DialerImpl::climb(Running& dial, TaskScope& scope) {
    const TimePoint began = loop_.now();
    Timer turn(loop_, [&dial] { dial.changed.wake_all(); });
    while (!dial.winner && !dial.race.lost()) {
        if (const auto attempted = dial.race.begin(loop_.now() - began)) {
            scope.spawn(attempt(dial, *attempted), "core.dial");
            continue;
        }
        turn.disarm();
        if (const auto next = dial.race.next()) {
            turn.arm(began + *next);
        }
        ALKNET_CO_CHECK(co_await dial.changed.wait());
    }
    co_return result<void>{};
}

task<void> DialerImpl::attempt(Running& dial, DialAttempt attempt) {
    auto connected = is_quic(attempt.rung) ? co_await dial_quic(dial, attempt.remote)
                                           : co_await dial_tcp(dial, attempt);
    if (!connected) {
        const error& why = connected.error();
        log_.debug("dial.failed", {{"remote_addr", attempt.remote.to_string()},
                                   {"rung", to_string(attempt.rung)},
                                   {"reason", why.cause().id},
                                   {"detail", why.detail()}});
        if (dial.memory != nullptr && !why.is(causes::kCancelled)) {
            dial.memory->failed(dial.path, attempt.rung);
        }
        const std::string where =
            std::string(to_string(attempt.rung)) + " " + attempt.remote.to_string();
        dial.lost(attempt.rung == Rung::proxy ? std::move(connected).error()
                                              : std::move(connected).error().within(where));
        dial.race.failed();
    } else if (!dial.winner) {
        dial.winner = Dialled{.connection = std::move(*connected), .rung = attempt.rung};
    } else {
        (*connected)->close(close_code::kOk, "another attempt was first");
    }
    dial.changed.wake_all();
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

task<result<std::shared_ptr<Connection>>> DialerImpl::dial_quic(const Running& dial,
                                                                SocketAddress remote) {
    ALKNET_CO_TRY(auto endpoint, endpoint_for(remote));
    quic::ConnectOptions options;
    options.remote = remote;
    options.tls = dial.client;
    options.transport = dial.options.transport;
    ALKNET_CO_TRY(auto connection, co_await endpoint->connect(std::move(options)));
    auto kept = std::make_shared<Kept>(
        Kept{.endpoint = std::move(endpoint), .connection = std::move(connection)});
    Connection* face = kept->connection.get();
    co_return std::shared_ptr<Connection>(std::move(kept), face);
}

/// What came too late came not at all.
template <class T>
task<result<T>> in_time(Duration limit, task<result<T>> work) {
    result<T> outcome = co_await with_timeout(limit, std::move(work));
    if (!outcome && outcome.error().is(causes::kTimeout)) {
        co_return fail(causes::kHandshakeTimeout);
    }
    co_return outcome;
}

task<result<net::TcpStream>> DialerImpl::reach_tcp(const Running& dial,
                                                   const DialAttempt& attempt) {
    if (attempt.rung != Rung::proxy) {
        return network_->connect_tcp(loop_, attempt.remote);
    }
    const std::string& host = dial.address.host;
    return dial.options.via ? dial.options.via(host, dial.port)
                            : net::connect_through(loop_, *network_, *dial.proxy, host, dial.port);
}

task<result<std::shared_ptr<Connection>>> DialerImpl::dial_tcp(const Running& dial,
                                                               DialAttempt attempt) {
    // Each part has its own time: with long round trips all of them together take several.
    const quic::TransportOptions& limits = dial.options.transport;
    ALKNET_CO_TRY(net::TcpStream tcp,
                  co_await in_time(limits.handshake_timeout, reach_tcp(dial, attempt)));
    ALKNET_CO_TRY(auto stream,
                  co_await in_time(limits.handshake_timeout,
                                   tls::connect_tls(loop_, std::move(tcp.stream), dial.client)));
    std::shared_ptr<Connection> connection = make_tls_connection(
        loop_, std::move(stream), {.tcp = tcp, .idle_timeout = limits.idle_timeout});
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
