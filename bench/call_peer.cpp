// alknet_call_peer: our side of bench/calls.py, which reads the CPU seconds of its processes.
//
//     serve DIRECTORY               bench/echo on alknet/call, with a schema and a scope that is
//                                   checked; prints one JSON line
//     calls ID PORT WAY DEPTH N     64 octets there and back, DEPTH at a time, over one connection;
//                                   WAY is quic or tcp
#include <alknet/call/adapter.hpp>
#include <alknet/call/client.hpp>
#include <alknet/call/typed_operation.hpp>
#include <alknet/core/dial.hpp>
#include <alknet/core/endpoint.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>
#include <charconv>
#include <cstdio>
#include <filesystem>

namespace alknet::bench {

namespace {

constexpr std::size_t kTextBytes = 64;

struct Echo {
    call::Text<kTextBytes> text;
};

task<result<Echo>> echo(Echo input) {
    co_return input;
}

/// Whoever has a key may call.
class Everybody final : public IdentityProvider {
public:
    task<result<std::optional<Identity>>> resolve_from_fingerprint(
        std::string fingerprint) override {
        Identity known;
        known.id = std::move(fingerprint);
        known.scopes = {"bench:call"};
        co_return known;
    }
};

result<std::shared_ptr<call::OperationRegistry>> make_operations() {
    auto registry = std::make_shared<call::OperationRegistry>();
    call::Operation operation;
    operation.name = "bench/echo";
    ALKNET_TRY(operation.scope, identity::Scope::parse_exact("bench:call"));
    call::set_function<Echo, Echo>(
        operation, [](call::CallContext, Echo input) { return echo(std::move(input)); });
    ALKNET_CHECK(registry->add(std::move(operation)));
    return registry;
}

result<void> serve(const std::filesystem::path& directory) {
    const SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    const auto key = NodeKey::generate();
    const tls::CertificateFiles files{directory / "call.pem", directory / "call-key.pem"};
    ALKNET_CHECK(tls::make_self_signed(files, {"localhost"}));
    tls::ContextOptions tls;
    tls.key = key;
    tls.certificates = {files};

    call::CallAdapterOptions calls;
    ALKNET_TRY(calls.registry, make_operations());
    calls.metrics = std::make_shared<Metrics>();

    EndpointOptions options;
    options.network = net::make_system_network();
    ALKNET_TRY(options.tls, tls::TlsContext::create(std::move(tls)));
    options.registry = std::make_shared<HandlerRegistry>();
    options.identities = std::make_shared<Everybody>();
    options.secrets = quic::make_secrets();
    options.metrics = calls.metrics;
    ALKNET_CHECK(options.registry->add(std::make_shared<call::CallAdapter>(std::move(calls))));
    const auto endpoint = Endpoint::create(*loop, std::move(options));

    ListenerOptions listener;
    listener.name = "bench";
    ALKNET_TRY(listener.address, SocketAddress::parse("127.0.0.1:0"));
    ALKNET_TRY(const SocketAddress bound, endpoint->listen(std::move(listener)));
    std::printf("{\"port\":%u,\"id\":\"%s\"}\n", unsigned{bound.port()}, key->id().hex().c_str());
    std::fflush(stdout);
    loop->run();
    return {};
}

task<result<void>> call_after_call(call::CallClient& client, std::size_t& left) {
    const Echo asked{.text = {.value = std::string(kTextBytes, 'x')}};
    while (left > 0) {
        --left;
        ALKNET_CO_TRY(call::Json answer, co_await client.call("bench/echo", call::to_json(asked)));
        ALKNET_CO_TRY(const Echo echoed, call::from_json<Echo>(std::move(answer)));
        if (!(echoed.text == asked.text)) {
            co_return fail(causes::kInternal, "an answer is not what was asked");
        }
    }
    co_return result<void>{};
}

struct Load {
    std::size_t depth = 1;
    std::size_t left = 0;
};

task<result<void>> calls(Loop& loop, Dialer& dialer, NodeAddress address, DialOptions options,
                         Load load) {
    ALKNET_CO_TRY(auto connection, co_await dialer.dial(std::move(address), std::move(options)));
    const auto client = call::CallClient::create(loop, std::move(connection));
    TaskScope scope(loop);
    for (std::size_t i = 0; i < load.depth; ++i) {
        scope.spawn(call_after_call(*client, load.left), "calls");
    }
    auto outcome = co_await scope.join();
    co_await client->close();
    co_await dialer.shutdown();
    co_return outcome;
}

std::size_t number(std::string_view text) {
    std::size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

result<void> dial(const std::vector<std::string>& words) {
    const SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    tls::ContextOptions own;
    own.key = NodeKey::generate();
    ALKNET_TRY(const auto tls, tls::TlsContext::create(std::move(own)));
    ALKNET_TRY(auto address, NodeAddress::parse("alknet://" + words[1] + "@127.0.0.1:" + words[2]));
    DialOptions options;
    options.alpns = {std::string(call::kCallAlpn)};
    options.quic = words[3] == "quic";
    options.tcp = words[3] == "tcp";
    const auto dialer = Dialer::create(*loop, net::make_system_network(), tls, Log());
    return block_on(*loop, calls(*loop, *dialer, std::move(address), std::move(options),
                                 {.depth = number(words[4]), .left = number(words[5])}));
}

}  // namespace

}  // namespace alknet::bench

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    alknet::result<void> outcome = alknet::fail(alknet::causes::kUsage, "see bench/call_peer.cpp");
    if (words.size() == 2 && words[0] == "serve") {
        outcome = alknet::bench::serve(words[1]);
    } else if (words.size() == 6 && words[0] == "calls") {
        outcome = alknet::bench::dial(words);
    }
    if (!outcome) {
        std::fprintf(stderr, "%s\n", outcome.error().message().c_str());
        return 1;
    }
    return 0;
}
