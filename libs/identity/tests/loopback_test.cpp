// One key by three ways, over the sockets of this machine: always the same peer.
#include <gtest/gtest.h>
#include <alknet/base/causes.hpp>
#include <alknet/core/dial.hpp>
#include <alknet/core/endpoint.hpp>
#include <alknet/core/stream_handler.hpp>
#include <alknet/identity/signed_provider.hpp>
#include <alknet/rt/combine.hpp>

#include "support.hpp"

namespace alknet::identity {
namespace {

constexpr std::string_view kAlpn = "test/who";

task<result<std::string>> read_all(BiStream& stream) {
    std::string text;
    Bytes buffer(256);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await stream.read(buffer));
        if (size == 0) {
            co_return text;
        }
        text += as_text(BytesView(buffer).first(size));
    }
}

/// Says who somebody is: by the handshake, or by the token that he sends.
class WhoHandler final : public StreamHandler {
public:
    explicit WhoHandler(std::shared_ptr<IdentityProvider> identities)
        : identities_(std::move(identities)) {}
    [[nodiscard]] std::vector<std::string> alpns() const override { return {std::string(kAlpn)}; }

protected:
    task<result<void>> handle_stream(BiStream& stream, const StreamContext& context) override {
        ALKNET_CO_TRY(std::string token, co_await read_all(stream));
        std::optional<Identity> identity = context.auth.identity;
        if (!token.empty()) {
            auto resolved =
                co_await identities_->resolve_from_token(std::move(token), context.auth.alpn);
            identity = resolved ? *resolved : std::nullopt;
        }
        const std::string answer = identity ? identity->id : "a stranger";
        ALKNET_CO_CHECK(co_await stream.write(as_bytes(answer)));
        co_return co_await stream.finish();
    }

private:
    std::shared_ptr<IdentityProvider> identities_;
};

std::shared_ptr<const tls::TlsContext> context_of(std::shared_ptr<const NodeKey> key) {
    tls::ContextOptions options;
    options.key = std::move(key);
    return tls::TlsContext::create(std::move(options)).value();
}

task<result<std::string>> ask(Dialer& dialer, NodeAddress target, DialOptions options,
                              std::string token) {
    ALKNET_CO_TRY(const auto connection,
                  co_await dialer.dial(std::move(target), std::move(options)));
    ALKNET_CO_TRY(const auto stream, co_await connection->open_bi());
    ALKNET_CO_CHECK(co_await stream->write(as_bytes(token)));
    ALKNET_CO_CHECK(co_await stream->finish());
    ALKNET_CO_TRY(std::string answer, co_await read_all(*stream));
    connection->close(0, "");
    co_return answer;
}

task<bool> shut_down(Endpoint& endpoint, Dialer& dialer) {
    co_await dialer.shutdown();
    co_await endpoint.shutdown();
    co_return true;
}

class IdentityLoopback : public testing::Test {
protected:
    void SetUp() override {
        peers->replace(directory_of({peer("bob", {key->id().fingerprint()}, {"git:read"})}));
        auto chain = std::make_shared<IdentityChain>(
            std::vector<std::shared_ptr<IdentityProvider>>{peers, tokens});
        EndpointOptions options;
        options.network = network;
        options.tls = context_of(node);
        options.registry = std::make_shared<HandlerRegistry>();
        ASSERT_TRUE(options.registry->add(std::make_shared<WhoHandler>(chain)));
        options.identities = chain;
        options.secrets = quic::make_secrets();
        endpoint = Endpoint::create(*loop, std::move(options));
        ListenerOptions listener;
        listener.name = "main";
        listener.address = SocketAddress::v4({127, 0, 0, 1}, 0);
        const auto bound = endpoint->listen(listener);
        ASSERT_TRUE(bound) << bound.error().message();
        target.id = node->id();
        target.host = bound->ip_text();
        target.port = bound->port();
    }
    void TearDown() override { EXPECT_TRUE(block_on(*loop, shut_down(*endpoint, *dialer))); }

    std::string who(bool quic, bool show_key, const std::string& token = "") {
        DialOptions options;
        options.alpns = {std::string(kAlpn)};
        options.quic = quic;
        options.tcp = !quic;
        options.proxy = false;
        options.show_key = show_key;
        const auto answer = block_on(*loop, ask(*dialer, target, std::move(options), token));
        return answer ? *answer : answer.error().message();
    }

    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
    std::shared_ptr<net::Network> network = net::make_system_network();
    std::shared_ptr<const NodeKey> node = NodeKey::generate();
    std::shared_ptr<const NodeKey> key = NodeKey::generate();
    std::shared_ptr<ConfigIdentityProvider> peers =
        std::make_shared<ConfigIdentityProvider>(clock, directory_of({}));
    std::shared_ptr<SignedTokenProvider> tokens = std::make_shared<SignedTokenProvider>(
        clock, SignedTokenOptions{.audience = node->id(), .peers = peers});
    std::unique_ptr<Endpoint> endpoint;
    std::unique_ptr<Dialer> dialer = Dialer::create(*loop, network, context_of(key), Log());
    NodeAddress target;
};

TEST_F(IdentityLoopback, TheSameKeyIsTheSamePeerByEveryWay) {
    EXPECT_EQ(who(true, true), "bob");
    EXPECT_EQ(who(false, true), "bob");
    EXPECT_EQ(who(true, false), "a stranger");
    EXPECT_EQ(who(false, false), "a stranger");
    // As by a clock that goes a little ahead: this node has just started.
    std::uint8_t counter = 0;
    for (const bool quic : {true, false}) {
        const auto token = sign_token(*key, {.audience = node->id(),
                                             .purpose = std::string(kAlpn),
                                             .now = clock.wall_now() + std::chrono::seconds(2),
                                             .counter = counter++});
        ASSERT_TRUE(token);
        EXPECT_EQ(who(quic, false, token->encode()), "bob");
        EXPECT_EQ(who(!quic, false, token->encode()), "a stranger");  // it was used
        // Nothing falls back to the key of the handshake.
        EXPECT_EQ(who(quic, true, token->encode()), "a stranger");
    }
}

}  // namespace
}  // namespace alknet::identity
