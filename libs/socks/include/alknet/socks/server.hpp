// What a program wants that speaks SOCKS 4, 4a or 5 (RFC 1928, 1929) with us, and how it is
// answered. Sans-I/O. Greeting, password and request may come in one piece, or in any others.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/net/socket_address.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace alknet::socks {

inline constexpr std::size_t kHostBytesMax = 255;
inline constexpr std::size_t kUserBytesMax = 255;  // of SOCKS 4, whose user means nothing here

/// Who may use the proxy. SOCKS 4 has no passwords: with one it is refused.
struct SocksLogin {
    std::string user{};
    std::string password{};
    [[nodiscard]] bool wanted() const noexcept { return !user.empty() || !password.empty(); }
};

struct SocksRequest {
    std::string host;  // a name, or an address as text
    std::uint16_t port = 0;
    bool operator==(const SocksRequest&) const = default;
};

enum class SocksOutcome : std::uint8_t { granted, failed, forbidden, unreachable };

class SocksServer final {
public:
    explicit SocksServer(SocksLogin login = {}) : login_(std::move(login)) {}

    /// Gives how many of `octets` were taken: all, unless the request is complete and the rest
    /// belongs to what it is for. Errors: kProtocol; kForbidden for a wrong password; kNotSupported
    /// for another command than CONNECT. What there is to say about it is `take_output`, and then
    /// nothing more is said.
    result<std::size_t> take(BytesView octets);
    /// What is to be sent now; empty if nothing is.
    [[nodiscard]] Bytes take_output() noexcept { return std::exchange(output_, {}); }
    /// Once it is complete.
    [[nodiscard]] const std::optional<SocksRequest>& request() const noexcept { return request_; }
    /// The answer to it.
    [[nodiscard]] Bytes answer(SocksOutcome outcome) const;

private:
    enum class Step : std::uint8_t { version, methods, password, request, done };

    /// Whether it could; false: more has to come.
    result<bool> step();
    result<bool> read_methods();
    result<bool> read_password();
    result<bool> read_request();
    result<bool> read_old_request();
    result<bool> complete(std::string host, std::uint16_t port, std::size_t size);

    SocksLogin login_;
    Step step_ = Step::version;
    bool old_ = false;  // SOCKS 4
    Bytes in_;
    Bytes output_;
    std::optional<SocksRequest> request_;
};

}  // namespace alknet::socks
