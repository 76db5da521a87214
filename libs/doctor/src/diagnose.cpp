#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/doctor/diagnose.hpp>
#include <alknet/doctor/local_checks.hpp>
#include <cstdlib>

namespace alknet::doctor {

namespace {

// What the ways of one kind have in common.
struct Group {
    std::vector<const WayReport*> ways;  // that were tried

    [[nodiscard]] bool tried() const { return !ways.empty(); }
    [[nodiscard]] std::size_t count(Outcome outcome) const {
        return static_cast<std::size_t>(std::ranges::count_if(
            ways, [&](const WayReport* way) { return way->outcome == outcome; }));
    }
    [[nodiscard]] bool any(Outcome outcome) const { return count(outcome) != 0; }
    [[nodiscard]] bool all(Outcome outcome) const {
        return tried() && count(outcome) == ways.size();
    }
    /// The node proved its key, whether it knows us or not.
    [[nodiscard]] bool works() const { return any(Outcome::connected) || any(Outcome::stranger); }
    /// Neither the node nor anybody else.
    [[nodiscard]] bool unanswered() const {
        return tried() && std::ranges::all_of(ways, [](const WayReport* way) {
                   return way->outcome == Outcome::silent || way->outcome == Outcome::refused ||
                          way->outcome == Outcome::reset || way->outcome == Outcome::other;
               });
    }
    [[nodiscard]] const WayReport* working() const {
        const auto found = std::ranges::find_if(
            ways, [](const WayReport* way) { return way->outcome == Outcome::connected; });
        return found == ways.end() ? nullptr : *found;
    }
};

template <class Which>
Group group(const PairReport& pair, Which which) {
    Group found;
    for (const WayReport& way : pair.ways) {
        const bool tried = way.outcome != Outcome::not_tried && way.outcome != Outcome::no_route;
        if (tried && which(way)) {
            found.ways.push_back(&way);
        }
    }
    return found;
}

struct Look {
    explicit Look(const PairReport& report)
        : pair(report),
          direct(group(report, [](const WayReport& w) { return w.way != Way::proxy; })),
          quic(group(report, [](const WayReport& w) { return is_quic(w.way); })),
          tcp(group(report,
                    [](const WayReport& w) { return !is_quic(w.way) && w.way != Way::proxy; })),
          v4(group(report,
                   [](const WayReport& w) { return w.way != Way::proxy && !is_v6(w.way); })),
          v6(group(report, [](const WayReport& w) { return is_v6(w.way); })),
          proxy(group(report, [](const WayReport& w) { return w.way == Way::proxy; })) {}

    void add(const Cause& cause, Damage damage, Effort effort, std::string what,
             std::string remedy) {
        Verdict verdict{.cause = &cause,
                        .damage = damage,
                        .effort = effort,
                        .what = std::move(what),
                        .remedy = std::move(remedy)};
        const auto rank = [](const Verdict& one) { return std::pair(one.damage, one.effort); };
        const auto place = std::ranges::upper_bound(verdicts, rank(verdict), {}, rank);
        verdicts.insert(place, std::move(verdict));
    }

    const PairReport& pair;
    Group direct, quic, tcp, v4, v6, proxy;
    std::vector<Verdict> verdicts;
};

std::string moment(std::int64_t unix_ms) {
    return utc_text(unix_ms / 1000);
}

void judge_clocks(Look& look) {
    const PairReport& pair = look.pair;
    if (!plausible_clock(pair.unix_ms_here / 1000)) {
        look.add(causes::kClockWrong, Damage::all, Effort::retype,
                 "this machine believes that it is " + moment(pair.unix_ms_here),
                 "set the clock here: timedatectl set-ntp true");
        return;
    }
    if (!pair.unix_ms_there) {
        return;
    }
    const std::int64_t there = *pair.unix_ms_there;
    if (!plausible_clock(there / 1000)) {
        look.add(causes::kClockWrong, Damage::all, Effort::ask,
                 "the other node believes that it is " + moment(there),
                 "set the clock there: timedatectl set-ntp true");
    } else if (std::llabs(there - pair.unix_ms_here) > kClockToleranceMs) {
        look.add(causes::kClockWrong, Damage::all, Effort::retype,
                 "it is " + moment(pair.unix_ms_here) + " here and " + moment(there) + " there",
                 "set the clock that is wrong: timedatectl set-ntp true");
    }
}

// Who answered, if it was not the node.
void judge_keys(Look& look) {
    const auto by_certificate = [](const WayReport* way) {
        return way->answerer == Answerer::a_certificate && way->outcome != Outcome::connected;
    };
    const bool inspected = std::ranges::any_of(look.tcp.ways, by_certificate) &&
                           std::ranges::none_of(look.quic.ways, by_certificate);
    const bool tcp_differs = look.tcp.any(Outcome::wrong_key) && look.quic.works();
    if (look.pair.pinned && (inspected || tcp_differs)) {
        look.add(causes::kTlsOpened, look.direct.works() ? Damage::one_way_of_several : Damage::all,
                 Effort::network,
                 inspected ? "over TCP somebody shows a certificate instead of the node's key"
                           : "over TCP somebody answers who is not the node",
                 "use QUIC (--transport quic), or have this destination excepted from inspection");
        return;
    }
    const bool quic_differs = look.quic.any(Outcome::wrong_key) && look.tcp.works();
    if (quic_differs) {
        look.add(causes::kQuicForged, Damage::one_way_of_several, Effort::network,
                 "over UDP somebody answers who is not the node",
                 "see where the UDP port leads; meanwhile: --transport tcp");
    } else if (look.direct.any(Outcome::wrong_key)) {
        look.add(causes::kPeerKeyMismatch,
                 look.direct.works() ? Damage::one_way_of_several : Damage::all, Effort::retype,
                 "whoever answers there has another key than the address names",
                 "compare the node id with what `alknet id` prints there");
    } else if (look.direct.any(Outcome::unverified)) {
        look.add(causes::kPeerUnverified, Damage::all, Effort::retype,
                 "whoever answers there cannot be verified by its host name",
                 "name its key: alknet://NODE_ID@HOST:PORT");
    }
}

void judge_service(Look& look) {
    const bool quic = look.quic.any(Outcome::no_service);
    const bool tcp = look.tcp.any(Outcome::no_service);
    if (quic && look.tcp.works()) {
        look.add(
            causes::kQuicForged, Damage::one_way_of_several, Effort::network,
            "over UDP somebody says that there is no such service, and over TCP the node has it",
            "use TLS over TCP there: --transport tcp");
    } else if (quic || tcp) {
        const bool works = look.direct.works();
        look.add(causes::kNoCommonAlpn, works ? Damage::one_way_of_several : Damage::all,
                 works ? Effort::ask : Effort::retype,
                 look.pair.service + (works ? " is not offered over TCP" : " is not offered there"),
                 "see what is offered: alknet probe ADDRESS");
    }
    if (look.direct.unanswered() && look.proxy.any(Outcome::no_service)) {
        look.add(causes::kNoCommonAlpn, Damage::all, Effort::retype,
                 look.pair.service + " is not offered there",
                 "see what is offered: alknet probe ADDRESS");
    }
    const auto told = [&](const Cause& cause) {
        return std::ranges::any_of(look.pair.ways, [&](const WayReport& way) {
            return way.outcome == Outcome::stranger &&
                   way.detail.find(cause.what) != std::string::npos;
        });
    };
    const bool lacks_scope = told(causes::kScopeMissing);
    // Over TCP a known peer learns that it may not, and not why.
    if (lacks_scope || told(causes::kForbidden)) {
        look.add(lacks_scope ? causes::kScopeMissing : causes::kForbidden, Damage::quality,
                 Effort::ask,
                 "the other node knows this one, and does not let it ask for a diagnosis",
                 "ask its owner: alknet peer scopes NAME --add " + std::string(kDiagnoseScope));
    } else if (look.direct.any(Outcome::stranger) || look.proxy.any(Outcome::stranger)) {
        look.add(causes::kAuthRequired, Damage::quality, Effort::ask,
                 "the other node does not know this one, and tells strangers nothing",
                 "give its owner your node id: alknet id");
    }
}

// A proxy that is no way. True if there is a fault of its own.
bool judge_proxy(Look& look) {
    const Damage damage = look.direct.works() ? Damage::quality : Damage::all;
    const Group& proxy = look.proxy;
    const auto opened = [](const WayReport* way) {
        return way->outcome == Outcome::wrong_key || way->outcome == Outcome::unverified ||
               way->outcome == Outcome::tls;
    };
    const bool same_directly =
        look.direct.any(Outcome::wrong_key) || look.direct.any(Outcome::unverified);
    if (look.pair.proxy_invalid) {
        look.add(causes::kProxyInvalid, damage, Effort::here, *look.pair.proxy_invalid,
                 std::string(causes::kProxyInvalid.next));
    } else if (proxy.any(Outcome::proxy_auth)) {
        look.add(causes::kProxyAuth, damage, Effort::here,
                 "the proxy wants another user or password than those of its variable",
                 std::string(causes::kProxyAuth.next));
    } else if (proxy.any(Outcome::proxy_refused)) {
        look.add(causes::kProxyRefused, damage, Effort::network,
                 "the proxy answers, and refuses to connect to this host and port",
                 std::string(causes::kProxyRefused.next));
    } else if (proxy.any(Outcome::proxy_down)) {
        look.add(causes::kUnreachable, damage, Effort::here, "the proxy itself does not answer",
                 "correct HTTPS_PROXY or ALL_PROXY, or unset it");
    } else if (look.pair.pinned && !same_directly && std::ranges::any_of(proxy.ways, opened)) {
        look.add(causes::kTlsOpened, damage, Effort::network,
                 "the proxy opens TLS: behind it somebody answers who is not the node",
                 "have this destination excepted from inspection there (NO_PROXY leaves it out of "
                 "the proxy's way)");
    } else {
        return false;
    }
    return true;
}

void add_node_down(Look& look) {
    look.add(causes::kNodeDown, Damage::all, Effort::ask,
             "the machine, or a router before it, says that nothing is reached at this address "
             "and port",
             "start the node there (alknet serve), or correct the address or the port");
}

// True if there is nothing to compare with: nobody answered at all.
bool judge_silence(Look& look) {
    const bool proxy_at_fault = judge_proxy(look);
    if (!look.direct.unanswered()) {
        return false;
    }
    const bool asked_nobody = look.pair.proxy_invalid || look.proxy.any(Outcome::proxy_auth) ||
                              look.proxy.any(Outcome::proxy_down);
    if (asked_nobody && look.direct.any(Outcome::refused)) {
        add_node_down(look);  // as likely, and dearer to mend
    }
    if (proxy_at_fault || look.proxy.any(Outcome::no_service)) {
        return true;
    }
    if (look.proxy.works()) {
        look.add(causes::kProxyNeeded, Damage::one_way_of_several, Effort::here,
                 "nothing passes but through the proxy", "leave the proxy variables set");
    } else if (look.direct.any(Outcome::refused)) {
        add_node_down(look);
    } else if (look.pair.proxy_configured && !look.proxy.tried()) {
        look.add(causes::kProxyNeeded, Damage::all, Effort::here,
                 "nothing comes back from there, and this machine has a proxy for the way out",
                 "reach it through the proxy, whose variables are set");
    } else {
        look.add(causes::kNoAnswer, Damage::all, Effort::ask,
                 "nothing comes back from there, over UDP or TCP",
                 "see whether the machine is on; then whether its firewall or router passes the "
                 "port, UDP and TCP, on to it");
    }
    return true;
}

void judge_families(Look& look) {
    if (look.v4.unanswered() && look.v6.works()) {
        look.add(causes::kNotForwarded, Damage::one_way_of_several, Effort::network,
                 "nothing comes back over IPv4, and IPv6 works",
                 "have the router there pass the port, UDP and TCP, on to the node");
    } else if (look.v6.unanswered() && look.v4.works()) {
        look.add(causes::kNoAnswer, Damage::one_way_of_several, Effort::network,
                 "nothing comes back over IPv6, and IPv4 works",
                 "open the port for IPv6 there, or take the IPv6 address out of the name");
    }
}

void judge_udp(Look& look) {
    const auto small = [](const WayReport* way) {
        return way->payload_small != 0 && way->payload_max < 1200;
    };
    const auto large = [](const WayReport* way) { return way->payload_max >= 1200; };
    const bool beginnings = look.pair.there && look.pair.there->beginnings != 0;
    if (std::ranges::any_of(look.quic.ways, small)) {
        look.add(causes::kPathMtu, Damage::one_way_of_several, Effort::network,
                 "small UDP packets pass, and those of 1200 octets that QUIC needs do not",
                 "raise the MTU of the tunnel on the way to 1280 at least; meanwhile TCP is used");
    } else if (std::ranges::any_of(look.quic.ways, large)) {
        look.add(causes::kPathLoss, Damage::one_way_of_several, Effort::elsewhere,
                 "single UDP packets pass, and a handshake over QUIC does not come to its end",
                 "try a cable, or another network on this side; meanwhile TCP is used");
    } else if (look.quic.all(Outcome::refused)) {
        look.add(causes::kUdpBlocked, Damage::one_way_of_several, Effort::ask,
                 "UDP is refused, and TCP works",
                 "open the UDP port too, there and on the way; meanwhile TCP is used");
    } else if (beginnings) {
        look.add(causes::kUdpOneWay, Damage::one_way_of_several, Effort::network,
                 "our UDP packets arrive there, and the answers do not come back",
                 "let answers from UDP ports in here; meanwhile TCP is used");
    } else {
        look.add(causes::kUdpBlocked, Damage::one_way_of_several, Effort::network,
                 "no UDP packet of ours arrives there",
                 "open the UDP port there, or UDP to the outside here; meanwhile TCP is used");
    }
}

void judge_transports(Look& look) {
    // Over the proxy and from strangers nothing can be told about UDP.
    const bool tcp_answers = look.tcp.tried() && !look.tcp.unanswered();
    if (look.quic.unanswered() && tcp_answers) {
        judge_udp(look);
    }
    const bool quic_answers = look.quic.tried() && !look.quic.unanswered();
    if (look.tcp.unanswered() && quic_answers) {
        look.add(causes::kTcpBlocked, Damage::one_way_of_several, Effort::network,
                 look.tcp.any(Outcome::silent) ? "nothing comes back over TCP, and UDP works"
                                               : "TCP is refused, and UDP works",
                 "open the TCP port too, there and on the way: some networks pass nothing else");
    }
}

double rate(std::uint32_t bytes, std::uint32_t microseconds) {
    return static_cast<double>(bytes) / std::max(microseconds, 1U);
}

// Stopped in the middle, and not merely slow: the last octets came long before the patience ended.
bool cut_short(std::uint32_t bytes, std::uint32_t us) {
    return bytes < kBulkBytes && us < kBulkPatienceUs / 2;
}

bool slower(const WayReport& quic, const WayReport& tcp) {
    const bool up =
        rate(quic.up_bytes, quic.up_us) * kPolicedFactor < rate(tcp.up_bytes, tcp.up_us);
    const bool down =
        rate(quic.down_bytes, quic.down_us) * kPolicedFactor < rate(tcp.down_bytes, tcp.down_us);
    // What takes no time at all says nothing about anybody who holds it back.
    return (up && quic.up_us > kSlowUs) || (down && quic.down_us > kSlowUs);
}

bool measured(const WayReport& way) {
    return way.up_us != 0 || way.down_us != 0 || way.up_bytes != 0;
}

bool lossy(const WayReport& way) {
    const double back = static_cast<double>(way.datagrams_back);
    return way.datagrams_sent != 0 && measured(way) &&
           back < static_cast<double>(way.datagrams_sent) * (1 - kLossTolerated);
}

bool stops(const WayReport& way) {
    return way.rtt_us != 0 && !lossy(way) &&
           (cut_short(way.up_bytes, way.up_us) ||
            (way.up_bytes == kBulkBytes && cut_short(way.down_bytes, way.down_us)));
}

void judge_quality(Look& look) {
    for (const WayReport* way : look.direct.ways) {
        if (way->outcome == Outcome::connected && lossy(*way)) {
            look.add(causes::kPathLoss, Damage::quality, Effort::elsewhere,
                     fmt::format("of {} packets {} arrived and {} came back", way->datagrams_sent,
                                 way->datagrams_arrived, way->datagrams_back),
                     "try a cable, or another network on this side");
            return;
        }
    }
    for (const WayReport* way : look.direct.ways) {
        if (way->outcome == Outcome::connected && stops(*way)) {
            look.add(causes::kCutShort, Damage::one_way_of_several, Effort::network,
                     fmt::format("{} connects and then stops: {} octets went up, {} came down",
                                 to_string(way->way), way->up_bytes, way->down_bytes),
                     "use the other transport: --transport quic or tcp");
            return;
        }
    }
    const WayReport* quic = look.quic.working();
    const WayReport* tcp = look.tcp.working();
    if (quic != nullptr && tcp != nullptr && measured(*quic) && measured(*tcp) &&
        slower(*quic, *tcp)) {
        look.add(causes::kUdpPoliced, Damage::quality, Effort::elsewhere,
                 "QUIC is much slower than TCP on the same path: somebody holds UDP back",
                 "use TLS over TCP there: --transport tcp");
    }
}

// Whether others can begin towards this node, as far as the other end could see.
void judge_way_back(Look& look) {
    if (!look.pair.there || look.pair.there->ways.empty()) {
        return;
    }
    const auto silent = [](const WayReport& way) {
        return way.outcome == Outcome::silent || way.outcome == Outcome::refused;
    };
    if (!std::ranges::all_of(look.pair.there->ways, silent)) {
        return;
    }
    const bool translated = std::ranges::any_of(look.direct.ways, [](const WayReport* way) {
        return way->observed.family() != SocketAddress::Family::none &&
               way->observed.ip() != way->local.ip();
    });
    look.add(causes::kNotForwarded, Damage::quality, Effort::network,
             translated ? "others cannot begin towards this node: it stands behind a router that "
                          "translates addresses and does not pass the port on"
                        : "others cannot begin towards this node: its port is not open to them",
             translated ? "have the router pass the port, UDP and TCP, on to this machine"
                        : "open the port here, UDP and TCP");
}

}  // namespace

std::vector<Verdict> diagnose(const PairReport& pair) {
    Look look(pair);
    if (pair.not_resolved && look.proxy.works()) {
        look.add(causes::kProxyNeeded, Damage::one_way_of_several, Effort::here,
                 "only the proxy can resolve the name: " + *pair.not_resolved,
                 "leave the proxy variables set");
        return std::move(look.verdicts);
    }
    if (pair.not_resolved) {
        if (look.proxy.tried()) {
            judge_proxy(look);
        }
        look.add(causes::kResolve, Damage::all, Effort::retype, *pair.not_resolved,
                 std::string(causes::kResolve.next));
        return std::move(look.verdicts);
    }
    judge_clocks(look);
    judge_keys(look);
    judge_service(look);
    if (!judge_silence(look)) {
        judge_families(look);
        judge_transports(look);
        judge_quality(look);
        judge_way_back(look);
    }
    return std::move(look.verdicts);
}

}  // namespace alknet::doctor
