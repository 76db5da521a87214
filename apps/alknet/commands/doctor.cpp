#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/doctor/diagnose.hpp>
#include <alknet/doctor/examine.hpp>
#include <alknet/doctor/local_checks.hpp>
#include <alknet/rt/scope.hpp>

#include "bundle.hpp"
#include "client.hpp"
#include "commands.hpp"
#include "output.hpp"
#include "pair_text.hpp"
#include "peers.hpp"
#include "services.hpp"

namespace alknet::app {

namespace {

using doctor::Check;
using doctor::Damage;
using doctor::PairReport;
using doctor::Status;
using doctor::Verdict;

/// Whose TLS is looked at.
constexpr std::size_t kPeersAsked = 3;

result<void> check_peers(const config::Home& home, const config::Config& config) {
    ALKNET_TRY(const auto stored, stored_peers(home));
    ALKNET_CHECK(accepted_peers(home, config.dynamic, stored));
    return {};
}

std::unique_ptr<doctor::SystemProbe> probe_of(const CommandLine& line) {
    const auto home = home_directory(line);
    return doctor::make_system_probe(home ? *home : std::filesystem::path(), services(),
                                     check_peers);
}

task<void> dial_peer(Client& client, doctor::ExamineOptions options, PairReport& pair) {
    auto examined = co_await doctor::examine(client.loop(), client.network(), client.dialer(),
                                             std::move(options));
    if (examined) {
        pair = std::move(*examined);
    }
}

task<result<void>> dial_peers(Client& client, Duration timeout, std::vector<PairReport>& pairs) {
    const TaskContext context = co_await current_context();
    TaskScope dials(client.loop(), context.cancel);
    std::vector<doctor::ExamineOptions> all;
    for (const config::Peer& peer : client.peers()) {
        const auto address = resolve_address(peer.name, client.peers());
        if (all.size() < kPeersAsked && peer.address && address && address->id) {
            doctor::ExamineOptions& options = all.emplace_back();
            options.address = *address;
            options.service = std::string(kEchoAlpn);
            options.depth = doctor::Depth::dial;
            options.quic = false;
            options.timeout = timeout;
            options.proxies = net::ProxySettings::from_environment();
        }
    }
    pairs.resize(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        dials.spawn(dial_peer(client, std::move(all[i]), pairs[i]), "doctor.peer");
    }
    co_return co_await dials.join();
}

// Somebody who opens TLS shows himself to those who know whom they dial: the first peers of
// alknet.toml that have an address. A home that cannot be used is another check's finding.
doctor::TlsSeen ask_peers(const CommandLine& line, Duration timeout) {
    const auto client = Client::create(line);
    std::vector<PairReport> pairs;
    if (!client || !(*client)->run(dial_peers(**client, timeout, pairs))) {
        return doctor::TlsSeen::not_asked;
    }
    return doctor::tls_seen(pairs);
}

result<ExitCode> look_here(const CommandLine& line, const DoctorOptions& options) {
    const auto probe = probe_of(line);
    const std::vector<Check> checks =
        doctor::local_checks(*probe, {.tls = ask_peers(line, options.timeout)});
    const bool failed = doctor::worst(checks) == Status::fail;
    if (!options.bundle.empty()) {
        ALKNET_CHECK(write_bundle(line, options, {.checks = checks, .pair = std::nullopt}));
    } else if (line.json) {
        ALKNET_CHECK(
            print_line(Json::object({{"ok", !failed}, {"checks", checks_json(checks)}}).text()));
    } else {
        ALKNET_CHECK(print_text(checks_text(checks)));
    }
    return failed ? ExitCode::failure : ExitCode::ok;
}

// Where the other end can dial back, if a node runs here. A listener of this machine alone is for
// a peer on this machine alone.
void add_listeners(doctor::ExamineOptions& into, const doctor::NodeFacts& node) {
    const auto target = SocketAddress::parse(into.address.host + ":1");
    const bool near = into.address.host == "localhost" || into.address.host == "::1" ||
                      (target && target->is_loopback());
    for (const config::Listener& listener : node.config.dynamic.listeners) {
        for (const SocketAddress& address : listener.addresses) {
            if (!node.running || (address.is_loopback() && !near)) {
                continue;
            }
            if (listener.quic && into.listens_udp == 0) {
                into.listens_udp = address.port();
            }
            if (listener.tcp && into.listens_tcp == 0) {
                into.listens_tcp = address.port();
            }
        }
    }
}

task<result<void>> examine_into(Client& client, doctor::ExamineOptions options, PairReport& pair) {
    ALKNET_CO_TRY(pair, co_await doctor::examine(client.loop(), client.network(), client.dialer(),
                                                 std::move(options)));
    co_return result<void>();
}

// Of this end; those that are in order say nothing about the way.
std::vector<Check> worth_telling(std::vector<Check> checks) {
    std::erase_if(checks, [](const Check& check) {
        return check.status != Status::warn && check.status != Status::fail;
    });
    return checks;
}

std::string as_text(const PairReport& pair, const std::vector<Verdict>& verdicts,
                    const std::vector<Check>& here) {
    std::string text = "ways\n" + ways_text(pair.ways);
    text +=
        verdicts.empty() ? "nothing is wrong on the way\n" : "causes\n" + verdicts_text(verdicts);
    if (!here.empty()) {
        text += "here\n" + checks_text(here);
    }
    if (pair.there && !pair.there->checks.empty()) {
        text += "there\n" + checks_text(pair.there->checks);
    }
    return text;
}

Json as_json(const PairReport& pair, const std::vector<Verdict>& verdicts,
             const std::vector<Check>& here, bool failed) {
    Json there;
    if (pair.there) {
        there = Json::object({{"program", pair.there->program},
                              {"checks", checks_json(pair.there->checks)},
                              {"ways", ways_json(pair.there->ways)}});
    }
    return Json::object({{"ok", !failed},
                         {"service", pair.service},
                         {"ways", ways_json(pair.ways)},
                         {"verdicts", verdicts_json(verdicts)},
                         {"checks", checks_json(here)},
                         {"there", std::move(there)}});
}

result<ExitCode> look_at_pair(const CommandLine& line, const DoctorOptions& options) {
    const auto probe = probe_of(line);
    ALKNET_TRY(auto client, Client::create(line));
    doctor::ExamineOptions examine;
    ALKNET_TRY(Target target, resolve_target(options.address, client->peers()));
    ALKNET_CHECK(client->add_known(target));
    examine.address = std::move(target.address);
    examine.verify = target.verify;
    examine.quic = target.ways.quic;
    examine.tcp = target.ways.tcp;
    examine.proxy = target.ways.proxy;
    examine.service = options.alpn;
    examine.timeout = options.timeout;
    examine.program = "alknet " + std::string(kVersion);
    examine.checks = doctor::local_checks(*probe);
    examine.proxies = net::ProxySettings::from_environment();
    if (const auto node = probe->node()) {
        add_listeners(examine, *node);
    }
    const std::vector<Check> checks = examine.checks;
    const std::vector<Check> here = worth_telling(checks);
    PairReport pair;
    ALKNET_CHECK(client->run(examine_into(*client, std::move(examine), pair)));
    const std::vector<Verdict> verdicts = doctor::diagnose(pair);
    const bool failed = doctor::worst(here) == Status::fail ||
                        std::ranges::any_of(verdicts, [](const Verdict& one) {
                            return one.damage != Damage::quality;
                        });
    if (!options.bundle.empty()) {
        ALKNET_CHECK(write_bundle(
            line, options, {.checks = checks, .pair = as_json(pair, verdicts, here, failed)}));
    } else if (line.json) {
        ALKNET_CHECK(print_line(as_json(pair, verdicts, here, failed).text()));
    } else {
        ALKNET_CHECK(print_text(as_text(pair, verdicts, here)));
    }
    return failed ? ExitCode::failure : ExitCode::ok;
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const DoctorOptions& options) {
    if (!options.alpn.empty()) {
        ALKNET_CHECK(tls::check_alpn(options.alpn));
    }
    return options.address.empty() ? look_here(line, options) : look_at_pair(line, options);
}

}  // namespace alknet::app
