// The keys of alknet.toml. A new key is one entry here.
#include <algorithm>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/names.hpp>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "fields.hpp"
#include "values.hpp"

namespace alknet::config {

namespace {

using Shape = TableInfo::Shape;

// What both ends of a range mean is said by the type; these are the widest useful ones.
constexpr std::uint64_t kManyConnections = 10'000'000;
constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kHour = 3600 * kSecond;

constexpr std::array kNodeFields = {
    field<&StaticConfig::key_file, Path>(
        {.name = "key",
         .about =
             "The node's private key: Ed25519, in PKCS#8 PEM or as ssh-keygen writes it without a "
             "passphrase, readable by its owner alone.",
         .restart = true}),
};

// Of the two keys one can change while the node runs, and the other cannot.
struct LogKeys {
    LogLevel level = DynamicConfig().log_level;
    LogFormat format = StaticConfig().log_format;
};

constexpr std::array kLogFields = {
    field<&LogKeys::level, Level>(
        {.name = "level", .about = "The least important events that are written."}),
    field<&LogKeys::format, Format>(
        {.name = "format",
         .about = "Lines of key=value pairs, or of JSON, on standard error.",
         .restart = true}),
};

constexpr std::array kQuicFields = {
    field<&StaticConfig::qlog_directory, Path>(
        {.name = "qlog_directory",
         .about = "Write a qlog trace of every QUIC connection into this directory. For finding "
                  "faults: the files grow without limit.",
         .example = "\"qlog\"",
         .restart = true}),
};

constexpr std::array kRuntimeFields = {
    field<&StaticConfig::loops, Integer<1, LoopGroup::kLoopsMax>>(
        {.name = "loops",
         .about = "Threads that serve connections; each connection stays on one. One is enough for "
                  "most nodes; more help where one processor is too little.",
         .restart = true}),
};

constexpr std::array kListenerFields = {
    field<&Listener::name, Name>({.name = "name",
                                  .about = "What logs call this listener.",
                                  .example = "\"main\"",
                                  .required = true}),
    field<&Listener::addresses, List<Address, kAddressesMax>>(
        {.name = "addresses",
         .about =
             "Where it listens. UDP and TCP use the same port number; port 0 takes a free one.",
         .required = true}),
    field<&Listener::quic, Flag>({.name = "quic", .about = "Accept QUIC, on UDP."}),
    field<&Listener::tcp, Flag>({.name = "tcp", .about = "Accept TLS, on TCP."}),
    field<&Listener::alpns, List<Alpn, kAlpnsMax>>(
        {.name = "alpns",
         .about = "The services that are offered here; an empty array offers all that there are."}),
    field<&Listener::congestion, CongestionControl>(
        {.name = "congestion", .about = "The congestion control of QUIC connections."}),
    field<&Listener::proxies, List<Range, kProxiesMax>>(
        {.name = "proxy_protocol_from",
         .about = "Proxies whose TCP connections begin with a PROXY protocol header (version 1 or "
                  "2), which says who the client is. From these it is demanded, from others "
                  "refused. QUIC is not affected."}),
};

constexpr std::array kAlpnFields = {
    field<&AlpnRules::identity_required, Flag>(
        {.name = "identity_required", .about = "Only peers that are known may use this service."}),
    field<&AlpnRules::scope, ExactScope>(
        {.name = "scope",
         .about = "Only peers that were given this scope may use this service.",
         .example = "\"echo:use\""}),
    field<&AlpnRules::transports, TransportSet>(
        {.name = "transports", .about = "What this service may be reached by."}),
};

constexpr std::array kPeerFields = {
    field<&Peer::name, Name>(
        {.name = "name",
         .about = "Who this is, in logs and as an ADDRESS on the command line. It is the peer's "
                  "identity: its keys may change, its name stays.",
         .example = "\"alice\"",
         .required = true}),
    field<&Peer::keys, List<PeerKey, kKeysMax>>(
        {.name = "keys",
         .about = "What proves that it is this peer: node ids as `alknet id` prints them (hex, "
                  "ed25519:HEX, z-base-32, base32 or an ssh-ed25519 line), or x509-sha256:HEX, the "
                  "SHA-256 digest of a client certificate, or SHA256:BASE64, as ssh-keygen -l "
                  "prints it.",
         .example =
             "[\"ed25519:e78c2766a792f09bfccb51493968ac322283e8d021a30063784d806929762ecc\"]",
         .required = true}),
    field<&Peer::scopes, List<Scope, kScopesMax>>(
        {.name = "scopes",
         .about = "What the peer may do: SERVICE:ACTION or SERVICE:ACTION:RESOURCE, where * stands "
                  "for any.",
         .example = "[\"git:read:*\"]"}),
    field<&Peer::roles, List<Name, kRolesMax>>({.name = "roles",
                                                .about = "Roles, whose scopes the peer has too.",
                                                .example = "[\"ops\"]"}),
    field<&Peer::enabled, Flag>(
        {.name = "enabled", .about = "If false, the peer is treated as a stranger."}),
    field<&Peer::expires, Expiry>(
        {.name = "expires",
         .about = "When the peer's term ends. For 7 days after it the peer may renew, and nothing "
                  "else.",
         .example = "2099-12-31"}),
    field<&Peer::address, Reach>(
        {.name = "address",
         .about = "Where commands find this peer when they are given its name.",
         .example = "\"node.example:4433\""}),
    field<&Peer::transports, WaySet>(
        {.name = "transports",
         .about = "What commands may use to reach this peer: QUIC, TLS on TCP, or TLS on TCP "
                  "through the proxy of the environment. Nothing else is tried, whatever was "
                  "remembered."}),
    field<&Peer::congestion, CongestionControl>(
        {.name = "congestion",
         .about = "The congestion control of QUIC connections to this peer."}),
};

constexpr std::array kRoleFields = {
    field<&Role::name, Name>({.name = "name",
                              .about = "What peers call this role.",
                              .example = "\"ops\"",
                              .required = true}),
    field<&Role::scopes, List<Scope, kScopesMax>>({.name = "scopes",
                                                   .about = "What a peer with this role may do.",
                                                   .example = "[\"node:status\"]",
                                                   .required = true}),
};

constexpr std::array kAssertionFields = {
    field<&Assertion::peer, Name>(
        {.name = "peer", .about = "Who asks.", .example = "\"alice\"", .required = true}),
    field<&Assertion::wanted, ExactScope>(
        {.name = "do",
         .about = "What for: SERVICE:ACTION or SERVICE:ACTION:RESOURCE.",
         .example = "\"git:read:website\"",
         .required = true}),
    field<&Assertion::allow, Flag>(
        {.name = "allow", .about = "Whether it must be allowed, or must not."}),
};

constexpr std::array kLimitFields = {
    field<&EndpointLimits::connections_max, Integer<1, kManyConnections>>(
        {.name = "connections_max", .about = "Connections in all."}),
    field<&EndpointLimits::connections_per_ip_max, Integer<1, kManyConnections>>(
        {.name = "connections_per_ip_max",
         .about = "Connections from one address; IPv6 counts by /56."}),
    field<&EndpointLimits::connections_per_identity_max, Integer<1, kManyConnections>>(
        {.name = "connections_per_identity_max", .about = "Connections of one peer."}),
    field<&EndpointLimits::half_open_max, Integer<1, kManyConnections>>(
        {.name = "half_open_max",
         .about =
             "Handshakes that are not finished; more are refused, and those of an address that "
             "has an eighth of the free places."}),
    field<&EndpointLimits::half_open_retry, Integer<0, kManyConnections>>(
        {.name = "half_open_retry",
         .about = "Above this many of them, and above a quarter of connections_max, QUIC clients "
                  "must first prove their address."}),
    field<&EndpointLimits::handshake_timeout, Span<100, 5 * 60 * kSecond>>(
        {.name = "handshake_timeout", .about = "How long a handshake may take."}),
    field<&EndpointLimits::idle_timeout, Span<kSecond, 24 * kHour>>(
        {.name = "idle_timeout",
         .about = "A connection on which nothing arrives for so long is given up."}),
    field<&EndpointLimits::streams_max, Integer<1, 100'000>>(
        {.name = "streams_max", .about = "Streams of one connection at a time."}),
    field<&EndpointLimits::streams_unauthenticated_max, Integer<1, 100'000>>(
        {.name = "streams_unauthenticated_max",
         .about = "The same for connections of nobody in particular."}),
    field<&EndpointLimits::connection_bytes_max, Size<64 << 10, 1 << 30>>(
        {.name = "connection_bytes_max", .about = "Octets that are held for one connection."}),
    field<&EndpointLimits::connection_bytes_unauthenticated_max, Size<64 << 10, 1 << 30>>(
        {.name = "connection_bytes_unauthenticated_max",
         .about = "The same for connections of nobody in particular."}),
    field<&EndpointLimits::shutdown_grace, Span<0, 10 * 60 * kSecond>>(
        {.name = "shutdown_grace",
         .about = "How long connections may finish what they do when the node stops."}),
    field<&EndpointLimits::handler_unwind_timeout, Span<100, 5 * 60 * kSecond>>(
        {.name = "handler_unwind_timeout",
         .about = "How long a handler may go on once its connection has ended."}),
    field<&EndpointLimits::linger_timeout, Span<0, 5 * 60 * kSecond>>(
        {.name = "linger_timeout",
         .about = "How long what a handler wrote at its end has to reach the other side."}),
};

using resume::ResumeLimits;

constexpr std::array kResumeFields = {
    field<&ResumeLimits::streams_max, Integer<1, 1'000'000>>(
        {.name = "streams_max", .about = "Resumable streams in all, connected or not."}),
    field<&ResumeLimits::streams_per_identity_max, Integer<1, 1'000'000>>(
        {.name = "streams_per_identity_max", .about = "Those of one peer."}),
    field<&ResumeLimits::streams_unauthenticated_max, Integer<0, 1'000'000>>(
        {.name = "streams_unauthenticated_max",
         .about = "Those of all together who prove a key that this file does not list."}),
    field<&ResumeLimits::ring_bytes_max, Size<4 << 10, 64 << 20>>(
        {.name = "ring_bytes_max",
         .about = "Octets that are held for each direction of one stream until the other side has "
                  "them."}),
    field<&ResumeLimits::ring_bytes_unauthenticated_max, Size<4 << 10, 64 << 20>>(
        {.name = "ring_bytes_unauthenticated_max",
         .about = "The same for keys that are not listed."}),
    field<&ResumeLimits::linger_max, Span<kSecond, 30 * 24 * kHour>>(
        {.name = "linger_max",
         .about = "How long a stream that has lost its connection is kept for its client."}),
    field<&ResumeLimits::linger_unauthenticated_max, Span<kSecond, 30 * 24 * kHour>>(
        {.name = "linger_unauthenticated_max", .about = "The same for keys that are not listed."}),
};

using identity::SignedTokenRules;

constexpr std::array kTokenFields = {
    field<&SignedTokenRules::v1, Flag>(
        {.name = "signed_v1",
         .about = "Accept signed tokens of the first form too, which are good for every node and "
                  "purpose: whoever sees one before it is used here can use it elsewhere."}),
    field<&SignedTokenRules::window, Span<kSecond, kHour>>(
        {.name = "signed_window",
         .about = "How far the time in a signed token may be from this node's, both ways."}),
};

constexpr std::array kCertificateFields = {
    field<&tls::CertificateFiles::chain, Path>(
        {.name = "chain", .about = "The certificate and its issuers.", .required = true}),
    field<&tls::CertificateFiles::key, Path>(
        {.name = "key", .about = "The certificate's private key.", .required = true}),
};

constexpr std::array kTlsFields = {
    field<&DynamicConfig::certificates, List<Certificate, kCertificatesMax>>(
        {.name = "certificates",
         .about = "X.509 certificates for clients that know no raw public keys, chosen by the name "
                  "that a client asks for. Without any, the node's own self-signed one is used. "
                  "The files are read again on a reload.",
         .example = "[{ chain = \"example.org.pem\", key = \"example.org-key.pem\" }]"}),
};

template <class T>
using Fields = std::span<const Field<T>>;

void read_node(Reading& in, const toml::node& value, Config& into) {
    if (const toml::table* table = in.table(value)) {
        read_fields(in, *table, Fields<StaticConfig>(kNodeFields), into.fixed);
    }
}

void read_quic(Reading& in, const toml::node& value, Config& into) {
    if (const toml::table* table = in.table(value)) {
        read_fields(in, *table, Fields<StaticConfig>(kQuicFields), into.fixed);
    }
}

void read_runtime(Reading& in, const toml::node& value, Config& into) {
    if (const toml::table* table = in.table(value)) {
        read_fields(in, *table, Fields<StaticConfig>(kRuntimeFields), into.fixed);
    }
}

void read_tokens(Reading& in, const toml::node& value, Config& into) {
    if (const toml::table* table = in.table(value)) {
        read_fields(in, *table, Fields<SignedTokenRules>(kTokenFields), into.dynamic.signed_tokens);
    }
}

void read_tls(Reading& in, const toml::node& value, Config& into) {
    if (const toml::table* table = in.table(value)) {
        read_fields(in, *table, Fields<DynamicConfig>(kTlsFields), into.dynamic);
    }
}

void read_limits(Reading& in, const toml::node& value, Config& into) {
    const toml::table* table = in.table(value);
    if (table == nullptr) {
        return;
    }
    EndpointLimits& limits = into.dynamic.limits;
    read_fields(in, *table, Fields<EndpointLimits>(kLimitFields), limits);
    if (limits.half_open_retry > limits.half_open_max) {
        in.refuse(*table, "half_open_retry must not be above half_open_max");
    }
    if (limits.connection_bytes_unauthenticated_max > limits.connection_bytes_max) {
        in.refuse(*table,
                  "connection_bytes_unauthenticated_max must not be above connection_bytes_max");
    }
}

void read_resume(Reading& in, const toml::node& value, Config& into) {
    if (const toml::table* table = in.table(value)) {
        read_fields(in, *table, Fields<ResumeLimits>(kResumeFields), into.dynamic.resume);
    }
}

// Calls `read_one(table, T&)` for each [[entry]], into a fresh T, and keeps it.
template <class T, class ReadOne>
void read_list(Reading& in, const toml::node& value, std::size_t size_max, std::vector<T>& into,
               ReadOne read_one) {
    const toml::array* array = in.array(value, size_max);
    if (array == nullptr) {
        return;
    }
    for (const toml::node& node : *array) {
        if (const toml::table* table = in.table(node)) {
            T entry{};
            read_one(*table, entry);
            into.push_back(std::move(entry));
        }
    }
}

// Whether both cannot be open at a time: [::] takes IPv4 along, and a wildcard every address of its
// own family.
bool collide(const SocketAddress& a, const SocketAddress& b) {
    if (a.port() != b.port() || a.port() == 0) {
        return false;
    }
    const auto covers = [](const SocketAddress& wide, const SocketAddress& narrow) {
        return wide.is_any() &&
               (wide.family() == SocketAddress::Family::v6 || narrow.family() == wide.family());
    };
    return a == b || covers(a, b) || covers(b, a);
}

void check_listener(Reading& in, const toml::table& table, const Listener& listener,
                    const std::vector<Listener>& others) {
    if (!listener.quic && !listener.tcp) {
        in.refuse(table, "accepts neither QUIC nor TCP");
    }
    std::vector<std::pair<SocketAddress, std::string_view>> taken;
    for (const Listener& other : others) {
        if (other.name == listener.name) {
            in.refuse(table, "there is another listener '" + listener.name + "'");
        }
        for (const SocketAddress& address : other.addresses) {
            taken.emplace_back(address, other.name);
        }
    }
    for (const SocketAddress& address : listener.addresses) {
        for (const auto& [before, owner] : taken) {
            if (collide(address, before)) {
                in.refuse(table, address.to_string() + " cannot be open beside " +
                                     before.to_string() + " of listener '" + std::string(owner) +
                                     "'");
            }
        }
        taken.emplace_back(address, listener.name);
    }
}

void read_listeners(Reading& in, const toml::node& value, Config& into) {
    std::vector<Listener>& all = into.dynamic.listeners;
    read_list(in, value, kListenersMax, all, [&](const toml::table& table, Listener& listener) {
        read_fields(in, table, Fields<Listener>(kListenerFields), listener);
        if (const auto* addresses = table["addresses"].as_array();
            addresses != nullptr && addresses->empty()) {
            in.refuse(*addresses, "a listener needs an address");
        }
        check_listener(in, table, listener, all);
    });
}

// The line of each element of an array.
std::vector<std::size_t> lines_of(const toml::table& table, std::string_view key) {
    std::vector<std::size_t> lines;
    if (const toml::array* array = table[key].as_array()) {
        for (const toml::node& node : *array) {
            lines.push_back(node.source().begin.line);
        }
    }
    return lines;
}

void read_peers(Reading& in, const toml::node& value, Config& into) {
    std::vector<Peer>& all = into.dynamic.peers;
    std::map<std::string, std::string> names;   // by what they look like
    std::map<std::string, std::string> owners;  // of keys
    read_list(in, value, kPeersMax, all, [&](const toml::table& table, Peer& peer) {
        read_fields(in, table, Fields<Peer>(kPeerFields), peer);
        peer.line = table.source().begin.line;
        peer.scope_lines = lines_of(table, "scopes");
        const auto [other, fresh] = names.emplace(identity::name_skeleton(peer.name), peer.name);
        if (!fresh) {
            in.refuse(table, other->second == peer.name
                                 ? "there is another peer '" + peer.name + "'"
                                 : "the name looks like that of peer '" + other->second + "'");
        }
        for (const std::string& key : peer.keys) {
            for (const std::string& alias : identity::fingerprint_aliases(key)) {
                const auto [owner, is_new] = owners.emplace(alias, peer.name);
                if (!is_new && owner->second != peer.name) {
                    in.refuse(table, key + " belongs to peer '" + owner->second + "'");
                }
            }
        }
    });
}

void read_roles(Reading& in, const toml::node& value, Config& into) {
    std::vector<Role>& all = into.dynamic.roles;
    std::set<std::string> names;
    read_list(in, value, kRolesMax, all, [&](const toml::table& table, Role& role) {
        read_fields(in, table, Fields<Role>(kRoleFields), role);
        role.scope_lines = lines_of(table, "scopes");
        if (!names.insert(role.name).second) {
            in.refuse(table, "there is another role '" + role.name + "'");
        }
    });
}

void read_assertions(Reading& in, const toml::node& value, Config& into) {
    std::vector<Assertion>& all = into.dynamic.assertions;
    read_list(in, value, identity::kAssertionsMax, all,
              [&](const toml::table& table, Assertion& assertion) {
                  read_fields(in, table, Fields<Assertion>(kAssertionFields), assertion);
                  assertion.line = table.source().begin.line;
              });
}

void read_alpns(Reading& in, const toml::node& value, Config& into) {
    const toml::table* table = in.table(value);
    if (table == nullptr) {
        return;
    }
    if (table->size() > kAlpnsMax) {
        in.refuse(value, "names more than " + std::to_string(kAlpnsMax) + " services");
        return;
    }
    for (const auto& [name, rules] : *table) {
        const Reading::Below below(in, name.str());
        const auto checked = tls::check_alpn(name.str());
        if (!checked) {
            in.refuse(name.source(), std::string(checked.error().cause().what));
        }
        const toml::table* fields = in.table(rules);
        if (fields != nullptr) {
            AlpnRules& into_rules = into.dynamic.alpns[std::string(name.str())];
            read_fields(in, *fields, Fields<AlpnRules>(kAlpnFields), into_rules);
        }
    }
}

void read_log(Reading& in, const toml::node& value, Config& into) {
    if (const toml::table* table = in.table(value)) {
        LogKeys keys{.level = into.dynamic.log_level, .format = into.fixed.log_format};
        read_fields(in, *table, Fields<LogKeys>(kLogFields), keys);
        into.dynamic.log_level = keys.level;
        into.fixed.log_format = keys.format;
    }
}

template <class T, auto& kFields>
std::vector<KeyInfo> keys_of() {
    return describe(Fields<T>(kFields), T());
}

// The entries of a list that are named by `name_of(entry)`.
template <class T, auto& kFields, class NameOf>
std::vector<Entry> entries_of(const std::vector<T>& list, NameOf name_of) {
    std::vector<Entry> entries;
    for (const T& one : list) {
        entries.push_back({.name = name_of(one), .keys = show(Fields<T>(kFields), one)});
    }
    return entries;
}

template <class T, auto& kFields>
std::vector<Entry> named_entries(const std::vector<T>& list) {
    return entries_of<T, kFields>(list, [](const T& one) { return one.name; });
}

template <class T, auto& kFields>
std::vector<Entry> one_entry(const T& from) {
    return {{.name = {}, .keys = show(Fields<T>(kFields), from)}};
}

std::vector<Entry> alpn_entries(const Config& config) {
    std::vector<Entry> entries;
    for (const auto& [name, rules] : config.dynamic.alpns) {
        entries.push_back({.name = name, .keys = show(Fields<AlpnRules>(kAlpnFields), rules)});
    }
    return entries;
}

std::vector<Entry> log_entries(const Config& config) {
    return one_entry<LogKeys, kLogFields>(
        {.level = config.dynamic.log_level, .format = config.fixed.log_format});
}

constexpr std::array kTables = {
    Table{"node", Shape::single, "This node.", read_node, keys_of<StaticConfig, kNodeFields>,
          [](const Config& config) { return one_entry<StaticConfig, kNodeFields>(config.fixed); }},
    Table{"listener", Shape::list,
          "A place where the node listens. Without any, it listens on port 4433 of all addresses.",
          read_listeners,
          [] { return describe(Fields<Listener>(kListenerFields), default_listener()); },
          [](const Config& config) {
              return named_entries<Listener, kListenerFields>(config.dynamic.listeners);
          }},
    Table{"peer", Shape::list,
          "Somebody whom this node knows. Everybody else is a stranger, and may use only the "
          "services that need no identity.",
          read_peers, keys_of<Peer, kPeerFields>,
          [](const Config& config) {
              return named_entries<Peer, kPeerFields>(config.dynamic.peers);
          }},
    Table{"role", Shape::list, "Scopes under one name, for peers that have them in common.",
          read_roles, keys_of<Role, kRoleFields>,
          [](const Config& config) {
              return named_entries<Role, kRoleFields>(config.dynamic.roles);
          }},
    Table{"access.assert", Shape::list,
          "What must be true of the peers, roles and scopes, whoever changes them and how. A "
          "configuration in which one of these does not hold is refused, at the start too, and so "
          "is a command that would break one. Terms do not count.",
          read_assertions, keys_of<Assertion, kAssertionFields>,
          [](const Config& config) {
              return entries_of<Assertion, kAssertionFields>(
                  config.dynamic.assertions,
                  [](const Assertion& one) { return one.peer + " " + one.wanted; });
          }},
    Table{"tokens", Shape::single,
          "Tokens that a peer's key signs (alknet token sign), each for one session.", read_tokens,
          keys_of<SignedTokenRules, kTokenFields>,
          [](const Config& config) {
              return one_entry<SignedTokenRules, kTokenFields>(config.dynamic.signed_tokens);
          }},
    Table{"alpn", Shape::named, "Rules for one service, named by its ALPN.", read_alpns,
          keys_of<AlpnRules, kAlpnFields>, alpn_entries},
    Table{
        "tls", Shape::single, "Certificates.", read_tls, keys_of<DynamicConfig, kTlsFields>,
        [](const Config& config) { return one_entry<DynamicConfig, kTlsFields>(config.dynamic); }},
    Table{"limits", Shape::single,
          "What one peer, or all of them, can make the node hold. A limit that strikes is named in "
          "the log and counted.",
          read_limits, keys_of<EndpointLimits, kLimitFields>,
          [](const Config& config) {
              return one_entry<EndpointLimits, kLimitFields>(config.dynamic.limits);
          }},
    Table{
        "resume", Shape::single,
        "Streams that survive the loss of their connection (`alknet pipe --resume`), which a node "
        "with one loop offers. For new streams.",
        read_resume, keys_of<ResumeLimits, kResumeFields>,
        [](const Config& config) {
            return one_entry<ResumeLimits, kResumeFields>(config.dynamic.resume);
        }},
    Table{"log", Shape::single, "What the node tells about itself.", read_log,
          keys_of<LogKeys, kLogFields>, log_entries},
    Table{"quic", Shape::single, "QUIC itself.", read_quic, keys_of<StaticConfig, kQuicFields>,
          [](const Config& config) { return one_entry<StaticConfig, kQuicFields>(config.fixed); }},
    Table{
        "runtime", Shape::single, "How the node runs.", read_runtime,
        keys_of<StaticConfig, kRuntimeFields>,
        [](const Config& config) { return one_entry<StaticConfig, kRuntimeFields>(config.fixed); }},
};

}  // namespace

void Certificate::read(Reading& in, const toml::node& value, tls::CertificateFiles& into) {
    if (const toml::table* table = in.table(value)) {
        read_fields(in, *table, Fields<tls::CertificateFiles>(kCertificateFields), into);
    }
}

std::string Certificate::show(const tls::CertificateFiles& value) {
    return "{ chain = " + Path::show(value.chain) + ", key = " + Path::show(value.key) + " }";
}

std::span<const Table> tables() noexcept {
    return kTables;
}

Listener default_listener() {
    Listener listener;
    listener.name = "main";
    listener.addresses = {SocketAddress::v6({}, kDefaultPort)};  // which takes IPv4 along
    return listener;
}

void refuse_unknown(Reading& in, const toml::key& key, const std::vector<std::string_view>& known) {
    std::string reason = "this key is not known";
    if (const std::string_view meant = nearest_name(key.str(), known); !meant.empty()) {
        reason.append("; did you mean '").append(meant).append("'?");
    }
    in.refuse(key.source(), std::move(reason));
}

}  // namespace alknet::config
