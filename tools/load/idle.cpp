#include <fmt/format.h>

#include <alknet/base/causes.hpp>
#include <alknet/base/number.hpp>
#include <alknet/core/dial.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/rt/scope.hpp>
#include <array>
#include <vector>

#include "modes.hpp"

namespace alknet::load {

namespace {

/// Handshakes at a time: below what asks clients to prove their address.
constexpr std::size_t kAtATime = 16;

struct Clients {
    Loop& loop;
    std::unique_ptr<Dialer> dialer;
    NodeAddress address;
    DialOptions options;
    std::vector<std::shared_ptr<Connection>> held;
};

task<result<void>> echo_once(Connection& connection) {
    const std::array<std::byte, 64> request{};
    ALKNET_CO_TRY(const auto stream, co_await connection.open_bi());
    ALKNET_CO_CHECK(co_await stream->write(request));
    ALKNET_CO_CHECK(co_await stream->finish());
    std::array<std::byte, 128> answer{};
    std::size_t received = 0;
    for (;;) {
        ALKNET_CO_TRY(const std::size_t count, co_await stream->read(answer));
        if (count == 0) {
            break;
        }
        received += count;
    }
    if (received != request.size()) {
        co_return fail(causes::kInternal, "an echo is not whole");
    }
    co_return result<void>();
}

task<result<void>> open_some(Clients& clients, std::size_t wanted) {
    while (clients.held.size() < wanted) {
        clients.held.emplace_back();  // the place is taken while it dials
        const std::size_t place = clients.held.size() - 1;
        ALKNET_CO_TRY(auto connection,
                      co_await clients.dialer->dial(clients.address, clients.options));
        ALKNET_CO_CHECK(co_await echo_once(*connection));
        clients.held[place] = std::move(connection);
    }
    co_return result<void>();
}

task<result<void>> run(Clients& clients, Lines lines) {
    for (;;) {
        ALKNET_CO_TRY(const auto line, co_await lines.next());
        if (!line) {
            break;
        }
        const auto wanted = parse_number<std::size_t>(*line);
        if (!wanted) {
            co_return fail(causes::kUsage, *line);
        }
        TaskScope scope(clients.loop);
        for (std::size_t i = 0; i < kAtATime; ++i) {
            scope.spawn(open_some(clients, *wanted), "load.open");
        }
        ALKNET_CO_CHECK(co_await scope.join());
        for (const auto& connection : clients.held) {
            if (connection->closed().requested()) {
                co_return fail(causes::kInternal, "an idle connection has ended");
            }
        }
        ALKNET_CO_CHECK(co_await lines.print(fmt::format("{}", clients.held.size())));
    }
    co_await clients.dialer->shutdown();
    co_return result<void>();
}

}  // namespace

task<result<void>> hold_idle(Loop& loop, std::string address) {
    ALKNET_CO_TRY(Lines lines, Lines::create(loop));
    tls::ContextOptions tls;
    tls.key = NodeKey::generate();
    ALKNET_CO_TRY(const auto context, tls::TlsContext::create(std::move(tls)));
    Clients clients{.loop = loop,
                    .dialer = Dialer::create(loop, net::make_system_network(), context, Log()),
                    .address = {},
                    .options = {},
                    .held = {}};
    ALKNET_CO_TRY(clients.address, NodeAddress::parse(address));
    clients.options.alpns = {"alknet/echo"};
    clients.options.tcp = false;
    clients.options.transport.idle_timeout = kIdleTimeout;
    co_return co_await run(clients, std::move(lines));
}

}  // namespace alknet::load
