#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/doctor/examine.hpp>
#include <alknet/doctor/handler.hpp>
#include <alknet/doctor/udp_look.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <limits>

#include "carry.hpp"
#include "echo_way.hpp"

namespace alknet::doctor {

namespace {

using Family = SocketAddress::Family;

struct Examination {
    Loop& loop;
    net::Network& network;
    Dialer& dialer;
    const ExamineOptions& options;
    PairReport pair;
    std::optional<net::ProxyUrl> proxy;
    // The connections that work, until they are examined further; as `pair.ways`.
    std::vector<std::shared_ptr<Connection>> connections;

    [[nodiscard]] std::string service() const {
        return options.service.empty() ? std::string(kDoctorAlpn) : options.service;
    }
};

DialOptions dial_options(const Examination& at, const WayReport& way, std::string alpn) {
    DialOptions options;
    options.alpns = {std::move(alpn)};
    options.quic = is_quic(way.way);
    options.proxy = way.way == Way::proxy;
    options.tcp = !options.quic && !options.proxy;
    options.transport.handshake_timeout = at.options.timeout;
    if (!at.options.address.id) {
        options.verify = at.options.verify.value_or(tls::VerifyCa{at.options.address.host});
    }
    return options;
}

NodeAddress address_of(const Examination& at, const WayReport& way) {
    if (way.way == Way::proxy) {
        return at.options.address;  // the proxy has its own idea of where that is
    }
    return {.id = at.options.address.id, .host = way.remote.ip_text(), .port = way.remote.port()};
}

// Who it is that answers and cannot prove to be the node. Nothing is sent to them.
task<void> ask_who(Examination& at, WayReport& way) {
    DialOptions options = dial_options(at, way, at.service());
    options.verify = tls::VerifyNothing{};
    auto dialled = co_await at.dialer.dial(address_of(at, way), std::move(options));
    if (!dialled) {
        co_return;
    }
    const bool certificate = (*dialled)->info().peer.kind == PeerIdentity::Kind::x509;
    way.answerer = certificate ? Answerer::a_certificate : Answerer::another_key;
    (*dialled)->close(close_code::kOk, {});
}

// Whether it is the proxy that does not answer, or the node behind it.
task<result<void>> ask_proxy(Examination& at, WayReport& way) {
    const std::string host = at.proxy->host;
    ALKNET_CO_TRY(const auto addresses, co_await at.network.resolve(at.loop, host, at.proxy->port));
    way.remote = addresses.front();
    auto connecting = at.network.connect_tcp(at.loop, way.remote);
    ALKNET_CO_CHECK(co_await with_timeout(at.options.timeout, std::move(connecting)));
    co_return result<void>();
}

task<void> find_proxy_fault(Examination& at, WayReport& way) {
    if (way.outcome == Outcome::proxy_auth || way.outcome == Outcome::proxy_refused) {
        co_return;
    }
    if (const auto asked = co_await ask_proxy(at, way); !asked) {
        way.outcome = Outcome::proxy_down;
    }
}

task<void> dial_way(Examination& at, std::size_t index) {
    WayReport& way = at.pair.ways[index];
    const TimePoint began = at.loop.refresh_now();
    auto dialled =
        co_await at.dialer.dial(address_of(at, way), dial_options(at, way, at.service()));
    if (dialled) {
        const auto took =
            std::chrono::duration_cast<std::chrono::microseconds>(at.loop.refresh_now() - began);
        way.handshake_us = static_cast<std::uint32_t>(
            std::clamp<std::int64_t>(took.count(), 1, std::numeric_limits<std::uint32_t>::max()));
        way.outcome = Outcome::connected;
        way.answerer = Answerer::the_node;
        way.local = (*dialled)->info().local;
        if (way.way == Way::proxy) {
            way.remote = (*dialled)->info().remote;
        }
        at.connections[index] = std::move(*dialled);
        co_return;
    }
    const error& why = dialled.error();
    way.outcome = outcome_of(why);
    way.detail = why.message();
    if (way.outcome == Outcome::wrong_key || way.outcome == Outcome::unverified ||
        way.outcome == Outcome::tls) {
        co_await ask_who(at, way);
    }
    if (way.way == Way::proxy) {
        co_await find_proxy_fault(at, way);
    }
}

task<void> look_at_sizes(Examination& at, std::size_t index) {
    WayReport& way = at.pair.ways[index];
    const auto look = co_await look_with_udp(at.loop, at.network, way.remote, at.options.timeout);
    if (look) {
        way.payload_small = look->small;
        way.payload_max = look->max;
    }
}

// The first address of each family, on each transport that is wanted.
void plan(Examination& at, const std::vector<SocketAddress>& addresses) {
    for (const Family family : {Family::v6, Family::v4}) {
        const auto found = std::ranges::find(addresses, family, &SocketAddress::family);
        if (found == addresses.end()) {
            continue;
        }
        WayReport way;
        way.remote = *found;
        if (at.options.quic) {
            way.way = family == Family::v6 ? Way::quic_v6 : Way::quic_v4;
            at.pair.ways.push_back(way);
        }
        if (at.options.tcp) {
            way.way = family == Family::v6 ? Way::tcp_v6 : Way::tcp_v4;
            at.pair.ways.push_back(way);
        }
    }
    std::ranges::sort(at.pair.ways, {}, &WayReport::way);
    if (at.proxy) {
        WayReport way;
        way.way = Way::proxy;
        at.pair.ways.push_back(way);
    }
    at.connections.resize(at.pair.ways.size());
}

// Over a connection whose service is not the doctor's nothing can be carried but its own protocol.
task<std::shared_ptr<Connection>> doctor_connection(Examination& at, std::size_t index) {
    std::shared_ptr<Connection> connection = std::move(at.connections[index]);
    if (connection == nullptr || connection->info().alpn == kDoctorAlpn) {
        co_return connection;
    }
    connection->close(close_code::kOk, {});
    const WayReport& way = at.pair.ways[index];
    auto dialled = co_await at.dialer.dial(address_of(at, way),
                                           dial_options(at, way, std::string(kDoctorAlpn)));
    co_return dialled ? std::move(*dialled) : nullptr;
}

// For the same hosts as a dial would.
void find_proxy(Examination& at) {
    const ExamineOptions& options = at.options;
    const std::string& host = options.address.host;
    const std::string bracketed = host.find(':') == std::string::npos ? host : "[" + host + "]";
    const auto literal = SocketAddress::parse(bracketed + ":1");
    const bool local = host == "localhost" || (literal && literal->is_loopback());
    if (!options.proxy || (local && (options.quic || options.tcp))) {
        return;
    }
    auto found = options.proxies.proxy_for(host, options.address.port.value_or(kDefaultPort));
    if (!found) {
        at.pair.proxy_invalid = found.error().message();
    } else {
        at.proxy = std::move(*found);
    }
    at.pair.proxy_configured = at.proxy.has_value();
}

Report report_from_here(const Examination& at) {
    Report report;
    const auto wall = at.loop.wall_now().time_since_epoch();
    report.program = at.options.program;
    report.unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(wall).count();
    report.listens_udp = at.options.listens_udp;
    report.listens_tcp = at.options.listens_tcp;
    report.checks = checks_to_tell(at.options.checks);
    report.ways = at.pair.ways;
    for (WayReport& way : report.ways) {
        way.detail.clear();
    }
    return report;
}

// The node closes without a word to whom it does not know: a code over QUIC, an end over TCP. A
// known peer learns which scope it lacks.
bool is_refusal(const error& why) {
    return (why.is(causes::kClosed) && (why.code() == close_code::kAuthRequired ||
                                        why.code() == close_code::kForbidden || why.code() == 0)) ||
           why.is(causes::kReset) || why.is(causes::kAuthRequired) || why.is(causes::kForbidden);
}

task<result<void>> carry_way(Examination& at, std::size_t index) {
    WayReport& way = at.pair.ways[index];
    const std::shared_ptr<Connection> connection = co_await doctor_connection(at, index);
    if (connection == nullptr) {
        co_return result<void>();
    }
    Carrying carrying(at.loop, connection, way);
    auto carried = co_await carrying.run();
    if (!carried && carried.error().is(causes::kCancelled)) {
        co_return carried;
    }
    if (!carried) {
        way.detail = carried.error().message();
        if (is_refusal(carried.error())) {
            way.outcome = Outcome::stranger;
        }
        co_return result<void>();
    }
    at.pair.unix_ms_here = carrying.unix_ms();
    at.pair.unix_ms_there = carrying.seen()->unix_ms;
    const bool whole = way.up_bytes == kBulkBytes && way.down_bytes == kBulkBytes;
    if (whole && !at.pair.there) {
        Report ours = report_from_here(at);
        if (way.way == Way::proxy) {  // it is the proxy that would be dialled back
            ours.listens_udp = ours.listens_tcp = 0;
        }
        auto theirs = co_await carrying.exchange(std::move(ours));
        if (!theirs && theirs.error().is(causes::kCancelled)) {
            co_return unexpected(std::move(theirs).error());
        }
        if (theirs) {
            at.pair.there = std::move(*theirs);
        }
    }
    connection->close(close_code::kOk, {});
    co_return result<void>();
}

task<result<void>> try_echo(Examination& at, std::size_t index) {
    WayReport& way = at.pair.ways[index];
    const std::shared_ptr<Connection> connection = at.connections[index];
    if (connection == nullptr) {
        co_return result<void>();
    }
    const auto echoed = co_await echo_way(at.loop, connection, way);
    if (!echoed && echoed.error().is(causes::kCancelled)) {
        co_return echoed;
    }
    if (!echoed) {
        way.detail = echoed.error().message();
    }
    co_return result<void>();
}

task<result<void>> use_way(Examination& at, std::size_t index) {
    if (at.options.depth == Depth::dial) {
        co_return result<void>();
    }
    const bool whole = at.options.depth == Depth::all;
    co_return co_await (whole ? carry_way(at, index) : try_echo(at, index));
}

task<result<void>> examine_ways(Examination& at) {
    const TaskContext context = co_await current_context();
    TaskScope dials(at.loop, context.cancel);
    for (std::size_t i = 0; i < at.pair.ways.size(); ++i) {
        dials.spawn(dial_way(at, i), "doctor.dial");
        if (is_quic(at.pair.ways[i].way)) {
            dials.spawn(look_at_sizes(at, i), "doctor.look");
        }
    }
    ALKNET_CO_CHECK(co_await dials.join());
    // One after the other, or they would hold each other back. The likeliest to work first, but
    // the proxy last: through it the other end sees the proxy.
    const std::size_t direct = at.pair.ways.size() - (at.proxy ? 1 : 0);
    for (std::size_t i = direct; i > 0; --i) {
        ALKNET_CO_CHECK(co_await use_way(at, i - 1));
    }
    if (at.proxy) {
        ALKNET_CO_CHECK(co_await use_way(at, direct));
    }
    for (const std::shared_ptr<Connection>& connection : at.connections) {
        if (connection != nullptr) {
            connection->close(close_code::kOk, {});
        }
    }
    co_return result<void>();
}

}  // namespace

TlsSeen tls_seen(const std::vector<PairReport>& pairs) {
    TlsSeen seen = pairs.empty() ? TlsSeen::not_asked : TlsSeen::no_answer;
    for (const PairReport& pair : pairs) {
        for (const WayReport& way : pair.ways) {
            if (is_quic(way.way) || !pair.pinned) {
                continue;
            }
            if (way.answerer == Answerer::a_certificate && way.outcome != Outcome::connected) {
                return TlsSeen::opened;
            }
            seen = way.outcome == Outcome::connected ? TlsSeen::genuine : seen;
        }
    }
    return seen;
}

task<result<PairReport>> examine(Loop& loop, net::Network& network, Dialer& dialer,
                                 ExamineOptions options) {
    Examination at{.loop = loop,
                   .network = network,
                   .dialer = dialer,
                   .options = options,
                   .pair = {},
                   .proxy = std::nullopt,
                   .connections = {}};
    at.pair.service = at.service();
    at.pair.pinned = options.address.id.has_value();
    find_proxy(at);
    const auto wall = loop.wall_now().time_since_epoch();
    at.pair.unix_ms_here = std::chrono::duration_cast<std::chrono::milliseconds>(wall).count();
    const std::uint16_t port = options.address.port.value_or(kDefaultPort);
    const auto addresses = co_await network.resolve(loop, options.address.host, port);
    if (!addresses) {
        if (addresses.error().is(causes::kCancelled)) {
            co_return unexpected(addresses.error());
        }
        at.pair.not_resolved = options.address.host + ": " + addresses.error().message();
    }
    plan(at, addresses ? *addresses : std::vector<SocketAddress>());
    ALKNET_CO_CHECK(co_await examine_ways(at));
    co_return std::move(at.pair);
}

}  // namespace alknet::doctor
