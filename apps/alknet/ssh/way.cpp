#include "way.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_ssh.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/race.hpp>
#include <alknet/ssh/adapter.hpp>
#include <cstdio>
#include <utility>

#include "host.hpp"
#include "keys.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

/// A silent session is no dead one: QUIC keeps the path open.
constexpr Duration kKeepAlive = std::chrono::seconds(25);
constexpr Duration kIdleTimeout = std::chrono::minutes(10);

void show_banner(std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::fprintf(stderr, "%s\n", printable(text.substr(0, end)).c_str());
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

/// Whether the host is who it was.
result<void> check_known(const SshHost& host, bool tofu, const NodeId& key) {
    using Verdict = ssh::KnownHosts::Verdict;
    ALKNET_TRY(const ssh::KnownHosts known, load_known_hosts());
    const std::string name = ssh::KnownHosts::name_of(host.known_as, host.known_port);
    const std::string shown = name + " shows " + key.openssh_fingerprint();
    switch (known.check(host.known_as, host.known_port, key)) {
        case Verdict::known:
            return {};
        case Verdict::changed:
            return fail(causes::kPeerKeyMismatch,
                        shown +
                            ", and known_hosts has another key; if that was changed for a good "
                            "reason: ssh-keygen -R '" +
                            name + "'");
        case Verdict::revoked:
            return fail(causes::kPeerKeyMismatch, shown + ", which known_hosts says is revoked");
        case Verdict::unknown:
        case Verdict::other_kind:
            break;
    }
    if (tofu) {
        std::fprintf(stderr, "alknet: %s; it is known from now on\n", printable(shown).c_str());
        return remember_host(host.known_as, host.known_port, key);
    }
    return fail(causes::kPeerUnverified,
                shown + ", which known_hosts does not have; if it is the right one: --tofu");
}

// In what the node proved about itself below, its host key is the same.
result<void> check_node(const PeerIdentity& proven, const NodeId& key) {
    if (proven.kind == PeerIdentity::Kind::raw_key && proven.key != key) {
        return fail(causes::kPeerKeyMismatch, "its SSH host key is " + key.fingerprint());
    }
    return {};
}

task<result<std::unique_ptr<BiStream>>> connect_tcp(Client& client, const SshHost& place) {
    net::Network& network = client.network();
    auto resolving = network.resolve(client.loop(), place.host, place.port);
    auto addresses = co_await with_timeout(ssh::kConnectTime, std::move(resolving));
    if (!addresses) {
        co_return unexpected(std::move(addresses).error());
    }
    std::vector<task<result<net::TcpStream>>> attempts;
    for (const SocketAddress& address : *addresses) {
        attempts.push_back(network.connect_tcp(client.loop(), address));
    }
    if (attempts.empty()) {
        co_return fail(causes::kResolve, place.host);
    }
    auto connected = co_await with_timeout(ssh::kConnectTime, first_success(std::move(attempts)));
    if (!connected) {
        co_return unexpected(std::move(connected).error());
    }
    co_return std::move(connected->stream);
}

ssh::TcpRoute route_to(std::string host, std::uint16_t port) {
    return {.host = std::move(host), .port = port, .from_host = "127.0.0.1", .from_port = 0};
}

/// As the last server of the way makes it.
task<result<net::TcpStream>> connect_behind(ssh::SshClient& last, std::string host,
                                            std::uint16_t port) {
    ALKNET_CO_TRY(auto stream, co_await last.open_tcp(route_to(std::move(host), port)));
    co_return net::TcpStream{.stream = std::move(stream), .local = {}};
}

task<result<std::unique_ptr<BiStream>>> connect_node(Client& client, SshWay& way,
                                                     const SshPlace& place,
                                                     const DialWishes& wishes) {
    ALKNET_CO_TRY(const Target target, resolve_target(place.text, client.peers()));
    ALKNET_CO_TRY(DialOptions options, dial_options(wishes, target, {std::string(ssh::kSshAlpn)}));
    options.transport.keep_alive = kKeepAlive;
    options.transport.idle_timeout = kIdleTimeout;
    if (!way.hops.empty()) {
        options.via = [last = &way.client()](std::string host, std::uint16_t port) {
            return connect_behind(*last, std::move(host), port);
        };
    }
    ALKNET_CO_TRY(auto connection,
                  co_await client.dialer().dial(target.address, std::move(options)));
    way.connections.push_back(connection);
    co_return co_await connection->open_bi();
}

/// One more server, behind those that there are.
struct Hop {
    std::unique_ptr<BiStream> stream{};
    ssh::SshClientOptions options{};
};

task<result<Hop>> stock_hop(Client& client, SshWay& way, const SshWishes& wishes, SshHost host) {
    Hop hop;
    if (way.hops.empty()) {
        ALKNET_CO_TRY(hop.stream, co_await connect_tcp(client, host));
    } else {
        ALKNET_CO_TRY(hop.stream, co_await way.client().open_tcp(route_to(host.host, host.port)));
    }
    SshKeyWishes keys{.more = host.identity_files, .agent = host.agent};
    if (!wishes.identity.empty()) {
        keys.files.push_back(wishes.identity);
    }
    ALKNET_CO_TRY(hop.options.keys, co_await ssh_signers(client, std::move(keys)));
    hop.options.user = host.user;
    const bool tofu = wishes.dial.tofu;
    hop.options.trust = [host, tofu](const NodeId& key) { return check_known(host, tofu, key); };
    co_return hop;
}

task<result<Hop>> node_hop(Client& client, SshWay& way, const SshWishes& wishes,
                           const SshPlace& place) {
    Hop hop;
    ALKNET_CO_TRY(hop.stream, co_await connect_node(client, way, place, wishes.dial));
    hop.options.keys = {ssh::make_signer(client.key())};
    hop.options.connection = way.connections.back();
    const PeerIdentity proven = way.connections.back()->info().peer;
    hop.options.trust = [proven](const NodeId& key) { return check_node(proven, key); };
    co_return hop;
}

task<result<void>> add_hop(Client& client, SshWay& way, const SshWishes& wishes,
                           const SshPlace& place) {
    Hop hop;
    if (place.stock) {
        ALKNET_CO_TRY(SshHost host, ssh_host(place));
        ALKNET_CO_TRY(hop, co_await stock_hop(client, way, wishes, std::move(host)));
    } else {
        ALKNET_CO_TRY(hop, co_await node_hop(client, way, wishes, place));
    }
    if (&place == &wishes.place && !wishes.user.empty()) {
        hop.options.user = wishes.user;
    }
    hop.options.banner = show_banner;
    const std::string user = hop.options.user;
    auto there = co_await ssh::SshClient::connect(client.loop(), std::move(hop.stream),
                                                  std::move(hop.options));
    if (!there && there.error().is(causes::kLoginFailed)) {
        co_return fail(causes::kLoginFailed,
                       place.text + ", as " + user + ": " + there.error().detail());
    }
    if (!there) {
        co_return unexpected(std::move(there).error().within(place.text));
    }
    way.hops.push_back(*std::move(there));
    co_return result<void>();
}

}  // namespace

result<std::unique_ptr<Client>> ssh_client(const CommandLine& line, const SshWishes& wishes) {
    const bool stock = wishes.place.stock && std::ranges::all_of(wishes.jumps, &SshPlace::stock);
    CommandLine shown = line;
    if (stock) {
        shown.identity.clear();  // it may be a key that only an agent can use
    }
    return Client::create(shown, Client::As::owner, wishes.dial.tofu);
}

task<void> SshWay::close() {
    while (!hops.empty()) {
        co_await hops.back()->close();
        hops.pop_back();
    }
    for (const auto& connection : connections) {
        connection->close(close_code::kOk, "");
    }
}

namespace {

/// As ssh(1) does: a ProxyJump counts for whatever nothing leads to yet, but not of every host
/// (`Host *`) for the one that it names.
result<std::vector<SshPlace>> all_jumps(const SshWishes& wishes) {
    std::vector<SshPlace> jumps = wishes.jumps;
    for (;;) {
        const SshPlace& first = jumps.empty() ? wishes.place : jumps.front();
        if (!first.stock) {
            return jumps;
        }
        ALKNET_TRY(const SshHost host, ssh_host(first));
        const bool named =
            std::ranges::find(host.jumps, first.host, &SshPlace::host) != host.jumps.end();
        if (host.jumps.empty() || named) {
            return jumps;
        }
        jumps.insert(jumps.begin(), host.jumps.begin(), host.jumps.end());
        if (jumps.size() > SshPlace::kJumpsMax) {
            return fail(causes::kLimit,
                        "ProxyJump leads over too many hosts to " + wishes.place.text);
        }
    }
}

}  // namespace

task<result<SshWay>> dial_ssh(Client& client, const SshWishes& wishes) {
    SshWay way;
    ALKNET_CO_TRY(const std::vector<SshPlace> jumps, all_jumps(wishes));
    result<void> added;
    for (const SshPlace& jump : jumps) {
        if (added) {
            added = co_await add_hop(client, way, wishes, jump);
        }
    }
    if (added) {
        added = co_await add_hop(client, way, wishes, wishes.place);
    }
    if (!added) {
        co_await way.close();
        co_return unexpected(std::move(added).error());
    }
    co_return way;
}

}  // namespace alknet::app
