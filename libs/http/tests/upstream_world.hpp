// An upstream in memory behind a proxy, on virtual time: its end of each connection is the test's.
#pragma once

#include <alknet/base/causes.hpp>
#include <alknet/http/proxy.hpp>
#include <alknet/net/memory_stream.hpp>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "h1_world.hpp"

namespace alknet::http::test {

/// Knows some names; whoever connects to an address of them reaches the test.
class FakeNetwork final : public net::Network {
public:
    result<std::unique_ptr<net::UdpSocket>> bind_udp(Loop&, const SocketAddress&,
                                                     const net::UdpOptions&) override {
        return fail(causes::kNotSupported);
    }
    result<std::unique_ptr<net::TcpListener>> listen_tcp(Loop&, const SocketAddress&) override {
        return fail(causes::kNotSupported);
    }
    task<result<net::TcpStream>> connect_tcp(Loop& loop, SocketAddress remote) override {
        connected.push_back(remote.to_string());
        if (hangs) {
            ALKNET_CO_CHECK(co_await loop.sleep(std::chrono::hours(1)));
        }
        if (refuses) {
            co_return fail(causes::kUnreachable);
        }
        auto pair = net::make_memory_streams(options, options);
        upstream.push_back(std::move(pair.second));
        arrived.set();
        co_return net::TcpStream{
            .stream = std::move(pair.first), .local = {}, .remote = remote, .proxy = {}};
    }
    task<result<std::vector<SocketAddress>>> resolve(Loop&, std::string host,
                                                     std::uint16_t port) override {
        std::vector<SocketAddress> all;
        for (const std::string& address : names[host]) {
            all.push_back(SocketAddress::parse(address)->with_port(port));
        }
        if (all.empty()) {
            co_return fail(causes::kResolve);
        }
        co_return all;
    }

    std::map<std::string, std::vector<std::string>> names{{"upstream", {"192.0.2.7:0"}}};
    std::vector<std::string> connected;
    std::deque<std::unique_ptr<ByteStream>> upstream;
    Event arrived;
    net::MemoryStreamOptions options;
    bool hangs = false;
    bool refuses = false;
};

/// A client, a proxy and an upstream.
struct ProxyWorld {
    explicit ProxyWorld(Loop& loop, ProxyOptions options = {.upstream = {.host = "upstream"}},
                        const Limits& limits = {})
        : world(loop, limits) {
        const Handler handler =
            make_proxy(std::move(options),
                       {.network = shared,
                        .may_connect = [this](std::string_view, const SocketAddress& resolved) {
                            return resolved.ip_text() == denied ? fail(causes::kForbidden, "denied")
                                                                : result<void>();
                        }});
        for (const std::string_view method : {"GET", "HEAD", "POST"}) {
            world.route(method, "/*rest", handler);
        }
        world.start();
    }

    /// The upstream's end of the next connection.
    task<std::unique_ptr<ByteStream>> accept() {
        EXPECT_TRUE(co_await network.arrived.wait());
        network.arrived.clear();
        auto stream = std::move(network.upstream.front());
        network.upstream.pop_front();
        co_return stream;
    }

    std::shared_ptr<FakeNetwork> shared = std::make_shared<FakeNetwork>();
    FakeNetwork& network = *shared;
    std::string denied;
    World world;
};

inline task<std::string> receive_until(ByteStream& stream, std::string end) {
    std::string all;
    std::array<std::byte, 1000> piece{};
    while (!all.ends_with(end) || end.empty()) {
        const auto count = co_await stream.read(piece);
        if (!count || *count == 0) {
            break;
        }
        all += as_text(BytesView(piece).first(*count));
    }
    co_return all;
}

}  // namespace alknet::http::test
