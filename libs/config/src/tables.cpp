// The tables of alknet.toml: how each is read and shown. A new table is one entry here; the keys
// of each stand in keys.hpp.
#include <algorithm>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/names.hpp>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "keys.hpp"

namespace alknet::config {

namespace {

using Shape = TableInfo::Shape;

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

void read_identity(Reading& in, const toml::node& value, Config& into) {
    if (const toml::table* table = in.table(value)) {
        AuthorizedKeysFile& keys = into.dynamic.authorized_keys;
        read_fields(in, *table, Fields<AuthorizedKeysFile>(kIdentityFields), keys);
        keys.scope_lines = lines_of(*table, "authorized_keys_scopes");
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

void read_ssh(Reading& in, const toml::node& value, Config& into) {
    if (const toml::table* table = in.table(value)) {
        SshRules& rules = into.dynamic.ssh;
        read_fields(in, *table, Fields<SshRules>(kSshFields), rules);
        if (rules.run_as_self && !rules.run_as.empty()) {
            in.refuse(*table, "has both of 'run_as' and 'run_as_self'");
        }
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

void read_peers(Reading& in, const toml::node& value, Config& into) {
    std::vector<Peer>& all = into.dynamic.peers;
    std::map<std::string, std::string> names;   // by what they look like
    std::map<std::string, std::string> owners;  // of keys
    read_list(in, value, kPeersMax, all, [&](const toml::table& table, Peer& peer) {
        read_fields(in, table, Fields<Peer>(kPeerFields), peer);
        peer.line = table.source().begin.line;
        peer.scope_lines = lines_of(table, "scopes");
        if (peer.renew != Duration() && !peer.expires) {
            in.refuse(table, "'renew' belongs to 'expires'");
        }
        const auto [other, fresh] = names.emplace(identity::name_skeleton(peer.name), peer.name);
        if (!fresh) {
            in.refuse(table, other->second == peer.name
                                 ? "there is another peer '" + peer.name + "'"
                                 : "the name looks like that of peer '" + other->second + "'");
        }
        for (std::string& key : peer.keys) {
            key = identity::with_principal(std::move(key), peer.name);
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

void read_forwarding(Reading& in, const toml::node& value, Config& into) {
    std::vector<identity::ForwardRule>& all = into.dynamic.forwarding;
    read_list(in, value, identity::kForwardRulesMax, all,
              [&](const toml::table& table, identity::ForwardRule& rule) {
                  read_fields(in, table, Fields<identity::ForwardRule>(kForwardFields), rule);
                  rule.origin.line = table.source().begin.line;
              });
}

// They have no names, and their order counts.
std::vector<Entry> forwarding_entries(const Config& config) {
    std::vector<Entry> entries;
    for (const identity::ForwardRule& rule : config.dynamic.forwarding) {
        entries.push_back({.name = std::to_string(entries.size() + 1),
                           .keys = show(Fields<identity::ForwardRule>(kForwardFields), rule)});
    }
    return entries;
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
        } else {
            in.check_service(name.source(), name.str());
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
    Table{"identity", Shape::single, "Where else peers are written down.", read_identity,
          keys_of<AuthorizedKeysFile, kIdentityFields>,
          [](const Config& config) {
              return one_entry<AuthorizedKeysFile, kIdentityFields>(config.dynamic.authorized_keys);
          }},
    Table{"tokens", Shape::single,
          "Tokens that a peer's key signs (alknet token sign), each for one session.", read_tokens,
          keys_of<SignedTokenRules, kTokenFields>,
          [](const Config& config) {
              return one_entry<SignedTokenRules, kTokenFields>(config.dynamic.signed_tokens);
          }},
    Table{"forwarding.rules", Shape::list,
          "Where services that forward may connect or listen for a peer. The first rule that "
          "matches decides, and what none allows is denied.",
          read_forwarding, keys_of<identity::ForwardRule, kForwardFields>, forwarding_entries},
    Table{"alpn", Shape::named, "Rules for one service, named by its ALPN.", read_alpns,
          keys_of<AlpnRules, kAlpnFields>, alpn_entries},
    Table{"call.import", Shape::list,
          "Operations of another node, which this one offers among its own and calls there with "
          "its own key. Who may call them is said here.",
          read_imports, import_keys, import_entries},
    Table{"exec", Shape::list,
          "A service that is a program of its own, which the node starts, restarts and ends. It "
          "accepts connections on descriptor 3.",
          read_programs, program_keys, program_entries},
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
    Table{"ssh", Shape::single,
          "SSH, with the node's key as the host key. Peers log in with their keys, and need scopes "
          "and forwarding rules for everything else.",
          read_ssh, keys_of<SshRules, kSshFields>,
          [](const Config& config) { return one_entry<SshRules, kSshFields>(config.dynamic.ssh); }},
    Table{
        "resume", Shape::single,
        "Streams that survive the loss of their connection (`alknet pipe --resume`), which a node "
        "with one loop offers. For new streams.",
        read_resume, keys_of<ResumeLimits, kResumeFields>,
        [](const Config& config) {
            return one_entry<ResumeLimits, kResumeFields>(config.dynamic.resume);
        }},
    Table{
        "http.site", Shape::list,
        "What is served over HTTP, to whoever asks for it: a directory's files, most of the time. "
        "Without any there is no HTTP at all.",
        read_http_sites, http_site_keys, http_site_entries},
    Table{"http.site.route", Shape::list,
          "Of the site above it: a server behind the node that has what is below a path. The route "
          "with the longest path counts, and comes before files.",
          nullptr, http_route_keys, http_route_entries},
    Table{"http.limits", Shape::single,
          "What one HTTP client can make the node hold or do. For new connections.",
          read_http_limits, http_limit_keys, http_limit_entries},
    Table{"log", Shape::single, "What the node tells about itself.", read_log,
          keys_of<LogKeys, kLogFields>, log_entries},
    Table{"audit", Shape::single,
          "A record of what was decided, which shows whether it was changed (alknet audit).",
          read_audit, audit_keys, audit_entries},
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
