#include <alknet/base/causes.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/doctor/examine.hpp>
#include <alknet/doctor/local_checks.hpp>
#include <optional>

#include "client.hpp"
#include "commands.hpp"
#include "output.hpp"
#include "pair_text.hpp"

namespace alknet::app {

namespace {

using doctor::PairReport;
using doctor::Way;

struct Named {
    std::string name;
    Target target;
};

result<std::vector<Named>> targets(const Client& client, const std::string& address) {
    std::vector<Named> all;
    if (!address.empty()) {
        ALKNET_TRY(Target resolved, resolve_target(address, client.peers()));
        all.push_back({.name = address, .target = std::move(resolved)});
        return all;
    }
    for (const config::Peer& peer : client.peers()) {
        if (peer.address) {
            ALKNET_TRY(Target resolved, resolve_target(peer.name, client.peers()));
            all.push_back({.name = peer.name, .target = std::move(resolved)});
        }
    }
    if (all.empty()) {
        return fail(causes::kUnknownPeer, "no peer in alknet.toml has an address; name a node");
    }
    return all;
}

// Which way a dial takes that may take any.
task<result<std::optional<Way>>> chosen_way(Client& client, const Target& target,
                                            Duration timeout) {
    DialOptions options;
    options.alpns = {std::string(kEchoAlpn)};
    options.verify = target.verify;
    options.quic = target.ways.quic;
    options.tcp = target.ways.tcp;
    options.proxy = target.ways.proxy;
    if (target.congestion) {
        options.transport.congestion = *target.congestion;
    }
    options.transport.handshake_timeout = timeout;
    auto dialled = co_await client.dialer().dial_way(target.address, std::move(options));
    if (!dialled) {
        if (dialled.error().is(causes::kCancelled)) {
            co_return unexpected(std::move(dialled).error());
        }
        co_return std::nullopt;
    }
    dialled->connection->close(close_code::kOk, {});
    // Both count the same ways in the same order.
    co_return static_cast<Way>(dialled->rung);
}

result<void> print_target(const CommandLine& line, const Named& target, const PairReport& pair,
                          std::optional<Way> chosen, const std::string& at) {
    if (line.json) {
        return print_line(
            Json::object({{"node", target.name},
                          {"at", at.empty() ? Json() : Json(at)},
                          {"ways", ways_json(pair.ways)},
                          {"not_resolved", pair.not_resolved ? Json(*pair.not_resolved) : Json()},
                          {"chosen", chosen ? Json(to_string(*chosen)) : Json()}})
                .text());
    }
    std::string text = printable(target.name) + (at.empty() ? "" : " at " + at) + "\n";
    if (pair.not_resolved) {
        text += "  " + printable(*pair.not_resolved) + "\n";
    }
    text += ways_text(pair.ways);
    text +=
        "  chosen     " + std::string(chosen ? to_string(*chosen) : "none: no way works") + "\n";
    return print_text(text);
}

task<result<void>> show_once(const CommandLine& line, const PathsOptions& options, Client& client,
                             const std::vector<Named>& all) {
    for (const Named& named : all) {
        Target target = named.target;
        ALKNET_CO_CHECK(client.add_known(target));
        doctor::ExamineOptions examine;
        examine.address = target.address;
        examine.verify = target.verify;
        examine.quic = target.ways.quic;
        examine.tcp = target.ways.tcp;
        examine.proxy = target.ways.proxy;
        examine.service = std::string(kEchoAlpn);
        examine.timeout = options.timeout;
        examine.depth = doctor::Depth::echo;
        examine.proxies = net::ProxySettings::from_environment();
        ALKNET_CO_TRY(const PairReport pair,
                      co_await doctor::examine(client.loop(), client.network(), client.dialer(),
                                               std::move(examine)));
        ALKNET_CO_TRY(const auto chosen, co_await chosen_way(client, target, options.timeout));
        // One look is now; of many it matters when each was.
        const auto wall = client.loop().wall_now().time_since_epoch();
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wall).count();
        const std::string at = options.watch ? doctor::utc_text(seconds) : std::string();
        ALKNET_CO_CHECK(print_target(line, named, pair, chosen, at));
    }
    co_return result<void>();
}

task<result<void>> show(const CommandLine& line, const PathsOptions& options, Client& client,
                        const std::vector<Named>& all) {
    ALKNET_CO_CHECK(co_await show_once(line, options, client, all));
    while (options.watch) {
        ALKNET_CO_CHECK(co_await client.loop().sleep(options.interval));
        ALKNET_CO_CHECK(co_await show_once(line, options, client, all));
    }
    co_return result<void>();
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const PathsOptions& options) {
    ALKNET_TRY(auto client, Client::create(line));
    ALKNET_TRY(const auto all, targets(*client, options.address));
    ALKNET_CHECK(client->run(show(line, options, *client, all)));
    return ExitCode::ok;
}

}  // namespace alknet::app
