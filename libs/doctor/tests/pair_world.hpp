// A pair of nodes in a simulated world: here is where the examination runs, there is the node that
// it is about. Both serve the doctor. Besides them a third one, which is neither.
#pragma once

#include <alknet/core/endpoint.hpp>
#include <alknet/core/registry.hpp>
#include <alknet/core/static_identities.hpp>
#include <alknet/doctor/examine.hpp>
#include <alknet/doctor/handler.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/sim_proxy.hpp>
#include <alknet/testing/sim_world.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "faulty_network.hpp"

namespace alknet::doctor::test {

inline constexpr std::uint16_t kPort = 4433;
inline constexpr std::uint16_t kProxyPort = 3128;
/// 2027-01-15, when every simulated clock is right.
inline constexpr WallTime kRightTime = WallTime(std::chrono::seconds(1'800'000'000));

/// With a key, and a certificate that nobody signed.
inline std::shared_ptr<const tls::TlsContext> make_context() {
    const sim::TempDir directory;
    tls::ContextOptions options;
    options.key = NodeKey::generate();
    options.certificates = {{.chain = directory / "cert.pem", .key = directory / "cert-key.pem"}};
    (void)tls::make_self_signed(options.certificates.front(), {"other.example"});
    return tls::TlsContext::create(std::move(options)).value();
}

/// One machine with a node on it. The keys are the same in every world: to make them takes longer
/// than to examine a pair.
class Machine {
public:
    Machine(sim::SimWorld& world, const std::string& name,
            std::shared_ptr<const tls::TlsContext> context)
        : host(world.add_host(name)),
          process(host.start()),
          network(std::make_shared<FaultyNetwork>(process->network())),
          tls(std::move(context)) {
        host.clock().jump_wall(kRightTime - host.clock().wall_now());
        dialer = Dialer::create(process->loop(), network, tls, Log());
    }

    /// Serves the doctor, or something else, to `peer`.
    void serve(const std::vector<const Machine*>& peers, const std::string& alpn, bool udp = true,
               bool tcp = true) {
        DoctorHandlerOptions doctor;
        doctor.alpn = alpn;
        doctor.program = "test";
        doctor.dialer = dialer;
        doctor.beginnings = [this](const SocketAddress& remote) {
            return endpoint->beginnings_from(remote);
        };
        serve_with(peers, std::move(doctor), udp, tcp);
    }
    void serve_with(const std::vector<const Machine*>& peers, DoctorHandlerOptions doctor,
                    bool udp = true, bool tcp = true) {
        if (endpoint != nullptr) {
            throw std::runtime_error("a machine serves once");
        }
        const auto known = StaticIdentityProvider::create({}).value();
        std::vector<StaticPeer> list;
        for (const Machine* peer : peers) {
            list.push_back({.identity = {.id = peer->host.name(), .scopes = {}, .resources = {}},
                            .fingerprints = {peer->tls->key().id().fingerprint()},
                            .enabled = true});
        }
        (void)known->replace(std::move(list));
        const auto registry = std::make_shared<HandlerRegistry>();
        (void)registry->add(std::make_shared<DoctorHandler>(std::move(doctor)),
                            AlpnPolicy{.identity_required = true});
        EndpointOptions options;
        options.network = network;
        options.tls = tls;
        options.registry = registry;
        options.identities = known;
        options.secrets = quic::make_secrets();
        endpoint = Endpoint::create(process->loop(), std::move(options));
        for (const SocketAddress& address : {host.v4(kPort), host.v6(kPort)}) {
            (void)endpoint->listen({.name = address.ip_text(),
                                    .address = address,
                                    .quic = udp,
                                    .tcp = tcp,
                                    .alpns = {},
                                    .congestion = quic::Congestion::bbr});
        }
    }

    sim::SimHost& host;
    std::unique_ptr<sim::SimProcess> process;
    std::shared_ptr<FaultyNetwork> network;
    std::shared_ptr<const tls::TlsContext> tls;
    std::shared_ptr<Dialer> dialer;
    std::unique_ptr<Endpoint> endpoint;
};

class PairWorld {
public:
    explicit PairWorld(std::uint64_t seed) : world(seed) {}
    ~PairWorld() {
        for (Machine* machine : {&here, &there, &third}) {
            (void)run_on(*machine, shut_down(*machine), std::chrono::minutes(10));
            machine->endpoint.reset();
            machine->dialer.reset();
        }
    }

    task<bool> shut_down(Machine& machine) {
        if (machine.endpoint != nullptr) {
            co_await machine.endpoint->shutdown();
        }
        co_await machine.dialer->shutdown();
        co_return true;
    }

    template <class T>
    T run_on(Machine& machine, task<T> work, Duration limit) {
        std::optional<T> value;
        TaskScope scope(machine.process->loop());
        scope.spawn(keep(std::move(work), value), "test");
        if (!world.run_until([&] { return value.has_value(); }, limit)) {
            throw std::runtime_error("the test is stuck");
        }
        return std::move(*value);
    }

    PairReport examine_pair(ExamineOptions options) {
        auto pair = run_on(
            here, examine(here.process->loop(), *here.network, *here.dialer, std::move(options)),
            std::chrono::minutes(10));
        if (!pair) {
            throw std::runtime_error(pair.error().message());
        }
        return std::move(*pair);
    }

    sim::SimWorld world;
    Machine here{world, "here", context(0)};
    Machine there{world, "there", context(1)};
    Machine third{world, "third", context(2)};
    sim::SimHost& proxy_host = world.add_host("proxy");
    std::unique_ptr<sim::SimProcess> proxy_process = proxy_host.start();
    sim::SimProxy proxy{*proxy_process, proxy_host.v4(kProxyPort)};

    /// What HTTPS_PROXY is on the machine where the examination runs.
    net::ProxySettings use_proxy(std::string url) {
        DialPlace place;
        place.proxies.https_proxy = std::move(url);
        here.dialer->set_place(place);
        return place.proxies;
    }

private:
    template <class T>
    static task<void> keep(task<T> work, std::optional<T>& value) {
        value.emplace(co_await std::move(work));
    }
    static std::shared_ptr<const tls::TlsContext> context(std::size_t number) {
        static const std::array kContexts = {make_context(), make_context(), make_context()};
        return kContexts[number];
    }
};

}  // namespace alknet::doctor::test
