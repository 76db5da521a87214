#include <fmt/format.h>
#include <algorithm>
#include <alknet/config/plan.hpp>
#include <alknet/core/grants.hpp>
#include <iterator>
#include <set>

namespace alknet::config {

namespace {

using Kind = Effect::Kind;
using identity::PeerRecord;
using Words = std::set<std::string>;

Words minus(const Words& all, const Words& without) {
    Words left;
    std::ranges::set_difference(all, without, std::inserter(left, left.end()));
    return left;
}

// Those of its roles included.
Words scopes_of(const PeerRecord& peer) {
    Words scopes;
    for (const identity::Grant& grant : peer.grants) {
        scopes.insert(grant.scope.text());
    }
    return scopes;
}

Words keys_of(const PeerRecord& peer) {
    return {peer.fingerprints.begin(), peer.fingerprints.end()};
}

// Those that no grant of the other one covers.
Words scopes_lost(const PeerRecord& before, const PeerRecord& after) {
    Words lost;
    for (const identity::Grant& grant : before.grants) {
        const bool covered = std::ranges::any_of(after.grants, [&](const identity::Grant& one) {
            return grant_covers(one.scope.text(), grant.scope.text());
        });
        if (!covered) {
            lost.insert(grant.scope.text());
        }
    }
    return lost;
}

// "loses a, b" for what is in `before` alone.
void say(std::vector<std::string>& into, std::string_view verb, const Words& before,
         const Words& after) {
    const Words gone = minus(before, after);
    if (!gone.empty()) {
        into.push_back(fmt::format("{} {}", verb, fmt::join(gone, ", ")));
    }
}

class Planner {
public:
    Planner(const Side& before, const Side& after) : before_(before), after_(after) {}

    std::vector<Effect> run() {
        plan_peers();
        plan_alpns();
        plan_forwarding();
        plan_listeners();
        plan_listening("ssh ", before_.config.dynamic.ssh.listen, after_.config.dynamic.ssh.listen);
        plan_listening("status ", before_.config.dynamic.http_status.listen,
                       after_.config.dynamic.http_status.listen);
        plan_ssh_programs();
        plan_imports();
        if (before_.config.fixed != after_.config.fixed) {
            add(Kind::restart_needed, "node", "a key that is read at start only differs");
        }
        std::vector<Effect> ordered;
        for (const bool cuts : {true, false}) {
            std::ranges::copy_if(effects_, std::back_inserter(ordered),
                                 [&](const Effect& one) { return one.cuts() == cuts; });
        }
        return ordered;
    }

private:
    void add(Kind kind, const std::string& subject, std::string text) {
        effects_.push_back({.kind = kind, .subject = subject, .text = std::move(text)});
    }

    void add_all(Kind kind, const std::string& subject, const std::vector<std::string>& texts) {
        if (!texts.empty()) {
            add(kind, subject, fmt::format("{}", fmt::join(texts, "; ")));
        }
    }

    void plan_peers() {
        for (const PeerRecord& peer : before_.peers.peers()) {
            if (const PeerRecord* then = after_.peers.find(peer.id)) {
                compare_peers(peer, *then);
            } else {
                add(Kind::peer_removed, peer.name, "is known no longer");
            }
        }
        for (const PeerRecord& peer : after_.peers.peers()) {
            if (before_.peers.find(peer.id) == nullptr) {
                add(Kind::peer_added, peer.name, "becomes known");
            }
        }
    }

    void compare_peers(const PeerRecord& before, const PeerRecord& after) {
        std::vector<std::string> less;
        if (before.enabled && !after.enabled) {
            less.emplace_back("is disabled");
        }
        if (after.expires && (!before.expires || *after.expires < *before.expires)) {
            less.emplace_back("has a term that ends sooner");
        }
        say(less, "loses", scopes_lost(before, after), Words());
        say(less, "is known no longer by", keys_of(before), keys_of(after));
        add_all(Kind::peer_narrowed, before.name, less);
        std::vector<std::string> more;
        if (!before.enabled && after.enabled) {
            more.emplace_back("is enabled");
        }
        if (before.expires && (!after.expires || *after.expires > *before.expires)) {
            more.emplace_back("has a term that ends later, or never");
        }
        say(more, "gains", scopes_of(after), scopes_of(before));
        say(more, "is also known by", keys_of(after), keys_of(before));
        add_all(Kind::peer_widened, before.name, more);
    }

    void plan_alpns() {
        Words names;
        for (const Side* side : {&before_, &after_}) {
            for (const auto& [name, rules] : side->config.dynamic.alpns) {
                names.insert(name);
            }
        }
        for (const std::string& name : names) {
            compare_rules(name, rules_of(before_, name), rules_of(after_, name));
        }
    }

    static AlpnRules rules_of(const Side& side, const std::string& alpn) {
        const auto found = side.config.dynamic.alpns.find(alpn);
        AlpnRules rules = found == side.config.dynamic.alpns.end() ? AlpnRules() : found->second;
        // Whoever has a scope is known.
        rules.identity_required = rules.identity_required || !rules.scope.empty();
        return rules;
    }

    void compare_rules(const std::string& name, const AlpnRules& before, const AlpnRules& after) {
        add_all(Kind::alpn_narrowed, name, demands(before, after, "asks for", "is reached by"));
        add_all(Kind::alpn_widened, name,
                demands(after, before, "asks no longer for", "is also reached by"));
    }

    // What `after` asks for and `before` does not.
    static std::vector<std::string> demands(const AlpnRules& before, const AlpnRules& after,
                                            std::string_view asks, std::string_view reached) {
        std::vector<std::string> all;
        if (!before.identity_required && after.identity_required) {
            all.push_back(fmt::format("{} a known peer", asks));
        }
        if (!after.scope.empty() && before.scope != after.scope) {
            all.push_back(fmt::format("{} the scope {}", asks, after.scope));
        }
        const bool narrower = reached == "is reached by";
        if (before.transports.quic && !after.transports.quic) {
            all.push_back(fmt::format("{} {}", reached, narrower ? "TCP alone" : "QUIC"));
        }
        if (before.transports.tcp && !after.transports.tcp) {
            all.push_back(fmt::format("{} {}", reached, narrower ? "QUIC alone" : "TCP"));
        }
        return all;
    }

    using Rules = std::vector<identity::ForwardRule>;

    // All of it but where it stands.
    static std::string meaning(const identity::ForwardRule& rule) {
        return fmt::format("{} {} {} [{}] [{}] {} {}", identity::to_string(rule.claim), rule.allow,
                           rule.target.text(), fmt::join(rule.peers, "\n"),
                           fmt::join(rule.roles, "\n"), rule.streams_max, rule.proxy_header);
    }

    // Tells of those that `others` lacks, and gives the rest.
    std::vector<std::string> compare_forwarding(const Rules& rules, const Rules& others,
                                                bool is_new) {
        Words there;
        for (const identity::ForwardRule& rule : others) {
            there.insert(meaning(rule));
        }
        std::vector<std::string> common;
        for (const identity::ForwardRule& rule : rules) {
            std::string text = meaning(rule);
            if (there.contains(text)) {
                common.push_back(std::move(text));
            } else {
                add_rule(rule, is_new);
            }
        }
        return common;
    }

    static std::string whom(const identity::ForwardRule& rule) {
        std::vector<std::string> all = rule.peers;
        for (const std::string& role : rule.roles) {
            all.push_back("role " + role);
        }
        std::string text =
            all.empty() ? "every known peer" : fmt::format("{}", fmt::join(all, ", "));
        if (rule.streams_max != 0) {
            text += fmt::format(", {} streams at a time", rule.streams_max);
        }
        if (rule.proxy_header) {
            text += ", with a PROXY header";
        }
        return text;
    }

    void add_rule(const identity::ForwardRule& rule, bool is_new) {
        const std::string_view what = rule.allow
                                          ? is_new ? "is allowed for" : "is allowed no more for"
                                      : is_new ? "is denied for"
                                               : "is denied no more for";
        add(rule.allow == is_new ? Kind::forwarding_widened : Kind::forwarding_narrowed,
            fmt::format("{} {}", identity::to_string(rule.claim), rule.target.text()),
            fmt::format("{} {}", what, whom(rule)));
    }

    void plan_forwarding() {
        const Rules& before = before_.config.dynamic.forwarding;
        const Rules& after = after_.config.dynamic.forwarding;
        const auto stay = compare_forwarding(before, after, false);
        if (stay != compare_forwarding(after, before, true)) {
            add(Kind::forwarding_reordered, "rules",
                "the first that matches decides, and they stand in another order");
        }
    }

    struct Place {
        const Listener* listener;
        SocketAddress address;
    };

    static std::vector<Place> places_of(const Side& side) {
        std::vector<Place> places;
        for (const Listener& listener : side.config.dynamic.listeners) {
            for (const SocketAddress& address : listener.addresses) {
                places.push_back({.listener = &listener, .address = address});
            }
        }
        return places;
    }

    // Of a free port the name says which one is meant.
    static const Place* find(const std::vector<Place>& places, const Place& wanted) {
        const auto found = std::ranges::find_if(places, [&](const Place& place) {
            return place.address == wanted.address &&
                   (place.address.port() != 0 || place.listener->name == wanted.listener->name);
        });
        return found == places.end() ? nullptr : &*found;
    }

    void plan_listeners() {
        const std::vector<Place> before = places_of(before_);
        const std::vector<Place> after = places_of(after_);
        for (const Place& place : before) {
            const std::string subject = place.address.to_string();
            const Place* then = find(after, place);
            if (then == nullptr) {
                add(Kind::listener_closed, subject,
                    "takes no new connections; those that there are stay");
            } else {
                compare_listeners(subject, *place.listener, *then->listener);
            }
        }
        for (const Place& place : after) {
            if (find(before, place) == nullptr) {
                add(Kind::listener_opened, place.address.to_string(), "opens");
            }
        }
    }

    // Bare SSH has addresses alone.
    void plan_listening(const std::string& what, const std::vector<SocketAddress>& before,
                        const std::vector<SocketAddress>& after) {
        const auto not_in = [](const std::vector<SocketAddress>& all, const SocketAddress& one) {
            return std::ranges::find(all, one) == all.end();
        };
        for (const SocketAddress& address : before) {
            if (not_in(after, address)) {
                add(Kind::listener_closed, what + address.to_string(),
                    "takes no new connections; those that there are stay");
            }
        }
        for (const SocketAddress& address : after) {
            if (not_in(before, address)) {
                add(Kind::listener_opened, what + address.to_string(), "opens");
            }
        }
    }

    static std::string runs_as(const SshRules& rules) {
        return rules.run_as_self ? "the node itself" : rules.run_as;
    }

    void plan_ssh_programs() {
        constexpr std::string_view kSsh = "alknet/ssh";
        const SshRules& before = before_.config.dynamic.ssh;
        const SshRules& after = after_.config.dynamic.ssh;
        if (before.runs_programs() &&
            (runs_as(before) != runs_as(after) || before.shell != after.shell)) {
            add(Kind::alpn_narrowed, std::string(kSsh),
                fmt::format("ends commands that run as {}", runs_as(before)));
        }
        if (after.runs_programs() && runs_as(before) != runs_as(after)) {
            add(Kind::alpn_widened, std::string(kSsh),
                fmt::format("runs commands as {}", runs_as(after)));
        }
    }

    // By their prefixes: one that has changed is ended, and begun anew.
    void plan_imports() {
        const auto without = [this](const Side& side, const Side& other, Kind kind,
                                    std::string_view text) {
            for (const Import& import : side.config.dynamic.imports) {
                const auto& all = other.config.dynamic.imports;
                if (std::ranges::find(all, import) == all.end()) {
                    add(kind, import.prefix,
                        fmt::format("operations of {} {}", fmt::join(import.from(), ", "), text));
                }
            }
        };
        without(before_, after_, Kind::import_ended, "are offered no more as they were");
        without(after_, before_, Kind::import_begun, "are offered");
    }

    void compare_listeners(const std::string& subject, const Listener& before,
                           const Listener& after) {
        std::vector<std::string> changes;
        const auto turn = [&](bool was, bool is, std::string_view what) {
            if (was != is) {
                changes.push_back(fmt::format("{} {}", is ? "accepts" : "accepts no more", what));
            }
        };
        turn(before.quic, after.quic, "QUIC");
        turn(before.tcp, after.tcp, "TCP");
        if (before.alpns != after.alpns) {
            changes.push_back(after.alpns.empty()
                                  ? "offers every service"
                                  : fmt::format("offers {}", fmt::join(after.alpns, ", ")));
        }
        if (before.proxies != after.proxies) {
            changes.emplace_back("believes other proxies");
        }
        if (before.unknown_alpn != after.unknown_alpn) {
            changes.emplace_back("answers otherwise who asks for an unknown service");
        }
        if (before.congestion != after.congestion) {
            changes.emplace_back("uses another congestion control");
        }
        add_all(Kind::listener_changed, subject, changes);
    }

    const Side& before_;
    const Side& after_;
    std::vector<Effect> effects_;
};

}  // namespace

bool Effect::cuts() const noexcept {
    return kind == Kind::peer_removed || kind == Kind::peer_narrowed ||
           kind == Kind::alpn_narrowed || kind == Kind::import_ended;
}

std::string_view to_string(Effect::Kind kind) noexcept {
    switch (kind) {
        case Kind::peer_removed:
            return "peer removed";
        case Kind::peer_narrowed:
            return "peer narrowed";
        case Kind::peer_added:
            return "peer added";
        case Kind::peer_widened:
            return "peer widened";
        case Kind::alpn_narrowed:
            return "service narrowed";
        case Kind::alpn_widened:
            return "service widened";
        case Kind::forwarding_narrowed:
            return "forwarding narrowed";
        case Kind::forwarding_widened:
            return "forwarding widened";
        case Kind::forwarding_reordered:
            return "forwarding reordered";
        case Kind::listener_closed:
            return "listener closed";
        case Kind::listener_opened:
            return "listener opened";
        case Kind::listener_changed:
            return "listener changed";
        case Kind::import_ended:
            return "import ended";
        case Kind::import_begun:
            return "import begun";
        case Kind::restart_needed:
            return "restart needed";
    }
    return "unknown";
}

std::vector<Effect> plan(const Side& before, const Side& after) {
    return Planner(before, after).run();
}

}  // namespace alknet::config
