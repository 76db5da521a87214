// What is said to a proxy and what it answers, as bytes: no socket, no task.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/net/proxy.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::net {

/// An answer's head that has not ended after so many octets is refused.
inline constexpr std::size_t kConnectHeadBytesMax = 16 << 10;

/// The CONNECT request, with Basic credentials if the proxy has some (RFC 7617).
[[nodiscard]] std::string connect_request(const ProxyUrl& proxy, std::string_view host,
                                          std::uint16_t port);

struct ConnectHead {
    int status = 0;
    std::size_t bytes = 0;  // of the head with its empty line
};
/// Reads the head of an answer; nullopt: it is not complete. Errors: kProtocol; kLimit beyond
/// kConnectHeadBytesMax.
[[nodiscard]] result<std::optional<ConnectHead>> read_connect_head(std::string_view received);
/// What a final status means. Errors: kProxyAuth, kProxyRefused, kUnreachable.
[[nodiscard]] result<void> judge_connect_status(int status);

/// One SOCKS5 CONNECT. Tells what to send and how many octets to read next, so that nothing of what
/// the host says is taken.
class Socks5Client {
public:
    /// `host` has at most ProxyUrl::kHostBytesMax octets.
    Socks5Client(const ProxyUrl& proxy, std::string_view host, std::uint16_t port);

    /// What is to be sent now; empty if nothing is.
    [[nodiscard]] Bytes take_output() { return std::exchange(output_, {}); }
    /// How many octets `receive` wants; 0 when done.
    [[nodiscard]] std::size_t wanted() const noexcept { return wanted_; }
    [[nodiscard]] bool done() const noexcept { return step_ == Step::done; }
    /// Exactly `wanted()` octets. Errors: kProxyAuth, kProxyRefused, kUnreachable, kProtocol.
    result<void> receive(BytesView data);

private:
    enum class Step : std::uint8_t { method, credentials, reply, address, done };
    result<void> method(std::uint8_t chosen);
    result<void> reply(BytesView data);
    void ask();

    ProxyUrl proxy_;
    std::string host_;
    std::uint16_t port_;
    Step step_ = Step::method;
    std::size_t wanted_ = 2;
    Bytes output_;
};

}  // namespace alknet::net
