#include "interop.hpp"

#include <alknet/core/endpoint.hpp>
#include <alknet/core/static_identities.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/resume/handler.hpp>
#include <cstdio>
#include <filesystem>

namespace alknet::interop {

namespace {

result<std::shared_ptr<const tls::TlsContext>> make_tls(const std::filesystem::path& directory,
                                                        std::shared_ptr<const NodeKey> key) {
    const tls::CertificateFiles files{directory / "cert.pem", directory / "cert-key.pem"};
    ALKNET_CHECK(tls::make_self_signed(files, {"localhost"}));
    tls::ContextOptions options;
    options.key = std::move(key);
    options.certificates = {files};
    return tls::TlsContext::create(std::move(options));
}

}  // namespace

result<void> serve(const std::string& directory, const ServeOptions& given) {
    const SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    std::filesystem::create_directory(directory);
    const auto key = NodeKey::generate();

    EndpointOptions options;
    options.network = net::make_system_network();
    ALKNET_TRY(options.tls, make_tls(directory, key));
    ALKNET_TRY(options.registry, make_registry());
    ALKNET_TRY(options.identities, StaticIdentityProvider::create({}));
    options.secrets = quic::make_secrets();
    options.metrics = std::make_shared<Metrics>();
    std::unique_ptr<Endpoint> endpoint;
    if (!given.splice_to.empty()) {
        ALKNET_TRY(const SocketAddress target, SocketAddress::parse(given.splice_to));
        ALKNET_CHECK(options.registry->add(make_splice(*loop, options.network, target)));
        resume::ResumeHandlerOptions resumable;
        resumable.serve = [&endpoint](std::shared_ptr<Connection> connection) {
            return endpoint->serve(std::move(connection));
        };
        ALKNET_CHECK(
            options.registry->add(resume::ResumeHandler::create(*loop, std::move(resumable))));
    }
    endpoint = Endpoint::create(*loop, std::move(options));

    ListenerOptions listener;
    listener.name = "interop";
    ALKNET_TRY(listener.address, SocketAddress::parse("127.0.0.1:0"));
    if (!given.proxies.empty()) {
        ALKNET_TRY(const auto range, net::AddressRange::parse(given.proxies));
        listener.proxies = {range};
    }
    ALKNET_TRY(const SocketAddress bound, endpoint->listen(std::move(listener)));
    std::printf("{\"listening\":\"%s\",\"node_id\":\"%s\"}\n", bound.to_string().c_str(),
                key->id().hex().c_str());
    std::fflush(stdout);
    loop->run();
    return {};
}

}  // namespace alknet::interop
