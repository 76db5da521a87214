#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/crypto/secret_bytes.hpp>
#include <alknet/socks/server.hpp>
#include <array>

namespace alknet::socks {

namespace {

constexpr std::uint8_t kVersion = 5;
constexpr std::uint8_t kOldVersion = 4;
constexpr std::uint8_t kPasswordVersion = 1;
constexpr std::uint8_t kConnect = 1;
constexpr std::uint8_t kNoLogin = 0;
constexpr std::uint8_t kPassword = 2;
constexpr std::uint8_t kNoMethod = 0xFF;
constexpr std::uint8_t kV4 = 1;
constexpr std::uint8_t kName = 3;
constexpr std::uint8_t kV6 = 4;
constexpr std::uint8_t kCommandUnknown = 7;
constexpr std::uint8_t kAddressUnknown = 8;
constexpr std::uint8_t kOldGranted = 0x5A;
constexpr std::uint8_t kOldRejected = 0x5B;
constexpr std::size_t kRequestHeadBytes = 4;
constexpr std::size_t kOldHeadBytes = 8;

std::unexpected<error> not_socks() {
    return fail(causes::kProtocol, "this is not SOCKS 4 or 5");
}

std::uint8_t octet(std::byte value) noexcept {
    return static_cast<std::uint8_t>(value);
}

Bytes reply(std::uint8_t code) {
    return {std::byte{kVersion}, std::byte{code}, std::byte{0}, std::byte{kV4}, std::byte{0},
            std::byte{0},        std::byte{0},    std::byte{0}, std::byte{0},   std::byte{0}};
}

Bytes old_reply(std::uint8_t code) {
    Bytes octets(kOldHeadBytes);
    octets[1] = std::byte{code};
    return octets;
}

bool is_host(std::string_view host) noexcept {
    return !host.empty() && host.size() <= kHostBytesMax &&
           std::ranges::all_of(host, [](char c) { return c > ' ' && c < 0x7F; });
}

std::string v4_text(BytesView ip) {
    std::array<std::uint8_t, 4> octets{};
    std::ranges::transform(ip, octets.begin(), octet);
    return SocketAddress::v4(octets, 0).ip_text();
}

std::string v6_text(BytesView ip) {
    std::array<std::uint8_t, 16> octets{};
    std::ranges::transform(ip, octets.begin(), octet);
    return SocketAddress::v6(octets, 0).ip_text();
}

bool same(std::string_view a, std::string_view b) noexcept {
    return crypto::equal_constant_time(as_bytes(a), as_bytes(b));
}

}  // namespace

result<std::size_t> SocksServer::take(BytesView octets) {
    if (step_ == Step::done) {
        return 0;
    }
    in_.insert(in_.end(), octets.begin(), octets.end());
    for (bool more = true; more && step_ != Step::done;) {
        ALKNET_TRY(more, step());
    }
    const std::size_t left = step_ == Step::done ? in_.size() : 0;
    in_.resize(in_.size() - left);
    ALKNET_ASSERT(left <= octets.size());
    return octets.size() - left;
}

result<bool> SocksServer::step() {
    switch (step_) {
        case Step::version:
            if (in_.empty()) {
                return false;
            }
            old_ = octet(in_[0]) == kOldVersion;
            if (!old_ && octet(in_[0]) != kVersion) {
                return not_socks();
            }
            step_ = old_ ? Step::request : Step::methods;
            return true;
        case Step::methods:
            return read_methods();
        case Step::password:
            return read_password();
        case Step::request:
            return old_ ? read_old_request() : read_request();
        case Step::done:
            break;
    }
    return false;
}

result<bool> SocksServer::read_methods() {
    if (in_.size() < 2 || in_.size() < 2U + octet(in_[1])) {
        return false;
    }
    const std::size_t size = 2U + octet(in_[1]);
    const std::uint8_t method = login_.wanted() ? kPassword : kNoLogin;
    const BytesView offered = BytesView(in_).subspan(2, size - 2);
    if (std::ranges::find(offered, std::byte{method}) == offered.end()) {
        output_ = {std::byte{kVersion}, std::byte{kNoMethod}};
        return fail(causes::kForbidden, "the program has no password for the SOCKS proxy");
    }
    output_ = {std::byte{kVersion}, std::byte{method}};
    in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(size));
    step_ = login_.wanted() ? Step::password : Step::request;
    return true;
}

result<bool> SocksServer::read_password() {
    WireReader in(in_);
    const auto version = in.number<std::uint8_t>();
    if (!in_.empty() && version != kPasswordVersion) {
        return not_socks();
    }
    const std::string user = in.text<std::uint8_t>();
    const std::string password = in.text<std::uint8_t>();
    if (!in.ok()) {
        return false;
    }
    const bool user_right = same(user, login_.user);
    const bool right = same(password, login_.password) && user_right;
    output_.push_back(std::byte{kPasswordVersion});
    output_.push_back(right ? std::byte{0} : std::byte{1});
    if (!right) {
        return fail(causes::kForbidden, "a wrong password for the SOCKS proxy");
    }
    const std::size_t size = 3 + user.size() + password.size();
    in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(size));
    step_ = Step::request;
    return true;
}

result<bool> SocksServer::read_request() {
    if (!in_.empty() && octet(in_[0]) != kVersion) {
        return not_socks();
    }
    if (in_.size() <= kRequestHeadBytes) {
        return false;
    }
    const std::uint8_t type = octet(in_[3]);
    if (octet(in_[1]) != kConnect || (type != kV4 && type != kName && type != kV6)) {
        const bool command = octet(in_[1]) != kConnect;
        const Bytes refusal = reply(command ? kCommandUnknown : kAddressUnknown);
        output_.insert(output_.end(), refusal.begin(), refusal.end());
        return fail(causes::kNotSupported, "SOCKS: only CONNECT is served");
    }
    const bool named = type == kName;
    const std::size_t length = named ? octet(in_[4]) : (type == kV4 ? 4U : 16U);
    const std::size_t begin = kRequestHeadBytes + (named ? 1 : 0);
    if (in_.size() < begin + length + 2) {
        return false;
    }
    const BytesView address = BytesView(in_).subspan(begin, length);
    const auto port = WireReader(BytesView(in_).subspan(begin + length)).number<std::uint16_t>();
    std::string host =
        named ? std::string(as_text(address)) : (type == kV4 ? v4_text(address) : v6_text(address));
    return complete(std::move(host), port, begin + length + 2);
}

// 4, a port, an address, a user and NUL; and with the address 0.0.0.x a name and NUL.
result<bool> SocksServer::read_old_request() {
    if (in_.size() < kOldHeadBytes) {
        return false;
    }
    if (octet(in_[1]) != kConnect || login_.wanted()) {
        output_ = old_reply(kOldRejected);
        return octet(in_[1]) != kConnect
                   ? fail(causes::kNotSupported, "SOCKS: only CONNECT is served")
                   : fail(causes::kForbidden, "SOCKS 4 has no password");
    }
    const auto begin = in_.begin() + static_cast<std::ptrdiff_t>(kOldHeadBytes);
    const auto user_end = std::find(begin, in_.end(), std::byte{0});
    if (static_cast<std::size_t>(user_end - begin) > kUserBytesMax) {
        return fail(causes::kLimit, "the user of a SOCKS request");
    }
    if (user_end == in_.end()) {
        return false;
    }
    const auto port = WireReader(BytesView(in_).subspan(2)).number<std::uint16_t>();
    const BytesView ip = BytesView(in_).subspan(4, 4);
    const bool named =
        std::ranges::all_of(ip.first(3), [](std::byte b) { return b == std::byte{0}; }) &&
        ip[3] != std::byte{0};
    if (!named) {
        const auto size = static_cast<std::size_t>(user_end - in_.begin()) + 1;
        return complete(v4_text(ip), port, size);
    }
    const auto host_end = std::find(user_end + 1, in_.end(), std::byte{0});
    if (static_cast<std::size_t>(host_end - user_end) > kHostBytesMax + 1) {
        return fail(causes::kLimit, "the host of a SOCKS request");
    }
    if (host_end == in_.end()) {
        return false;
    }
    const auto size = static_cast<std::size_t>(host_end - in_.begin()) + 1;
    const BytesView host(&*(user_end + 1), static_cast<std::size_t>(host_end - user_end) - 1);
    return complete(std::string(as_text(host)), port, size);
}

result<bool> SocksServer::complete(std::string host, std::uint16_t port, std::size_t size) {
    if (!is_host(host)) {
        const Bytes refusal = answer(SocksOutcome::failed);
        output_.insert(output_.end(), refusal.begin(), refusal.end());
        return fail(causes::kProtocol, "the host of a SOCKS request");
    }
    in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(size));
    request_ = SocksRequest{.host = std::move(host), .port = port};
    step_ = Step::done;
    return true;
}

Bytes SocksServer::answer(SocksOutcome outcome) const {
    if (old_) {
        return old_reply(outcome == SocksOutcome::granted ? kOldGranted : kOldRejected);
    }
    switch (outcome) {
        case SocksOutcome::granted:
            return reply(0);
        case SocksOutcome::forbidden:
            return reply(2);
        case SocksOutcome::unreachable:
            return reply(4);
        case SocksOutcome::failed:
            break;
    }
    return reply(1);
}

}  // namespace alknet::socks
