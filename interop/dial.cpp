// What the commands of the program do not offer, against foreign servers.
#include "interop.hpp"

#include <alknet/core/dial.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/rt/combine.hpp>
#include <array>
#include <cstdio>

namespace alknet::interop {

namespace {

task<result<bool>> echoes(Connection& connection) {
    constexpr std::string_view kSent = "does this come back?";
    ALKNET_CO_TRY(auto stream, co_await connection.open_bi());
    ALKNET_CO_CHECK(co_await stream->write(as_bytes(kSent)));
    ALKNET_CO_CHECK(co_await stream->finish());
    std::string received;
    std::array<std::byte, 256> buffer{};
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream->read(buffer));
        if (count == 0) {
            co_return received == kSent;
        }
        received += as_text(BytesView(buffer).first(count));
    }
}

const char* text(bool value) {
    return value ? "true" : "false";
}

struct Client {
    Loop& loop;
    std::shared_ptr<net::Network> network = net::make_system_network();
    std::unique_ptr<Dialer> dialer;
    NodeAddress address;
    DialOptions options;
};

task<result<void>> resume(Client& client) {
    ALKNET_CO_TRY(auto first, co_await client.dialer->dial(client.address, client.options));
    const bool first_resumed = first->info().peer.resumed;
    ALKNET_CO_CHECK(co_await echoes(*first));  // its answer comes after the ticket
    first->close(close_code::kOk, "");
    ALKNET_CO_TRY(auto second, co_await client.dialer->dial(client.address, client.options));
    ALKNET_CO_TRY(const bool echo, co_await echoes(*second));
    std::printf("{\"first_resumed\":%s,\"second_resumed\":%s,\"echo\":%s}\n", text(first_resumed),
                text(second->info().peer.resumed), text(echo));
    co_return result<void>{};
}

task<result<void>> with_quic(Client& client, bool migrate) {
    ALKNET_CO_TRY(auto connection, co_await client.dialer->dial(client.address, client.options));
    auto quic = std::dynamic_pointer_cast<quic::Connection>(connection);
    if (quic == nullptr) {
        co_return fail(causes::kNotSupported, "the dialled connection is not QUIC");
    }
    ALKNET_CO_TRY(const bool before, co_await echoes(*connection));
    if (migrate) {
        ALKNET_CO_TRY(auto local, SocketAddress::parse("127.0.0.1:0"));
        ALKNET_CO_TRY(auto socket, client.network->bind_udp(client.loop, local, {}));
        ALKNET_CO_CHECK(quic->migrate(std::move(socket)));
    } else {
        ALKNET_CO_CHECK(quic->initiate_key_update());
    }
    ALKNET_CO_TRY(const bool after, co_await echoes(*connection));
    std::printf("{\"%s\":true,\"echo\":%s}\n", migrate ? "migrated" : "updated",
                text(before && after));
    co_return result<void>{};
}

task<result<void>> run(Client& client, std::string what) {
    result<void> outcome;
    if (what == "resume") {
        outcome = co_await resume(client);
    } else {
        outcome = co_await with_quic(client, what == "migrate");
    }
    co_await client.dialer->shutdown();
    co_return outcome;
}

}  // namespace

result<void> dial(const std::string& what, const std::string& address, const std::string& alpn) {
    const SystemClock clock;
    ALKNET_TRY(const auto loop, Loop::create(clock));
    tls::ContextOptions tls;
    tls.key = NodeKey::generate();
    ALKNET_TRY(auto context, tls::TlsContext::create(std::move(tls)));
    Client client{.loop = *loop, .dialer = nullptr, .address = {}, .options = {}};
    client.dialer = Dialer::create(*loop, client.network, std::move(context), Log());
    ALKNET_TRY(client.address, NodeAddress::parse(address));
    if (!client.address.id) {
        return fail(causes::kAddressInvalid, "an address with a node id is needed");
    }
    client.options.alpns = {alpn};
    client.options.tcp = false;
    client.options.verify = tls::VerifyPin{*client.address.id};
    return block_on(*loop, with_timeout(std::chrono::seconds(30), run(client, what)));
}

}  // namespace alknet::interop
