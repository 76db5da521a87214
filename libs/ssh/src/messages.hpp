// Message numbers (RFC 4250 section 4.1.2, RFC 8308, and OpenSSH's ping), and the texts of the
// wire.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/wire.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace alknet::ssh {

enum class Message : std::uint8_t {
    disconnect = 1,
    ignore = 2,
    unimplemented = 3,
    debug = 4,
    service_request = 5,
    service_accept = 6,
    ext_info = 7,
    kexinit = 20,
    newkeys = 21,
    ecdh_init = 30,
    ecdh_reply = 31,
    userauth_request = 50,
    userauth_failure = 51,
    userauth_success = 52,
    userauth_banner = 53,
    userauth_pk_ok = 60,
    global_request = 80,
    request_success = 81,
    request_failure = 82,
    channel_open = 90,
    channel_open_confirmation = 91,
    channel_open_failure = 92,
    channel_window_adjust = 93,
    channel_data = 94,
    channel_extended_data = 95,
    channel_eof = 96,
    channel_close = 97,
    channel_request = 98,
    channel_success = 99,
    channel_failure = 100,
    ping = 192,
    pong = 193,
};

/// `payload` is not empty.
[[nodiscard]] inline Message message_of(BytesView payload) noexcept {
    return static_cast<Message>(payload.front());
}

/// RFC 4251 section 5: `string`, as a view into what is read.
[[nodiscard]] inline BytesView take_string(WireReader& in) noexcept {
    return in.take(in.number<std::uint32_t>());
}
[[nodiscard]] inline std::string_view take_text(WireReader& in) noexcept {
    return as_text(take_string(in));
}
[[nodiscard]] inline bool take_bool(WireReader& in) noexcept {
    return in.number<std::uint8_t>() != 0;
}

inline void put_string(WireWriter& out, BytesView value) {
    out.text<std::uint32_t>(as_text(value));
}
inline void put_text(WireWriter& out, std::string_view value) {
    out.text<std::uint32_t>(value);
}
inline void put_bool(WireWriter& out, bool value) {
    out.number<std::uint8_t>(value ? 1 : 0);
}
[[nodiscard]] inline WireWriter begin_message(Message number) {
    WireWriter out;
    out.number(static_cast<std::uint8_t>(number));
    return out;
}

}  // namespace alknet::ssh
