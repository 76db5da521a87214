#include "client.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/call/client.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/config/home.hpp>
#include <alknet/core/known_nodes_file.hpp>
#include <alknet/core/path_memory_file.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/tls/alert.hpp>
#include <array>
#include <csignal>

#include "commands/commands.hpp"
#include "json.hpp"
#include "key_follower.hpp"
#include "peers.hpp"
#include "services.hpp"
#include "trust.hpp"

namespace alknet::app {

namespace {

/// For asking why something was refused, which the command has failed with already.
constexpr Duration kWhyTimeout = std::chrono::seconds(5);

struct Person {
    std::shared_ptr<const NodeKey> key;
    bool key_lasts = true;
    std::vector<config::Peer> peers{};
    std::optional<config::Home> home{};  // what is remembered stands there; none: nothing is
    std::vector<identity::KeyChange> changes{};
};

// The home, if there is one.
result<std::optional<config::Home>> existing_home(const CommandLine& line) {
    const auto directory = home_directory(line);
    if (!directory) {  // as in a service without $HOME
        return std::nullopt;
    }
    auto home = config::Home::open(*directory, services());
    if (!home && home.error().is(causes::kConfigMissing)) {
        return std::nullopt;
    }
    if (!home) {
        return unexpected(std::move(home).error());
    }
    return *std::move(home);
}

result<std::shared_ptr<const NodeKey>> key_of_file(const std::filesystem::path& file) {
    auto key = NodeKey::load(file);
    if (!key && key.error().is(causes::kConfigMissing)) {
        return fail(causes::kKeyInvalid, "there is no file " + file.native());
    }
    return key;
}

// Whom this command speaks for.
result<Person> person(const CommandLine& line, Client::As as) {
    Person self;
    ALKNET_TRY(const auto home, existing_home(line));
    if (home) {
        ALKNET_TRY(auto config, home->load_config());
        self.peers = std::move(config.dynamic.peers);
        self.home = *home;
        ALKNET_TRY(const auto stored, stored_peers(*home));
        for (const identity::PeerRecord& peer : stored.peers) {
            self.peers.push_back(as_entry(peer));
        }
        self.changes = stored.changes;
        follow_key_changes(self.peers, self.changes, SystemClock().wall_now());
        if (as == Client::As::owner && line.identity.empty()) {
            ALKNET_TRY(self.key, home->load_key(config.fixed));
        }
    }
    if (as == Client::As::owner && !line.identity.empty()) {
        ALKNET_TRY(self.key, key_of_file(line.identity));
    }
    if (self.key == nullptr) {
        self.key = NodeKey::generate();
        self.key_lasts = false;
    }
    return self;
}

/// Of a peer without a node id, the certificate that proves it.
std::optional<tls::Verify> certificate_of(const config::Peer& peer) {
    for (const std::string& key : peer.keys) {
        const auto identity = KnownIdentity::parse(key);
        if (identity && identity->kind == KnownIdentity::Kind::certificate) {
            return identity->demand("");
        }
    }
    return std::nullopt;
}

result<Target> target_of(const config::Peer& peer) {
    if (!peer.address) {
        return fail(causes::kUnknownPeer, "peer '" + peer.name + "' has no address");
    }
    NodeAddress address = *peer.address;
    if (!address.id) {
        address.id = peer.node_id();
    }
    // Who has written down a digest of a key wants that key, and would not want an authority's word
    // instead.
    if (!address.id && std::ranges::any_of(peer.keys, [](const std::string& key) {
            return key.starts_with("SHA256:");
        })) {
        return fail(causes::kUnknownPeer,
                    "peer '" + peer.name + "' has a digest for a key; to reach it, add the key");
    }
    Target target{
        .address = std::move(address), .ways = peer.transports, .congestion = peer.congestion};
    if (!target.address.id) {
        target.verify = certificate_of(peer);
    }
    return target;
}

/// What is said about a peer holds however it is named.
void add_rules(Target& target, const std::vector<config::Peer>& peers) {
    const std::string key = target.address.id->fingerprint();
    for (const config::Peer& peer : peers) {
        if (std::ranges::count(peer.keys, key) != 0) {
            target.ways = peer.transports;
            target.congestion = peer.congestion;
        }
    }
}

}  // namespace

result<NodeAddress> resolve_address(std::string_view text, const std::vector<config::Peer>& peers) {
    ALKNET_TRY(Target target, resolve_target(text, peers));
    return std::move(target.address);
}

result<Target> resolve_target(std::string_view text, const std::vector<config::Peer>& peers) {
    auto parsed = NodeAddress::parse(text);
    if (!parsed) {
        return unexpected(std::move(parsed).error().within(text));
    }
    NodeAddress address = std::move(*parsed);
    if (address.host.empty()) {
        for (const config::Peer& peer : peers) {
            if (std::ranges::count(peer.keys, address.id->fingerprint()) != 0) {
                ALKNET_TRY(Target known, target_of(peer));
                known.address.id = address.id;
                known.verify.reset();
                return known;
            }
        }
        return fail(causes::kUnknownPeer,
                    "no entry says where " + address.id->fingerprint() + " is");
    }
    if (!address.id && !address.port) {
        const auto peer = std::ranges::find(peers, address.host, &config::Peer::name);
        if (peer != peers.end()) {
            return target_of(*peer);
        }
    }
    Target target{.address = std::move(address)};
    if (target.address.id) {
        add_rules(target, peers);
    }
    return target;
}

result<void> Client::add_known(Target& target) const {
    if (target.address.id || target.verify || known_file_.empty()) {
        return {};
    }
    ALKNET_TRY(const KnownNodes known, KnownNodesFile(known_file_).load());
    const auto* const entry = known.find(known_name(target.address));
    if (entry != nullptr) {
        const tls::Verify demand = entry->identity.demand(target.address.host);
        if (const auto* const pin = std::get_if<tls::VerifyPin>(&demand)) {
            target.address.id = pin->id;
        } else {
            target.verify = demand;
        }
    }
    return {};
}

namespace {

result<std::unique_ptr<Dialer>> make_dialer(Loop& loop, std::shared_ptr<net::Network> network,
                                            std::shared_ptr<const NodeKey> key) {
    ALKNET_TRY(auto tls, tls::TlsContext::create({.key = std::move(key),
                                                  .certificates = {},
                                                  .authorities = {},
                                                  .ticket_keys = nullptr}));
    return Dialer::create(loop, std::move(network), std::move(tls), Log());
}

task<result<std::optional<NodeId>>> find_successor(std::shared_ptr<KeyFollower> follower,
                                                   NodeAddress address, DialOptions options,
                                                   NodeId pinned) {
    co_return co_await follower->successor(std::move(address), std::move(options), pinned);
}

void follow_keys(TrustOptions& trust, const std::shared_ptr<KeyFollower>& follower) {
    trust.successor = [follower](NodeAddress address, DialOptions options, NodeId pinned) {
        return find_successor(follower, std::move(address), std::move(options), pinned);
    };
    trust.reached = [follower](const NodeId& key) { follower->reached(key); };
}

}  // namespace

result<std::unique_ptr<Client>> Client::create(const CommandLine& line, As as, bool tofu) {
    std::unique_ptr<Client> client(new Client);
    ALKNET_TRY(Person self, person(line, as));
    ALKNET_TRY(client->loop_, Loop::create(client->clock_));
    ALKNET_TRY(client->signals_,
               Signals::open(*client->loop_, std::array{SIGINT, SIGTERM, SIGHUP}));
    client->peers_ = std::move(self.peers);
    client->key_ = self.key;
    client->key_lasts_ = self.key_lasts;
    client->network_ = net::make_system_network();
    ALKNET_TRY(auto own, make_dialer(*client->loop_, client->network_, std::move(self.key)));
    ALKNET_TRY(auto stranger, make_dialer(*client->loop_, client->network_, NodeKey::generate()));
    const std::filesystem::path home = self.home ? self.home->directory() : std::filesystem::path();
    TrustOptions trust = trust_options(*client->loop_, line, home, tofu);
    client->known_file_ = trust.file;
    follow_keys(trust, std::make_shared<KeyFollower>(*client->loop_, *stranger, self.home,
                                                     std::move(self.changes)));
    client->dialer_ =
        make_trusting_dialer(*client->loop_, std::move(own), std::move(stranger), std::move(trust));
    if (!home.empty()) {
        client->paths_file_ = home / "paths";
    }
    if (!client->paths_file_.empty()) {
        client->paths_ = std::make_shared<PathMemory>(load_path_memory(client->paths_file_, Log()));
    }
    client->dialer_->set_place({.proxies = net::ProxySettings::from_environment(),
                                .memory = client->paths_,
                                .network = current_network});
    return client;
}

result<void> Client::run(task<result<void>> work) {
    result<void> outcome = block_on(*loop_, finish(std::move(work)), "command");
    if (paths_ != nullptr && paths_->size() > 0) {
        (void)save_path_memory(paths_file_, *paths_);  // a hint, not worth an error
    }
    return outcome;
}

result<void> Client::run(task<result<void>> work, Asked asked) {
    return run(explain(std::move(work), std::move(asked)));
}

task<result<void>> Client::explain(task<result<void>> work, Asked asked) {
    result<void> outcome = co_await std::move(work);
    const bool denied = !outcome && outcome.error().is(causes::kForbidden) &&
                        outcome.error().code() == tls::kAlertAccessDenied;
    if (denied && asked.service != call::kCallAlpn) {
        co_return unexpected(co_await why_refused(std::move(outcome).error(), std::move(asked)));
    }
    co_return outcome;
}

// Whatever fails here, the refusal is what is told.
task<error> Client::why_refused(error refusal, Asked asked) {
    auto options = dial_options(asked.wishes, asked.target, {std::string(call::kCallAlpn)});
    if (!options) {
        co_return refusal;
    }
    options->transport.handshake_timeout = kWhyTimeout;
    auto connection = co_await dialer_->dial(asked.target.address, *std::move(options));
    if (!connection) {
        co_return refusal;
    }
    const auto client = call::CallClient::create(*loop_, *std::move(connection));
    const auto access = co_await client->call(
        "services/access", Json::object({{"service", asked.service}}), {.timeout = kWhyTimeout});
    co_await client->close();
    if (!access && access.error().is(causes::kForbidden)) {
        co_return error(access.error().cause(), access.error().detail(), refusal.code());
    }
    if (!access || access->text_of("lacks").empty()) {
        co_return refusal;
    }
    co_return error(causes::kScopeMissing, std::string(access->text_of("lacks")), refusal.code());
}

task<void> Client::say_goodbye(Event& said) {
    co_await dialer_->shutdown();
    said.set();
}

task<result<void>> Client::stop_at_signal(Cancel& work) {
    ALKNET_CO_CHECK(co_await signals_->next());
    work.request();
    co_return result<void>();
}

task<result<void>> Client::finish(task<result<void>> work) {
    Cancel interrupted;
    Event said;
    TaskScope background(*loop_);  // its end also ends a goodbye that takes too long
    background.spawn(stop_at_signal(interrupted), "client.signal");
    result<void> outcome = co_await std::move(work).under(interrupted);
    background.spawn(say_goodbye(said), "client.goodbye");
    (void)co_await with_timeout(kGoodbyeTimeout, said.wait());
    co_return outcome;
}

namespace {

config::Ways ways_of(Via only) {
    const bool any = only == Via::any;
    return {.quic = any || only == Via::quic,
            .tcp = any || only == Via::tcp,
            .proxy = any || only == Via::proxy};
}

std::optional<RungKind> kind_of(Via via) {
    switch (via) {
        case Via::quic:
            return RungKind::quic;
        case Via::tcp:
            return RungKind::tcp;
        case Via::proxy:
            return RungKind::proxy;
        case Via::any:
            break;
    }
    return std::nullopt;
}

}  // namespace

result<DialOptions> dial_options(const DialWishes& wishes, const Target& target,
                                 std::vector<std::string> alpns) {
    const config::Ways wished = ways_of(wishes.only);
    const config::Ways preferred = ways_of(wishes.prefer);
    DialOptions options;
    options.alpns = std::move(alpns);
    options.verify = target.verify;
    options.quic = wished.quic && target.ways.quic;
    options.tcp = wished.tcp && target.ways.tcp;
    options.proxy = wished.proxy && target.ways.proxy;
    if (!options.quic && !options.tcp && !options.proxy) {
        return fail(causes::kUsage, "transports in alknet.toml do not allow what --only wants");
    }
    const bool possible = (preferred.quic && options.quic) || (preferred.tcp && options.tcp) ||
                          (preferred.proxy && options.proxy);
    if (!possible) {
        return fail(causes::kUsage,
                    "--transport wants what --only, or transports in alknet.toml, do not allow");
    }
    options.prefer = kind_of(wishes.prefer);
    options.transport.congestion =
        wishes.congestion.value_or(target.congestion.value_or(quic::Congestion::bbr));
    return options;
}

error explain_close(error failure) {
    constexpr std::array<const Cause*, 9> kTable = {
        &causes::kClosed,        &causes::kNoHandler,    &causes::kAuthRequired,
        &causes::kForbidden,     &causes::kLimit,        &causes::kProtocol,
        &causes::kHandlerFailed, &causes::kShuttingDown, &causes::kTimeout,
    };
    if (!failure.is(causes::kClosed) || failure.code() >= kTable.size()) {
        return failure;
    }
    // The one reason that names something; see docs/protocol/close-codes.md.
    const std::string_view lacking = causes::kScopeMissing.what;
    if (failure.code() == close_code::kForbidden &&
        failure.detail().find(lacking) != std::string::npos) {
        return error(causes::kScopeMissing, failure.detail(), failure.code());
    }
    return error(*kTable[failure.code()], failure.detail(), failure.code());
}

}  // namespace alknet::app
