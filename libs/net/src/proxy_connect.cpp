#include <alknet/base/causes.hpp>
#include <alknet/net/proxy.hpp>
#include <alknet/net/proxy_codec.hpp>
#include <alknet/rt/race.hpp>
#include <array>
#include <cstdlib>

#include "socket_stream.hpp"

namespace alknet::net {

namespace {

task<result<void>> ask_by_connect(ByteStream& stream, const ProxyUrl& proxy, std::string host,
                                  std::uint16_t port) {
    const std::string request = connect_request(proxy, host, port);
    ALKNET_CO_CHECK(co_await stream.write(as_bytes(request)));
    std::string received;
    std::array<std::byte, 2048> buffer{};
    std::size_t interim = 0;  // octets of heads that were only interim (RFC 9110 section 15.2)
    for (;;) {
        ALKNET_CO_TRY(const auto head, read_connect_head(std::string_view(received)));
        if (head && head->status < 200) {
            interim += head->bytes;
            received.erase(0, head->bytes);
            if (interim > kConnectHeadBytesMax) {
                co_return fail(causes::kLimit, "the head of the proxy's answer is too long");
            }
            continue;
        }
        if (head) {
            ALKNET_CO_CHECK(judge_connect_status(head->status));
            // In TLS the client speaks first: who speaks already is not the host.
            if (received.size() != head->bytes) {
                co_return fail(causes::kProtocol, "the proxy says more than that it is connected");
            }
            co_return result<void>{};
        }
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(buffer));
        if (count == 0) {
            co_return fail(causes::kProxyRefused, "it closed the connection without an answer");
        }
        received += as_text(BytesView(buffer).first(count));
    }
}

task<result<void>> ask_by_socks(ByteStream& stream, const ProxyUrl& proxy, std::string host,
                                std::uint16_t port) {
    Socks5Client client(proxy, host, port);
    while (!client.done()) {
        const Bytes output = client.take_output();
        if (!output.empty()) {
            ALKNET_CO_CHECK(co_await stream.write(output));
        }
        Bytes answer(client.wanted());
        for (std::size_t got = 0; got < answer.size();) {
            ALKNET_CO_TRY(const std::size_t count,
                          co_await stream.read(MutableBytes(answer).subspan(got)));
            if (count == 0) {
                co_return fail(causes::kProxyRefused, "it closed the connection without an answer");
            }
            got += count;
        }
        ALKNET_CO_CHECK(client.receive(answer));
    }
    co_return result<void>{};
}

task<result<TcpStream>> reach(Loop& loop, Network& network, const ProxyUrl& proxy) {
    constexpr std::size_t kAddressesMax = 4;
    ALKNET_CO_TRY(std::vector<SocketAddress> addresses,
                  co_await network.resolve(loop, proxy.host, proxy.port));
    std::vector<task<result<TcpStream>>> attempts;
    for (const SocketAddress& address : addresses) {
        if (attempts.size() < kAddressesMax) {
            attempts.push_back(network.connect_tcp(loop, address));
        }
    }
    if (attempts.empty()) {
        co_return fail(causes::kResolve, proxy.host);
    }
    co_return co_await first_success(std::move(attempts));
}

task<result<TcpStream>> connect(Loop& loop, Network& network, const ProxyUrl& proxy,
                                std::string host, std::uint16_t port) {
    ALKNET_CO_TRY(TcpStream tcp, co_await reach(loop, network, proxy));
    ByteStream& stream = *tcp.stream;
    if (proxy.kind == ProxyUrl::Kind::http) {
        ALKNET_CO_CHECK(co_await ask_by_connect(stream, proxy, std::move(host), port));
    } else {
        ALKNET_CO_CHECK(co_await ask_by_socks(stream, proxy, std::move(host), port));
    }
    // Many proxies take a connection that one side has finished for one that has ended, and throw
    // away what the other still says. TLS has an end of its own in each direction.
    if (auto* socket = dynamic_cast<SocketStream*>(tcp.stream.get())) {
        socket->finish_by_closing();
    }
    co_return tcp;
}

}  // namespace

ProxySettings ProxySettings::from_environment() {
    const auto read = [](const char* small, const char* large) {
        for (const char* name : {small, large}) {
            const char* value = std::getenv(name);
            if (value != nullptr && *value != '\0') {
                return std::string(value);
            }
        }
        return std::string();
    };
    return {.https_proxy = read("https_proxy", "HTTPS_PROXY"),
            .all_proxy = read("all_proxy", "ALL_PROXY"),
            .no_proxy = read("no_proxy", "NO_PROXY")};
}

task<result<TcpStream>> connect_through(Loop& loop, Network& network, ProxyUrl proxy,
                                        std::string host, std::uint16_t port) {
    if (host.empty() || host.size() > ProxyUrl::kHostBytesMax) {
        co_return fail(causes::kAddressInvalid, "a proxy can be told no such host");
    }
    auto connected = co_await connect(loop, network, proxy, std::move(host), port);
    if (!connected) {
        co_return unexpected(std::move(connected).error().within("proxy " + proxy.to_string()));
    }
    co_return connected;
}

}  // namespace alknet::net
