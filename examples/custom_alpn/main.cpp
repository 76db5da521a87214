// A service of one's own: it sends back what it hears, in capitals. A service is a class and a
// name; the handshake of each connection says the name, and the endpoint does the rest.
#include <alknet/core/endpoint.hpp>
#include <alknet/core/stream_handler.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/signals.hpp>
#include <array>
#include <cctype>
#include <csignal>
#include <iostream>

class Capitals final : public alknet::StreamHandler {
    std::vector<std::string> alpns() const override { return {"example/capitals"}; }

    // One of these runs for each stream that a client opens.
    alknet::task<alknet::result<void>> handle_stream(alknet::BiStream& stream,
                                                     const alknet::StreamContext&) override {
        std::array<std::byte, 4096> buffer{};
        for (;;) {
            ALKNET_CO_TRY(const std::size_t size, co_await stream.read(buffer));
            if (size == 0) {
                co_return co_await stream.finish();  // the client has said all it had to
            }
            for (std::byte& b : std::span(buffer).first(size)) {
                b = static_cast<std::byte>(std::toupper(static_cast<int>(b)));
            }
            ALKNET_CO_CHECK(co_await stream.write(std::span(buffer).first(size)));
        }
    }
};

alknet::task<alknet::result<void>> serve(alknet::Loop& loop, alknet::Endpoint& endpoint) {
    ALKNET_CO_TRY(auto signals, alknet::Signals::open(loop, std::array{SIGINT, SIGTERM}));
    ALKNET_CO_CHECK(co_await signals->next());
    co_await endpoint.shutdown();
    co_return alknet::result<void>();
}

int main() {
    const alknet::SystemClock clock;
    const auto loop = alknet::Loop::create(clock).value();
    const auto key = alknet::NodeKey::generate();  // a new node each time; see NodeKey::load

    alknet::EndpointOptions options;
    options.network = alknet::net::make_system_network();
    options.tls = alknet::tls::TlsContext::create({.key = key}).value();
    options.registry = std::make_shared<alknet::HandlerRegistry>();
    options.registry->add(std::make_shared<Capitals>()).value();
    options.secrets = alknet::quic::make_secrets();
    const auto endpoint = alknet::Endpoint::create(*loop, options);

    const auto any_port = alknet::SocketAddress::parse("127.0.0.1:0").value();
    const auto bound = endpoint->listen({.name = "main", .address = any_port}).value();
    std::cout << "alknet://" << key->id().hex() << "@" << bound.to_string() << std::endl;
    return alknet::block_on(*loop, serve(*loop, *endpoint)) ? 0 : 1;
}
