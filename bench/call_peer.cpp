// alknet_call_peer: our side of bench/calls.py, which reads the CPU seconds of its processes.
//
//     serve DIRECTORY               bench/echo and bench/items on alknet/call, with schemas and a
//                                   scope that are checked; prints one JSON line
//     calls ID PORT WAY DEPTH N SIZE
//                                   SIZE octets there and back, DEPTH at a time, over one
//                                   connection; WAY is quic or tcp
//     items ID PORT WAY N           a subscription of N items of 64 octets
//     idle ID PORT WAY N            N callers, each with a connection, one call and its patience:
//                                   prints a line once all are there, ends with standard input
#include <sys/resource.h>
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

constexpr std::size_t kTextBytesMax = 1 << 20;
constexpr std::size_t kItemBytes = 64;
constexpr std::size_t kIdleMax = 20'000;
constexpr std::size_t kDialsAtATime = 16;
constexpr Duration kIdleTimeout = std::chrono::minutes(10);

struct Echo {
    call::Text<kTextBytesMax> text;
};

task<result<void>> give_items(std::uint64_t count, call::ItemSink& items) {
    const call::Json text = call::to_json(Echo{.text = {.value = std::string(kItemBytes, 'x')}});
    for (std::uint64_t i = 0; i < count; ++i) {
        ALKNET_CO_CHECK(co_await items.give({.output = text}));
    }
    co_return result<void>{};
}

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
    call::Operation items;
    items.name = "bench/items";
    items.kind = call::Operation::Kind::subscription;
    ALKNET_TRY(items.scope, identity::Scope::parse_exact("bench:call"));
    items.subscribe = [](call::CallContext, call::Json input, call::ItemSink& sink) {
        const call::Json* count = input.find("count");
        return give_items(count == nullptr ? 0 : count->as_unsigned().value_or(0), sink);
    };
    ALKNET_CHECK(registry->add(std::move(items)));
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
    // All callers come from one address with one key, and those that wait are to stay.
    options.limits.connections_max = kIdleMax;
    options.limits.connections_per_ip_max = kIdleMax;
    options.limits.connections_per_identity_max = kIdleMax;
    options.limits.idle_timeout = kIdleTimeout;
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

struct Load {
    std::size_t depth = 1;
    std::size_t left = 0;
    std::size_t bytes = 64;
};

task<result<void>> call_after_call(call::CallClient& client, Load& load) {
    const Echo asked{.text = {.value = std::string(load.bytes, 'x')}};
    while (load.left > 0) {
        --load.left;
        ALKNET_CO_TRY(call::Json answer, co_await client.call("bench/echo", call::to_json(asked)));
        ALKNET_CO_TRY(const Echo echoed, call::from_json<Echo>(std::move(answer)));
        if (!(echoed.text == asked.text)) {
            co_return fail(causes::kInternal, "an answer is not what was asked");
        }
    }
    co_return result<void>{};
}

std::size_t number(std::string_view text) {
    std::size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// Where the server is, and the way there.
struct Target {
    Loop& loop;
    Dialer& dialer;
    NodeAddress address;
    DialOptions options;
};

task<result<std::unique_ptr<call::CallClient>>> connect(Target& target) {
    ALKNET_CO_TRY(auto connection, co_await target.dialer.dial(target.address, target.options));
    co_return call::CallClient::create(target.loop, std::move(connection));
}

task<result<void>> calls(Target& target, Load load) {
    ALKNET_CO_TRY(const auto client, co_await connect(target));
    TaskScope scope(target.loop);
    for (std::size_t i = 0; i < load.depth; ++i) {
        scope.spawn(call_after_call(*client, load), "calls");
    }
    auto outcome = co_await scope.join();
    co_await client->close();
    co_return outcome;
}

task<result<void>> take_items(call::CallClient& client, std::size_t count) {
    ALKNET_CO_TRY(const auto items,
                  co_await client.subscribe("bench/items", call::Json::object({{"count", count}})));
    for (std::size_t i = 0; i < count; ++i) {
        ALKNET_CO_TRY(const auto item, co_await items->next());
        if (!item || item->seq != i + 1) {
            co_return fail(causes::kInternal, "an item is missing");
        }
    }
    co_return result<void>{};
}

task<result<void>> items(Target& target, std::size_t count) {
    ALKNET_CO_TRY(const auto client, co_await connect(target));
    auto outcome = co_await take_items(*client, count);
    co_await client->close();
    co_return outcome;
}

using Callers = std::vector<std::unique_ptr<call::CallClient>>;

task<result<void>> connect_some(Target& target, Callers& callers, std::size_t& left) {
    while (left > 0) {
        --left;
        ALKNET_CO_TRY(auto client, co_await connect(target));
        Load one{.left = 1};
        const auto called = co_await call_after_call(*client, one);
        callers.push_back(std::move(client));
        ALKNET_CO_CHECK(called);
    }
    co_return result<void>{};
}

// Nothing else goes on while it waits for its input to end.
task<result<void>> idle(Target& target, std::size_t count) {
    Callers callers;
    TaskScope scope(target.loop);
    std::size_t left = count;
    for (std::size_t i = 0; i < kDialsAtATime; ++i) {
        scope.spawn(connect_some(target, callers, left), "idle.connect");
    }
    auto outcome = co_await scope.join();
    if (outcome) {
        std::printf("{\"callers\":%zu}\n", callers.size());
        std::fflush(stdout);
        while (std::getchar() != EOF) {
        }
    }
    for (const auto& client : callers) {
        co_await client->close();
    }
    co_return outcome;
}

task<result<void>> work_on(Target& target, std::vector<std::string> words) {
    const std::size_t first = number(words[4]);
    result<void> outcome;
    if (words[0] == "calls") {
        outcome = co_await calls(
            target, {.depth = first, .left = number(words[5]), .bytes = number(words[6])});
    } else {
        outcome = co_await (words[0] == "items" ? items(target, first) : idle(target, first));
    }
    co_await target.dialer.shutdown();
    co_return outcome;
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
    options.transport.idle_timeout = kIdleTimeout;
    const auto dialer = Dialer::create(*loop, net::make_system_network(), tls, Log());
    Target target{
        .loop = *loop, .dialer = *dialer, .address = std::move(address), .options = options};
    return block_on(*loop, work_on(target, words));
}

// Each caller over TCP is a descriptor.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

}  // namespace

}  // namespace alknet::bench

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    alknet::result<void> outcome = alknet::fail(alknet::causes::kUsage, "see bench/call_peer.cpp");
    alknet::bench::raise_descriptor_limit();
    const bool many = words.size() == 5 && (words[0] == "items" || words[0] == "idle");
    if (words.size() == 2 && words[0] == "serve") {
        outcome = alknet::bench::serve(words[1]);
    } else if (many || (words.size() == 7 && words[0] == "calls")) {
        outcome = alknet::bench::dial(words);
    }
    if (!outcome) {
        std::fprintf(stderr, "%s\n", outcome.error().message().c_str());
        return 1;
    }
    return 0;
}
